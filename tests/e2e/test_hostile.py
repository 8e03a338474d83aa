"""Strangers at every port: connections that say nothing, rubbish, half handshakes, and ones that come and go. The
good client's jobs run on, memory stays flat, and the strangers are shown out."""

import os
import random
import socket
import struct
import time

import pytest
from samples import check_compressed, reference, write_fifty
from system import until

IDLE = 200  # on each port
GROWTH_MB = 64  # 600 connections at once, whatever each costs

GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00"


def greeting(mechanism, as_server=0):
    return GREETING + mechanism.ljust(20, b"\0") + bytes([as_server]) + b"\0" * 31


def rubbish(chance):
    """Bytes that nobody here should say."""
    noise = chance.randbytes(chance.randrange(1, 5000))
    hello = b"\x04" + struct.pack("B", 200) + b"\x05HELLO\x01\x00" + noise[:192].ljust(192, b"x")
    return chance.choice([
        noise, b"\0" * 5000, b"\xff" * 5000, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + noise, b"POST /api/jobs HTTP/1.1\r\n" * 50,
        greeting(b"NULL") + b"\x04\x19\x05READY" + noise, greeting(b"PLAIN") + noise, greeting(b"CURVE") + noise,
        greeting(b"CURVE", 1) + noise, greeting(b"CURVE") + hello, greeting(b"CURVE") + b"\x06" + b"\xff" * 8,
        GREETING[:chance.randrange(1, 12)], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise])


def rss_mb(program):
    with open(f"/proc/{program.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(program):
    return len(os.listdir(f"/proc/{program.pid}/fd"))


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def shout(port, chance, count):
    """Connects, says rubbish, goes; every second one with a reset."""
    for i in range(count):
        with connect(port) as stranger:
            try:
                stranger.sendall(rubbish(chance))
                if i % 4 == 0:
                    stranger.settimeout(0.05)
                    stranger.recv(1000)
            except OSError:
                pass
            if i % 2:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def is_closed(stranger):
    stranger.setblocking(False)
    try:
        while stranger.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.plain  # memory
def test_strangers_at_every_port(system, folder):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    work = folder / "work"
    names = write_fifty(work)
    system.ctl("compress", "-o", folder / "first", "--", *names, cwd=work)  # everything is warm
    doors = [(system.broker_port, system.broker), (system.broker_port + 1, system.broker), (system.gateway_port, system.gateway)]
    before = {program: (rss_mb(program), descriptors(program)) for _, program in doors}
    idle = [connect(port) for port, _ in doors for _ in range(IDLE)]
    for i, stranger in enumerate(idle):  # a third says nothing at all
        if i % 3:
            stranger.sendall(rubbish(chance)[:chance.randrange(1, 80)])
    for port, _ in doors:
        shout(port, chance, IDLE)
    begun = time.monotonic()
    system.ctl("compress", "-o", folder / "second", "--", *names, cwd=work)
    assert system.ctl("hash", "--", *names, cwd=work, text=False).stdout == reference(["sha256sum", "--", *names], work)
    seconds = time.monotonic() - begun
    check_compressed(work, names, folder / "second")
    grown = {program.name: rss_mb(program) - mb for program, (mb, _) in before.items()}
    assert max(grown.values()) < GROWTH_MB, grown
    until(lambda: all(is_closed(stranger) for stranger in idle), "every stranger is shown out", 90)
    for program, (_, count) in before.items():
        until(lambda p=program, n=count: descriptors(p) <= n + 8, f"descriptors of {program.name} come back", 30)
    for port, _ in doors:  # what was learned of them is not kept
        shout(port, chance, IDLE)
    again = {program.name: rss_mb(program) - mb for program, (mb, _) in before.items()}
    assert all(again[name] < max(8, grown[name] + 4) for name in again), (grown, again)
    assert system.rest().get("/api/status").status_code == 200
    print(f"covered: seed {seed}, {len(idle)} open connections and {2 * 3 * IDLE} short ones; jobs took {seconds:.1f} s; grown by "
          + ", ".join(f"{name} {mb:.1f} MB" for name, mb in again.items()))
