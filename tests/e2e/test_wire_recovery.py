"""What a crash can leave between two commits, made by hand in the store: the broker starts, and finishes it."""

import sqlite3

from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)


def change(broker, statement):
    """Stops the broker, changes its store and starts it again."""
    broker.broker.stop()
    store = sqlite3.connect(broker.state / "store.sqlite")
    assert store.execute(statement).rowcount == 1
    store.commit()
    store.close()
    broker.broker.start()


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
