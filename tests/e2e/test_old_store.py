"""A state of the version before: a broker that finds a store of schema 1 takes it forward and finishes its jobs; only
looking changes nothing; one from a version to come is refused with words."""

import sqlite3
import subprocess

import msgpack
import pytest
import wire
from system import ROOT
from test_backup import check_result, compress, job_of
from test_check import check

pytestmark = pytest.mark.sqlite
TABLES = (ROOT / "tests" / "contract" / "sqlite_schema_1.sql").read_text().split("-- end of the tables")[0]
LATER = 2  # fields of a job's row that came last


def version(system, new=None):
    with sqlite3.connect(system.state / "store.sqlite") as store:
        if new:
            store.execute(f"PRAGMA user_version = {new}")
        found = store.execute("PRAGMA user_version").fetchone()[0]
    store.close()
    return found


def older_row(body):
    fields = msgpack.unpackb(body, raw=True, strict_map_key=False)
    assert len(fields) == len(wire.records["job_row"])
    return msgpack.packb(fields[:-LATER], use_bin_type=False)


def make_old(system):
    """Today's store becomes what a broker of schema 1 would have left: its tables, its rows with fewer fields."""
    path = system.state / "store.sqlite"
    with sqlite3.connect(system.state / "older") as store:
        store.executescript("PRAGMA journal_mode = WAL;" + TABLES)
        store.create_function("older_row", 1, older_row)
        store.execute("ATTACH ? AS new", (str(path),))
        for table in ("meta", "mark", "job_add", "chunk", "device"):
            store.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
        store.execute("INSERT INTO job SELECT job, status, type, owner, key, final_ms, bytes, older_row(body) FROM new.job")
    store.close()
    for left in system.state.glob("store.sqlite*"):
        left.unlink()
    (system.state / "older").rename(path)


def test_a_job_of_an_old_store_is_finished(start_system, folder):
    system = start_system()
    rest = system.rest()
    files = {f"file {i}": bytes([i]) * 50_000 for i in range(5)}
    done = compress(rest, files)
    system.ctl("wait", done)
    before = job_of(rest, done)
    for agent in system.agents.values():
        agent.stop()
    left = compress(rest, files)
    texts = rest.post("/api/jobs", json={"type": "hash", "inputData": ["one", "two"], "chunkCount": 2,
                                         "idempotencyKey": "kept"}).json()["job"]["jobId"]
    system.broker.stop()
    make_old(system)

    assert any("schema 1 is older" in line for line in check(system, status=2))
    assert version(system) == 1
    version(system, 3)
    refused = subprocess.run(system.broker.command, capture_output=True, text=True, timeout=30)
    assert refused.returncode > 0 and "schema 3 is newer than this program's 2" in refused.stderr, refused
    assert version(system) == 3
    version(system, 1)

    for program in (system.broker, *system.agents.values()):
        program.start()
    for job in (left, texts):
        system.ctl("wait", job)
    assert version(system) == 2
    for job in (done, left):
        check_result(rest, job, files)
    assert job_of(rest, done) == before
    again = rest.post("/api/jobs", json={"type": "hash", "inputData": ["one", "two"], "chunkCount": 2,
                                         "idempotencyKey": "kept"})
    assert again.json()["job"]["jobId"] == texts and again.status_code == 200
    for program in (*system.agents.values(), system.broker):
        program.stop()
    assert check(system)[-1].endswith("; 0 problems, 0 left")
