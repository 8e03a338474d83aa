"""`shadow-broker --check` finds what was damaged while no broker worked, on both stores; `--repair` sets it aside, and a
start then makes it good: results are done again, a file whose input is damaged fails with that reason."""

import os
import shutil
import sqlite3
import subprocess
import uuid

import pytest
from system import until
from test_backup import check_result, compress, job_of

NAMES = ("flipped", "missing", "no sums", "growing", "orphans", "no plan", "whole")


@pytest.fixture(params=["sqlite", "mongodb"])
def store(request):
    if request.param == "sqlite":
        return "sqlite"
    return f"{request.getfixturevalue('mongodb').uri}check_{uuid.uuid4().hex[:12]}"


def check(system, *flags, status=0):
    """Its lines, the summary last. Only what it cannot do is on standard error (and words of libraries)."""
    done = subprocess.run([system.broker.command[0], "--state", system.state, "--store", system.store, "--check", *flags],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (flags, done.stdout, done.stderr)
    return (done.stderr if status == 2 else done.stdout).splitlines()


def flip(path, at=1000):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def outputs(system, job):
    return sorted(path for path in (system.state / "jobs" / job).glob("out.*") if path.suffix not in (".sum", ".bad"))


def stop(system):
    for program in (*system.agents.values(), system.broker):
        program.stop()


def start(system):
    for program in (system.broker, *system.agents.values()):
        program.start()


def test_a_system_at_work_is_not_checked(start_system):
    system = start_system(agents=0)
    assert any("another broker uses" in line for line in check(system, status=2))
    system.broker.stop()
    assert check(system) == ["checked: 0 jobs, 0 chunks, 0 outputs; 0 problems, 0 left"]
    none = system.state / "none"
    done = subprocess.run([system.broker.command[0], "--state", none, "--check"], capture_output=True, text=True)
    assert done.returncode == 2 and "cannot check" in done.stderr and not none.exists()


def test_a_folder_that_is_not_mounted_is_no_damage(start_system):
    system = start_system()
    job = compress(system.rest(), {"a": os.urandom(100_000)})
    system.ctl("wait", job)
    stop(system)
    jobs = system.state / "jobs"
    jobs.rename(system.state / "elsewhere")
    assert any("Is it mounted?" in line for line in check(system, "--repair", status=2))
    shutil.rmtree(jobs)
    (system.state / "elsewhere").rename(jobs)
    assert check(system)[-1] == "checked: 1 jobs, 1 chunks, 1 outputs; 0 problems, 0 left"


def test_damage_is_found_and_made_good(start_system):
    system = start_system()
    rest = system.rest()
    data = {name: {f"{i}": os.urandom(600_000) for i in range(2)} for name in NAMES}
    jobs = {name: compress(rest, data[name]) for name in NAMES}
    for job in jobs.values():
        system.ctl("wait", job)
    etag = rest.get(f"/api/jobs/{jobs['flipped']}/result").headers["ETag"]
    stop(system)
    assert check(system)[-1] == "checked: 7 jobs, 14 chunks, 14 outputs; 0 problems, 0 left"

    folder = {name: system.state / "jobs" / job for name, job in jobs.items()}
    flip(outputs(system, jobs["flipped"])[1])
    outputs(system, jobs["missing"])[0].unlink()
    (folder["no sums"] / (outputs(system, jobs["no sums"])[0].name + ".sum")).write_bytes(b"")
    with open(outputs(system, jobs["growing"])[0], "ab") as file:
        file.write(b"more")
    for name in ("out.0.5", "out.0.5.sum.new", "out.77.1", "in.9.0", "plan.9"):
        (folder["orphans"] / name).write_bytes(b"x")
    (folder["no plan"] / "plan.0").unlink()
    (system.state / "jobs" / "4711").mkdir()
    (system.state / "jobs" / "4711" / "in.0.0").write_bytes(b"x")

    found = check(system, status=1)
    expected = {"flipped": ["do not match their sum"], "missing": ["not there"], "no sums": ["sums do not fit"],
                "growing": ["do not match their sum"], "orphans": ["belongs to no row"] * 5, "no plan": ["plan.0"]}
    for name, words in expected.items():
        lines = [line for line in found if line.startswith(f"job {jobs[name]}: ")]
        assert len(lines) == len(words) and all(word in line for word, line in zip(words, lines)), (name, found)
    assert "job 4711: a folder without a job" in found and found[-1].endswith("11 problems, 11 left")
    assert check(system, status=1) == found, "nothing was changed"

    repaired = check(system, "--repair")
    assert repaired[-1].endswith("11 problems, 0 left"), repaired
    assert sum("to be done again" in line for line in repaired) == 4
    assert check(system)[-1].endswith("; 0 problems, 0 left")
    assert not (system.state / "jobs" / "4711").exists() and not (folder["orphans"] / "in.9.0").exists()
    assert len(list(folder["flipped"].glob("out.*.bad"))) == 2  # with its sums, for a look

    start(system)
    for name in ("flipped", "missing", "no sums", "growing"):
        system.ctl("wait", jobs[name])
    for name in set(NAMES) - {"no plan"}:
        check_result(rest, jobs[name], data[name])
    assert rest.get(f"/api/jobs/{jobs['flipped']}/result").headers["ETag"] != etag
    ended = job_of(rest, jobs["no plan"])
    assert ended["status"] == "failed" and "plan.0" in ended["error"], ended
    stop(system)
    assert check(system)[-1].endswith("; 0 problems, 0 left")


def test_a_damaged_input_fails_its_files_alone(start_system):
    """Also where an output is to be done again from it."""
    system = start_system()
    rest = system.rest()
    data = {f"{i}": os.urandom(600_000) for i in range(3)}
    done = compress(rest, data)
    system.ctl("wait", done)
    for agent in system.agents.values():
        agent.stop()
    waiting = compress(rest, data)
    until(lambda: job_of(rest, waiting)["status"] in ("pending", "processing"), "the job")
    system.broker.stop()
    folder = {job: system.state / "jobs" / job for job in (done, waiting)}
    for job in (done, waiting):  # a link to one upload would be damaged for both
        bad = folder[job] / "in.0.1"
        shutil.copy(bad, folder[job] / "copy")
        os.replace(folder[job] / "copy", bad)
        flip(bad)
    outputs(system, done)[1].unlink()
    found = check(system, status=1)
    assert sum("input of chunk 1: in.0.1: bytes 0 to" in line for line in found) == 2, found
    repaired = check(system, "--repair")
    assert repaired[-1].endswith("3 problems, 0 left"), repaired
    assert (folder[done] / "in.0.1.bad").exists() and not (folder[waiting] / "in.0.1.bad").exists()
    assert check(system)[-1].endswith("; 0 problems, 0 left")
    start(system)
    for job in (done, waiting):
        system.ctl("wait", job, status=None)
        ended = job_of(rest, job)
        assert ended["status"] == "failed" and ended["failedFiles"] == 1 and ended["completedChunks"] == 2, ended
        check_result(rest, job, {name: data[name] for name in ("0", "2")})
        chunk = rest.get(f"/api/jobs/{job}").json()["chunks"][1]
        assert "do not match their sum" in chunk["error"], chunk


def test_rows_that_cannot_be_read_end_their_job(start_system, store):
    if store != "sqlite":
        pytest.skip("rows are damaged with SQL")
    system = start_system()
    rest = system.rest()
    kinds = ("job", "job_add", "chunk", "whole")
    jobs = {kind: compress(rest, {"a": os.urandom(100_000)}) for kind in kinds}
    for job in jobs.values():
        system.ctl("wait", job)
    stop(system)
    with sqlite3.connect(system.state / "store.sqlite") as rows:
        for kind in kinds[:3]:
            rows.execute(f"UPDATE {kind} SET body = x'c1' WHERE job = ?", (jobs[kind],))
    rows.close()
    assert check(system, status=1)[-1].endswith("3 problems, 3 left")
    assert check(system, "--repair")[-1].endswith("3 problems, 0 left")
    assert check(system)[-1].endswith("; 0 problems, 0 left")
    start(system)
    assert {kind: job_of(rest, job)["status"] for kind, job in jobs.items()} == {
        "job": "failed", "job_add": "failed", "chunk": "failed", "whole": "completed"}
