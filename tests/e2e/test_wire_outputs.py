"""Outputs as the broker keeps them: what it said is stored stays as it is, and what is no result goes."""

import os

import pytest
import wire
from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)


class Output:
    """What a lease STOREs, over the data port."""

    def __init__(self, broker, name, job, lease):
        self.peer = wire.Peer(broker.keys[name], broker.broker_port + 1)
        self.key = {"job": job, "chunk": lease["chunk"], "n": lease["n"], "token": lease["token"]}
        self.path = broker.state / "jobs" / str(job) / f"out.{lease['chunk']}.{lease['n']}"
        self.sums = self.path.with_name(self.path.name + ".sum")

    def send(self, offset, content=b"", last=False):
        self.peer.send("STORE", content, offset=offset, last=last, **self.key)

    def store(self, offset, content=b"", last=False):
        self.send(offset, content, last)
        return self.peer.expect("STORED")

    def store_all(self, content):
        for at in range(0, len(content), 1 << 18):
            assert not self.store(at, content[at:at + (1 << 18)])["error"]
        stored = self.store(len(content), last=True)
        assert stored["last"] and stored["size"] == len(content)
        return self.state()

    def state(self):
        """Whatever would change were one of the files written to."""
        return [(path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in (self.path, self.sums)]

    def result(self, size):
        return {**self.key, "took_ms": 1, "bytes_out": size, "inline_bytes": 0, "pieces": [{"length": size}]}


@pytest.fixture
def lease_of(broker, gateway):
    """A job of one chunk, and its lease."""

    def make(agent, *contents, **values):
        job = submit(gateway, *(contents or [b"one"]), **values)
        return job, agent.expect("ASSIGN")["leases"][0]

    return make


def left(broker, job):
    folder = broker.state / "jobs" / str(job)
    return sorted(path.name for path in folder.glob("out.*")) if folder.exists() else []


def test_what_is_stored_stays_as_it_is(broker, gateway, agent, lease_of):
    a = agent()
    a.hello()
    job, lease = lease_of(a)
    content = os.urandom(600_000)
    out = Output(broker, "a", job, lease)
    kept = out.store_all(content)

    def poke():
        stored = out.store(len(content), b"garbage")
        assert stored["size"] == len(content) and not stored["last"]
        assert out.store(0, b"garbage", last=True)["size"] == len(content)
        stored = out.store(len(content), last=True)  # asked again: the first answer was lost
        assert stored["last"] and stored["size"] == len(content) and not stored["error"]
        tail = content[len(content) - 10:]
        assert out.store(len(content) - 10, tail, last=True)["last"]  # its last part, once more
        assert out.state() == kept

    poke()
    broker.broker.restart()
    gateway.connect()
    a.connect()
    a.hello(held=[{**out.key, "phase": 2}])
    poke()
    a.say("DONE", results=[out.result(len(content))])
    a.expect("TAKEN")
    row = job_of(gateway, job)
    assert row["status"] == "completed"
    out.send(len(content), b"garbage", last=True)
    assert out.peer.expect("STORED")["error"] == "stale"
    assert out.state() == kept


def test_a_taken_output_stays_while_its_job_runs(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one", b"two", chunk_count=2)
    leases = a.expect("ASSIGN")["leases"]
    while len(leases) < 2:
        leases += a.expect("ASSIGN")["leases"]
    content = os.urandom(100_000)
    out = Output(broker, "a", job, leases[0])
    kept = out.store_all(content)
    a.say("DONE", results=[out.result(len(content))])
    a.expect("TAKEN")
    assert out.store(len(content), b"garbage")["size"] == len(content)
    assert out.store(len(content), last=True)["last"]
    assert out.state() == kept


def test_what_is_on_its_way_to_the_disk_stays_as_it_is(broker, agent, lease_of):
    a = agent()
    a.hello()
    job, lease = lease_of(a)
    content = os.urandom(250_000)
    out = Output(broker, "a", job, lease)
    for _ in range(50):
        out.send(0, content)
        out.send(len(content), last=True)
        out.send(len(content), b"garbage")
    answers = [out.peer.expect("STORED")]
    while not answers[-1]["last"]:
        answers.append(out.peer.expect("STORED"))
    assert {stored["size"] for stored in answers} == {len(content)} and not any(stored["error"] for stored in answers)
    assert out.store(len(content), last=True)["size"] == len(content)
    assert out.path.read_bytes() == content and len(out.sums.read_bytes()) == 16
