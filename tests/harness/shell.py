"""Running one command with a deadline, its output in a log file."""

import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build-test" / "logs"


class Run:
    """What became of a command: `ok`, `status`, `output` (whole), `seconds`."""

    def __init__(self, status, log, seconds, late_s):
        self.ok = status == 0
        self.status = status
        self.seconds = seconds
        self.output = log.read_text(errors="replace")
        if late_s:
            self.output += f"\nstopped: not done within {late_s:.0f} s\n"


def start(name, command, env=None):
    """Starts a command in its own process group, so that a late one is stopped with its children."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (name.replace("/", "-").replace(" ", "-") + ".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, start_new_session=True)
    return process, log, time.monotonic()


def finish(started, limit_s):
    process, log, since = started
    late_s = 0
    try:
        process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        late_s = limit_s
        # an interrupt first: pytest then writes what it has
        for number, patience_s in ((signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, None)):
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=patience_s)
                break
            except subprocess.TimeoutExpired:
                continue
    status = -1 if late_s else process.returncode
    return Run(status, log, time.monotonic() - since, late_s)


def run(name, command, limit_s, env=None):
    return finish(start(name, command, env), limit_s)
