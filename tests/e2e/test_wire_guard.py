"""The broker's wire against what is wrong, hostile, or from the wrong hands."""

import contextlib
import ctypes
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


def test_a_list_that_is_gone_lets_nobody_in(broker, gateway, agent):
    a = agent()
    a.hello()
    peers = broker.state / "keys" / "peers"
    kept = peers.with_suffix(".kept")
    peers.rename(kept)
    broker.broker.wait_log("key revoked")
    broker.broker.wait_log("keys/peers is gone")
    late = wire.Peer(broker.keys["b"], broker.broker_port)
    with contextlib.suppress(zmq.Again):
        late.send("GET_STATS", ref=1)
    assert late.is_silent(1)
    late.close()
    kept.rename(peers)
    b = agent("b")
    b.hello()
    assert broker.broker.log().count("keys/peers is gone") == 1


def test_a_list_with_an_old_date_counts(broker, agent):
    a = agent()
    a.hello()
    peers = broker.state / "keys" / "peers"
    date = peers.stat().st_mtime_ns
    new = peers.with_suffix(".tmp")
    new.write_text(peers.read_text().replace(a.keys["public"], a.keys["public"][::-1]))
    os.utime(new, ns=(date, date))
    new.replace(peers)
    broker.broker.wait_log("key revoked")


def test_a_list_that_cannot_be_read_changes_nothing(broker, gateway, agent):
    peers = broker.state / "keys" / "peers"
    kept = peers.with_suffix(".kept")
    os.link(peers, kept)
    folder = peers.with_suffix(".folder")
    folder.mkdir()
    ctypes.CDLL(None, use_errno=True).renameat2(-100, bytes(folder), -100, bytes(peers), 2)  # they change places
    assert peers.is_dir()
    broker.broker.wait_log("keys/peers cannot be read")
    a = agent()
    a.hello()
    gateway.ask("GET_STATS")
    assert broker.broker.log().count("keys/peers cannot be read") == 1
    peers.rmdir()
    kept.replace(peers)


def test_a_list_that_is_full_is_left_as_it_is(broker):
    peers = broker.state / "keys" / "peers"
    for filler in (2 << 20, (1 << 20) - peers.stat().st_size - 60):
        before = peers.read_bytes()
        full = before + b"#" * (filler - 1) + b"\n"
        peers.write_bytes(full)
        done = subprocess.run([broker.build / "broker" / "shadow-broker", "--state", broker.state, "--add-peer",
                               f"agent:c:{broker.folder / 'c.key'}"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and "take out old lines" in done.stderr, done.stderr
        assert peers.read_bytes() == full and not (broker.folder / "c.key").exists()
        peers.write_bytes(before)


def test_a_list_whose_last_line_is_open(broker, agent):
    peers = broker.state / "keys" / "peers"
    peers.write_text(peers.read_text().rstrip("\n"))
    broker.keys["c"] = broker.add_peer("agent", "c", broker.folder / "c.key")
    for name in ("a", "c"):
        agent(name).hello()


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
