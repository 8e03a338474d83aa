"""Live events on /ws: a real system, real sockets."""

import json
import socket
import time

import pytest
import websockets
from live_client import Live


@pytest.fixture
def live(system):
    """A function that opens a socket of the system; closed at the test's end."""
    opened = []

    def make(token=None, login=True, **headers):
        opened.append(Live(system.url, (token or system.token) if login else None, **headers))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def port_of(system):
    return int(system.url.rsplit(":", 1)[1])


def job_on(rest, text="some text", **more):
    return rest.post("/api/jobs", json={"type": "hash", "inputData": text, **more}).json()["job"]["jobId"]


def test_a_job_from_its_birth_to_its_end(system, rest, live):
    ws = live()
    assert ws.until("authenticated") == {"role": "admin"}
    snapshot = ws.until("snapshot")
    assert {device["name"] for device in snapshot["devices"]} == set(system.agents) and snapshot["jobs"] == []
    job = job_on(rest)
    shown = ws.until("job-completed", lambda data: data["job"]["jobId"] == job)["job"]
    assert [data["job"]["status"] for name, data in ws.passed if name == "new-job"] in (["pending"], ["processing"])
    as_rest = rest.get(f"/api/jobs/{job}?chunkLimit=0").json()["job"]
    for field in ("result", "inputData"):
        as_rest.pop(field), shown.pop(field)
    assert shown == as_rest
    assert not any(name == "chunk-completed" for name, _ in ws.passed)


def test_chunks_of_a_job_that_is_watched(system, rest, live):
    ws = live()
    ws.until("snapshot")
    job = rest.post("/api/jobs", json={"type": "hash", "open": True}).json()["job"]["jobId"]
    ws.send("subscribe", jobId=job)
    ws.send("unsubscribe", jobs=True, devices=True)
    data = b"".join(b"%d\n" % i for i in range(50))
    answer = rest.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)),
                                                "Upload-Metadata": "filename YQ=="})
    where = answer.headers["Location"]
    sent = rest.patch(where, data=data, headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0",
                                          "Content-Type": "application/offset+octet-stream"})
    assert sent.status_code == 204, sent.text
    added = rest.post(f"/api/jobs/{job}/inputs", json={"uploads": [where.rsplit("/", 1)[1]]})
    assert added.ok, added.text
    assert rest.post(f"/api/jobs/{job}/seal").ok
    given = ws.until("chunk-assigned")
    done = ws.until("chunk-completed")
    assert given["jobId"] == done["jobId"] == job
    assert given["chunks"][0]["startedAt"] and given["chunks"][0]["status"] == "assigned"
    assert done["chunks"][0]["status"] == "completed" and done["chunks"][0]["completedAt"]
    devices = {device["deviceId"] for device in rest.get("/api/devices").json()["devices"]}
    assert done["chunks"][0]["assignedTo"] in devices
    ws.until("job-completed")  # of a watched job, though it asked for no other


def test_login_by_the_first_message(system, live):
    ws = live(login=False)
    ws.send("subscribe", jobs=True)
    assert ws.until("error")["code"] == "unauthorized"
    ws.send("authenticate", token=system.token)
    ws.until("snapshot")
    wrong = live(login=False)
    wrong.send("authenticate", token="sw_" + "x" * 43)
    assert wrong.until("error")["code"] == "unauthorized"
    assert wrong.closed()[0] == 1008


def test_who_says_nothing_is_closed_after_five_seconds(system, live):
    ws = live(login=False)
    begun = time.monotonic()
    assert ws.closed()[0] == 1008
    assert 4 < time.monotonic() - begun < 8


@pytest.mark.parametrize("headers, status", [
    ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Host": "evil.example"}, 421),
    ({"Authorization": "Bearer nonsense"}, 401)])
def test_strangers_are_refused_by_their_head(system, headers, status):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        if "Host" in headers:  # the library sends its own
            raise_for_host(system)
        Live(system.url, **headers)
    assert refused.value.status_code == status


def raise_for_host(system):
    answer = said(system, "GET /ws HTTP/1.1", "Host: evil.example", *UPGRADE)
    raise websockets.InvalidStatusCode(int(answer.split()[1]), {})


