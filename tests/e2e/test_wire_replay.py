"""Frames that were recorded and come once more: from a peer with its own key, and from the same key in a later session.
(CURVE lets nobody replay bytes; who can send such messages has a key.) Nothing changes of jobs, leases or devices."""

import wire
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)


def record(peer):
    """The frames that it sends from now on."""
    frames, send = [], peer.send_raw

    def send_raw(*parts):
        frames.append(parts)
        send(*parts)

    peer.send_raw = send_raw
    return frames, send


def state(gateway, job):
    """All that may not change; what is counted in time is left out."""
    chunks = gateway.ask("GET_CHUNKS", job=job, limit=10, full=1)["rows"]
    return (job_of(gateway, job), [(row["status"], row["attempts"]) for row in chunks],
            [row["job"] for row in gateway.ask("GET_JOBS", limit=10)["rows"]],
            {row["device_id"]: (row["status"], row["tasks_completed"]) for row in gateway.ask("GET_AGENTS")["rows"]})


def replay(peer, frames, send, names):
    """Each is refused in words, told that it is not wanted (TAKEN), or not answered at all."""
    for parts in frames:
        send(*parts)
    while peer.socket.poll(300):
        name, values, _ = peer.recv()
        assert name in names, (name, values)


def test_recorded_frames_change_nothing(broker, gateway, agent):
    a, b = agent("a"), agent("b", types=("compress",))
    b.hello(chunks=0)
    of_gateway, _ = record(gateway)
    job = submit(gateway, b"one", b"two", chunk_count=2, key="k", body_hash=7)
    gone = submit(gateway, b"three")
    gateway.ask("FORGET", job=gone)
    of_gateway = list(of_gateway)
    of_a, send = record(a)
    a.hello()
    [first] = a.expect("ASSIGN")["leases"]
    a.done(job, first, b"result")
    second = [lease for _ in range(2) for lease in a.expect("TAKEN", "ASSIGN")["leases"] if lease["chunk"] == 1]
    a.say("RETURN", leases=[{"job": job, **{key: second[0][key] for key in ("chunk", "n", "token")}}])
    again = a.expect("ASSIGN")["leases"]
    of_a = list(of_a)
    before = state(gateway, job)
    replay(b, of_a[1:] + of_gateway, b.send_raw, {"ERROR", "TAKEN"})  # HELLO is what any agent may say
    b.hello(chunks=0)
    assert state(gateway, job) == before
    a.hello(held=[{"job": job, **{key: again[0][key] for key in ("chunk", "n", "token")}, "phase": 1}])
    before = state(gateway, job)
    replay(a, of_a[1:] + of_gateway, send, {"ERROR", "TAKEN"})
    assert state(gateway, job) == before
    a.hello(held=[{"job": job, **{key: again[0][key] for key in ("chunk", "n", "token")}, "phase": 1}])
    a.done(job, again[0], b"result")
    a.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "completed"
    print(f"covered: {len(of_a) + len(of_gateway)} recorded frames, replayed by another key and in another session")
