"""The store in trouble in the middle of a job, on MongoDB: stopped for ten seconds, killed and started again. Agents stay
online, what is new is told 503 or taken, everything ends, nothing acknowledged is lost."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from system import ROOT
from work import Client
from world import BUILD

sys.path.append(str(ROOT / "tests" / "mongo"))
from server import Server  # noqa: E402

pytestmark = pytest.mark.plain  # timing
STOPPED_S = 10
KILLS = 3


class Job(threading.Thread):
    """The small job, run beside the trouble; what went wrong with it is raised by end()."""

    def __init__(self, world, name):
        super().__init__(daemon=True)
        self.client = Client(world.system, world.oracle, name)
        self.problem = None
        self.start()

    def run(self):
        try:
            self.client.run()
        except BaseException as problem:  # noqa: BLE001 - handed on
            self.problem = problem

    def end(self):
        self.join()
        if self.problem:
            raise self.problem


@pytest.fixture
def away(tmp_path, start_world):
    """(world, server): a system on a MongoDB server of its own."""
    server = Server(tmp_path).start()
    if server.given:
        pytest.skip("the server of SHADOW_TEST_MONGODB_URI is not ours to kill")
    print(f"store: {server.words}")
    try:
        world = start_world("away", store=f"{server.uri}away")
        yield world, server
        world.system.stop()
    finally:
        server.stop()


def verdict(world, uri):
    """The store's rows, copied into a SQLite store, against what was written down."""
    world.oracle.follow(world.system.broker)
    world.system.broker.stop()
    copy = world.folder / "copy"
    copy.mkdir()
    subprocess.run([BUILD / "broker" / "shadow-broker", "--state", world.system.state, "--copy-store", uri,
                    f"sqlite:{copy}"], check=True, timeout=120, stdout=subprocess.DEVNULL)
    return world.oracle.verdict(world.system.state, copy)


def test_a_store_that_stands_still(away):
    world, server = away
    broker = world.system.broker
    job = Job(world, "still")
    broker.wait_log("chunk done")
    server.signal(signal.SIGSTOP)
    until, looks = time.monotonic() + STOPPED_S, 0
    late = Job(world, "late")  # a job that comes while it stands still
    rest = world.system.rest()
    while time.monotonic() < until:
        shown = rest.get("/api/devices").json()["devices"]
        assert {device["status"] for device in shown} <= {"online", "busy"}, shown
        looks += 1
        time.sleep(0.2)  # a sample of a state, not a wait
    server.signal(signal.SIGCONT)
    job.end()
    late.end()
    assert "agent offline" not in broker.log()
    refused = job.client.refused + late.client.refused
    print(f"covered: store stopped {STOPPED_S} s, {looks} looks at the devices, {refused} answers of 503; "
          f"{verdict(world, server.uri + 'away')}")


def test_a_store_that_is_killed(away):
    world, server = away
    broker = world.system.broker
    since = 0
    for i in range(KILLS):
        job = Job(world, f"kill-{i}")
        broker.wait_log("chunk done", since=since)
        server.kill()
        server.start()
        job.end()
        since = len(broker.log())
    assert "agent offline" not in broker.log()
    print(f"covered: store killed {KILLS} times; {verdict(world, server.uri + 'away')}")
