"""Submissions, lists and changes, as the gateway turns them into questions and the answers into JSON. The
broker is a fake one: what a whole system does with them is in the other tests."""

import base64
import io
import json
import tarfile

import pytest
from fake_broker import job_row
from lone_gateway import jobs, lone, submit  # noqa: F401

HASH = {"type": "hash", "inputData": "abc"}


def test_json_job_rides_in_the_message(jobs):
    answer = submit(jobs, {"type": "filter", "params": {"pattern": "a+", "count": True}, "name": "n", "priority": -5,
                           "inputData": ["x\0y", "é"], "chunkCount": 2, "expectedBytes": 9})
    assert answer.status_code == 201 and answer.json()["success"]
    assert answer.json()["job"]["jobId"] == "7" and answer.json()["chunks"][0]["chunkId"] == "7-0"
    (asked, payload), = jobs.broker.wait_asked("SUBMIT")
    assert payload == "x\0yé".encode()
    assert [(one["name"], one["size"]) for one in asked["inputs"]] == [("input-1", 3), ("input-2", 2)]
    assert {one["name"]: (one["value"], one["kind"]) for one in asked["params"]} == {
        "pattern": ("a+", 0), "count": ("true", 2), "fixed": ("false", 2), "invert": ("false", 2),
        "ignore-case": ("false", 2), "with-filename": ("false", 2)}
    assert (asked["name"], asked["priority"], asked["chunk_count"], asked["expected_bytes"]) == ("n", -5, 2, 9)
    assert json.loads(asked["input_data"]) == ["x\0y", "é"]
    assert asked["owner"].startswith("t-") and asked["key"] and asked["rev"] == 1 and not asked["open"]


def test_names_and_base64(jobs):
    raw = bytes(range(256))
    assert submit(jobs, {"type": "hash", "inputData": [{"name": "a", "data": base64.b64encode(raw).decode(),
                                                        "encoding": "base64"},
                                                       {"data": "text"}]}).status_code == 201
    (asked, payload), = jobs.broker.wait_asked("SUBMIT")
    assert payload == raw + b"text"
    assert [one["name"] for one in asked["inputs"]] == ["a", "input-2"]


def test_large_inputs_become_an_upload_that_goes_again(jobs):
    seen = []

    def look(question, payload):
        upload, = question["uploads"]
        seen.append((jobs.state / "uploads" / upload["id"]).read_bytes())
        assert (jobs.state / "uploads" / (upload["id"] + ".manifest")).exists() and not payload
        return "OK", {"job": 7}
    jobs.broker.answers["SUBMIT"] = look
    texts = ["x" * 10000, "y" * 10000]
    answer = submit(jobs, {"type": "hash", "inputData": texts})
    assert answer.status_code == 201 and seen == ["".join(texts).encode()]
    jobs.program.stop()
    assert not list((jobs.state / "uploads").iterdir())


def test_spill_becomes_an_upload(jobs):
    jobs.broker.answers["SUBMIT"] = lambda question, _: \
        ("OK", {"job": 7}) if question["uploads"] else ("ERROR", {"code": "spill"})
    assert submit(jobs, HASH).status_code == 201
    first, second = [question for question, _ in jobs.broker.wait_asked("SUBMIT", 2)]
    assert first["key"] == second["key"] and first["inputs"] and not second["inputs"]


def test_idempotency_keys(jobs):
    assert submit(jobs, {**HASH, "idempotencyKey": "k1"}).status_code == 201
    jobs.broker.answers["SUBMIT"] = lambda question, _: ("OK", {"job": 7, "existing": 1})
    assert submit(jobs, HASH, headers={"Idempotency-Key": "k1"}).status_code == 200
    first, second = [question for question, _ in jobs.broker.wait_asked("SUBMIT", 2)]
    assert (first["key"], first["body_hash"]) == (second["key"], second["body_hash"]) == ("k1", first["body_hash"])
    assert submit(jobs, {**HASH, "idempotencyKey": "k1"}, headers={"Idempotency-Key": "k2"}).status_code == 400
    assert submit(jobs, {**HASH, "inputData": "other"}, headers={"Idempotency-Key": "k1"}).status_code == 200
    assert jobs.broker.wait_asked("SUBMIT", 3)[2][0]["body_hash"] != first["body_hash"]
    jobs.broker.answers["SUBMIT"] = lambda question, _: ("ERROR", {"code": "conflict", "message": "other body"})
    answer = submit(jobs, {**HASH, "idempotencyKey": "k1"})
    assert (answer.status_code, answer.json()["error"]) == (409, {"code": "conflict", "message": "other body"})


