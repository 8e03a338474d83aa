"""A store that is 2 s away: every answer of the MongoDB server comes that much later. Heartbeats and running work go on,
devices are shown at once, who finds the queue full is told so before the gateway gives up, what was acknowledged is there."""

import threading
import time
import uuid

import pytest
from relay_slow import SlowLink
from server import Server
from work import Job

pytestmark = [pytest.mark.plain, pytest.mark.timeout(300)]
DELAY_S, WATCHED_S = 2, 8
AT_ONCE_S = 1.5  # less than one answer of the store
CLIENTS = 60  # more than are looked up in the store before a gateway gives up (12 s)


@pytest.fixture
def slow(tmp_path, start_world):
    """(world, link): a system on a MongoDB server behind a link that can be made slow."""
    server = Server(tmp_path)
    if server.given:
        pytest.skip("the server of SHADOW_TEST_MONGODB_URI is not behind a link of ours")
    server.start()
    link = SlowLink(server.port)
    try:
        world = start_world("slow", store=f"mongodb://127.0.0.1:{link.port}/slow")
        yield world, link
        link.delay_s = 0
        world.system.stop()
    finally:
        link.stop()
        server.stop()


def watch(world, until):
    """Looks at the devices until then; (looks, the slowest in seconds)."""
    rest, looks, slowest = world.system.rest(), 0, 0
    while time.monotonic() < until:
        begun = time.monotonic()
        shown = rest.get("/api/devices").json()["devices"]
        slowest = max(slowest, time.monotonic() - begun)
        assert {device["status"] for device in shown} <= {"online", "busy"}, shown
        looks += 1
        time.sleep(0.1)  # a sample of a state, not a wait
    return looks, slowest


def flood(world):
    """Many submits at the same time, each acknowledged or refused by the broker; the counts of both."""
    counts, problems, lock = {201: 0, 503: 0}, [], threading.Lock()

    def submit():
        key = uuid.uuid4().hex
        world.oracle.note("submit", key=key)
        answer = world.system.rest().post("/api/jobs", json={
            "type": "transform", "params": {"op": "upper"}, "idempotencyKey": key, "chunkCount": 1, "inputData": ["x" * 15_000]})
        with lock:
            counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
            if answer.status_code in (200, 201):
                world.oracle.note("ack", key=key, job=int(answer.json()["job"]["jobId"]))
            elif answer.status_code != 503 or "Retry-After" not in answer.headers or answer.json()["error"]["code"] != "busy":
                problems.append(answer.text[:300])

    threads = [threading.Thread(target=submit, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, (len(problems), problems[:3])
    return counts


def test_a_store_that_is_two_seconds_away(slow):
    world, link = slow
    broker = world.system.broker
    job = Job(world, "slow")
    broker.wait_log("chunk done")
    since = broker.log().count("chunk done")
    link.delay_s = DELAY_S
    looks, slowest = watch(world, time.monotonic() + WATCHED_S)
    counts = flood(world)
    more, slow_too = watch(world, time.monotonic() + 1)
    done = broker.log().count("chunk done") - since
    assert done > 0 and "agent offline" not in broker.log()
    assert max(slowest, slow_too) < AT_ONCE_S
    assert counts[503], counts
    link.delay_s = 0
    job.end()
    Job(world, "after").end()
    world.oracle.follow(broker)
    print(f"covered: store {DELAY_S} s away, {done} chunks done meanwhile, {looks + more} looks at the devices, slowest "
          f"{max(slowest, slow_too):.2f} s; of {CLIENTS} submits {counts[503]} were refused; "
          f"{world.oracle.verdict(world.system.state)}")
