"""Requests that no honest client sends: two meanings, foreign names, slow drips, too much, traversal. Each gets
a clear refusal or a closed connection, and the next honest client is served."""

import contextlib
import json
import os
import re
import resource
import select
import socket
import ssl
import threading
import time

import pytest
from lone_gateway import LoneGateway
from system import ROOT

AUTHORIZED = "Host: localhost\r\nAuthorization: Bearer {token}\r\n"


@pytest.fixture(scope="module")
def lone(tmp_path_factory):
    """One gateway for all: it must outlive every attack."""
    folder = tmp_path_factory.mktemp("hostile")
    gateway = LoneGateway(folder, ROOT / os.environ.get("SHADOW_BUILD", "build-test")).start()
    gateway.broker.answers["SUBMIT"] = lambda question, _: ("OK", {"job": 7})
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def still_serves(lone):
    yield
    assert lone.rest().get("/api/types").status_code == 200
    assert lone.program.is_running()


def send(lone, data, limit_s=20, end=False):
    """Everything the gateway answers until it closes; fails when it does not."""
    with socket.create_connection(("127.0.0.1", lone.port), timeout=limit_s) as connection:
        connection.sendall(data.replace(b"{token}", lone.token.encode()))
        if end:
            with contextlib.suppress(OSError):  # it was cut off already
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            try:
                block = connection.recv(65536)
            except ConnectionResetError:
                return answer
            if not block:
                return answer
            answer += block


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else 0


SMUGGLED = b"GET /api/types HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("head", [
    b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: \r\n",
    b"Content-Length: +5\r\n", b"Content-Length: -5\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: 0x5\r\n",
    b"Content-Length: 5 5\r\n", b"Content-Length: \r\n", b"Content-Length : 5\r\n", b"Content-Length\t: 5\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Content-Length: 99999999999999999999999\r\n", b"Host: localhost\r\n",
    b"Host: other\r\n", b"X: a\r\n Content-Length: 5\r\n", b"Authorization: Bearer x\r\n",
    b"Content-Length: 5\r\nContent_Length: 6\r\nContent-Length: 7\r\n",
    b"".join(b"X-%d: y\r\n" % i for i in range(100)),
])
def test_heads_with_two_meanings(lone, head):
    answer = send(lone, b"POST /api/jobs?type=hash HTTP/1.1\r\n" + AUTHORIZED.encode() + head + b"\r\n" + b"12345" + SMUGGLED)
    # libmicrohttpd says its own 400 to a bad length twice; nothing else is said to either request
    assert set(re.findall(rb"HTTP/1.1 (\d+)", answer)) <= {b"400", b"413", b"431"}, answer
    assert b"Connection: close" in answer or not answer or status(answer) == 413


@pytest.mark.parametrize("data", [
    b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /healthz\r\n\r\n", b"GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"G" * 200000,
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
    b"GET /healthz%00.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /heal\x00thz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
], ids=range(14))
def test_what_is_no_request(lone, data):
    answer = send(lone, data, end=True)
    if not answer.startswith(b"\x15\x03"):  # an alert of TLS
        assert status(answer) in (400, 404, 413, 414, 431, 505, 0), answer
    assert b'"success":true' not in answer


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "xlocalhost",
                                  "localhost:x", "localhost:8420@evil.example", "127.0.0.2x", "[::1].evil", "",
                                  "127.1", "0.0.0.0", "localhost:", "2130706433"])
def test_names_that_are_not_ours(lone, host):
    answer = send(lone, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert status(answer) == 421 and b'"bad_host"' in answer
    assert b"Connection: close" in answer


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]:8420"])
def test_names_that_are(lone, host):
    assert status(send(lone, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())) == 200


@pytest.mark.parametrize("header", ["Origin: null", "Origin: http://evil.example", "Origin: http://localhost.evil",
                                    "Origin: https://127.0.0.1:1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
                                    "Origin: http://localhost@evil"])