@pytest.mark.parametrize("body, words", [
    ({}, "type"),
    ({"type": "nothing", "inputData": "x"}, "compress, hash"),
    ({"type": "hash"}, "inputData or uploads"),
    ({"type": "hash", "inputData": []}, "array of 1"),
    ({"type": "hash", "inputData": ["x"] * 10001}, "10000"),
    ({"type": "hash", "inputData": ["x", {"data": "y"}]}, "not both"),
    ({"type": "hash", "inputData": [1]}, "inputData[0]"),
    ({"type": "hash", "inputData": [{"data": "!", "encoding": "base64"}]}, "base64"),
    ({"type": "hash", "inputData": [{"data": "x", "encoding": "latin1"}]}, "utf8 or base64"),
    ({"type": "hash", "inputData": [{"name": "", "data": "x"}]}, "name"),
    ({"type": "hash", "inputData": [{"name": "a\0", "data": "x"}]}, "NUL"),
    ({"type": "hash", "inputData": [{"name": "n" * 4097, "data": "x"}]}, "4096"),
    ({"type": "hash", "inputData": [{"data": "x", "more": 1}]}, "only name"),
    ({"type": "hash", "inputData": "x", "uploads": ["0" * 32]}, "not both"),
    ({"type": "hash", "inputData": "x", "unknown": 1}, "unknown"),
    ({"type": "hash", "inputData": "x", "priority": 101}, "-100 to 100"),
    ({"type": "hash", "inputData": "x", "priority": 1.5}, "whole number"),
    ({"type": "hash", "inputData": "x", "chunkCount": 0}, "1 to 1000000"),
    ({"type": "hash", "inputData": "x", "idempotencyKey": "k" * 129}, "128"),
    ({"type": "hash", "inputData": "x", "name": "n" * 201}, "200"),
    ({"type": "hash", "inputData": "x", "params": []}, "object"),
    ({"type": "hash", "inputData": "x", "params": {"algorithm": "md5"}}, "sha512"),
    ({"type": "hash", "inputData": "x", "params": {"level": 3}}, "level"),
    ({"type": "compress", "inputData": "x", "params": {"level": 99}}, "19"),
    ({"type": "compress", "inputData": "x", "params": {"level": "9"}}, "whole number"),
    ({"type": "filter", "inputData": "x"}, "pattern"),
    ({"type": "filter", "inputData": "x", "params": {"pattern": "("}}, "pattern"),
    ({"type": "filter", "inputData": "x", "params": {"pattern": "a", "count": "yes"}}, "true or false"),
    ({"type": "transform", "inputData": "x", "params": {"op": "spin"}}, "decompress"),
    ({"type": "hash", "uploads": []}, "ids"),
    ({"type": "hash", "uploads": ["../../x"]}, "hex"),
    ({"type": "compress", "inputData": [{"name": "a", "data": ""}, {"name": "a", "data": ""}]}, "a.zst"),
])
def test_bad_submissions_say_what_is_allowed(jobs, body, words):
    answer = submit(jobs, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert words in answer.json()["error"]["message"]
    assert not [asked for asked in jobs.broker.asked if asked[0] == "SUBMIT"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"type": "hash", "type": "hash"}', b"\xff{}",
                                  b"[" * 100000, b'{"a":' * 100 + b"1" + b"}" * 100,
                                  b'{"type":"hash","inputData":[' + b"1," * 200000 + b"1]}"],
                         ids=range(9))
