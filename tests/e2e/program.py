"""One real process under test: started, awaited by sd_notify, frozen, killed and restarted by its pid."""

import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

READY_S = 30  # a sanitizer build on a loaded machine
STOP_S = 15
REPORTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")


class Program:
    def __init__(self, name, command, log_path, env=None):
        self.name = name
        self.command = [str(word) for word in command]
        self.log_path = log_path
        self.env = env or {}
        self.process = None
        self.reports = REPORTS  # what it must never write
        self._log = bytearray()  # everything it ever wrote, across restarts
        self._written = threading.Condition()
        self._copier = None

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, ready_s=READY_S, wait=True):
        """Starts it and returns when it has said READY=1; fails with its log if it ends or is late. Not awaited
        unless `wait`."""
        assert not self.is_running(), f"{self.name} runs already"
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(b"")  # an abstract address of the kernel's choice
        address = "@" + notify.getsockname()[1:].decode()
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end,
            env={**os.environ, **self.env, "NOTIFY_SOCKET": address})
        os.close(write_end)
        self._copier = threading.Thread(target=self._copy_log, args=(read_end,), daemon=True)
        self._copier.start()
        if wait:
            self._await_ready(notify, ready_s)
        else:
            notify.close()
        return self

    def _await_ready(self, notify, ready_s):
        deadline = time.monotonic() + ready_s
        ended = os.pidfd_open(self.process.pid)
        with notify, os.fdopen(ended):
            while True:
                left = max(0, deadline - time.monotonic())
                ready, _, _ = select.select([notify, ended], [], [], left)
                if notify in ready and b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
                if ended in ready or not ready:
                    problem = "ended" if ended in ready else f"was not ready within {ready_s} s"
                    self.kill()
                    raise AssertionError(f"{self.name} {problem} (status {self.process.returncode}): "
                                         f"{' '.join(self.command)}\n{self.log()}")

    def _copy_log(self, read_end):
        with os.fdopen(read_end, "rb", buffering=0) as pipe, open(self.log_path, "ab") as copy:
            while data := pipe.read(65536):
                copy.write(data)
                copy.flush()
                with self._written:
                    self._log += data
                    self._written.notify_all()

    def ended(self):
        """Its exit status; its last words (a leak report) are in the log when this returns."""
        self._copier.join(timeout=5)  # children that outlive it would hold the pipe open
        return self.process.returncode

    def log(self):
        with self._written:
            return self._log.decode(errors="replace")

    def wait_log(self, pattern, limit_s=30, since=0):
        """Waits for a line that matches; the match. `since`: a length of log() to start from."""
        def find():
            return re.search(pattern, self._log[since:].decode(errors="replace"))
        with self._written:
            assert self._written.wait_for(find, limit_s), \
                f"{self.name} did not log {pattern!r} within {limit_s} s:\n{self._log.decode(errors='replace')}"
            return find()

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """kill -9, and the pid is gone when this returns."""
        if self.is_running():
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.ended()

    def freeze(self):
        """SIGSTOP; returns when the process stands still."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stop(self, limit_s=STOP_S):
        """SIGTERM; its exit status. Killed, and the test failed, if it does not end in time."""
        if not self.is_running():
            return self.process.returncode if self.process else None
        self.thaw()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=limit_s)
            return self.ended()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {limit_s} s of SIGTERM:\n{self.log()}")

    def restart(self):
        """kill -9 and start again with the same command."""
        self.kill()
        return self.start()

    def check(self):
        """Fails if it wrote a sanitizer report or a failed assertion."""
        found = self.reports.search(self.log())
        assert not found, f"{self.name} reports {found.group()}:\n{self.log()}"
