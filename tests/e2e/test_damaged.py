"""A job whose rows or plans are damaged ends as failed, in words; every other job goes on."""

import base64
import shutil
import sqlite3

import pytest
from system import until

UPLOAD = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream",
          "Upload-Metadata": "filename " + base64.b64encode(b"input").decode()}
BYTES = b"other" * 9000


def open_job(rest, **more):
    return rest.post("/api/jobs", json={"type": "hash", "open": True, **more}).json()["job"]["jobId"]


def add_upload(rest, job):
    sent = rest.post("/api/uploads", headers={**UPLOAD, "Upload-Length": str(len(BYTES))}, data=BYTES)
    answer = rest.post(f"/api/jobs/{job}/inputs", json={"uploads": [sent.headers["Location"].rsplit("/", 1)[1]]})
    assert answer.status_code < 300, answer.text


def job_of(rest, job):
    return rest.get(f"/api/jobs/{job}").json()["job"]


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def set_row(system, statement, *values):
    with sqlite3.connect(system.state / "store.sqlite") as store:
        assert store.execute(statement, values).rowcount == 1
    store.close()


def inline_plan(system, job):
    """The last byte of the plan in the row of an inline ADD: before the header of its one byte of input."""
    with sqlite3.connect(system.state / "store.sqlite") as store:
        (body,) = store.execute("SELECT body FROM job_add WHERE job = ?", (job,)).fetchone()
        body = body[:-4] + bytes([body[-4] ^ 1]) + body[-3:]
        store.execute("UPDATE job_add SET body = ? WHERE job = ?", (body, job))
    store.close()


DAMAGES = {
    "plan": ("plan.0", lambda system, folder, job: flip(folder / "plan.0", 3)),
    "no plan": ("plan.0", lambda system, folder, job: (folder / "plan.0").unlink()),
    "no folder": ("folder", lambda system, folder, job: shutil.rmtree(folder)),
    "job row": ("its row cannot", lambda system, folder, job: set_row(
        system, "UPDATE job SET body = x'c1' WHERE job = ?", job)),
    "ADD row": ("row of ADD 0", lambda system, folder, job: set_row(
        system, "UPDATE job_add SET body = x'c1' WHERE job = ? AND n = 0", job)),
    "chunk row": ("row of chunk 0", lambda system, folder, job: set_row(
        system, "UPDATE chunk SET body = x'c1' WHERE job = ? AND chunk = 0", job)),
    "chunk beyond": ("row of chunk 9", lambda system, folder, job: set_row(
        system, "UPDATE chunk SET chunk = 9 WHERE job = ?", job)),
    "inline plan": ("plan", lambda system, folder, job: inline_plan(system, job)),
}


@pytest.fixture
def jobs(system, rest):
    """Open jobs whose first chunk is durable, one a damage and one that stays whole."""
    made = {name: open_job(rest, **({"inputData": "x"} if name == "inline plan" else {}))
            for name in [*DAMAGES, "whole"]}
    for name, job in made.items():
        if name != "inline plan":
            add_upload(rest, job)
    for job in made.values():
        until(lambda job=job: job_of(rest, job)["completedChunks"] == 1, f"the chunk of job {job}")
    system.broker.stop()
    return made


@pytest.mark.sqlite
def test_a_damaged_job_fails_and_the_others_go_on(system, rest, ctl, jobs):
    for name, (_, damage) in DAMAGES.items():
        damage(system, system.state / "jobs" / str(jobs[name]), jobs[name])
    system.broker.start()
    for name, (words, _) in DAMAGES.items():
        job = job_of(rest, jobs[name])
        assert job["status"] == "failed" and job["completedAt"], (name, job)
        assert job["error"].startswith(f"job {jobs[name]}: ") and words in job["error"], (name, job)
        assert job["completedChunks"] == 1 and job["type"] == "hash", (name, job)
        assert system.broker.log().count(f"job damaged job={jobs[name]} ") == 1
        assert rest.post(f"/api/jobs/{jobs[name]}/inputs", json={"inputData": "y"}).status_code in (400, 409)
        assert rest.post(f"/api/jobs/{jobs[name]}/retry").status_code in (409, 503), name
        assert job_of(rest, jobs[name]) == job, name
    shown = ctl("jobs").stdout
    assert shown.count("failed") == len(DAMAGES), shown
    add_upload(rest, jobs["whole"])
    rest.post(f"/api/jobs/{jobs['whole']}/seal")
    ctl("wait", jobs["whole"])
    assert job_of(rest, jobs["whole"])["completedChunks"] == 2
    since = len(system.broker.log())
    system.broker.restart()
    assert "damaged" not in system.broker.log()[since:]
    assert {job_of(rest, jobs[name])["status"] for name in DAMAGES} == {"failed"}
