"""The oracle: writes down every submit, acknowledgement and result as a line of JSON, and at the end compares them with
the store and the files: what was lost, doubled, invented or wrong."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "mongo"))
from server import venv  # noqa: E402

TRACE = re.compile(rb"chunk (given|done) job=(\d+) chunk=(\d+)")
EVENTS = {"submit": "key", "ack": "key", "result": "job", "delete": "job", "deleted": "job"}
DONE = 3  # a chunk's state in the store: checked against REST by test_oracle.py


def read_store(state):
    """Rows of the SQLite store as a crash would find them, from a copy, so that nothing is recovered or checkpointed:
    ({job: (key, is_final)}, {(job, chunk): state})."""
    with tempfile.TemporaryDirectory(prefix="sw-crash-") as folder:
        for name in ("store.sqlite", "store.sqlite-wal"):
            if (state / name).exists():
                shutil.copy(state / name, folder)
        store = sqlite3.connect(Path(folder) / "store.sqlite")
        try:
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            jobs = {job: (key, final > 0) for job, key, final in store.execute("SELECT job, key, final_ms FROM job")}
            chunks = {(job, chunk): s for job, chunk, s in store.execute("SELECT job, chunk, state FROM chunk")}
        finally:
            store.close()
    return jobs, chunks


def read_mongodb(uri):
    """The same of a MongoDB database."""
    done = subprocess.run([venv() / "python", Path(__file__).with_name("mongo_rows.py"), uri], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    jobs, chunks = json.loads(done.stdout)
    return {job: (key, final) for job, key, final in jobs}, {(job, chunk): state for job, chunk, state in chunks}


class Oracle:
    def __init__(self, path, store="sqlite"):
        """`store` as the broker's option."""
        self.path, self.store = path, store
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._read = 0  # how many bytes of the broker's log were looked at
        self._written = {event: {} for event in EVENTS}  # what the file holds: {event: {key or job: its line}}
        self._seen = 0  # bytes of the file that are in there
        self.committed = set()  # chunks that were durable at some moment
        self.done = set()  # chunks that the broker called done
        self.runs = 0
        self.faults = []  # (kind, what)

    def note(self, event, **values):
        with self._lock:
            self._file.write(json.dumps({"event": event, **values}) + "\n")
            self._file.flush()

    def fault(self, kind, what):
        self.note("fault", kind=kind, what=what)
        self.faults.append((kind, what))

    def follow(self, broker):
        """Reads on in the broker's log: no committed chunk is given out, none is committed twice."""
        with broker.log_path.open("rb") as log:
            log.seek(self._read)
            news = log.read()
        news = news[:news.rfind(b"\n") + 1]
        self._read += len(news)
        for match in TRACE.finditer(news):
            key = int(match[2]), int(match[3])
            if match[1] == b"given":
                self.runs += 1
                if key in self.committed:
                    self.fault("doubled", f"chunk {key} was given out after it was committed")
            elif key in self.done:
                self.fault("doubled", f"chunk {key} was committed twice")
            else:
                self.done.add(key)
                self.committed.add(key)

    def crashed(self, broker, state):
        """The broker is dead and not yet started again: what is in the store now must never run again, and what it
        called done is there."""
        self.follow(broker)
        jobs, chunks = self.rows(state)
        stored = {key for key, s in chunks.items() if s == DONE}
        for key in self.done:
            if key[0] in jobs and key not in stored:
                self.fault("lost", f"chunk {key} was called done and is not in the store")
        self.committed |= stored

    def rows(self, state):
        if self.store != "sqlite":
            return read_mongodb(self.store)
        return read_store(state) if (state / "store.sqlite").exists() else ({}, {})

    def read_on(self):
        """Takes in what was written down since it was last called."""
        with self.path.open("rb") as file:
            file.seek(self._seen)
            news = file.read()
        self._seen += len(news)
        for line in map(json.loads, news.splitlines()):
            if line["event"] in EVENTS:
                self._written[line["event"]][line[EVENTS[line["event"]]]] = line

    def check(self, state):
        """Everything that was written down against the store and the files; the counts."""
        self.read_on()
        jobs, chunks = self.rows(state)
        submitted, acked, finished, asked_away, gone = self._written.values()
        by_key = {}
        for job, (key, is_final) in jobs.items():
            name = next((k for k in submitted if key.endswith(k)), None)
            if name is None:
                self.fault("invented", f"job {job} has the key {key!r}, which nobody sent")
            elif name in by_key:
                self.fault("doubled", f"jobs {by_key[name]} and {job} have the key {name}")
            by_key[name] = job
            if job in finished and not is_final:
                self.fault("lost", f"job {job} was shown as ended and is not")
        for key, line in acked.items():
            job = line["job"]
            if job not in asked_away and by_key.get(key) != job:
                self.fault("lost", f"job {job} was acknowledged and is not in the store")
            if job in gone and job in jobs:
                self.fault("wrong", f"job {job} was deleted and is there")
        for folder in (state / "jobs").iterdir():
            if folder.name.isdigit() and int(folder.name) not in jobs:
                self.fault("invented", f"folder {folder.name} has no row")
        self.note("checked", jobs=len(jobs), chunks=len(chunks), faults=len(self.faults))
        return {"submits": len(submitted), "acks": len(acked), "results": len(finished), "runs": self.runs,
                **{kind: sum(k == kind for k, _ in self.faults) for kind in ("lost", "doubled", "invented", "wrong")}}

    def verdict(self, state):
        """check(), and fails if anything is to be said; its counts in words."""
        counts = self.check(state)
        assert not self.faults, "\n".join(f"{kind}: {what}" for kind, what in self.faults)
        return " ".join(f"{name}={n}" for name, n in counts.items())
