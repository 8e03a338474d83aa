"""One message lost, at every single point of the protocol: a job is late by seconds at most, and right; a REST
request is answered right, or with 503 and Retry-After, and nothing is done twice."""

import concurrent.futures
import contextlib
import hashlib
import io
import os
import queue
import tarfile
import threading
import time

import pytest
from relay import Relay
from system import System, free_ports, until

pytestmark = pytest.mark.plain  # timing

SYSTEMS = 8  # at once: they mostly wait
DELAY_S = 15
LONG = bool(os.environ.get("SHADOW_LONG"))


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def systems(build, folder):
    """A pool of systems without agents."""
    pool, started = queue.Queue(), []
    for i in range(SYSTEMS):
        (folder / str(i)).mkdir()
        started.append(System(folder / str(i), build))
    for system in started:
        system.start(agents=0)
        pool.put(system)
    yield pool
    for system in started:
        system.stop()


@contextlib.contextmanager
def taken_from(pool):
    system = pool.get()
    try:
        yield system
    finally:
        pool.put(system)


# ---- agent and broker ----

LINES = b"".join(b"%d is line %d\n" % (i * 7919, i) for i in range(40_000 if LONG else 30_000))
JOBS = [  # FETCH and STORE of whole files, inline ones, and slices with tails behind them
    ("type=compress&chunkCount=3", tar_of([(f"random-{i}", os.urandom(40_000)) for i in range(3)])),
    ("type=hash&chunkCount=2", tar_of([("small-1", b"one"), ("small-2", b"two")])),
    ("type=filter&pattern=7&chunkCount=2", tar_of([("lines", LINES)])),
]


def run_jobs(system, way, index):
    """Submits the jobs, then starts an agent behind a relay that loses one message; (seconds from the agent's
    start until all are done, digests of the results, what was lost, how many messages there were)."""
    rest = system.rest()
    jobs = [rest.post(f"/api/jobs?{query}", data=body, headers={"Content-Type": "application/x-tar"}).json()["job"]["jobId"]
            for query, body in JOBS]
    port = free_ports(2)
    name = "lossy"
    key = system.folder / f"{name}.key"
    if name not in system.agents:
        system.add_agent(name, 1, start=False)
    agent = system.agents[name]
    agent.command[agent.command.index("--broker") + 1] = f"127.0.0.1:{port}"
    relay = Relay(port, system.broker_port, system.state / "keys" / "broker.key", key)
    relay.arm(way, index)
    try:
        begun = time.monotonic()
        agent.start()
        until(lambda: {rest.get(f"/api/jobs/{job}").json()["job"]["status"] for job in jobs} <= {"completed", "failed"},
              f"jobs without message {index} of {way} ({relay.lost})", 40)
        seconds = time.monotonic() - begun
        lost, counts = relay.lost, dict(relay.counts)
        found = []
        for job in jobs:
            shown = rest.get(f"/api/jobs/{job}").json()["job"]
            assert shown["status"] == "completed" and shown["completedChunks"] == shown["totalChunks"]
            found.append(hashlib.sha256(rest.get(f"/api/jobs/{job}/result").content).hexdigest())
    finally:
        agent.kill()
        agent.check()
        relay.stop()
    return seconds, found, lost, counts


def test_between_agent_and_broker(systems):
    with taken_from(systems) as system:
        usual_s, expected, lost, counts = run_jobs(system, None, None)
    assert lost is None

    def without(way, index):
        with taken_from(systems) as system:
            return way, index, *run_jobs(system, way, index)

    with concurrent.futures.ThreadPoolExecutor(SYSTEMS) as threads:
        tries = [threads.submit(without, way, k) for way in counts for k in range(counts[way])]
        done = [one.result() for one in tries]
    worst = max(done, key=lambda one: one[2])
    for way, index, seconds, found, lost, _ in done:
        assert found == expected, f"without message {index} of {way}, a {lost}"
        assert seconds - usual_s < DELAY_S, f"without message {index} of {way}, a {lost}: {seconds:.1f} s"
    hit = [one for one in done if one[4]]
    assert len(hit) >= len(done) * 3 / 4  # the last heartbeats come or do not
    assert {"HELLO", "WELCOME", "CREDIT", "ASSIGN", "DONE", "TAKEN", "BEAT", "FETCH", "SLICE", "STORE", "STORED"} <= \
        {one[4] for one in hit} | {"BEAT"}
    print(f"covered: {len(hit)} messages lost one at a time; usually {usual_s:.1f} s, at worst "
          f"{worst[2]:.1f} s without {worst[4]} ({worst[1]} of {' '.join(worst[0])})")


# ---- gateway and broker ----