def test_bodies_that_are_no_job(jobs, text):
    answer = jobs.rest().post("/api/jobs", data=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_missing_and_unfinished_uploads(jobs):
    rest = jobs.rest()
    answer = submit(jobs, {"type": "hash", "uploads": ["0" * 32]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    made = rest.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    upload = made.headers["Location"].rsplit("/", 1)[1]
    answer = submit(jobs, {"type": "hash", "uploads": [upload]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    rest.patch(made.headers["Location"], data=b"hello", headers={
        "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
    other = jobs.rest(jobs.add_token("submitter"))
    assert other.post("/api/jobs", json={"type": "hash", "uploads": [upload]}).status_code == 404
    assert submit(jobs, {"type": "hash", "uploads": [upload]}).status_code == 201
    answer = rest.post("/api/jobs/7/inputs", json={"uploads": [upload]})
    assert answer.status_code == 404  # the fake has no answer to ADD: its ERROR comes through
    jobs.broker.answers["ADD"] = lambda question, _: ("OK", {"job": 7})
    assert rest.post("/api/jobs/7/inputs", json={"uploads": [upload]}).json()["job"]["jobId"] == "7"


def body_job(jobs, query, data, content_type=None):
    """A job as a body; what the broker was asked, and the bytes and manifest of its upload."""
    seen = {}

    def look(question, _):
        upload, = question["uploads"]
        seen["question"] = question
        seen["bytes"] = (jobs.state / "uploads" / upload["id"]).read_bytes()
        seen["manifest"] = (jobs.state / "uploads" / (upload["id"] + ".manifest")).read_bytes()
        return "OK", {"job": 7}
    jobs.broker.answers["SUBMIT"] = look
    headers = {"Content-Type": content_type} if content_type else {}
    answer = jobs.rest().post(f"/api/jobs?{query}", data=data, headers=headers)
    return answer, seen


def test_a_body_is_one_file(jobs):
    data = bytes(1 << 20)
    answer, seen = body_job(jobs, "type=compress&level=9&name=a%20%ffb&jobName=j&priority=3&chunkCount=4", data,
                            "application/octet-stream")
    assert answer.status_code == 201 and seen["bytes"] == data and b"a \xffb" in seen["manifest"]
    question = seen["question"]
    assert (question["name"], question["priority"], question["chunk_count"]) == ("j", 3, 4)
    assert question["params"] == [{"name": "level", "value": "9", "kind": 1}]


@pytest.mark.parametrize("content_type, query", [("application/x-tar", "type=hash"), (None, "type=hash")])
def test_a_tar_is_taken_apart(jobs, content_type, query):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name in ("one", "two"):
            entry = tarfile.TarInfo(name)
            entry.size = 3
            file.addfile(entry, io.BytesIO(b"abc"))
    answer, seen = body_job(jobs, query, io.BytesIO(tar.getvalue()), content_type)
    assert answer.status_code == 201 and b"one" in seen["manifest"] and b"two" in seen["manifest"]
    answer, seen = body_job(jobs, "type=hash&name=x.tar", tar.getvalue(), "application/octet-stream")
    assert b"x.tar" in seen["manifest"] and b"one" not in seen["manifest"]


@pytest.mark.parametrize("query", ["", "type=nothing", "type=compress&level=99", "type=hash&level=1",
                                   "type=hash&priority=x", "type=hash&chunkCount=0", "type=hash&name=",
                                   "type=filter&pattern=%ff", "type=hash&type2=x", "type=compress&level=1&level=2"])
def test_bad_queries(jobs, query):
    answer = jobs.rest().post(f"/api/jobs?{query}", data=b"x" * 100000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert not list((jobs.state / "uploads").iterdir())


def test_a_body_with_a_key_is_told_apart_by_its_bytes(jobs):
    hashes = []
    for data in (b"one", b"one", b"two"):
        _, seen = body_job(jobs, "type=hash&idempotencyKey=k", data)
        hashes.append(seen["question"]["body_hash"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_lists(jobs):
    jobs.broker.answers["GET_JOBS"] = lambda question, _: (
        "JOBS", {"rows": [job_row(9), job_row(8)], "next": 8 if not question["before"] else 0})
    rest = jobs.rest()
    page = rest.get("/api/jobs?limit=2&status=pending,failed&type=hash").json()
    assert [job["jobId"] for job in page["jobs"]] == ["9", "8"] and page["nextCursor"]
    last = rest.get("/api/jobs", params={"cursor": page["nextCursor"]}).json()
    assert last["nextCursor"] is None
    first, second = [question for question, _ in jobs.broker.wait_asked("GET_JOBS", 2)]
    assert (first["limit"], first["status_mask"], first["type"]) == (2, 0b1001, "hash") and second["before"] == 8
    for query in ("limit=0", "limit=1001", "limit=x", "status=done", "status=", "cursor=x", "type=x", "other=1"):
        assert rest.get(f"/api/jobs?{query}").status_code == 400, query


def test_one_job(jobs):
    rest = jobs.rest()
    found = rest.get("/api/jobs/7").json()
    assert set(found) == {"success", "job", "chunks", "nextChunkCursor"}
    for field in ("jobId type status totalChunks completedChunks failedChunks totalFiles failedFiles inputData result "
                  "createdAt startedAt completedAt name priority params progress bytesIn bytesOut error").split():
        assert field in found["job"], field
    for bad in ("0", "07", "-1", "x", "7x", "99999999999999999999", "%2e%2e"):
        assert rest.get(f"/api/jobs/{bad}").status_code == 404, bad


def test_changes_are_for_the_owner(jobs):
    answers = jobs.broker.answers
    token = jobs.add_token("submitter")
    for name in ("CANCEL", "RETRY", "SET", "SEAL", "FORGET"):
        answers[name] = lambda question, _: ("OK", {"job": question["job"]})
    owner = []
    answers["GET_JOBS"] = lambda question, _: ("JOBS", {"rows": [job_row(7, owner=owner[0], failed_chunks=1)]})
    mine = jobs.rest(token)
    lines = (jobs.state / "gateway" / "tokens").read_text().splitlines()
    token_id = next(line.split()[0] for line in lines if " submitter " in line)
    calls = [("post", "/cancel", None), ("post", "/retry", None), ("post", "/seal", None),
             ("patch", "", {"priority": 1, "name": "x"}), ("delete", "", None)]
    for owner[:], status in (["t-other"], 403), ([token_id], 200):
        for method, path, body in calls:
            assert mine.request(method, f"/api/jobs/7{path}", json=body).status_code == status, (method, path)
    assert jobs.rest().post("/api/jobs/7/cancel").status_code == 200
    for body in ({}, {"priority": 101}, {"name": 1}, {"priority": 1, "other": 2}):
        assert jobs.rest().patch("/api/jobs/7", json=body).status_code == 400
    assert jobs.rest().patch("/api/jobs/7", data="priority=1").status_code == 415
