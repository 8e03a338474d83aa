"""The store in trouble in the middle of a job, on MongoDB: stopped for ten seconds, killed and started again. Agents stay
online, what is new is told 503 or taken, everything ends, nothing acknowledged is lost."""

import json
import signal
import subprocess
import time

import pytest
from samples import check_compressed, write_fifty
from server import Server
from work import Job

pytestmark = pytest.mark.plain  # timing
STOPPED_S = 10
KILLS = 3


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


def verdict(world):
    world.oracle.follow(world.system.broker)
    return world.oracle.verdict(world.system.state)


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
          f"{verdict(world)}")


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
    print(f"covered: store killed {KILLS} times; {verdict(world)}")


def test_fifty_files_while_store_and_broker_are_killed(away):
    """As tests/e2e/test_kills.py does it to broker and gateway on both stores."""
    world, server = away
    system, work, out = world.system, world.folder / "work", world.folder / "out"
    names = write_fifty(work)
    command, env = system.ctl_command("--json", "compress", "--level", "19", "-o", out, "--", *names)
    process = subprocess.Popen(command, env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kills, since = [], 0
    try:
        for kill in [server.kill, system.broker.kill, server.kill, system.broker.kill]:
            system.broker.wait_log("chunk done", since=since)
            kill()
            kills.append(process.poll() is None)
            (server if kill == server.kill else system.broker).start()
            since = len(system.broker.log())
        said, words = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, words
    job = json.loads(said)
    assert job["status"] == "completed" and job["completedChunks"] == job["totalChunks"] and not job["failedChunks"]
    check_compressed(work, names, out)
    world.oracle.follow(system.broker)
    assert not world.oracle.faults, world.oracle.faults
    print(f"covered: {len(names)} files while store and broker were killed {sum(kills)} times; chunks given out {world.oracle.runs} times")
