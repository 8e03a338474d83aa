"""Peers of the version before and of one to come, on both sides of the wire: what proto/README.md says of versions. An
older peer leaves out trailing fields, a newer one appends some, in messages and in records; both are understood. Of a
kernel in another revision nothing is given out, and `why` says so. A message nobody knows is refused and does no harm."""

import fake_broker
import msgpack
import pytest
import wire
from fake_broker import job_row
from hand_agent import agent as agent_program, hand, hash_line  # noqa: F401 (fixtures)
from hand_broker import stream
from lone_gateway import jobs, lone  # noqa: F401 (fixtures)
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)

LATER = [7, "later", [1, [2, []]], None, {"a": [1]}, 1.5, b"bytes", True]  # all that may stand in skipped fields
UNKNOWN = 31  # no message's code


def reshape(record, fields, change):
    out = []
    for (kind, _, nested), value in zip(wire.records[record], fields):
        if kind in ("LIST", "MAP"):
            value = [reshape(nested, item, change) for item in value]
        elif kind == "SUB":
            value = reshape(nested, value, change)
        out.append(value)
    return change(out)


def shorter(fields):
    """Without the trailing fields that say nothing; the first stays, as no array was ever empty."""
    while len(fields) > 1 and fields[-1] in (0, 0.0, "", b"", []):
        fields.pop()
    return fields


def longer(fields):
    return fields + LATER


@pytest.fixture(params=[shorter, longer])
def others(request, monkeypatch):
    """Whatever a test's peers say is said as by another version; a list of which differed."""
    changed = []

    def encode(message, /, **values):
        code, record = wire.by_name[message]
        fields = wire.pack(record, values)
        whole = msgpack.packb([code, *fields], use_bin_type=True)
        header = msgpack.packb([code, *reshape(record, fields, request.param)], use_bin_type=True)
        changed.append(header != whole)
        return header

    def pack_fields(name, fields, pack=fake_broker.pack_fields):  # it calls itself for records
        changed.append(True)
        return request.param(pack(name, fields))

    monkeypatch.setattr(wire, "encode", encode)
    monkeypatch.setattr(fake_broker, "pack_fields", pack_fields)
    yield changed
    assert sum(changed) > 0


def test_a_client_of_another_version_is_served(others, broker, gateway):
    job = submit(gateway, b"one", open=1, key="k", body_hash=5)
    files, payload = wire.inputs(b"two")
    gateway.ask("ADD", payload, job=job, key=1, inputs=files)
    gateway.ask("SEAL", job=job)
    gateway.ask("SET", job=job, has_priority=1, priority=5)
    row = gateway.ask("GET_JOBS", limit=10)["rows"][0]
    assert (row["job"], row["total_chunks"], row["priority"]) == (job, 2, 5)
    assert len(gateway.ask("GET_ADDS", job=job)["rows"]) == 2
    assert gateway.ask("GET_CHUNKS", job=job, limit=10)["_name"] == "CHUNKS"
    assert gateway.ask("GET_WHY", job=job)["_name"] == "WHY" and gateway.ask("GET_STATS")["store"]
    gateway.ask("CANCEL", job=job)
    gateway.ask("FORGET", job=job)
    assert gateway.ask("GET_JOBS", limit=10)["rows"] == []


def test_an_agent_of_another_version_works(others, broker, gateway, agent):
    a = agent()
    a.hello(chunks=2)
    jobs = {submit(gateway, text): text for text in (b"one", b"two", b"three")}
    grants = [a.expect("ASSIGN"), a.expect("ASSIGN")]
    a.say("BEAT", load=5, running=[{"job": grants[0]["job"], "chunk": 0, "n": grants[0]["leases"][0]["n"]}])
    a.expect("BEAT")
    a.done(grants[0]["job"], grants[0]["leases"][0], b"sum")
    a.expect("TAKEN")
    back = {"job": grants[1]["job"], **{k: grants[1]["leases"][0][k] for k in ("chunk", "n", "token")}}
    a.say("RETURN", leases=[back], reason="later")
    a.say("CREDIT", chunks=9, bytes=1 << 20)
    left = {grant["job"]: grant for grant in (a.expect("ASSIGN"), a.expect("ASSIGN"))}
    assert left.keys() == jobs.keys() - {grants[0]["job"]}
    first, second = left.values()
    a.say("FAIL", job=first["job"], **{k: first["leases"][0][k] for k in ("chunk", "n", "token")}, error="a test")
    again = a.expect("ASSIGN")
    assert again["leases"][0]["attempt"] == 2
    a.connect()  # and what it holds is still its own
    held = [{"job": g["job"], "phase": 1, **{k: g["leases"][0][k] for k in ("chunk", "n", "token")}} for g in (second, again)]
    a.hello(held=held)
    assert a.is_silent()
    for grant in (second, again):
        a.done(grant["job"], grant["leases"][0], b"sum")
        a.expect("TAKEN")
    assert {job_of(gateway, job)["status"] for job in jobs} == {"completed"}


