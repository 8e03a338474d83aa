"""Real jobs while agents, or broker and gateway, are killed with -9 and started again and again: the jobs complete,
their results are the same, and no chunk runs again once it was committed. The broker's own log (SHADOW_DEBUG) tells
which chunk was given out and which committed, in order; what REST showed as completed may never change."""

import json
import os
import random
import re
import subprocess
import time

import pytest
import requests
from samples import check_compressed, read, reference, text_of, write, write_fifty
from system import until

pytestmark = pytest.mark.plain  # timing

LONG = bool(os.environ.get("SHADOW_LONG"))
MOMENTS = 300 if LONG else 10
KILLS = 300 if LONG else 5  # at least; an agent dies as long as the job runs
TRACE = re.compile(r"chunk (given|done) job=(\d+) chunk=(\d+)")


class Witness:
    """Reads what the broker says of chunks, and what REST shows of them."""

    def __init__(self, system):
        self.system = system
        self.shown = {}  # (job, chunk) -> (length of the log when it was seen, what was seen)

    def look(self):
        """Remembers every chunk that REST shows as completed; one that was seen before must be unchanged."""
        rest = self.system.rest()
        try:
            for job in rest.get("/api/jobs").json()["jobs"]:
                cursor = ""
                while cursor is not None:
                    page = rest.get(f"/api/jobs/{job['jobId']}{cursor}").json()
                    at = len(self.system.broker.log())
                    for chunk in page["chunks"]:
                        key = int(job["jobId"]), chunk["chunkIndex"]
                        seen = [chunk[field] for field in ("status", "startedAt", "completedAt", "assignedTo")]
                        if key in self.shown:
                            assert self.shown[key][1] == seen, key
                        elif chunk["status"] == "completed":
                            self.shown[key] = at, seen
                    cursor = page["nextChunkCursor"] and f"?chunkCursor={page['nextChunkCursor']}"
        except (requests.ConnectionError, KeyError):
            pass  # one of the two is away: the next look sees it

    def check(self):
        """No chunk was given out after it was committed, none committed twice; (chunks, runs)."""
        done = {key: at for key, (at, _) in self.shown.items()}
        committed, runs = set(), 0
        for line in TRACE.finditer(self.system.broker.log()):
            key, at = (int(line[2]), int(line[3])), line.start()
            if line[1] == "given":
                runs += 1
                assert key not in done or at < done[key], f"chunk {key} was given out again after its commit"
            else:
                assert key not in committed, f"chunk {key} was committed twice"
                committed.add(key)
                done[key] = min(done.get(key, at), at)
        assert runs >= len(done) > 0
        return len(done), runs


@pytest.fixture
def watched(start_system, folder):
    """(system, witness, work, names): three agents, and files that take about ten seconds."""
    system = start_system(start=False)
    system.broker.env["SHADOW_DEBUG"] = "1"
    system.start(agents=3)
    work = folder / "work"
    names = write_fifty(work)
    for i in range(80):
        write(os.fsencode(work / "more" / str(i)), text_of(12_000, i + 5))
        names.append(b"more/%d" % i)
    return system, Witness(system), work, names


def run_jobs(watched, disturb, enough):
    """One job after the other, `disturb()` called all the while, until `enough()` after a whole one."""
    system, witness, work, names = watched
    count = 0
    while not count or not enough():
        out = work.parent / f"out-{count}"
        command, env = system.ctl_command("--json", "compress", "--level", "19", "-o", out, "--", *names)
        process = subprocess.Popen(command, env=env, cwd=work, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            while process.poll() is None:
                disturb(process)
            said, words = process.communicate()
        finally:
            process.kill()
        assert process.returncode == 0, words
        job = json.loads(said)
        assert job["status"] == "completed" and job["completedChunks"] == job["totalChunks"] and not job["failedChunks"]
        check_compressed(work, names, out)
        count += 1
    assert system.ctl("hash", "--", *names, cwd=work, text=False).stdout == reference(["sha256sum", "--", *names], work)
    until(lambda: {d["status"] for d in system.rest().get("/api/devices").json()["devices"]} == {"online"},
          "every agent is back")
    assert len(system.rest().get("/api/jobs").json()["jobs"]) == count + 1  # what was acknowledged, once each
    witness.look()
    return count, *witness.check()


def pause(process, seconds):
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        pass


def test_an_agent_dies_every_second(watched):
    """One of two of the three: five losses on three agents would rightly end a chunk that takes too long."""
    system, witness, *_ = watched
    kills = []

    def disturb(process):
        pause(process, 1)
        if process.poll() is None:
            witness.look()
            kills.append(list(system.agents)[len(kills) % 2])
            system.agents[kills[-1]].restart()

    jobs, chunks, runs = run_jobs(watched, disturb, lambda: len(kills) >= KILLS)
    print(f"covered: {len(kills)} agents killed, {jobs} jobs, {chunks} chunks given out {runs} times")


def test_broker_and_gateway_die_at_random_moments(watched):
    system, witness, *_ = watched
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    moments = []

    def disturb(process):
        pause(process, chance.uniform(0.05, 1.5))
        if process.poll() is None and len(moments) < MOMENTS:
            witness.look()
            victims = [system.broker, system.gateway] if len(moments) % 2 else [chance.choice([system.broker, system.gateway])]
            moments.append(victims)
            for victim in victims:
                victim.kill()
            for victim in victims:
                victim.start()

    jobs, chunks, runs = run_jobs(watched, disturb, lambda: len(moments) >= MOMENTS)
    print(f"covered: seed {seed}, {len(moments)} moments, {jobs} jobs, {chunks} chunks given out {runs} times")
