"""A MongoDB server for tests: the one that $SHADOW_TEST_MONGODB_URI names, else a `mongod` on PATH, else SecantusDB
(a separate process of the tests, never part of the product). Knows how to start, kill, freeze and restart it."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / "build-test" / "venv-mongo"
WANTED = Path(__file__).with_name("requirements.txt")
READY_S = 60  # on a machine that does much else
STOP_S = 20


def venv():
    """The Python that has the stand-in; made once, also when several tests want it at the same time."""
    stamp = VENV / "installed.txt"
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with (VENV.parent / "venv-mongo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != WANTED.read_text():
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", VENV], check=True)
            subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "-q", "-r", WANTED], check=True)
            stamp.write_text(WANTED.read_text())
    return VENV / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`uri` ends in a slash: a database's name follows it."""

    def __init__(self, folder):
        self.given = os.environ.get("SHADOW_TEST_MONGODB_URI")
        self.process = None
        self.folder = Path(folder)
        if self.given:
            self.uri = self.given.rstrip("/") + "/"
            self.words = "the server of SHADOW_TEST_MONGODB_URI"
            return
        self.port = free_port()
        self.uri = f"mongodb://127.0.0.1:{self.port}/"
        self.data = self.folder / "mongo"
        self.data.mkdir(parents=True, exist_ok=True)
        if shutil.which("mongod"):
            self.command = ["mongod", "--bind_ip", "127.0.0.1", "--port", self.port, "--dbpath", self.data, "--quiet"]
            self.words = "mongod"
        else:
            self.command = [venv() / "secantusd-py", "--host", "127.0.0.1", "--port", self.port, "--storage-path", self.data,
                            "--log-level", "WARNING"]
            self.words = ("SecantusDB, a stand-in: it shows the driver, the rows, the lease and kill -9; replica sets that "
                          "step down, authentication and TLS only a real MongoDB can show")

    def start(self):
        if self.given:
            return self
        with (self.folder / "mongo.log").open("ab") as log:
            self.process = subprocess.Popen([str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        deadline = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None, (self.folder / "mongo.log").read_text(errors="replace")
                assert time.monotonic() < deadline, f"the MongoDB server was not there within {READY_S} s"
                time.sleep(0.05)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
