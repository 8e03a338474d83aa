"""Clients of the TLS port: many, large, slow, silent, wrong; and from another machine. Budget: 40 s with test_tls.py."""

import concurrent.futures
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from live_client import Live
from lone_gateway import lone  # noqa: F401
from test_flat_memory import peak
from test_tls import authority, connect, secure, started

HELLO = b"\x16\x03\x01\x02\x00"  # a record of 512 bytes begins
MIB = 1 << 20


def ask(connection, path="/healthz", more=""):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
    answer = b""
    while b'{"success"' not in answer:
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    return int(answer.split()[1])


def raw(lone, data):
    connection = socket.create_connection(("127.0.0.1", lone.port), timeout=20)
    connection.sendall(data)
    return connection


def end_of(connection):
    """Seconds until the gateway closes."""
    since = time.monotonic()
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    return time.monotonic() - since


def test_a_hundred_clients_at_once(lone):
    context = ssl.create_default_context(cafile=authority(lone))

    def client(_):
        with connect(lone, context) as connection:
            return [ask(connection) for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert list(pool.map(client, range(100))) == [[200] * 5] * 100


def test_cuts_silent_and_slow_handshakes_and_heads_together(lone):
    silent, half, empty = raw(lone, HELLO[:1]), raw(lone, HELLO + b"x" * 100), raw(lone, HELLO[:3] + b"\0\0")
    head, idle = connect(lone), connect(lone)
    head.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ends = list(pool.map(end_of, [silent, half, empty, head, idle]))
    assert all(8 <= end <= 14 for end in ends), ends
    assert secure(lone).get("/api/types").status_code == 200


def test_garbage_is_closed_at_once(lone):
    for data in (b"\x16garbage that is no TLS at all" * 20, HELLO + b"\x02" + b"\xff" * 511):
        assert end_of(raw(lone, data)) < 5
    assert secure(lone).get("/healthz").status_code == 200


def test_old_versions_and_http2_alone_are_refused(lone):
    context = ssl.create_default_context(cafile=authority(lone))
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        connect(lone, context)
    old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{lone.port}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
                         input="", capture_output=True, text=True, timeout=20)
    assert old.returncode != 0


def test_renegotiation_is_refused(lone):
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{lone.port}", "-tls1_2", "-CAfile", authority(lone)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while "Verify return code: 0" not in client.stdout.readline():
        pass
    text, _ = client.communicate("R\n", timeout=20)
    assert "no renegotiation" in text
    assert secure(lone).get("/healthz").status_code == 200


def test_half_closed_clients_get_their_answer(lone):
    connection = connect(lone)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    outer = socket.socket(fileno=os.dup(connection.fileno()))
    answer = connection.recv(65536)
    assert b" 200 " in answer.splitlines()[0]
    outer.shutdown(socket.SHUT_WR)  # without a word of TLS: cut, not kept
    assert end_of(outer) < 5


def test_refusal_in_the_midst_of_a_body_is_read(lone):
    connection = connect(lone)
    connection.sendall(f"POST /api/types HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lone.token}\r\n"
                       f"Content-Length: {8 * MIB}\r\n\r\n".encode())
    answer = b""
    connection.settimeout(10)
    while b"}}" not in answer:
        answer += connection.recv(65536)
    assert b" 405 " in answer.splitlines()[0]


def test_origin_must_be_https_too(lone):
    rest = secure(lone)
    host = f"localhost:{lone.port}"
    assert rest.get("/api/types", headers={"Origin": f"https://{host}"}).status_code == 200
    assert rest.get("/api/types", headers={"Origin": f"http://{host}"}).status_code == 403


def test_stopping_says_what_was_answered(lone):
    with connect(lone) as connection:
        assert ask(connection) == 200
        assert lone.program.stop(limit_s=6) == 0
        assert connection.recv(100) == b""
    lone.program.start()


# ---- a whole system ----

def trusting(system):
    return ssl.create_default_context(cafile=system.state / "gateway" / "ca.crt")


@pytest.mark.plain
def test_64_mib_up_and_down_in_flat_memory(start_system):
    system = start_system(agents=1)
    ca = system.state / "gateway" / "ca.crt"
    url = f"https://localhost:{system.gateway_port}"
    data = os.urandom(MIB) * 64
    source, back = system.folder / "data", system.folder / "back"
    source.write_bytes(data)
    before = peak(system.gateway)
    curl = ["curl", "-sS", "--noproxy", "*", "--cacert", ca, "-H", f"Authorization: Bearer {system.token}"]
    job = subprocess.run([*curl, "-T", source, "-X", "POST", f"{url}/api/jobs?type=transform&op=upper&name=data"],
                         capture_output=True, text=True, timeout=60)
    assert '"jobId":"1"' in job.stdout.replace(" ", ""), (job.stdout, job.stderr)
    system.ctl("wait", "1")
    subprocess.run([*curl, "-o", back, f"{url}/api/jobs/1/result?name=data.upper"], check=True, timeout=60)
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(data.upper()).digest()
    grown = peak(system.gateway) - before
    print(f"covered: 64 MiB up and down by TLS, the gateway grew by {grown >> 10} KiB")
    assert grown < 24 * MIB


def test_live_events_by_wss(system):
    ws = Live(f"https://localhost:{system.gateway_port}", system.token, context=trusting(system))
    assert ws.until("authenticated") == {"role": "admin"}
    ws.until("snapshot")
    job = system.rest().post("/api/jobs", json={"type": "hash", "inputData": "text"}).json()["job"]["jobId"]
    ws.until("job-completed", lambda event: event["job"]["jobId"] == job)
    ws.close()


# ---- from another machine ----

@pytest.fixture
def beyond(folder):
    """A gateway that listens on all addresses of a network of its own, where 192.0.2.7 is one; and a function that
    runs curl there."""
    try:
        subprocess.run(["unshare", "-Urn", "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as why:
        pytest.skip(f"no network namespace or no `ip` here: {why}")
    with started(folder, "--listen", "0.0.0.0", before=[
            "unshare", "-Urn", "sh", "-c", 'ip link set lo up && ip addr add 192.0.2.7/24 dev lo && exec "$@"', "sh"]) as lone:
        def curl(*words):
            return subprocess.run(
                ["nsenter", "-t", str(lone.program.pid), "-U", "-n", "--preserve-credentials", "curl", "-sS", "-i", "-m", "10",
                 "--cacert", authority(lone), *map(str, words)], capture_output=True, timeout=20).stdout.decode()
        yield lone, curl


def test_without_tls_others_get_the_redirect_alone(beyond):
    lone, curl = beyond
    there = f"192.0.2.7:{lone.port}"
    token = f"Authorization: Bearer {lone.token}"
    for words in (["-H", token, f"http://{there}/api/types?a=b"], ["-H", token, "-d", "{}", f"http://{there}/api/types?a=b"],
                  ["-H", "Host: evil.example.org", f"http://{there}/api/types?a=b"]):
        assert curl(*words) == (f"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://{there}/api/types?a=b\r\n"
                                "Connection: close\r\nContent-Length: 0\r\n\r\n")
    assert "308" in curl(f"http://{there}/ws", "-H", "Upgrade: websocket")
    assert "200" in curl(f"http://127.0.0.1:{lone.port}/healthz")
    assert "200" in curl(f"https://{there}/healthz")
    assert "200" in curl(f"https://127.0.0.1:{lone.port}/healthz", "-H", f"Host: {socket.gethostname()}.local:{lone.port}")
    assert " 421 " in curl(f"https://{there}/healthz", "-H", "Host: rebound.example.org")
