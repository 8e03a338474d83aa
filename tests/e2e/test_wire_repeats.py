"""Requests that meet: repeats of one that is under way, and what is asked of a job while it comes back or ends. Each
is answered, once, and nothing is done twice."""

import sqlite3
import time

import wire
from system import until
from wire_world import agent, broker, gateway, job_of  # noqa: F401 (fixtures)

CHUNKS = 300  # with 16 KB of result each: several pages of rows


def answers(gateway, count):
    """The next `count` answers as {ref: (message, fields)}."""
    got = {}
    for _ in range(count):
        name, values, _payload = gateway.recv()
        assert values["ref"] not in got, f"{name} {values} once more"
        got[values["ref"]] = name, values
    return got


def ended_job(gateway, a, bad=()):
    """A job that has ended, after all but the `bad` chunks were done."""
    a.hello(chunks=5000, size=1 << 30)
    files, payload = wire.inputs(*[b"x%d" % i for i in range(CHUNKS)])
    job = gateway.ask("SUBMIT", payload, type="hash", inputs=files, chunk_count=CHUNKS)["job"]
    left = CHUNKS - len(bad) + 3 * len(bad)
    while left:
        grant = a.expect("ASSIGN", "TAKEN", "REVOKE")
        for lease in grant["leases"] if grant["_name"] == "ASSIGN" else []:
            left -= 1
            if lease["chunk"] in bad:
                a.say("FAIL", job=job, chunk=lease["chunk"], n=lease["n"], token=lease["token"], error="boom")
            else:
                a.done(job, lease, b"y" * 16000)
    until(lambda: job_of(gateway, job)["status"] == ("failed" if bad else "completed"), "the job ends")
    return job


def test_retries_of_one_ended_job(broker, gateway, agent):
    """Several at once, some while another brings the job back: one reload, and only what failed runs again."""
    a = agent()
    job = ended_job(gateway, a, bad=(0,))
    for i in range(40):
        gateway.send("RETRY", ref=1000 + i, job=job)
        if i >= 2:
            time.sleep(0.0005)  # not to wait for anything: to hit every moment of the reload
    got = answers(gateway, 40)
    assert "OK" in [name for name, _ in got.values()]
    assert {values["message"] for name, values in got.values() if name == "ERROR"} <= \
        {"nothing of this job has failed so far"}, got
    row = job_of(gateway, job)
    assert (row["status"], row["total_chunks"], row["total_files"], row["completed_chunks"], row["failed_chunks"]) == \
        ("processing", CHUNKS, CHUNKS, CHUNKS - 1, 0)
    while (grant := a.expect("ASSIGN", "TAKEN"))["_name"] != "ASSIGN":
        pass
    assert [lease["chunk"] for lease in grant["leases"]] == [0]
    a.done(job, grant["leases"][0], b"at last")
    a.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "completed"
    assert a.is_silent()


def test_a_job_that_comes_back_is_seen_and_changed_whole(broker, gateway, agent):
    job = ended_job(gateway, agent())
    before = job_of(gateway, job)
    others = [("SET", {"has_name": 1, "name": "renamed"}), ("GET_JOBS", {}), ("CANCEL", {}),
              ("GET_CHUNKS", {"limit": 1000})]
    for _ in range(8):
        gateway.send("RETRY", ref=1, job=job)  # nothing failed: it stays as it is
        for ref in range(2, 82):
            message, values = others[ref % len(others)]
            gateway.send(message, ref=ref, job=job, **values)
            time.sleep(0.0001)
        got = answers(gateway, 81)
        assert got[1][1]["message"] == "nothing of this job failed"
        for ref in range(2, 82):
            name, values = got[ref]
            if name == "JOBS":
                assert values["rows"] == [before]
            elif name == "CHUNKS":
                assert values["rows"] and {row["status"] for row in values["rows"]} == {"completed"}
            else:
                assert (name, values["code"]) == ("ERROR", "conflict")
    broker.broker.restart()
    gateway.connect()
    assert job_of(gateway, job) == before


def test_a_submit_repeated_while_its_inputs_come_in(broker, gateway):
    """The repeat is told what became of the first one, not that a job exists which may yet fail."""
    submit = {"type": "hash", "key": "k", "body_hash": 7, "uploads": [{"id": "0" * 32}]}
    for ref in range(1, 4):
        gateway.send("SUBMIT", ref=ref, **submit)
    for name, values in answers(gateway, 3).values():
        assert (name, values.get("code")) == ("ERROR", "not_found"), values
    assert gateway.ask("GET_JOBS", limit=10)["rows"] == []
    files, payload = wire.inputs(b"one")
    whole = {"type": "hash", "key": "k", "body_hash": 8, "inputs": files}
    for ref in range(11, 14):
        gateway.send("SUBMIT", payload, ref=ref, **whole)
    got = answers(gateway, 3)
    assert {name for name, _ in got.values()} == {"OK"} and len({values["job"] for _, values in got.values()}) == 1
    assert sorted(values["existing"] for _, values in got.values()) == [0, 1, 1]
    assert gateway.ask("SUBMIT", payload, answer="ERROR", **{**whole, "body_hash": 9})["code"] == "conflict"


def test_what_waits_behind_a_seal_is_answered(broker, gateway):
    job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    files, payload = wire.inputs(b"abc")
    gateway.send("ADD", ref=1001, job=job, key=11, uploads=[{"id": "0" * 32}])
    gateway.send("SEAL", ref=1002, job=job)
    gateway.send("ADD", payload, ref=1003, job=job, key=12, inputs=files)
    gateway.send("SEAL", ref=1004, job=job)
    got = {ref: (name, values.get("code")) for ref, (name, values) in answers(gateway, 4).items()}
    assert got == {1001: ("ERROR", "not_found"), 1002: ("OK", None), 1003: ("ERROR", "conflict"), 1004: ("OK", None)}


def test_what_waits_when_the_job_goes_is_answered(broker, gateway):
    for message, code in (("FORGET", "not_found"), ("CANCEL", "cancelled")):
        job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
        for ref in range(2001, 2005):
            gateway.send("ADD", ref=ref, job=job, key=ref, uploads=[{"id": "0" * 32}])
        gateway.send(message, ref=2000, job=job)
        got = answers(gateway, 5)
        assert got.pop(2000)[0] == "OK"
        assert {name for name, _ in got.values()} == {"ERROR"}
        assert {values["code"] for _, values in got.values()} <= {code, "not_found"}  # the upload is not known either


def test_a_new_name_is_shown_when_it_is_durable(broker, gateway):
    job = gateway.ask("SUBMIT", type="hash", open=1, name="old")["job"]
    store = sqlite3.connect(broker.state / "store.sqlite", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")  # no commit of the broker's gets through
    for i in range(2):
        gateway.send("SET", ref=100 + i, job=job, has_name=1, name=f"new {i}")
        gateway.send("GET_JOBS", ref=200 + i, job=job)
        assert gateway.expect("JOBS")["rows"][0]["name"] == "old"
    store.execute("ROLLBACK")
    store.close()
    assert [gateway.expect("OK")["ref"] for _ in range(2)] == [100, 101]
    assert job_of(gateway, job)["name"] == "new 1"
    gateway.ask("SET", job=job, has_priority=1, priority=3)
    broker.broker.restart()
    gateway.connect()
    assert job_of(gateway, job)["name"] == "new 1"