UPGRADE = ["Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]


def said(system, *lines, end="\r\n\r\n"):
    """What comes back for a head of these lines, until the connection closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port_of(system))) as peer:
        peer.settimeout(3)
        peer.sendall(("\r\n".join(lines) + end).encode())
        return peer.recv(4096).decode(errors="replace")


@pytest.mark.parametrize("change, status", [
    ({}, 101), ({"Upgrade": "h2c"}, 426), ({"Upgrade": None}, 426), ({"Upgrade": "websocket, h2c"}, 426),
    ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Key": None}, 400), ({"Host": None}, 400),
    ({"Content-Length": "5"}, 400), ({"Transfer-Encoding": "chunked"}, 400), ({"X y": "1"}, 400),
    ({"Cookie": "x" * 1100}, 431), ({"X": "y" * 9000}, 400)])
def test_only_a_plain_upgrade_reaches_the_websockets(system, change, status):
    head = {"Host": f"127.0.0.1:{port_of(system)}", **dict(line.split(": ") for line in UPGRADE), **change}
    answer = said(system, "GET /ws HTTP/1.1", *(f"{name}: {value}" for name, value in head.items() if value is not None))
    assert int(answer.split()[1]) == status, answer


@pytest.mark.parametrize("first, status", [
    ("GET /wsx HTTP/1.1", 404), ("GET /ws/x HTTP/1.1", 404), ("GET /ws HTTP/1.0", 404), ("GET /ws", 404),
    ("POST /ws HTTP/1.1", 404)])
def test_other_paths_are_not_there(system, first, status):
    assert int(said(system, first, f"Host: 127.0.0.1:{port_of(system)}", *UPGRADE).split()[1]) in (status, 426)


def test_byte_by_byte_it_is_the_same_door(system, rest):
    for head in ["GET /healthz HTTP/1.1", "GET /ws HTTP/1.1\r\n" + "\r\n".join(UPGRADE)]:
        with socket.create_connection(("127.0.0.1", port_of(system))) as peer:
            peer.settimeout(5)
            for byte in f"{head}\r\nHost: localhost\r\n\r\n".encode():
                peer.sendall(bytes([byte]))
            assert peer.recv(100).decode().split()[1] in ("200", "101")


def test_a_message_that_is_too_large_or_none(system, live):
    ws = live()
    ws.until("snapshot")
    for text in ["", "{", "[]", '{"event": 5}', '{"event": "nothing-like-it"}', "[" * 5000, "\u0000"]:
        ws.send_raw(text)
        assert ws.until("error")["code"] == "bad_request"
    ws.send("subscribe", jobId=7)
    assert "text" in ws.until("error")["message"]
    ws.send_raw(json.dumps({"event": "subscribe", "data": {"x": "y" * 300_000}}))
    assert ws.closed()[0] == 1009
    before_login = live(login=False)
    before_login.send("authenticate", token="x" * 5000)
    assert before_login.closed()[0] == 1009
    binary = live()
    binary.run(binary.socket.send(b"\x00"))
    assert binary.closed()[0] == 1003


def test_the_broker_goes_and_comes(system, rest, live):
    ws = live()
    ws.until("snapshot")
    system.broker.kill()
    assert ws.until("broker", limit_s=30) == {"there": False}
    system.broker.start()
    assert ws.until("broker", limit_s=30) == {"there": True}
    ws.until("snapshot", lambda data: len(data["devices"]) == 2, limit_s=30)
    job = job_on(rest)
    ws.until("job-completed", lambda data: data["job"]["jobId"] == job)


def test_a_deleted_job_goes(system, rest, live):
    ws = live()
    ws.until("snapshot")
    job = rest.post("/api/jobs", json={"type": "hash", "open": True}).json()["job"]["jobId"]
    ws.until("new-job")
    rest.delete(f"/api/jobs/{job}")
    assert ws.until("job-removed")["jobId"] == job


def test_the_gateway_says_goodbye(system, live):
    ws = live()
    ws.until("snapshot")
    system.gateway.stop()
    assert ws.closed()[0] == 1001
