"""Quotas: what one token may have live, and may keep. Refused with words, counted anew at every start."""

import pytest
import wire
from system import until
from wire_world import agent, job_of  # noqa: F401 (fixtures)
import wire_world


@pytest.fixture
def broker(start_system):
    system = start_system(start=False)
    system.keys = {}
    for role, name in [("agent", "a"), ("agent", "b"), ("gateway", "g")]:
        system.keys[name] = system.add_peer(role, name, system.folder / f"{name}.key")
    system.broker.command += ["--quota-jobs", "2", "--quota-bytes", "1000"]
    system.broker.start()
    return system


gateway = wire_world.gateway


def submit(gateway, content, owner="t", answer="OK", **values):
    files, payload = wire.inputs(content)
    return gateway.ask("SUBMIT", payload, answer=answer, type="hash", inputs=files, owner=owner, **values)


def refused(gateway, word, content=b"x", owner="t", **values):
    error = submit(gateway, content, owner, "ERROR", **values)
    assert error["code"] == "quota" and word in error["message"], error


def finish(gateway, a, job):
    a.done(job, a.expect("ASSIGN")["leases"][0], b"0123456789")
    a.expect("TAKEN")
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")


def test_live_jobs_of_a_token(broker, gateway, agent):
    first, second = (submit(gateway, b"one", key=f"k{i}", body_hash=7)["job"] for i in range(2))
    refused(gateway, "quota-jobs")
    assert submit(gateway, b"one", key="k1", body_hash=7)["job"] == second  # nothing new
    other = submit(gateway, b"one", owner="u")["job"]
    broker.broker.restart()
    gateway.connect()
    refused(gateway, "quota-jobs")
    gateway.ask("CANCEL", job=first)
    until(lambda: job_of(gateway, first)["status"] == "cancelled", "it ends")
    third = submit(gateway, b"one")["job"]
    refused(gateway, "quota-jobs")
    gateway.ask("FORGET", job=third)
    submit(gateway, b"one")
    refused(gateway, "quota-jobs")
    assert job_of(gateway, other)["status"] == "pending"


def test_bytes_of_a_token(broker, gateway, agent):
    """Inputs and outputs, of ended jobs too; a job that is deleted counts no more, however often that is asked."""
    a = agent()
    a.hello(chunks=1)
    job = submit(gateway, bytes(600))["job"]
    finish(gateway, a, job)
    refused(gateway, "610 bytes", bytes(400))
    submit(gateway, bytes(400), owner="u")
    open_job = gateway.ask("SUBMIT", type="hash", open=1, owner="t")["job"]
    files, payload = wire.inputs(bytes(300))
    gateway.ask("ADD", payload, job=open_job, key=1, inputs=files)
    for _ in range(2):
        error = gateway.ask("ADD", payload, answer="ERROR", job=open_job, key=2, inputs=files)
        assert error["code"] == "quota" and "910 bytes" in error["message"], error
        gateway.ask("ADD", payload, job=open_job, key=1, inputs=files)  # a repeat is no new work
        broker.broker.restart()
        gateway.connect()
    for ref in (101, 102, 103):
        gateway.send("FORGET", ref=ref, job=job)
    assert "OK" in [gateway.recv()[0] for _ in range(3)]
    gateway.ask("ADD", payload, job=open_job, key=2, inputs=files)
    gateway.ask("ADD", payload, job=open_job, key=3, inputs=files)
    error = gateway.ask("ADD", payload, answer="ERROR", job=open_job, key=4, inputs=files)
    assert error["code"] == "quota" and "900 bytes" in error["message"], error


def test_what_never_fits_is_not_told_to_wait(broker, gateway):
    error = submit(gateway, bytes(1001), answer="ERROR")
    assert error["code"] == "too_large" and "1001 bytes" in error["message"], error


def test_rest_says_429(broker, gateway):
    broker.add_peer("gateway", "gateway", broker.state / "gateway" / "broker.key")
    broker.gateway.start()
    rest = broker.rest()
    for _ in range(2):
        assert rest.post("/api/jobs?type=hash", data=b"one").status_code == 201
    answer = rest.post("/api/jobs?type=hash", data=b"one")
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1, answer.text
    assert answer.json()["error"]["code"] == "quota" and "quota-jobs" in answer.json()["error"]["message"]
