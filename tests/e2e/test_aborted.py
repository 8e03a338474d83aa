"""Clients that go away in the middle of a download: a thousand of them cost nothing that stays."""

import os
import random
import socket
import struct
from pathlib import Path

from system import until

DOWNLOADS = 1000
AT_ONCE = 50  # open at the same time
GROWTH_KIB = 16 << 10  # of the gateway, over all of them: pools that stay warm, no answer that is kept


def rss_and_descriptors(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return (next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")),
            len(os.listdir(f"/proc/{pid}/fd")))


def abort(peer):
    """Closes with a reset, whatever is still on its way."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_a_thousand_downloads_that_are_cut(system, rest, is_sanitized):
    seed = int(os.environ.get("SHADOW_SEED", random.randrange(1 << 32)))
    dice = random.Random(seed)
    data = dice.randbytes(3 << 20)
    job = rest.post("/api/jobs", params={"type": "transform", "op": "base64", "name": "a"}, data=data).json()["job"]["jobId"]
    until(lambda: rest.get(f"/api/jobs/{job}?chunkLimit=0").json()["job"]["status"] == "completed", "the job")
    place = ("127.0.0.1", int(system.url.rsplit(":", 1)[1]))
    paths = [f"/api/jobs/{job}/result", f"/api/jobs/{job}/result?name=a.b64"]

    calm = rss_and_descriptors(system.gateway.pid)[1]

    def some(count):
        peers = []
        for _ in range(count):
            peer = socket.create_connection(place)
            peer.settimeout(20)
            peer.sendall(f"GET {dice.choice(paths)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {system.token}\r\n"
                         f"Range: bytes={dice.randrange(1 << 20)}-\r\n\r\n".encode())
            peers.append(peer)
            if len(peers) == AT_ONCE or dice.random() < 0.1:
                for open_one in peers:
                    if dice.random() < 0.8:
                        open_one.recv(dice.randrange(1, 200_000))
                    abort(open_one)
                peers.clear()
                until(lambda: rss_and_descriptors(system.gateway.pid)[1] < calm + AT_ONCE, "they are noticed", 20)
        for open_one in peers:
            abort(open_one)

    some(DOWNLOADS // 2)  # memory is then what it stays at
    before = rss_and_descriptors(system.gateway.pid)
    some(DOWNLOADS)
    whole = rest.get(paths[1]).content
    assert len(whole) > len(data), "others are served"
    until(lambda: rss_and_descriptors(system.gateway.pid)[1] <= before[1], "the descriptors are closed", 20)
    after = rss_and_descriptors(system.gateway.pid)
    print(f"covered: seed {seed}, {DOWNLOADS} downloads cut; gateway {before[0]} -> {after[0]} KiB, "
          f"{before[1]} -> {after[1]} descriptors")
    assert is_sanitized or after[0] - before[0] < GROWTH_KIB
    assert int(rest.get("/metrics").text.split("shadow_gateway_requests_open ")[1].split()[0]) < 5
