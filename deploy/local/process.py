"""One process of quickstart: its pid file, which a recycled pid never matches, and how it is started and
ended.

The pid file holds pid, start time and boot id. The child writes it before it becomes the program, so that a
quickstart that is killed leaves no process that `stop` does not know."""

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from words import Problem

READY_S = 30
STOP_S = 10
LOG_BYTES = 10 << 20  # a longer log is set aside at the next start


def start_time(pid):
    """The start time (ticks since boot) of a running process, None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2:].split()  # the name may hold spaces and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Process:
    def __init__(self, role, name, run_folder, log_folder):
        self.role = role
        self.name = name
        self.pid_file = run_folder / f"{name}.pid"
        self.log = log_folder / f"{name}.log"

    @property
    def pid(self):
        """Its pid while it runs, else None."""
        try:
            noted = json.loads(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        same = noted["boot"] == boot_id() and start_time(noted["pid"]) == noted["start"]
        return noted["pid"] if same else None

    def _note_pid(self):
        noted = {"pid": os.getpid(), "start": start_time(os.getpid()), "boot": boot_id()}
        fresh = self.pid_file.with_suffix(".new")
        fresh.write_text(json.dumps(noted))
        fresh.rename(self.pid_file)

    def start(self, command):
        """Starts it and returns when it has said that it is ready."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        with tempfile.TemporaryDirectory(prefix="sw-") as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self.log.open("ab") as log:
            notify.bind(f"{folder}/ready")
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={**os.environ, "NOTIFY_SOCKET": f"{folder}/ready"}, start_new_session=True,
                preexec_fn=self._note_pid)
            self._await_ready(child, notify)

    def _await_ready(self, child, notify):
        deadline = time.monotonic() + READY_S
        ended = os.pidfd_open(child.pid)
        try:
            while True:
                ready, _, _ = select.select([notify, ended], [], [], max(0, deadline - time.monotonic()))
                if notify in ready and b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
                if ended in ready:
                    status = child.wait()
                    raise Problem(f"{self.name} ended with status {status}", log=self.log,
                                  fix="mend what its log says, then call quickstart again")
                if not ready:
                    child.kill()
                    child.wait()
                    raise Problem(f"{self.name} was not ready within {READY_S} s", log=self.log,
                                  fix="mend what its log says, or wait until the machine is less busy, then call "
                                      "quickstart again")
        finally:
            os.close(ended)

    def ask_to_end(self):
        """Sends SIGTERM; a pidfd to await its end with, None if it does not run."""
        pid = self.pid
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return None
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        if self.pid != pid:  # it ended and the number was taken in between
            os.close(handle)
            return None
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        return handle

    def await_end(self, handle, deadline):
        """Returns when it has ended; kills it at the deadline."""
        ended, _, _ = select.select([handle], [], [], max(0, deadline - time.monotonic()))
        if not ended:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [])
        os.close(handle)
        self.pid_file.unlink(missing_ok=True)
