"""`shadow-broker --backup DIR` beside a broker at work, on both stores: a system that starts on the backup has every
result that was finished, and ends what was not with the same result."""

import os
import shutil
import sqlite3
import subprocess
import uuid

import pytest
from samples import text_of
from system import until
from test_copy_store import set_store, tool
from test_open_jobs import upload

FILES = {f"file{i}": text_of(15_000, i + 3) for i in range(16)}


@pytest.fixture(params=["sqlite", "mongodb"])
def store(request):
    if request.param == "sqlite":
        return "sqlite"
    return f"{request.getfixturevalue('mongodb').uri}backup_{uuid.uuid4().hex[:12]}"


def compress(rest, files, level=1):
    """The number of a job of one chunk or more for each file."""
    answer = rest.post("/api/jobs", json={"type": "compress", "params": {"level": level}, "uploads": [
        upload(rest, name, data) for name, data in files.items()]})
    assert answer.status_code == 201, answer.text
    return answer.json()["job"]["jobId"]


def job_of(rest, job):
    return rest.get(f"/api/jobs/{job}").json()["job"]


def check_result(rest, job, files):
    for name, data in files.items():
        got = rest.get(f"/api/jobs/{job}/result", params={"name": f"{name}.zst"}).content
        assert subprocess.run(["zstd", "-dc"], input=got, capture_output=True).stdout == data, name


def move_to(system, folder):
    """The programs, which are stopped, work on another state folder from here on."""
    shutil.copytree(system.state / "gateway", folder / "gateway")
    for program in (system.broker, system.gateway):
        command = program.command
        command[command.index("--state") + 1] = str(folder)
    set_store(system, "sqlite")


def test_a_system_starts_on_its_backup(start_system, folder):
    system = start_system()
    rest = system.rest()
    small = rest.post("/api/jobs", json={"type": "hash", "inputData": "small"}).json()["job"]["jobId"]
    large = compress(rest, {"large": os.urandom(3 << 20)})
    for job in (small, large):
        system.ctl("wait", job)
    results = {job: rest.get(f"/api/jobs/{job}/result") for job in (small, large)}
    running = compress(rest, FILES, level=19)
    until(lambda: job_of(rest, running)["completedChunks"] >= 2, "two chunks")
    backup = folder / "backup"
    words = tool(system, "--store", system.store, "--backup", backup)
    assert f"backup in {backup}: 3 jobs" in words and " 0 copied" not in words and ": 0 linked" not in words, words
    with sqlite3.connect(backup / "store.sqlite") as rows:
        taken = rows.execute("SELECT count(*) FROM chunk WHERE job = ?", (running,)).fetchone()[0]
        assert rows.execute("SELECT final_ms FROM job WHERE job = ?", (running,)).fetchone() == (0,)
    rows.close()
    assert 2 <= taken < len(FILES)
    assert "not empty" in tool(system, "--store", system.store, "--backup", backup, status=1)
    for inside in (system.state, system.state / "jobs" / "copy"):
        assert "must not lie in the state" in tool(system, "--store", system.store, "--backup", inside, status=1)
    assert not (system.state / "jobs" / "copy").exists()
    assert "backup folder /proc/x: " in tool(system, "--store", system.store, "--backup", "/proc/x", status=1)

    system.ctl("wait", running)  # the original goes on, and what it does is none of the backup's
    for job in (small, large, running):
        assert rest.delete(f"/api/jobs/{job}").status_code < 300
    until(lambda: not list((system.state / "jobs").glob("[0-9]*")), "the original's folders gone")
    for program in (*system.agents.values(), system.gateway, system.broker):
        program.stop()

    move_to(system, backup)
    for program in (system.broker, system.gateway, *system.agents.values()):
        program.start()
    rest = system.rest()
    system.ctl("wait", running)
    for job, before in results.items():
        after = rest.get(f"/api/jobs/{job}/result")
        assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"]), job
    check_result(rest, running, FILES)
    assert job_of(rest, running)["completedChunks"] >= len(FILES)
    print(f"covered: a backup of {taken} of {len(FILES)} chunks done")


def test_what_is_no_result_is_not_in_a_backup(start_system, folder):
    """A folder without a row, an output of no row, an ADD without one: what is shared with the original by a hard link
    is written by neither, and what is not is a copy."""
    system = start_system()
    rest = system.rest()
    job = compress(rest, {"one": os.urandom(1 << 20)})
    system.ctl("wait", job)
    there = system.state / "jobs" / job
    (system.state / "jobs" / "999").mkdir()
    for name in ("out.0.77", "out.5.1", "plan.1", "manifest.1", "in.1.0"):
        (there / name).write_bytes(b"none")
    kept = {path.name for path in there.iterdir()} - {"out.0.77", "out.5.1", "plan.1", "manifest.1", "in.1.0"}
    tool(system, "--store", system.store, "--backup", folder / "backup")
    copied = folder / "backup" / "jobs"
    assert {path.name for path in copied.iterdir()} == {job}
    assert {path.name for path in (copied / job).iterdir()} == kept
    for path in (copied / job).iterdir():
        is_linked = path.stat().st_ino == (there / path.name).stat().st_ino
        assert is_linked == path.name.startswith(("in.", "out.")), path.name
    assert (folder / "backup" / "keys" / "peers").read_bytes() == (system.state / "keys" / "peers").read_bytes()
