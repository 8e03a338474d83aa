"""The oracle sees what it is there for: it finds out a broker that acknowledges before it commits, and each kind of
fault that is made by hand in its store and files."""

import shutil
import sqlite3

import pytest
from oracle import DONE, read_store
from work import Client, tar_of
from world import BUILD

pytestmark = pytest.mark.plain  # preloads a library


def kinds(world):
    return {kind for kind, _ in world.oracle.faults}


@pytest.fixture
def lazy(world):
    """Makes the broker of `world` call batches committed that it does not commit, from the call on."""
    broker, file = world.system.broker, world.folder / "lazy"
    broker.env |= {"LD_PRELOAD": str(BUILD / "tests" / "crash" / "lazy-commit.so"), "LAZY_COMMIT": str(file)}
    broker.restart()
    del broker.env["LD_PRELOAD"]
    return file.touch


def die(world):
    """kill -9 and a new life; where its log began."""
    broker = world.system.broker
    broker.kill()
    world.died(broker, "by hand")
    since = len(broker.log())
    broker.start()
    return since


def test_a_broker_that_acknowledges_before_it_commits_is_caught(world, lazy):
    client = Client(world.system, world.oracle, "lazy")
    lazy()
    job = client.submit(inputData=["a text"] * 20, chunkCount=20)
    world.system.broker.wait_log(f"job ended job={job} ")
    die(world)
    client.await_end(job, 20)
    counts = world.oracle.check(world.system.state)
    print(f"covered: a lazy broker is caught: {counts}")
    assert counts["acks"] == 1 and counts["lost"] == 2  # asked for, and missing in the store


def test_a_broker_whose_results_are_not_committed_is_caught(world, lazy):
    client = Client(world.system, world.oracle, "half")
    job = client.submit(inputData=["a text"], open=True)
    world.system.broker.wait_log(f"chunk done job={job} chunk=0 ")
    upload = client.upload(tar_of({f"{i}": b"more" for i in range(20)}))
    lazy()
    client.ask("POST", f"/api/jobs/{job}/inputs", (200, 201), json={"uploads": [upload]})
    world.system.broker.wait_log(f"chunk done job={job} chunk=1 ")
    die(world)
    counts = world.oracle.check(world.system.state)
    assert counts["lost"] >= 1 and "was called done and is not in the store" in world.oracle.faults[0][1]


def test_a_chunk_that_runs_again_is_caught(world):
    """As a store would be whose last commits came undone."""
    client = Client(world.system, world.oracle, "again")
    job = client.submit(inputData=["a text"] * 20, chunkCount=20)
    world.system.broker.wait_log(f"job ended job={job} ")
    world.system.broker.stop()
    with sqlite3.connect(world.system.state / "store.sqlite") as store:
        store.execute("DELETE FROM chunk WHERE job = ? AND chunk = 7", (job,))
        store.execute("UPDATE job SET status = 0, final_ms = 0 WHERE job = ?", (job,))
    store.close()
    since = len(world.system.broker.log())
    world.system.broker.start()
    world.system.broker.wait_log(f"chunk done job={job} chunk=7 ", since=since)
    world.oracle.follow(world.system.broker)
    world.oracle.check(world.system.state)
    assert [kind for kind, _ in world.oracle.faults].count("doubled") == 2  # given out, and committed


def test_an_honest_store_has_no_fault_and_each_made_one_is_found(world):
    client = Client(world.system, world.oracle, "honest")
    jobs = client.run()
    world.oracle.follow(world.system.broker)
    print(world.oracle.verdict(world.system.state))
    assert world.oracle.runs >= 200
    _, chunks = read_store(world.system.state)
    assert len(chunks) == 200 and set(chunks.values()) == {DONE}
    world.system.broker.stop()
    with sqlite3.connect(world.system.state / "store.sqlite") as store:
        store.execute("UPDATE job SET key = key || 'x' WHERE job = ?", (jobs[0],))
        store.execute("DELETE FROM chunk WHERE job = ? AND chunk = 3", (jobs[1],))
    store.close()
    shutil.copytree(world.system.state / "jobs" / str(jobs[1]), world.system.state / "jobs" / "999")
    world.died(world.system.broker, "by hand")  # a row that was called done is missing
    world.oracle.check(world.system.state)  # another key, a folder of no job
    assert {"lost", "invented"} <= kinds(world)
    shutil.rmtree(world.system.state / "jobs" / "999")
