"""Power loss under uploads, plans and outputs: a real broker and gateway work while all that they do to their files is
written down (record.c); then the disk is put together as a power cut may leave it (power_disk.py) at many points. Each
time `--check` finds nothing damaged, and every acknowledgement that a client had is kept. A disk that ignores syncs is
found out."""

import copy
import io
import os
import random
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import pytest
from bench import evenly
from oracle import DONE, Oracle
from power_disk import Careful, differences
from power_work import Life
from system import until
from world import BUILD

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 200)]  # preloads a library
BUDGET_S = 30
ROUNDS_LONG = 3  # each point, with other losses
HARMLESS = ("belongs to no row", "a folder without a job", "checked: ")  # goes at a start, or with its job


def rows_of(state):
    """({job: ADDs}, {job: chunks done})"""
    store = sqlite3.connect(state / "store.sqlite")
    try:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        jobs = {job: 0 for job, in store.execute("SELECT job FROM job")}
        adds = jobs | dict(store.execute("SELECT job, count(*) FROM job_add GROUP BY job"))
        return adds, dict(store.execute("SELECT job, count(*) FROM chunk WHERE state = ? GROUP BY job", (DONE,)))
    finally:
        store.close()


def faults(life, state, end):
    """What of the acknowledgements before `end` is not kept, and what is damaged."""
    done = subprocess.run([BUILD / "broker" / "shadow-broker", "--state", state, "--check"], capture_output=True, text=True)
    told = [told[1:] for told in life.told if told[0] <= end]
    removing = {of for what, of, _ in told if what == "removing"}
    jobs = [(what, of, n) for what, of, n in told if what in ("job", "adds", "done", "removed")]
    found = [line for line in done.stdout.splitlines() if not any(words in line for words in HARMLESS)]
    if done.returncode == 2:
        return found + [done.stderr] if jobs else found
    adds, chunks = rows_of(state)
    for what, job, n in jobs:
        if what == "removed":
            found += [f"job {job} was removed"] if job in adds else []
        elif str(job) not in removing and (job not in adds or (what == "adds" and adds[job] < n)
                                           or (what == "done" and chunks.get(job, 0) < n)):
            found.append(f"{what} {job} {n}: there are {adds.get(job)} ADDs, {chunks.get(job)} chunks done")
    return found + upload_faults(life, state / "uploads", [t for t in told if t[0] == "upload" and t[1] not in removing])


def upload_faults(life, folder, told):
    if not told:
        return []
    looked = subprocess.run([BUILD / "tests" / "crash" / "power-look", folder], capture_output=True, text=True)
    there = {name: (int(offset), int(status)) for name, offset, _, status in map(str.split, looked.stdout.splitlines())}
    found = []
    for _, name, offset in told:
        data = next(client.data[name] for client in life.clients if name in client.data)
        size, status = there.get(name, (-1, 0))
        if size < offset or status or (folder / name).read_bytes()[:size] != data[:size]:
            found.append(f"upload {name}: {offset} was acknowledged, {size} is there, status {status}")
    return found


@pytest.fixture(scope="module")
def life():
    folder = Path(tempfile.mkdtemp(prefix="sw-power-", dir="/dev/shm"))
    yield Life(folder, Oracle(folder / "oracle.jsonl"), "power")
    shutil.rmtree(folder)


def finish(life, state, end):
    """The programs start on it, and whatever job is there ends; (jobs, what is wrong with their results)."""
    system, found = life.system, []
    expected = {job: files for client in life.clients for job, files in client.expected.items()}
    told = {of: n for at, what, of, n in life.told if at <= end and what == "adds"}
    gone = {int(of) for at, what, of, _ in life.told if at <= end and what == "removing" and of.isdigit()}
    ended = system.folder / "ended"
    system.state.rename(ended)
    state.rename(system.state)
    programs = [system.broker, system.gateway, *system.agents.values()]
    for program in programs:
        program.env.pop("LD_PRELOAD", None)
        program.start()
    try:
        rest = system.rest()
        jobs = [int(job["jobId"]) for job in rest.get("/api/jobs").json()["jobs"]]
        for job in jobs:
            rest.post(f"/api/jobs/{job}/seal")
            until(lambda job=job: rest.get(f"/api/jobs/{job}?chunkLimit=0").json()["job"]["completedAt"], f"job {job}")
            with tarfile.open(fileobj=io.BytesIO(rest.get(f"/api/jobs/{job}/result").content)) as tar:
                got = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
            whole = sum(life.parts(job)[:told.get(job, 0)])
            if len(got) < whole or any(expected[job].get(name) != data for name, data in got.items()):
                found.append(f"job {job}: {len(got)} files of {whole}, or wrong ones")
        found += [f"job {job} is gone" for job in told if job not in jobs and job not in gone]
    finally:
        for program in reversed(programs):
            program.stop()
        shutil.rmtree(system.state)
        ended.rename(system.state)
    return len(jobs), found


def cut(life, points, chance, deadline, ignores=lambda path: False):
    """Cuts the power after each of the numbers of events `points`; (how many were, the first faults)."""
    disk, at, n = copy.deepcopy(life.disk), 0, 0
    disk.ignores = ignores
    for point in sorted(points):
        if time.monotonic() > deadline:
            break
        while at < point:
            disk.step(life.events[at])
            at += 1
        image = life.system.folder / "image"
        disk.lose(chance, image)
        try:
            found = faults(life, image, life.events[point - 1][0])
        finally:
            shutil.rmtree(image)
        n += 1
        if found:
            return n, f"after event {point}: {found[:5]}"
    return n, ""


def test_the_record_is_all_that_happened(life):
    disk = copy.deepcopy(life.disk)
    for event in life.events:
        disk.step(event)
    disk.lose(Careful(), life.system.folder / "end")
    assert differences(life.system.folder / "end", life.system.state) == []


def test_power_loss_loses_nothing_acknowledged(life):
    seed = int(os.environ.get("SHADOW_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    is_long = bool(os.environ.get("SHADOW_LONG"))
    points = range(1, len(life.events) + 1)
    n = 0
    for _ in range(ROUNDS_LONG if is_long else 1):
        some = evenly(points, chance)[:len(points) if is_long else 120]
        n_cut, found = cut(life, some, chance, time.monotonic() + (1e9 if is_long else BUDGET_S))
        assert not found, f"seed {seed}: {found}"
        n += n_cut
    print(f"covered: seed {seed}, {n} of {len(life.events)} cut points{f' x {ROUNDS_LONG}' if is_long else ''}, {len(life.told)} acknowledgements")


def test_what_was_cut_goes_on(life):
    """At some points the system is started on what is left: each job ends, with the right result."""
    chance = random.Random(int(os.environ.get("SHADOW_SEED") or random.randrange(1 << 32)))
    disk, at, finished = copy.deepcopy(life.disk), 0, 0
    points = sorted(chance.sample(range(200, len(life.events)), 40 if os.environ.get("SHADOW_LONG") else 5))
    for point in points:
        while at < point:
            disk.step(life.events[at])
            at += 1
        image = life.system.folder / "image"
        disk.lose(chance, image)
        n, found = finish(life, image, life.events[point - 1][0])
        assert not found, f"after event {point}: {found}"
        finished += n
    print(f"covered: {len(points)} starts after a power cut, {finished} jobs finished right")


@pytest.mark.parametrize("what", ["/uploads/", "/jobs/"])
def test_a_disk_that_ignores_syncs_is_found_out(life, what):
    points = range(20, len(life.events) + 1, 20)
    _, found = cut(life, points, random.Random(1), time.monotonic() + 30, lambda path: what in f"{path}/")
    assert found
