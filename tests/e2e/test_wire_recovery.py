"""What a crash can leave between two commits, made by hand in the store: the broker starts, and finishes it."""

import sqlite3

import msgpack
import pytest
import wire
from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.sqlite


def change(broker, *statements):
    """Stops the broker, changes its store and starts it again."""
    broker.broker.stop()
    with sqlite3.connect(broker.state / "store.sqlite") as store:
        for statement in statements:
            assert store.execute(statement).rowcount == 1
    store.close()
    broker.broker.start()


def first_row(broker, job):
    """The statement that makes a job's row again what its SUBMIT wrote first."""
    with sqlite3.connect(broker.state / "store.sqlite") as store:
        (body,) = store.execute("SELECT body FROM job WHERE job = ?", (job,)).fetchone()
    store.close()
    row = wire.unpack("job_row", msgpack.unpackb(body, raw=False))
    body = msgpack.packb(wire.pack("job_row", {**row, "sealed": 0, "completed_at": 0}), use_bin_type=True)
    return f"UPDATE job SET status = 0, final_ms = 0, body = x'{body.hex()}' WHERE job = {job}"


def test_a_job_whose_last_row_is_missing_ends(broker, gateway, agent):
    """Its chunks were durable, the row that ends it was not."""
    a = agent()
    a.hello()
    job = submit(gateway, b"one")
    a.done(job, a.expect("ASSIGN")["leases"][0], b"sum")
    a.expect("TAKEN")
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")
    change(broker, f"UPDATE job SET status = 1, final_ms = 0 WHERE job = {job}")
    gateway.connect()
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends once more")
    broker.broker.restart()
    gateway.connect()
    assert job_of(gateway, job)["completed_chunks"] == 1


def test_a_submit_without_its_inputs_is_made_anew(broker, gateway):
    """Its job was durable, its ADD was not: nobody was answered, and the repeat must not find a job that stays empty."""
    files, payload = wire.inputs(b"one")
    whole = {"type": "hash", "key": "k", "body_hash": 7, "inputs": files}
    job = gateway.ask("SUBMIT", payload, **whole)["job"]
    change(broker, f"DELETE FROM job_add WHERE job = {job}", first_row(broker, job))
    gateway.connect()
    again = gateway.ask("SUBMIT", payload, **whole)
    assert not again["existing"] and again["job"] > job
    assert [(row["job"], row["total_files"], row["open"]) for row in gateway.ask("GET_JOBS", limit=10)["rows"]] == \
        [(again["job"], 1, 0)]
    broker.broker.restart()
    gateway.connect()
    assert gateway.ask("SUBMIT", payload, **whole)["job"] == again["job"]


def test_a_submit_without_its_seal_is_sealed(broker, gateway, agent):
    for contents, status in ((b"one",), "pending"), ((), "completed"):
        files, payload = wire.inputs(*contents)
        job = gateway.ask("SUBMIT", payload, type="hash", inputs=files)["job"]
        change(broker, first_row(broker, job))
        gateway.connect()
        until(lambda: job_of(gateway, job)["status"] == status, status)
        assert not job_of(gateway, job)["open"]
    open_job = gateway.ask("SUBMIT", payload, type="hash", open=1)["job"]
    broker.broker.restart()
    gateway.connect()
    assert job_of(gateway, open_job)["open"]
