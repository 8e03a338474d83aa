"""An unmodified socket.io-client (npm) against the gateway: the events of /ws in Socket.IO's framing."""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from system import ROOT
from test_live import UPGRADE, job_on, port_of, said

HERE = Path(__file__).parent / "socket_io"
sys.path.append(str(ROOT / "tests" / "harness"))
import node  # noqa: E402


@pytest.fixture(scope="session")
def program():
    """A function: program(url, options) starts client.mjs, which has the packages of its package-lock.json."""
    env = node.environment()
    assert env, "no Node.js: tests/run installs one from tests/requirements.txt"
    place = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "socket_io"
    node.install(place, HERE, ["package.json", "client.mjs"], env)
    return lambda url, options: Client(place, env, url, options)


@pytest.fixture
def client(system, program):
    started = []

    def make(**options):
        one = program(system.url, options)
        started.append(one)
        return one

    yield make
    for one in started:
        one.end()


class Client:
    def __init__(self, place, env, url, options):
        self.process = subprocess.Popen(["node", "client.mjs", url, json.dumps(options)], cwd=place, env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def until(self, *what, true=lambda *values: True, limit_s=20):
        """What followed `what` in the next line that begins with it and for which `true`."""
        deadline = time.monotonic() + limit_s
        while True:
            line = self.lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            if tuple(line[:len(what)]) == what and true(*line[len(what):]):
                return line[len(what):]

    def end(self):
        self.process.kill()
        self.process.wait()


def test_it_logs_in_hears_and_leaves(system, rest, client):
    one = client(auth={"token": system.token})
    one.until("connect")
    assert one.until("event", "authenticated") == [{"role": "admin"}]
    snapshot, seq = one.until("event", "snapshot")
    assert seq == 1 and {device["name"] for device in snapshot["devices"]} == set(system.agents)
    job = job_on(rest)
    one.until("event", "job-completed", true=lambda data, seq: data["job"]["jobId"] == job)
    one.tell(emit=["subscribe", {"jobId": job}], ack=True)
    assert one.until("ack") == [{"success": True}]
    one.tell(emit=["subscribe", {"jobId": 7}], ack=True)
    [answer] = one.until("ack")
    assert not answer["success"] and answer["error"]["code"] == "bad_request"
    one.tell(emit=["no-such-event", {}])
    assert one.until("event", "error")[0]["code"] == "bad_request"
    one.tell(close=True)
    assert one.until("disconnect") == ["io client disconnect"]


def test_a_wrong_token_is_a_connect_error(client):
    assert client(auth={"token": "sw_" + "x" * 43}).until("connect_error") == ["this token is not known"]


def test_login_with_the_head_or_later(system, client):
    one = client(extraHeaders={"Authorization": f"Bearer {system.token}"})
    one.until("event", "snapshot")
    late = client()
    late.until("connect")
    late.tell(emit=["authenticate", {"token": system.token}], ack=True)
    late.until("event", "snapshot")
    assert late.until("ack") == [{"success": True}]


def test_it_comes_back_after_the_gateway(system, rest, client):
    one = client(auth={"token": system.token}, reconnectionDelay=100, reconnectionDelayMax=500)
    one.until("event", "snapshot")
    system.gateway.kill()
    one.until("disconnect")
    system.gateway.start()
    one.until("event", "snapshot", limit_s=30)
    job = job_on(rest)
    one.until("event", "job-completed", true=lambda data, seq: data["job"]["jobId"] == job)


def test_other_namespaces_are_not_there(system, program):
    other = program(system.url + "/other", {"auth": {"token": system.token}})
    assert other.until("connect_error") == ["Invalid namespace"]
    other.end()


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "EIO=3&transport=websocket", "transport=websocket", ""])
def test_other_transports_and_versions(system, query):
    for lines in ([], UPGRADE):
        answer = said(system, f"GET /socket.io/?{query} HTTP/1.1", f"Host: 127.0.0.1:{port_of(system)}", *lines)
        assert answer.startswith("HTTP/1.1 400") and answer.endswith('{"code":0,"message":"Transport unknown"}'), answer


def test_packets_that_are_none(system):
    """Each ends the connection or is refused; the gateway goes on."""
    for packet in ["", "9", "4", "40/x,", "42[]", "42", "4299999999999999999999[\"a\"]", "45-[\"x\"]", "2", "\0", "40{"]:
        with socket.create_connection(("127.0.0.1", port_of(system))) as peer:
            peer.settimeout(8)
            head = ["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Host: localhost", *UPGRADE]
            peer.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
            data = packet.encode()
            peer.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)
            while peer.recv(4096):
                pass
    assert system.rest().get("/api/jobs").ok
