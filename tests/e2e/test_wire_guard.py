"""The broker's wire against what is wrong, hostile, or from the wrong hands."""

import contextlib
import os
import subprocess

import pytest
import wire
import zmq
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)


@pytest.mark.parametrize("values, says", [
    ({"type": "no"}, "type"), ({"params": [{"name": "algorithm", "value": "md5"}]}, "sha256"),
    ({"params": [{"name": "level", "value": "1"}]}, "level"), ({"priority": 101}, "-100 to 100"),
    ({"chunk_count": 1000001}, "1,000,000"), ({"uploads": [{"id": "0" * 32}]}, "not known"),
    ({"uploads": [{"id": "../../../etc/passwd"}]}, "not known"), ({"key": "x" * 129}, "128")])
def test_a_bad_submit_is_refused_with_words(broker, gateway, values, says):
    error = gateway.ask("SUBMIT", answer="ERROR", **{"type": "hash", **values})
    assert says in error["message"], error
    assert gateway.ask("GET_JOBS", limit=10)["rows"] == []


def test_who_may_say_what(broker, gateway, agent):
    """Every message from every role: what the table does not allow changes nothing and is answered."""
    a = agent()
    for message, sender in wire.senders.items():
        if sender == "BROKER" or message in ("FETCH", "STORE", "SLICE", "STORED"):
            allowed = ()
        else:
            allowed = {"AGENT": ("agent",), "CLIENT": ("gateway",), "BOTH": ("agent",)}[sender]
        for role, peer in (("agent", a), ("gateway", gateway)):
            if role in allowed:
                continue
            wire.Peer.send(peer, message)
            error = wire.Peer.expect(peer, "ERROR")
            assert error["code"] in ("forbidden", "bad-message"), (message, role)


def test_strangers_never_get_through(broker, gateway):
    public, secret = zmq.curve_keypair()
    keys = {**gateway.keys, "public": public.decode(), "secret": secret.decode()}
    for stranger in (wire.Peer(None, broker.broker_port, keys), wire.Peer(None, broker.broker_port, {})):
        with contextlib.suppress(zmq.Again):  # shut out for good, it has nobody to send to
            stranger.send("GET_STATS", ref=1)
        assert stranger.is_silent(1)
        stranger.close()
    gateway.ask("GET_STATS")


def test_a_revoked_key_is_out_within_seconds(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    data = wire.Peer(broker.keys["a"], broker.broker_port + 1)
    data.send("FETCH", job=job, chunk=0, n=lease["n"], token=lease["token"], size=100)
    assert "not on disk" in data.expect("SLICE")["error"]  # an inline input; but the token is good
    peers = broker.state / "keys" / "peers"
    kept = [line for line in peers.read_text().splitlines() if a.keys["public"] not in line]
    new = peers.with_suffix(".tmp")
    new.write_text("\n".join(kept) + "\n")
    os.replace(new, peers)
    broker.broker.wait_log("key revoked")
    a.done(job, lease, b"too late")
    assert job_of(gateway, job)["status"] == "processing"
    assert gateway.ask("GET_AGENTS")["rows"][0]["status"] == "offline"
    data.send("FETCH", job=job, chunk=0, n=lease["n"], token=lease["token"], size=100)  # its connection still stands
    assert data.expect("SLICE")["error"] == "stale"
    data.close()


@pytest.mark.plain  # sanitizers multiply memory
def test_hostile_frames_cost_nothing(broker, gateway, agent):
    a = agent()
    a.hello()
    before = os.path.getsize(f"/proc/{broker.broker.pid}/statm")
    rss = int(open(f"/proc/{broker.broker.pid}/statm").read().split()[1])
    for frames in ([b""], [b"\xc1"], [b"\xdd\xff\xff\xff\xff"], [b"\xdd\x10\x00\x00\x00"], [b"\x91" * 300],
                   [b"\x92\x01" + b"\xdd\x02\x00\x00\x00"], [b"x" * 100000] * 3, [b"x"] * 100,
                   [os.urandom(1000)]):
        for _ in range(50):
            gateway.send_raw(*frames)
    gateway.send("GET_STATS", ref=99)
    while True:
        name, values, _ = gateway.recv()
        if name == "STATS":
            break
        assert name == "ERROR" and values["code"] == "bad-message"
    after = int(open(f"/proc/{broker.broker.pid}/statm").read().split()[1])
    assert (after - rss) * 4096 < 16 << 20, before
    a.say("BEAT")
    a.expect("BEAT")


def test_a_second_broker_on_the_same_state_ends(broker):
    second = subprocess.run([*broker.broker.command[:-1], str(broker.broker_port + 10)], capture_output=True, text=True,
                            timeout=30)
    assert second.returncode == 1 and "another" in second.stderr, second.stderr
