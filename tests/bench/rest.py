"""The REST line: GET /api/jobs/:id of a job of one chunk, the broker's hop included, over 64 connections that stay
open; beside it a libmicrohttpd that gives the same bytes from memory. Both are asked by wrk."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import cpu
from system import System

CONNECTIONS = 64
SECONDS = 5


def wrk(url, token):
    """(requests a second, p99 in ms)"""
    done = subprocess.run(["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency",
                           "-H", f"Authorization: Bearer {token}", url], check=True, capture_output=True, text=True)
    rate = float(re.search(r"Requests/sec: +([\d.]+)", done.stdout).group(1))
    number, unit = re.search(r" 99% +([\d.]+)(us|ms|s)", done.stdout).groups()
    assert "Non-2xx" not in done.stdout, done.stdout
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(system, build, folder):
    rest = system.rest()
    job = rest.post("/api/jobs", json={"type": "hash", "inputData": "a small input"}).json()["job"]["jobId"]
    system.ctl("wait", job)
    path = f"/api/jobs/{job}"
    (folder / "answer").write_bytes(rest.get(path).content)
    before = cpu.of_processes([system.gateway.pid]), cpu.of_processes([system.broker.pid])
    rate, late_ms = wrk(system.url + path, system.token)
    spent = [after - was for after, was in
             zip((cpu.of_processes([system.gateway.pid]), cpu.of_processes([system.broker.pid])), before)]
    static = subprocess.Popen([build / "tests" / "bench" / "bench-static", folder / "answer"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    limit, limit_ms = wrk(f"http://127.0.0.1:{int(static.stdout.readline())}{path}", system.token)
    static.stdin.close()
    static.wait()
    print(f"REST GET /api/jobs/:id of a one-chunk job, {CONNECTIONS} connections")
    print(f"  answered                             {rate:10,.0f} /s  p99 {late_ms:.2f} ms  "
          "(to reach 50,000/s, 3 ms in a later issue)")
    print(f"  CPU a request: gateway {spent[0] / SECONDS / rate * 1e6:.1f} us, broker {spent[1] / SECONDS / rate * 1e6:.1f} us")
    print(f"  libmicrohttpd, the same from memory  {limit:10,.0f} /s  p99 {limit_ms:.2f} ms", flush=True)


def run(build):
    if not shutil.which("wrk"):
        print("REST: not measured, wrk is missing: apt-get install wrk")
        return False
    with tempfile.TemporaryDirectory(prefix="shadow-bench-", dir="/var/tmp") as scratch:
        system = System(Path(scratch), build)
        try:
            system.start(agents=1)
            measure(system, build, Path(scratch))
        finally:
            system.stop()
    return True