def test_pages_of_other_origins(lone, header):
    for line in ("POST /api/jobs?type=hash", "GET /api/jobs", "DELETE /api/jobs/1", "OPTIONS /api/jobs"):
        answer = send(lone, f"{line} HTTP/1.1\r\n{AUTHORIZED}{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert status(answer) in (403, 405), (line, answer)
        assert b"Access-Control" not in answer
    assert not [asked for asked in lone.broker.asked if asked[0] != "GET_STATS"]


def test_form_and_text_posts_do_not_change_anything(lone):
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = lone.rest().patch("/api/jobs/7", data=b'{"priority": 1}', headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "media_type")


def test_upgrades_are_refused(lone):
    answer = send(lone, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert status(answer) == 426 and b"Connection: close" in answer
    h2c = send(lone, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n")
    assert status(h2c) == 200 and b"101" not in h2c.split(b"\r\n", 1)[0]


def test_too_much(lone):
    rest = lone.rest()
    answer = rest.post("/api/jobs", data=b" " * (9 << 20), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def chunks():
        for _ in range(9):
            yield b" " * (1 << 20)
    answer = send(lone, b"POST /api/jobs HTTP/1.1\r\n" + AUTHORIZED.encode() +
                  b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  b"".join(b"100000\r\n" + block + b"\r\n" for block in chunks()) + b"0\r\n\r\n")
    assert status(answer) == 413 and b"too_large" in answer
    answer = rest.post("/api/jobs/7/cancel", data=b"x" * 100000)
    assert answer.status_code == 413
    assert rest.get("/api/jobs?cursor=" + "x" * 10000).status_code == 400


def test_a_large_body_without_a_token_is_refused_before_it_is_sent(lone):
    begin = time.monotonic()
    answer = send(lone, b"POST /api/jobs?type=hash HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * 100000)
    assert status(answer) == 401 and time.monotonic() - begin < 5
    assert not list((lone.state / "uploads").iterdir())


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/api/../healthz", "/api/jobs/..%2f..", "/api/jobs/%2e%2e/result",
                                  "/api/jobs/1%2fresult", "//healthz", "/healthz/", "/api/jobs//cancel", "/%", "/%zz",
                                  "/api/jobs/1/result/../../..", "/api/uploads/..%5c..%5cx", "/\xff\xfe", "/api/jobs/١"])
def test_paths_that_lead_nowhere(lone, path):
    raw = path.encode("utf-8", "surrogateescape")
    for method in (b"GET", b"POST", b"DELETE"):
        answer = send(lone, method + b" " + raw + b" HTTP/1.1\r\n" + AUTHORIZED.encode() +
                      b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        assert status(answer) in (400, 404, 405, 412), (method, answer)


def test_names_from_outside_name_no_file(lone):
    before = {path for path in lone.state.rglob("*")}
    for name in ("../../x", "/etc/passwd", "..%2f..%2fx", "a" * 4096, "%0a%0d", "%ff%fe", "con", "x;rm -rf", "..", "."):
        answer = lone.rest().post(f"/api/jobs?type=hash&name={name}", data=b"x")
        assert answer.status_code in (201, 404), answer.text  # the fake broker shows no job
    after = {path for path in lone.state.rglob("*")} - before
    assert all(path.parent.name == "uploads" for path in after), after


def test_log_lines_cannot_be_forged(lone):
    before = len(lone.program.log())
    send(lone, b"GET /x%0a<3>root HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: \x1b]0;x\x07\r\n\r\n")
    assert "<3>root" not in lone.program.log()[before:] and "\x1b" not in lone.program.log()


def test_slow_heads_bodies_and_silence_are_cut(lone):
    """Absolute deadlines: drips that an inactivity timeout would let live for ever."""
    ended = {}

    def drip(name, first, pause_s):
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", lone.port)) as connection:
            connection.settimeout(pause_s)
            connection.sendall(first.replace(b"{token}", lone.token.encode()))
            while time.monotonic() - begin < 40:
                try:
                    if not connection.recv(1000):
                        break
                except socket.timeout:
                    pass
                except OSError:
                    break
                try:
                    connection.sendall(b"x")
                except OSError:
                    break
        ended[name] = time.monotonic() - begin

    head = AUTHORIZED.encode()
    attacks = {"head": b"GET /healthz HTTP/1.1\r\nX: ", "line": b"G", "body": b"POST /api/jobs?type=hash HTTP/1.1\r\n" + head +
               b"Content-Length: 1000000\r\n\r\n", "json": b"POST /api/jobs HTTP/1.1\r\n" + head +
               b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"}
    threads = [threading.Thread(target=drip, args=(f"{name}{i}", first, 0.5)) for name, first in attacks.items() for i in range(20)]
    for thread in threads:
        thread.start()
    slowest = 0
    while any(thread.is_alive() for thread in threads):
        begin = time.monotonic()
        assert lone.rest().get("/api/types").status_code == 200
        slowest = max(slowest, time.monotonic() - begin)
        threads[0].join(0.2)
    assert max(ended.values()) < 15 and min(ended.values()) > 5, ended
    assert slowest < 1
    lone.program.check()


def stop_reading(connection, ended):
    """Asks for much, reads nothing; how long that lasted."""
    request = b"GET /api/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connection:
        connection.settimeout(0.05)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                connection.sendall(request)
        begin = time.monotonic()
        poll = select.poll()
        poll.register(connection, select.POLLHUP | select.POLLERR)
        while time.monotonic() - begin < 60 and not poll.poll(500):
            pass
        ended.append(time.monotonic() - begin)


def test_a_reader_that_stops_is_cut(lone):
    """The gateway's memory does not hold what one client does not take: it is cut after 30 s, with TLS too."""
    ended = []
    plain, other = (socket.create_connection(("127.0.0.1", lone.port)) for _ in range(2))
    for connection in (plain, other):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    trusting = ssl.create_default_context(cafile=lone.state / "gateway" / "ca.crt")
    secure = trusting.wrap_socket(other, server_hostname="localhost")
    threads = [threading.Thread(target=stop_reading, args=(connection, ended)) for connection in (plain, secure)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(20 < seconds < 45 for seconds in ended), ended


def test_idle_connections_give_way_to_new_ones(lone):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # this test's own; the gateway sees to itself
    idle = []
    try:
        for _ in range(1200):
            idle.append(socket.create_connection(("127.0.0.1", lone.port)))
        begin = time.monotonic()
        assert lone.rest().get("/api/types").status_code == 200
        assert time.monotonic() - begin < 2
    finally:
        for connection in idle:
            connection.close()


def test_tokens_are_in_no_log_and_no_command_line(lone):
    with open(f"/proc/{lone.program.pid}/cmdline") as file:
        assert lone.token not in file.read()
    assert lone.token not in lone.program.log()
    answer = json.dumps(lone.rest().get("/api/status").json())
    assert lone.token not in answer
