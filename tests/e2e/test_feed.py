"""The feed of changes at the broker's wire: a snapshot, then numbered changes. Gateway and agent are played by hand."""

import wire
from wire_world import agent, broker, gateway, submit  # noqa: F401 (fixtures)


class Feed:
    """A subscriber on a connection of its own: it hears nothing but the feed."""

    numbers = 1000

    def __init__(self, system, watched=()):
        Feed.numbers += 1
        self.peer, self.number = wire.Peer(system.keys["g"], system.broker_port), Feed.numbers
        self.watched, self.seq = [{"job": job} for job in watched], 0
        self.jobs, self.devices, self.chunks, self.forgotten = {}, {}, [], []

    def say(self):
        self.peer.send("SUBSCRIBE", ref=1, feed=self.number, seq=self.seq, watched=self.watched)

    def begin(self):
        self.say()
        part = -1
        while True:
            got = self.peer.expect("SNAPSHOT")
            assert got["feed"] == self.number and got["part"] == part + 1
            part, self.seq = got["part"], got["seq"]
            self.take(got)
            if got["last"]:
                return self

    def take(self, got):
        self.jobs |= {row["job"]: row for row in got["jobs"]}
        self.devices |= {row["device_id"]: row for row in got["agents"]}
        self.chunks += got.get("chunks", [])
        self.forgotten += [row["job"] for row in got.get("forgotten", [])]

    def until(self, true, limit_s=10):
        """Takes changes, each one number higher, until `true`."""
        while not true():
            got = self.peer.expect("CHANGES", limit_s=limit_s)
            assert got["feed"] == self.number and got["seq"] == self.seq + 1, "a gap"
            self.seq = got["seq"]
            self.take(got)


def test_a_snapshot_then_what_changes(broker, gateway, agent):
    old = submit(gateway, b"there before")
    feed = Feed(broker).begin()
    assert list(feed.jobs) == [old] and feed.jobs[old]["status"] == "pending" and not feed.devices
    a = agent()
    a.hello(chunks=1)
    feed.until(lambda: feed.devices and feed.jobs[old]["status"] == "processing")
    grant = a.expect("ASSIGN")
    a.done(old, grant["leases"][0], b"sum")
    feed.until(lambda: feed.jobs[old]["status"] == "completed")
    assert feed.jobs[old]["completed_at"] and feed.jobs[old]["progress"] == 1
    new = submit(gateway, b"a new one")
    feed.until(lambda: new in feed.jobs)
    assert not feed.chunks, "nobody watches them"
    gateway.ask("FORGET", job=new)
    feed.until(lambda: new in feed.forgotten)


def test_chunks_of_watched_jobs_only(broker, gateway, agent):
    jobs = [submit(gateway, b"one", b"two", chunk_count=2) for _ in range(2)]
    feed = Feed(broker, watched=jobs[1:]).begin()
    a = agent()
    a.hello(chunks=4)
    done = 0
    while done < 4:
        got = a.expect("ASSIGN", "TAKEN")
        for lease in got["leases"] if got["_name"] == "ASSIGN" else []:
            a.done(got["job"], lease, b"sum")
            done += 1
    [device] = gateway.ask("GET_AGENTS")["rows"]
    feed.until(lambda: all(feed.jobs[job]["status"] == "completed" for job in jobs))
    feed.until(lambda: sum(chunk["status"] == "completed" for chunk in feed.chunks) == 2)
    assert {chunk["job"] for chunk in feed.chunks} == {jobs[1]}
    assert {chunk["assigned_to"] for chunk in feed.chunks} == {device["device_id"]}
    assert [chunk["status"] for chunk in feed.chunks if chunk["index"] == 0] == ["assigned", "completed"]


def test_said_again_it_hears_where_it_stands(broker, gateway):
    feed = Feed(broker).begin()
    feed.say()
    got = feed.peer.expect("CHANGES")
    assert got["seq"] == feed.seq and not got["jobs"] and got["ref"] == 1
    broker.broker.kill()
    broker.broker.start()
    feed.peer.connect()
    submit(gateway, b"while it was away")
    feed.say()  # a broker that does not know the feed begins it anew
    got = feed.peer.expect("SNAPSHOT")
    assert got["feed"] == feed.number and len(got["jobs"]) == 1


def test_a_thousand_jobs_come_in_parts(broker, gateway):
    jobs = [submit(gateway, b"x", name="n" * 300) for _ in range(1010)]
    feed = Feed(broker).begin()
    assert sorted(feed.jobs) == jobs[-1000:], "the newest thousand"


def test_only_so_many_subscribers(broker):
    feeds = [Feed(broker).begin() for _ in range(16)]
    late = Feed(broker)
    late.say()
    assert late.peer.expect("ERROR")["code"] == "busy"
    for feed in [*feeds, late]:
        feed.peer.close()