def test_the_agent_works_for_a_broker_of_another_version(others, hand, agent_program):
    hand.welcome()
    grants = hand.assign(stream((b"a", b"one")), stream((b"b", b"two")))
    results = hand.results(2)
    assert results[grants[1]["n"]][1] == hash_line(b"b", b"two")
    hand.take(*grants)
    large = b"x" * 300_000
    [grant] = hand.assign(stream((b"c", large)), type="transform", params={"op": "upper"}, fetch=True)
    done = hand.serve_until_result()
    assert done["results"][0]["n"] == grant["n"] and bytes(hand.stored[grant["n"]]) == large.upper()
    hand.refuse("again")
    assert [held["n"] for held in hand.welcome()["held"]] == [grant["n"]]


def test_the_gateway_works_with_a_broker_of_another_version(others, jobs):
    jobs.broker.answers["GET_JOBS"] = lambda question, _: ("JOBS", {"rows": [job_row(7), job_row(6)]})
    jobs.broker.answers["GET_AGENTS"] = lambda question, _: (
        "AGENTS", {"rows": [{"device_id": "d-1", "kernels": [{"type": "hash", "rev": 1}], "system_info": {"platform": "x"}}]})
    rest = jobs.rest()
    shown = rest.get("/api/jobs").json()["jobs"]
    assert [(job["jobId"], job["status"], job["totalChunks"]) for job in shown] == [("7", "pending", 1), ("6", "pending", 1)]
    [device] = rest.get("/api/devices").json()["devices"]
    assert device["deviceId"] == "d-1" and device["systemInfo"]["platform"] == "x" and device["kernels"][0]["type"] == "hash"
    assert rest.get("/api/status").json()["broker"]["ok"]


def test_a_kernel_of_another_revision_waits(broker, gateway, agent):
    a = agent()
    a.session, a.serial, a.heard = 7, 1, 0
    a.send("HELLO", session=7, serial=1, instance=a.instance, name="older", slots=1, chunks=9, bytes=1 << 20,
           bytes_limit=1 << 20, kernels=[{"type": "hash", "rev": 0}, {"type": "hash", "rev": 2}])
    a.expect("WELCOME")
    job = submit(gateway, b"one")
    assert a.is_silent()
    [why] = [row for row in gateway.ask("GET_WHY", job=job)["rows"] if row["reason"]]
    assert "in this revision" in why["reason"] and why["fix"] == "update shadow-agent there"
    b = agent("b")
    b.hello()
    grant = b.expect("ASSIGN")
    b.done(job, grant["leases"][0], b"sum")
    b.expect("TAKEN")


def test_a_message_that_the_broker_does_not_know_is_refused(broker, gateway, agent):
    a = agent()
    a.hello()
    for peer in (a, gateway):
        peer.send_raw(msgpack.packb([UNKNOWN, a.session, a.serial + 1, *LATER]))
        assert wire.Peer.expect(peer, "ERROR")["code"] == "bad-message"
    job = submit(gateway, b"one")
    grant = a.expect("ASSIGN")  # the session stands
    a.done(job, grant["leases"][0], b"sum")
    a.expect("TAKEN")


def test_a_message_that_the_agent_does_not_know_costs_a_session(hand, agent_program):
    hand.welcome()
    [grant] = hand.assign(stream((b"a", b"one")))
    hand.results(1)
    hand.control.send_multipart([hand.route, msgpack.packb([UNKNOWN, hand.session, hand.serial + 1, *LATER])])
    assert [(held["n"], held["phase"]) for held in hand.welcome()["held"]] == [(grant["n"], 2)]
    assert list(hand.results(1)) == [grant["n"]]
