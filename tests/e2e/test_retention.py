"""Ended jobs go by themselves, those that ended first first, by age and by the bytes that all jobs hold."""

import os
import sqlite3

import pytest
import wire
from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)

DAY_MS = 24 * 3600 * 1000


def jobs(gateway):
    return [row["job"] for row in gateway.ask("GET_JOBS", limit=100)["rows"]]


def finish(gateway, a, content=b"one"):
    job = submit(gateway, content)
    a.done(job, a.expect("ASSIGN")["leases"][0], b"0123456789")
    a.expect("TAKEN")
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")
    return job


def restart(broker, gateway, *flags):
    broker.broker.stop()
    broker.broker.command += flags
    broker.broker.start()
    gateway.connect()


@pytest.mark.skipif(os.environ.get("SHADOW_E2E_STORE", "sqlite") != "sqlite", reason="changes the rows of SQLite")
def test_old_jobs_go(broker, gateway, agent):
    a = agent()
    a.hello(chunks=1000, size=2**30)
    ended = [finish(gateway, a) for _ in range(200)]  # more than are taken at once
    live = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    broker.broker.stop()
    with sqlite3.connect(broker.state / "store.sqlite") as store:
        store.execute("UPDATE job SET final_ms = final_ms - ? WHERE job > ? AND final_ms <> 0", (8 * DAY_MS, ended[4]))
        store.execute("UPDATE job SET final_ms = final_ms - ? WHERE job <= ?", (6 * DAY_MS, ended[4]))
    store.close()
    restart(broker, gateway, "--retention-days", "7")
    until(lambda: jobs(gateway) == [live, *reversed(ended[:5])], "old ones are gone", limit_s=20)
    with sqlite3.connect(broker.state / "store.sqlite") as store:
        assert store.execute("SELECT count(*) FROM chunk").fetchone() == (5,)
    store.close()
    assert len(list((broker.state / "jobs").iterdir())) <= 6
    assert [row for row in gateway.ask("GET_STATS")["rows"] if row["name"] == "shadow_jobs_retired_total"][0]["value"] == 195
    broker.broker.restart()
    gateway.connect()
    assert jobs(gateway) == [live, *reversed(ended[:5])]
    assert gateway.ask("SUBMIT", type="hash", open=1)["job"] > live


def test_the_oldest_go_while_there_are_too_many_bytes(broker, gateway, agent):
    a = agent()
    a.hello(chunks=1000, size=2**30)
    restart(broker, gateway, "--retention-bytes", "4000")
    a.connect()
    a.hello(chunks=1000, size=2**30)
    open_job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    files, payload = wire.inputs(bytes(1000))
    gateway.ask("ADD", payload, job=open_job, key=1, inputs=files)  # holds its part and never goes
    lease = a.expect("ASSIGN")["leases"][0]
    a.done(open_job, lease, b"0123456789")
    a.expect("TAKEN")
    ended = [finish(gateway, a, bytes(900)) for _ in range(3)]  # 910 each
    assert jobs(gateway) == [*reversed(ended), open_job]
    ended.append(finish(gateway, a, bytes(900)))
    until(lambda: jobs(gateway) == [*reversed(ended[1:]), open_job], "the oldest goes")
    ended.append(finish(gateway, a, bytes(2000)))
    until(lambda: jobs(gateway) == [ended[4], ended[3], open_job], "two more go")
    broker.broker.kill()  # counted anew
    broker.broker.start()
    gateway.connect()
    a.connect()
    a.hello(chunks=1000, size=2**30)
    ended.append(finish(gateway, a, bytes(100)))
    until(lambda: jobs(gateway) == [ended[5], ended[4], open_job], "one more goes")
    assert "reason=retention-bytes" in broker.broker.log()


def test_nothing_goes_without_being_asked(broker, gateway, agent):
    a = agent()
    a.hello(chunks=1000, size=2**30)
    job = finish(gateway, a)
    restart(broker, gateway)
    assert job_of(gateway, job)["status"] == "completed" and "retention" not in broker.broker.log()
