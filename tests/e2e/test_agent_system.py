"""Agents of a whole system that are stopped, killed and frozen in the middle of a job: the result is right, and
nothing is counted that nobody did."""

import os
import signal
import subprocess

import pytest
from system import until


@pytest.fixture
def inputs(folder):
    """Forty files, one of them larger than what one chunk holds."""
    source = folder / "in"
    source.mkdir()
    text = (b"The quick brown fox jumps over the lazy dog, again and again.\n" * 4000)
    for i in range(40):
        (source / f"f{i:02}").write_bytes(os.urandom(60000) + text[i:])
    (source / "large").write_bytes(text * 200)
    return source


@pytest.fixture
def start(system, folder, inputs):
    """Starts `shadowctl compress` on the inputs and returns when some chunks are done: (process, job id)."""
    started = []

    def run(level=12):
        command, env = system.ctl_command("--json", "compress", "--level", str(level), "-o", folder / "out", inputs)
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        rest = system.rest()

        def under_way():
            jobs = rest.get("/api/jobs").json()["jobs"]
            return jobs and jobs[0]["completedChunks"] >= 2 and jobs[0]["jobId"]

        return process, until(under_way, "a job under way")

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def check_outputs(process, folder, inputs):
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    outputs = {path.name: path for path in (folder / "out").rglob("*.zst")}
    assert len(outputs) == 41
    for path in inputs.iterdir():
        back = subprocess.run(["zstd", "-dcq", outputs[path.name + ".zst"]], capture_output=True, check=True)
        assert back.stdout == path.read_bytes(), path


def chunks_of(system, job):
    rest, chunks, cursor = system.rest(), [], ""
    while cursor is not None:
        page = rest.get(f"/api/jobs/{job}", params={"chunkCursor": cursor} if cursor else {}).json()
        chunks += page["chunks"]
        cursor = page["nextChunkCursor"]
    return chunks


def test_sigterm_counts_no_attempt(system, start, folder, inputs):
    process, job = start()
    assert system.agents["agent-1"].stop(limit_s=6) == 0
    check_outputs(process, folder, inputs)
    assert {chunk["attempts"] for chunk in chunks_of(system, job)} == {0}


def test_kill_9_costs_no_result(system, start, folder, inputs):
    process, job = start()
    for _ in range(3):
        for agent in system.agents.values():
            agent.restart()
    check_outputs(process, folder, inputs)
    assert {chunk["attempts"] for chunk in chunks_of(system, job)} == {0}


def test_a_killed_slot_process_is_an_attempt(system, start, folder, inputs):
    process, job = start(level=19)
    pid = system.agents["agent-1"].pid
    children = until(lambda: open(f"/proc/{pid}/task/{pid}/children").read().split(), "a slot process")
    os.kill(int(children[0]), signal.SIGKILL)
    check_outputs(process, folder, inputs)
    assert sum(chunk["attempts"] for chunk in chunks_of(system, job)) <= 1


def test_a_frozen_agent_comes_back(system, start, folder, inputs):
    process, job = start()
    agent = system.agents["agent-1"]
    agent.freeze()
    system.broker.wait_log("agent (offline|unreachable)", limit_s=20)
    check_outputs(process, folder, inputs)
    before = [(c["chunkId"], c["completedAt"]) for c in chunks_of(system, job)]
    since = len(agent.log())
    agent.thaw()
    agent.wait_log("welcomed", since=since)
    until(lambda: all(d["status"] == "online" for d in system.rest().get("/api/devices").json()["devices"]), "both")
    assert [(c["chunkId"], c["completedAt"]) for c in chunks_of(system, job)] == before


def test_a_broker_that_restarts_is_told_what_is_held(system, start, folder, inputs):
    process, job = start()
    for _ in range(3):
        since = {name: len(agent.log()) for name, agent in system.agents.items()}
        system.broker.restart()
        for name, agent in system.agents.items():
            agent.wait_log("welcomed", since=since[name])
    check_outputs(process, folder, inputs)
    assert {chunk["attempts"] for chunk in chunks_of(system, job)} == {0}


def test_a_key_that_is_not_known_is_said(system, build, folder):
    program = system.add_agent("stranger", 1, start=False)
    peers = system.state / "keys" / "peers"
    peers.write_text("".join(line for line in peers.open() if "stranger" not in line))
    program.start(wait=False)
    program.wait_log("does it know this key", limit_s=15)
    assert program.stop() == 0
