"""What the gateway makes of its broker: errors, devices, reasons, figures, silence."""

import time

import pytest
from lone_gateway import jobs, lone, submit  # noqa: F401

HASH = {"type": "hash", "inputData": "abc"}


@pytest.mark.parametrize("code, status", [
    ("bad_request", 400), ("not_found", 404), ("conflict", 409), ("not_finished", 409), ("cancelled", 409),
    ("busy", 503), ("too_large", 413), ("disk_full", 507), ("unavailable", 503), ("quota", 429), ("odd", 503)])
def test_the_brokers_errors(jobs, code, status):
    jobs.broker.answers["SUBMIT"] = lambda question, _: ("ERROR", {"code": code, "message": "words"})
    answer = submit(jobs, HASH)
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    if code != "odd":
        assert answer.json()["error"] == {"code": code, "message": "words"}


def test_devices_why_status_metrics(jobs):
    answers = jobs.broker.answers
    answers["GET_AGENTS"] = lambda question, _: (
        "AGENTS", {"rows": [{"device_id": question["device_id"] or "d-1", "status": "online", "name": "n"}],
                   "next": "" if question["after"] or question["device_id"] else "d-1"})
    answers["GET_WHY"] = lambda question, _: ("WHY", {"rows": [{"reason": "no device", "fix": "start one"}]})
    answers["DRAIN"] = answers["RESUME"] = lambda question, _: ("OK", {})
    answers["GET_STATS"] = lambda question, _: (
        "STATS", {"version": "1", "store": "sqlite", "disk_error": "5 MB left",
                  "rows": [{"name": "shadow_chunks", "value": 3.0}, {"name": "bad name\n", "value": 1.0}]})
    rest = jobs.rest()
    assert len(rest.get("/api/devices").json()["devices"]) == 2
    assert rest.get("/api/devices/d-5").json()["device"]["deviceId"] == "d-5"
    assert rest.post("/api/devices/d-5/drain").json()["device"]["deviceId"] == "d-5"
    assert rest.post("/api/devices/d-5/resume").status_code == 200
    assert rest.get("/api/jobs/7/why").json()["reasons"] == [{"deviceId": None, "reason": "no device",
                                                              "fix": "start one"}]
    status = rest.get("/api/status").json()
    assert not status["ok"] and status["broker"]["ok"] and status["store"]["kind"] == "sqlite"
    assert status["disk"] == {"ok": False, "message": "5 MB left"} and status["agents"]["online"] == 2
    text = rest.get("/metrics").text
    assert "shadow_chunks 3\n" in text and "shadow_broker_up 1" in text and "bad name" not in text


def test_a_silent_broker_is_503_and_its_return_is_noticed(jobs):
    submit_answer = jobs.broker.answers["SUBMIT"]
    jobs.broker.answers["SUBMIT"] = lambda question, _: None
    begin = time.monotonic()
    answer = submit(jobs, HASH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable") and answer.headers["Retry-After"]
    assert 10 < time.monotonic() - begin < 20
    keys = {question["key"] for question, _ in jobs.broker.wait_asked("SUBMIT", 3)}
    assert len(keys) == 1
    jobs.broker.answers["SUBMIT"] = submit_answer
    jobs.broker.stop()
    assert jobs.rest().get("/healthz").status_code == 200
    status = jobs.rest().get("/api/status").json()
    assert not status["broker"]["ok"] and "not answer" in status["store"]["message"]
    jobs.broker.start()
    assert submit(jobs, HASH).status_code == 201
