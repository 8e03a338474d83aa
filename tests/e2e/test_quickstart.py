"""deploy/quickstart as a person uses it: starts, repeats, mends, stops exactly what it started, and its first job.

It builds in build/, so these tests are about that build whatever SHADOW_BUILD says."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import requests
from system import ROOT, free_ports

pytestmark = [pytest.mark.plain, pytest.mark.timeout(900)]  # the first call builds
KEYS = {"gateway", "tokenFile", "state", "processes"}


class Quickstart:
    def __init__(self, folder):
        self.home = folder / "home"
        self.state = folder / "state"
        self.port = free_ports(3)
        self.home.mkdir()

    def command(self, *words):
        return [ROOT / "deploy" / "quickstart", "--state", self.state, "--port", str(self.port), *words]

    def run(self, *words, status=0):
        """Its standard output, and standard error after it."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=800,
                              env={**os.environ, "HOME": str(self.home)})
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, code=0):
        done = subprocess.run(self.command("status", "--json"), capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def pids(self):
        return {process["name"]: process["pid"] for process in self.status()["processes"]}


def is_alive(pid):
    """False for a zombie, too: quickstart has gone, and whoever inherits its children reaps them some time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def quickstart(folder):
    made = Quickstart(folder)
    yield made
    made.run("stop")


def test_first_job(quickstart):
    said = quickstart.run()
    rows = re.findall(r"^\S+ +[\d,]+ +[\d,]+ +\d+\.\d\d$", said, re.MULTILINE)
    assert len(rows) == 50, said
    assert re.search(r"^50 files +[\d,]+ +[\d,]+ +\d+\.\d\d$", said, re.MULTILINE)
    assert "every output passed `zstd -t` and decodes to its input" in said
    chunks = dict(re.findall(r"^(agent-\d) +(\d+) chunks$", said, re.MULTILINE))
    assert set(chunks) == {"agent-1", "agent-2"}, said
    assert f"http://127.0.0.1:{quickstart.port}" in said
    page = requests.get(f"http://127.0.0.1:{quickstart.port}/", timeout=20).ok  # where it is built with one
    link = re.search(rf"^page +http://127.0.0.1:{quickstart.port}/#login=([\w-]+)$", said, re.MULTILINE)
    assert bool(link) == page
    # what it prints for a system beside the default one works as it stands
    line = re.search(r"^shadowctl +(SHADOW_GATEWAY=.*)$", said, re.MULTILINE).group(1)
    jobs = subprocess.run(["bash", "-c", f"{line} --json jobs"], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(jobs.stdout)["jobs"][0]["status"] == "completed"
    assert not list((quickstart.state / "first-job").iterdir())


def test_files_of_ones_own(quickstart, folder):
    names = ["a b.txt", "-x", "line\nbreak", "café", os.fsdecode(b"not \xff utf-8")]
    inputs = folder / "mine"
    inputs.mkdir()
    for name in names:
        (inputs / name).write_bytes(os.fsencode(name) * 1000)
    said = quickstart.run(*[inputs / name for name in names])
    out = Path(re.search(r"^outputs +(.*)$", said, re.MULTILINE).group(1))
    packed = [path for path in out.rglob("*.zst")]
    assert sorted(path.name for path in packed) == sorted(f"{name}.zst" for name in names)
    assert sorted(path.name for path in inputs.iterdir()) == sorted(names)


def test_repeats_mends_and_stops(quickstart):
    assert quickstart.status(code=3)["processes"] == []
    quickstart.run("start", "--agents", "3")
    status = quickstart.status()
    assert set(status) == KEYS
    assert status["gateway"] == f"http://127.0.0.1:{quickstart.port}"
    assert Path(status["tokenFile"]).is_absolute() and Path(status["tokenFile"]).stat().st_mode & 0o777 == 0o600
    assert status["state"] == str(quickstart.state)
    assert [(p["role"], p["name"]) for p in status["processes"]] == [
        ("broker", "broker"), ("gateway", "gateway"), *(("agent", f"agent-{i}") for i in (1, 2, 3))]

    before = quickstart.pids()
    assert "running already" in quickstart.run("start")
    assert quickstart.pids() == before
    os.kill(before["agent-2"], signal.SIGKILL)
    assert "started agent-2" in quickstart.run("start")
    after = quickstart.pids()
    assert {name for name in after if after[name] != before[name]} == {"agent-2"}

    assert "stopped agent-1 agent-2 agent-3 gateway broker" in quickstart.run("stop")
    assert quickstart.status(code=3)["processes"] == []
    assert not [pid for pid in after.values() if is_alive(pid)]
    assert "nothing was running" in quickstart.run("stop")


def test_two_at_once_start_one_system(quickstart):
    both = [subprocess.Popen(quickstart.command("start"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(2)]
    assert [process.wait(timeout=800) for process in both] == [0, 0]
    ours = subprocess.run(["pgrep", "-f", str(quickstart.state)], capture_output=True, text=True).stdout.split()
    programs = [pid for pid in map(int, ours) if Path(f"/proc/{pid}/exe").resolve().name.startswith("shadow-")
                and "--slot" not in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    assert sorted(programs) == sorted(quickstart.pids().values())


def test_a_recycled_pid_is_not_ours(quickstart):
    """A pid file whose number now belongs to somebody else: nothing is signalled, and it counts as not running."""
    quickstart.run("start")
    note = quickstart.state / "run" / "agent-1.pid"
    was = json.loads(note.read_text())
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            note.write_text(json.dumps({**was, "pid": stranger.pid}))
            assert "agent-1" not in quickstart.pids()
            quickstart.run("stop")
            assert stranger.poll() is None
        finally:
            stranger.kill()
            os.kill(was["pid"], signal.SIGKILL)  # the one whose note was overwritten


def test_a_taken_port_is_named(quickstart):
    with socket.socket() as other:
        other.bind(("127.0.0.1", quickstart.port))
        other.listen()
        said = quickstart.run("start", status=1)
    assert f"port {quickstart.port} cannot be used: Address already in use" in said
    assert "choose others with --port" in said
    quickstart.run("start")


@pytest.mark.parametrize("words", [["stop", "x"], ["--agents", "0"], ["--port", "65534"], ["--json"], ["no-such-file"]])
def test_wrong_usage(quickstart, words):
    assert "error:" in quickstart.run(*words, status=2)


def test_the_state_keeps_its_port(quickstart):
    """Clients know the gateway by its port: a stop and a start without --port change nothing."""
    quickstart.run("start")
    quickstart.run("stop")
    bare = [ROOT / "deploy" / "quickstart", "--state", quickstart.state]
    env = {**os.environ, "HOME": str(quickstart.home)}
    for words, code in ((["status", "--json"], 3), (["start"], 0), (["status", "--json"], 0)):
        done = subprocess.run([*bare, *words], capture_output=True, text=True, timeout=800, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        assert f"http://127.0.0.1:{quickstart.port}" in done.stdout
    assert "stopped agent-1" in quickstart.run("stop")


def test_another_port_is_told_to_shadowctl_and_stop_works_as_printed(quickstart):
    """In the default state of a home of its own, started twice with different ports."""
    env = {**os.environ, "HOME": str(quickstart.home), "XDG_DATA_HOME": str(quickstart.home / "my data")}
    env.pop("XDG_CONFIG_HOME", None)
    config = quickstart.home / ".config" / "shadowwork" / "shadowctl.conf"
    for port in (quickstart.port, free_ports(3)):
        done = subprocess.run([ROOT / "deploy" / "quickstart", "--port", str(port), "start"], cwd=quickstart.home,
                              capture_output=True, text=True, timeout=800, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line)
        assert config.read_text().startswith(f"gateway = http://127.0.0.1:{port}\n")
        shown = subprocess.run(f"{lines['shadowctl']} doctor", shell=True, cwd=quickstart.home, capture_output=True, text=True, env=env)
        assert "everything works" in shown.stdout, shown.stdout + shown.stderr
        stopped = subprocess.run(lines["stop"], shell=True, cwd=quickstart.home, capture_output=True, text=True,
                                 env={key: value for key, value in env.items() if key != "XDG_DATA_HOME"})
        assert "stopped agent-1 agent-2 gateway broker" in stopped.stderr, stopped.stderr


def test_names_that_are_no_text_and_folders_without_files(quickstart):
    (quickstart.home / "empty").mkdir()
    assert "there is no file in what you named" in quickstart.run(quickstart.home / "empty", status=1)
    name = os.fsencode(quickstart.home) + b"/odd \xff"
    with open(name, "wb") as file:
        file.write(b"1" * 1000)
    assert "odd \\xff" in quickstart.run(os.fsdecode(name))
