"""A store that stalls: the loop goes on. Heartbeats and work are not held up, what would write is told `busy` when a
bounded queue is full, nothing is acknowledged that is not durable, and all recovers by itself."""

import pytest
import wire
from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)

pytestmark = [pytest.mark.plain, pytest.mark.sqlite]  # preloads a library that holds up its fdatasync

LARGE = [b"x" * 15000] * 15  # inline: its rows are as large as a message may be


class Stall:
    """No commit gets through from `begin` to `end`."""

    def __init__(self, system, build):
        self.file = system.folder / "stalled"
        system.broker.kill()
        system.broker.env = {"LD_PRELOAD": str(build / "tests" / "slow-store.so"), "SLOW_STORE": str(self.file)}
        system.broker.start()

    def begin(self):
        self.file.touch()

    def end(self):
        self.file.unlink(missing_ok=True)


@pytest.fixture
def stall(broker, build):
    stall = Stall(broker, build)
    yield stall
    stall.end()


def fill(gateway):
    """SUBMITs until one is refused; the refs of those that were taken in."""
    files, payload = wire.inputs(*LARGE)
    for ref in range(10_000, 11_000):
        gateway.send("SUBMIT", payload, ref=ref, type="hash", inputs=files, chunk_count=len(LARGE))
        gateway.send("GET_STATS", ref=1)
        got = gateway.expect("ERROR", "STATS")
        if got["_name"] == "ERROR":
            assert (got["ref"], got["code"]) == (ref, "busy")
            gateway.expect("STATS")
            return list(range(10_000, ref))
    raise AssertionError("never busy")


def test_a_stalled_store_holds_up_nothing_but_changes(broker, gateway, agent, stall):
    gateway.connect()
    a = agent()
    a.hello(chunks=1)
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    device = gateway.ask("GET_AGENTS")["rows"][0]["device_id"]
    open_job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    stall.begin()
    taken = fill(gateway)
    assert 50 < len(taken) < 200  # three batches of 8 MiB
    a.done(job, lease, b"sum")
    until(lambda: "has not answered" in gateway.ask("GET_STATS")["store_error"], "status tells it", limit_s=10)
    for _ in range(9):  # longer than an agent may be silent
        a.say("BEAT")
        a.expect("BEAT")
        for message, values in [("SUBMIT", {"type": "hash", "open": 1}), ("ADD", {"job": open_job, "key": 5}),
                                ("SEAL", {"job": open_job}), ("CANCEL", {"job": job}), ("RETRY", {"job": job}),
                                ("SET", {"job": job, "has_priority": 1, "priority": 2}), ("FORGET", {"job": job}),
                                ("DRAIN", {"device_id": device}), ("RESUME", {"device_id": device})]:
            assert gateway.ask(message, answer="ERROR", **values)["code"] == "busy"
        row = job_of(gateway, job)
        assert (row["status"], row["completed_chunks"]) == ("processing", 0)
        assert gateway.ask("GET_AGENTS")["rows"][0]["status"] != "offline"
        assert a.is_silent(0.8)
    stall.end()
    assert sorted(gateway.expect("OK", limit_s=30)["ref"] for _ in taken) == taken
    a.expect("TAKEN")
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")
    assert job_of(gateway, open_job)["open"]
    gateway.ask("SEAL", job=open_job)
    assert "offline" not in broker.broker.log()


def test_devices_that_come_while_it_stalls_are_kept(broker, gateway, agent, stall):
    gateway.connect()
    stall.begin()
    taken = fill(gateway)
    a = agent()
    a.hello(chunks=0)
    assert gateway.ask("GET_AGENTS")["rows"][0]["status"] == "online"
    stall.end()
    assert sorted(gateway.expect("OK", limit_s=30)["ref"] for _ in taken) == taken
    gateway.ask("SUBMIT", type="hash", open=1)  # its row comes after the device's
    broker.broker.restart()
    gateway.connect()
    assert [row["status"] for row in gateway.ask("GET_AGENTS")["rows"]] == ["offline"]


def test_rest_says_503_and_when_to_come_back(broker, gateway, stall):
    gateway.connect()
    broker.add_peer("gateway", "gateway", broker.state / "gateway" / "broker.key")
    broker.gateway.start()
    rest = broker.rest()
    job = rest.post("/api/jobs?type=hash", data=b"one").json()["job"]["jobId"]
    stall.begin()
    fill(gateway)
    for refused in (rest.post("/api/jobs?type=hash", data=b"two"), rest.delete(f"/api/jobs/{job}")):
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1, refused.text
        assert refused.json()["error"]["code"] == "busy"
    assert rest.get(f"/api/jobs/{job}").json()["job"]["status"] == "pending"
    stall.end()
    until(lambda: rest.post("/api/jobs?type=hash", data=b"two").status_code == 201, "jobs are taken again")


def test_what_is_not_durable_is_not_shown(broker, gateway, agent, stall):
    """A changed priority, and a failed job that is to be done again: as before, until it is answered."""
    gateway.connect()
    devices = [agent(name) for name in ("a", "b")]
    for device in devices:
        device.hello(chunks=1000)
    job = submit(gateway, b"one")
    waiting = gateway.ask("SUBMIT", type="hash", open=1, priority=3)["job"]
    while (row := job_of(gateway, job))["status"] != "failed":
        for device in devices:
            if device.is_silent(0.05):
                continue
            for lease in device.expect("ASSIGN", "REVOKE").get("leases", []):
                device.say("FAIL", job=job, chunk=0, n=lease["n"], token=lease["token"], error="a test")
    until(lambda: gateway.ask("RETRY", answer="ERROR", job=waiting)["code"] == "conflict", "its end")
    stall.begin()
    gateway.send("SET", ref=7001, job=waiting, has_priority=1, priority=9)
    gateway.send("RETRY", ref=7002, job=job)
    assert any(not device.is_silent(5) for device in devices)  # the core has it: its chunk is given out
    assert job_of(gateway, waiting)["priority"] == 3
    assert job_of(gateway, job) == row
    listed = {shown["job"]: shown for shown in gateway.ask("GET_JOBS", limit=10)["rows"]}
    assert listed[job] == row and listed[waiting]["priority"] == 3
    assert gateway.ask("GET_CHUNKS", job=job, limit=10)["rows"][0]["status"] == "failed"
    stall.end()
    assert {gateway.expect("OK", limit_s=30)["ref"] for _ in range(2)} == {7001, 7002}
    assert job_of(gateway, waiting)["priority"] == 9
    now = job_of(gateway, job)
    assert now["status"] == "processing" and now["etag"] != row["etag"], now
