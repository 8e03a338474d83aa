"""Outputs as the broker keeps them: what it said is stored stays as it is, and what is no result goes."""

import os
import sqlite3

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
    out.peer.send("FETCH", size=1, **out.key)  # answered when all of them were seen
    answers = []
    while (got := out.peer.expect("STORED", "SLICE"))["_name"] == "STORED":
        answers.append(got)
    while not any(stored["last"] for stored in answers):
        answers.append(out.peer.expect("STORED"))
    assert {stored["size"] for stored in answers} == {len(content)} and not any(stored["error"] for stored in answers)
    assert out.store(len(content), last=True)["size"] == len(content)
    assert out.path.read_bytes() == content and len(out.sums.read_bytes()) == 16


def give_back(agent, *outs):
    agent.say("RETURN", leases=[out.key for out in outs])


def leases_of(agent, count):
    found = []
    while len(found) < count:
        found += agent.expect("ASSIGN")["leases"]
    return sorted(found, key=lambda lease: lease["chunk"])


def complete(gateway, job):
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job completes")


def three_outputs(broker, gateway, device):
    """Of a job's three chunks: half of one, one that nobody says is done, and a result, with the state it is kept in."""
    device.hello()
    job = submit(gateway, b"one", b"two", b"three", chunk_count=3)
    outs = [Output(broker, "a", job, lease) for lease in leases_of(device, 3)]
    outs[0].store(0, b"x" * 200_000)
    outs[1].store_all(b"x" * 200_000)
    kept = outs[2].store_all(b"y" * 200_000)
    device.say("DONE", results=[outs[2].result(200_000)])
    device.expect("TAKEN")
    return job, outs, kept


def test_what_is_no_result_goes_when_the_job_ends(broker, gateway, agent):
    a = agent()
    job, outs, kept = three_outputs(broker, gateway, a)
    give_back(a, *outs[:2])
    for lease in leases_of(a, 2):
        a.done(job, lease, b"ok")
    complete(gateway, job)
    until(lambda: left(broker, job) == [outs[2].path.name, outs[2].sums.name], "the rest goes")
    assert outs[2].state() == kept


def test_what_a_stopped_broker_left_goes_when_the_job_ends(broker, gateway, agent):
    a = agent()
    job, outs, kept = three_outputs(broker, gateway, a)
    outs[1].path.with_name(outs[1].sums.name + ".new").touch()  # as a crash in the midst of sealing
    broker.broker.restart()
    gateway.connect()
    a.connect()
    a.hello()
    for lease in leases_of(a, 2):
        a.done(job, lease, b"ok")
    complete(gateway, job)
    until(lambda: left(broker, job) == [outs[2].path.name, outs[2].sums.name], "the rest goes")
    assert outs[2].state() == kept


def test_a_result_replaces_other_outputs_of_its_chunk(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one", b"two", chunk_count=2)
    first = leases_of(a, 2)
    stale = Output(broker, "a", job, first[0])
    stale.store_all(b"x" * 200_000)
    other = Output(broker, "a", job, first[1])  # its chunk has no result: it stays
    other.store(0, b"z")
    give_back(a, stale)
    out = Output(broker, "a", job, leases_of(a, 1)[0])
    kept = out.store_all(b"y" * 200_000)
    a.say("DONE", results=[out.result(200_000)])
    a.expect("TAKEN")
    until(lambda: left(broker, job) == sorted([out.path.name, out.sums.name, other.path.name]), "the first one goes")
    assert out.state() == kept


def test_an_output_that_was_revoked_may_still_be_the_result(broker, gateway, agent, lease_of):
    a = agent()
    a.hello()
    job, lease = lease_of(a)
    content = os.urandom(100_000)
    out = Output(broker, "a", job, lease)
    kept = out.store_all(content)
    a.say("BYE")
    a.connect()
    a.hello()
    second = a.expect("ASSIGN")["leases"][0]
    a.hello(held=[{**out.key, "phase": 2}, {**Output(broker, "a", job, second).key, "phase": 0}])
    assert a.expect("REVOKE")["leases"][0]["n"] == lease["n"]  # it holds another of this chunk
    assert out.store(len(content), last=True)["last"]
    a.say("DONE", results=[out.result(len(content))])  # was under way already
    assert {a.expect("TAKEN", "REVOKE")["_name"] for _ in range(2)} == {"TAKEN", "REVOKE"}
    assert gateway.ask("GET_CHUNKS", job=job, limit=1, full=1)["rows"][0]["status"] == "completed"
    assert out.state() == kept


def test_outputs_of_a_chunk_are_bounded(broker, agent, lease_of):
    a = agent()
    a.hello(chunks=100)
    job, lease = lease_of(a)
    for _ in range(30):
        out = Output(broker, "a", job, lease)
        out.store(0, b"x" * 100_000)
        give_back(a, out)
        lease = a.expect("ASSIGN")["leases"][0]
        out.peer.close()
    assert len(left(broker, job)) == 16 and out.path.name in left(broker, job)


@pytest.mark.sqlite
def test_outputs_of_a_job_that_cannot_be_read_stay(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one", b"two", chunk_count=2)
    out = Output(broker, "a", job, leases_of(a, 2)[0])
    kept = out.store_all(b"y" * 200_000)
    a.say("DONE", results=[out.result(200_000)])
    a.expect("TAKEN")
    broker.broker.stop()
    with sqlite3.connect(broker.state / "store.sqlite") as store:
        store.execute("UPDATE job_add SET body = x'c1' WHERE job = ?", (job,))
    store.close()
    broker.broker.start()
    gateway.connect()
    assert job_of(gateway, job)["status"] == "failed"
    broker.broker.stop()  # with it `data` has done all it was told
    assert out.state() == kept


def test_an_output_larger_than_its_kernel_gives_is_refused(broker, agent, lease_of):
    a = agent()
    a.hello()
    job, lease = lease_of(a)
    out = Output(broker, "a", job, lease)
    out.store(0, b"x")
    os.truncate(out.path, 1 << 30)  # a MiB for each file that an inline chunk may have, and four times its bytes
    assert not out.store(1 << 30, b"x" * 65_536)["error"]
    assert out.store((1 << 30) + 65_536, b"x")["error"] == "failed"
    assert out.path.stat().st_size == (1 << 30) + 65_536