class Client:
    """Asks as a careful client does: 503 with Retry-After is asked again; anything else must be right."""

    def __init__(self, system):
        self.rest, self.busy, self.slowest_s = system.rest(), 0, 0

    def ask(self, method, path, status, **options):
        """The JSON of the answer, which must have one of the statuses."""
        while True:
            begun = time.monotonic()
            answer = self.rest.request(method, path, **options)
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            if answer.status_code != 503:
                break
            self.busy += 1
            assert answer.json()["error"]["code"] in ("unavailable", "busy")
            time.sleep(int(answer.headers["Retry-After"]))  # it says so
        assert answer.status_code in status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def ask_everything(system, tag):
    """Every sort of request, each answer checked; leaves nothing behind. The Client that asked."""
    client = Client(system)
    order = {"type": "hash", "inputData": ["one", "two"], "chunkCount": 2, "idempotencyKey": f"key {tag}"}
    job = client.ask("POST", "/api/jobs", [201, 200], json=order)["job"]["jobId"]
    assert client.ask("POST", "/api/jobs", [200], json=order)["job"]["jobId"] == job
    client.ask("POST", "/api/jobs", [409], json={**order, "chunkCount": 1})
    client.ask("PATCH", f"/api/jobs/{job}", [200], json={"priority": 5, "name": tag})
    shown = client.ask("GET", f"/api/jobs/{job}", [200])
    assert (shown["job"]["priority"], shown["job"]["name"], len(shown["chunks"])) == (5, tag, 2)
    client.ask("GET", f"/api/jobs/{job}/result", [409])
    client.ask("GET", f"/api/jobs/{job}/why", [200])
    upload = client.ask("POST", "/api/jobs?type=hash&name=x", [201, 200], data=b"x" * 100,
                        headers={"Idempotency-Key": f"body {tag}", "Content-Type": "application/octet-stream"})["job"]["jobId"]
    opened = client.ask("POST", "/api/jobs", [201, 200], json={"type": "hash", "open": True, "idempotencyKey": f"open {tag}"})
    opened = opened["job"]["jobId"]
    sent = client.rest.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "0",
                                                     "Upload-Metadata": "filename eA=="})
    inputs = {"uploads": [sent.headers["Location"].rsplit("/", 1)[1]]}
    client.ask("POST", f"/api/jobs/{opened}/inputs", [200, 201], json=inputs, headers={"Idempotency-Key": f"add {tag}"})
    client.ask("POST", f"/api/jobs/{opened}/seal", [200])
    assert client.ask("GET", f"/api/jobs/{opened}", [200])["job"]["totalFiles"] == 1  # added once
    assert {j["jobId"] for j in client.ask("GET", "/api/jobs", [200])["jobs"]} == {job, upload, opened}  # made once each
    client.ask("GET", "/api/devices", [200])
    client.ask("POST", f"/api/jobs/{job}/retry", [409])
    for one in (job, upload, opened):
        client.ask("POST", f"/api/jobs/{one}/cancel", [200])
    assert {j["status"] for j in client.ask("GET", "/api/jobs", [200])["jobs"]} == {"cancelled"}
    for one in (job, upload, opened):
        client.ask("DELETE", f"/api/jobs/{one}", [200, 204])
        client.ask("GET", f"/api/jobs/{one}", [404])
    client.ask("DELETE", f"/api/jobs/{int(job) + 1000}", [404])
    return client


@pytest.fixture
def relayed(build, folder):
    """A pool of (system, relay): broker and gateway with a relay between them."""
    pool, started = queue.Queue(), []
    for i in range(SYSTEMS):
        (folder / str(i)).mkdir()
        system = System(folder / str(i), build)
        started.append(system)
        key = system.add_peer("gateway", "gateway", system.state / "gateway" / "broker.key")
        system.broker.start()
        port = free_ports(1)
        relay = Relay(port, system.broker_port, system.state / "keys" / "broker.key", key, data=False)
        system.gateway.command[system.gateway.command.index("--broker") + 1] = f"127.0.0.1:{port}"
        system.gateway.start()
        pool.put((system, relay))
    yield pool
    while not pool.empty():
        pool.get()[1].stop()
    for system in started:
        system.stop()


def test_between_gateway_and_broker(relayed):
    with taken_from(relayed) as (system, relay):
        until(lambda: system.rest().get("/api/devices").status_code == 200, "the gateway knows the broker")
        relay.arm()
        ask_everything(system, "first")
        counts = relay.counts

    def without(way, index):
        with taken_from(relayed) as (system, relay):
            relay.arm(way, index)
            client = ask_everything(system, f"{way[1]} {index}")
            return relay.lost, client.busy, client.slowest_s

    with concurrent.futures.ThreadPoolExecutor(SYSTEMS) as threads:
        tries = [threads.submit(without, way, k) for way in counts for k in range(counts[way])]
        done = [one.result() for one in tries]
    hit = [one for one in done if one[0]]
    assert len(hit) >= len(done) * 3 / 4
    slowest = max(hit, key=lambda one: one[2])
    assert slowest[2] < DELAY_S, slowest
    print(f"covered: {len(hit)} messages lost one at a time; {sum(one[1] for one in hit)} answers 503, the slowest "
          f"answer took {slowest[2]:.1f} s, without {slowest[0]}")
