"""`shadow-broker --copy-store FROM TO`: a system goes on with its rows in another store as if nothing had been; a store
in use, a second copy into the same place is refused, half a copy is made again."""

import sqlite3
import subprocess
import uuid

import pytest
from system import until
from test_open_jobs import upload

PAIRS = ["sqlite sqlite", "sqlite mongodb", "mongodb sqlite"]
BIG = b"input of a large output" * 3000


@pytest.fixture(params=PAIRS)
def pair(request, folder):
    """The names of two stores, the second not there yet."""
    def name(kind, n):
        if kind == "sqlite":
            return "sqlite" if n == 0 else f"sqlite:{folder}/copy.sqlite"
        return f"{request.getfixturevalue('mongodb').uri}copy_{uuid.uuid4().hex[:12]}"
    return [name(kind, n) for n, kind in enumerate(request.param.split())]


@pytest.fixture
def store(pair):
    """Of the system that is copied."""
    return pair[0]


def tool(system, *arguments, status=0):
    done = subprocess.run([system.build / "broker" / "shadow-broker", "--state", system.state, *arguments],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def set_store(system, store):
    command = system.broker.command
    command[command.index("--store") + 1] = store


def shown(rest, path):
    """Without what is in memory alone while a job lives."""
    answer = rest.get(path)
    if path.endswith("result"):
        return answer.content, answer.headers["ETag"]
    shown = answer.json()
    if not shown["job"]["completedAt"]:
        shown["job"].pop("startedAt")
    return shown


def test_a_system_goes_on_with_its_rows_in_another_store(system, rest, ctl, pair):
    first, second = pair
    done = rest.post("/api/jobs", json={"type": "hash", "inputData": "small"},
                     headers={"Idempotency-Key": "kept"}).json()["job"]["jobId"]
    gone = rest.post("/api/jobs", json={"type": "hash", "inputData": "gone"}).json()["job"]["jobId"]
    growing = rest.post("/api/jobs", json={"type": "compress", "open": True}).json()["job"]["jobId"]
    rest.post(f"/api/jobs/{growing}/inputs", json={"uploads": [upload(rest, "a", BIG)]})
    ctl("wait", done)
    ctl("wait", gone)
    assert rest.delete(f"/api/jobs/{gone}").status_code < 300
    until(lambda: rest.get(f"/api/jobs/{growing}").json()["job"]["completedChunks"] == 1, "its chunk")
    paths = [f"/api/jobs/{done}", f"/api/jobs/{done}/result", f"/api/jobs/{growing}"]
    before = [shown(rest, path) for path in paths]
    devices = {device["deviceId"] for device in rest.get("/api/devices").json()["devices"]}
    assert "another broker uses" in tool(system, "--copy-store", first, second, status=1)
    system.broker.stop()
    words = tool(system, "--copy-store", first, second)
    assert words.startswith("copied and compared: 2 jobs, 2 inputs, 2 chunks, 2 devices"), words
    assert "not empty" in tool(system, "--copy-store", first, second, status=1)
    set_store(system, second)
    system.broker.start()
    until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
    assert [shown(rest, path) for path in paths] == before
    assert [job["jobId"] for job in rest.get("/api/jobs").json()["jobs"]] == [growing, done]
    assert {device["deviceId"] for device in rest.get("/api/devices").json()["devices"]} == devices
    again = rest.post("/api/jobs", json={"type": "hash", "inputData": "small"}, headers={"Idempotency-Key": "kept"})
    assert again.json()["job"]["jobId"] == done, "its key is known"
    rest.post(f"/api/jobs/{growing}/inputs", json={"uploads": [upload(rest, "b", b"more")]})
    assert rest.post(f"/api/jobs/{growing}/seal").status_code == 200
    ctl("wait", growing)
    got = rest.get(f"/api/jobs/{growing}/result", params={"name": "a.zst"}).content
    assert subprocess.run(["zstd", "-dc"], input=got, capture_output=True).stdout == BIG
    newest = rest.post("/api/jobs", json={"type": "hash", "inputData": "new"}).json()["job"]["jobId"]
    assert int(newest) > int(growing)


@pytest.mark.parametrize("pair", ["sqlite sqlite", "sqlite mongodb"], indirect=True)
def test_the_folder_of_jobs_goes_to_the_copy_that_is_started(start_system, pair):
    """Until then the original may go on; afterwards a start on it would sweep what is newer than it."""
    system = start_system(agents=0)
    first, second = pair
    rest = system.rest()
    job = rest.post("/api/jobs?type=hash", data=BIG).json()["job"]["jobId"]
    system.broker.stop()
    mark = system.state / "jobs" / "system"
    original = mark.read_text()
    tool(system, "--copy-store", first, second)
    assert tool(system, "--store", second, "--check").startswith("checked: 1 jobs")
    system.broker.start()
    system.broker.stop()
    assert mark.read_text() == original
    set_store(system, second)
    system.broker.start()
    assert mark.read_text() != original
    newer = rest.post("/api/jobs?type=hash", data=b"newer" * 5000).json()["job"]["jobId"]
    system.broker.stop()
    set_store(system, first)
    with pytest.raises(AssertionError, match="belongs to another system"):
        system.broker.start()
    assert all((system.state / "jobs" / name / "in.0.0").exists() for name in (job, newer))
    set_store(system, second)
    system.broker.start()
    system.add_agent("late")
    for name in (job, newer):
        system.ctl("wait", name)
    system.broker.stop()
    mark.write_text("0" * 32 + "\n")
    with pytest.raises(AssertionError, match="belongs to another system"):
        system.broker.start()


@pytest.mark.parametrize("pair", PAIRS[:1], indirect=True)
def test_half_a_copy_is_never_started_on(start_system, pair):
    """It is made again in its place, also over a job so large that forgetting it takes several pieces."""
    system = start_system(agents=1)
    inputs = [{"name": str(i), "data": "x"} for i in range(5000)]
    job = system.rest().post("/api/jobs", json={"type": "hash", "inputData": inputs, "chunkCount": 5000}).json()["job"]["jobId"]
    system.ctl("wait", job)
    system.broker.stop()
    tool(system, "--copy-store", *pair)
    with sqlite3.connect(pair[1].split(":")[1]) as copy:
        assert copy.execute("UPDATE meta SET value = x'31' WHERE name = 'half_copied'").rowcount == 1
    copy.close()
    set_store(system, pair[1])
    with pytest.raises(AssertionError, match="a copy that was not finished"):
        system.broker.start()
    assert "not finished" in tool(system, "--copy-store", pair[1], f"{pair[1]}2", status=1)
    assert "1 jobs, 1 inputs, 5000 chunks" in tool(system, "--copy-store", *pair)
    assert "not empty" in tool(system, "--copy-store", *pair, status=1)
    system.broker.start()
    assert system.rest().get(f"/api/jobs/{job}").json()["job"]["completedChunks"] == 5000


@pytest.mark.parametrize("pair", PAIRS[:1], indirect=True)
def test_what_cannot_be_copied_is_refused_in_words(start_system, pair, folder):
    system = start_system(agents=0)
    system.broker.stop()
    assert "cannot open" in tool(system, "--copy-store", f"sqlite:{folder}/none", pair[1], status=1)
    assert not (folder / "none").exists()
    assert "another broker uses" in tool(system, "--copy-store", "sqlite", "sqlite", status=1)
    assert "FROM TO" in tool(system, "--copy-store", "sqlite", status=2)
    assert "password" in tool(system, "--copy-store", "sqlite", "mongodb://u:secret@h/d", status=2)
    file = folder / "uri"
    file.write_text("mongodb://u:secret@127.0.0.1:9/d\n")
    words = tool(system, "--copy-store", f"@{file}", pair[1], status=1)
    assert "secret" not in words and "127.0.0.1:9" in words, words
    for uri in ("mongodb://u:se/cret@127.0.0.1:9/d", "mongodb://u:se%cret@h/d", "mongodb://u:se:cret@h/d", "mongodb://u:se@cret@h/d"):
        file.write_text(f"{uri}\n")
        words = tool(system, "--copy-store", f"@{file}", pair[1], status=1)
        assert "not a MongoDB URI" in words and "cret" not in words, words
    file.write_text(f"{pair[1]}\n")
    tool(system, "--copy-store", "sqlite", f"@{file}")
