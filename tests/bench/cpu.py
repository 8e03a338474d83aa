"""CPU seconds, user and system: of processes that run on, and of a command from start to end."""

import os
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        threads = [Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return 0, []
    fields = text[text.rindex(")") + 2:].split()
    return sum(map(int, fields[11:15])) / TICKS, " ".join(threads).split()


def of_processes(pids):
    """So far, with all their children, those that ended and were waited for included."""
    total, left = 0, list(pids)
    while left:
        seconds, children = _stat(left.pop())
        total += seconds
        left += children
    return total


class Done:
    def __init__(self, command, cpu_s, wall_s, output):
        self.command = command
        self.cpu_s = cpu_s
        self.wall_s = wall_s
        self.output = output


def of_command(command, **options):
    """Runs it to its end; fails unless it ends with 0. Its standard output is kept unless given elsewhere."""
    begun = time.monotonic()
    options.setdefault("stdout", subprocess.PIPE)
    process = subprocess.Popen(command, **options)
    output = process.stdout.read() if process.stdout else None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    assert process.returncode == 0, f"{command[:8]} ended with {process.returncode}"
    return Done(command, usage.ru_utime + usage.ru_stime, time.monotonic() - begun, output)
