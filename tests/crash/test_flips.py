"""A bit that flips at a random place of an upload's bytes, an output's bytes or a message: each is detected. No result
is wrong; what is hit fails with words or is cut off, everything else is right."""

import base64
import os
import random
import threading
import time

import pytest
from relay_flip import FlippingRelay
from system import free_ports, until
from work import Client, is_whole, tar_of, words

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0)]
LONG = bool(os.environ.get("SHADOW_LONG"))
BUDGET_S = 1e9 if LONG else 10  # of each test
WANTED = 1000 if LONG else 60  # flips at most
PAUSE_S = 0.8  # between flips of messages, at most: a link needs time to be made anew
FILES, SIZE = 24, 1 << 20  # a sum is of a span of 1 MiB: a flip hits at most two files' chunks


@pytest.fixture
def chance():
    seed = int(os.environ.get("SHADOW_SEED") or random.randrange(1 << 32))
    print(f"seed {seed} (again: SHADOW_SEED={seed})")
    return random.Random(seed)


class Count:
    """Flips until there are enough, or the budget is spent."""

    def __init__(self):
        self.until = time.monotonic() + BUDGET_S
        self.flips = 0

    def goes_on(self):
        return not self.flips or (self.flips < WANTED and time.monotonic() < self.until)


def flip(path, chance):
    """One bit, anywhere in the file; where."""
    with path.open("r+b") as file:
        at = chance.randrange(path.stat().st_size)
        file.seek(at)
        byte = file.read(1)[0] ^ 1 << chance.randrange(8)
        file.seek(at)
        file.write(bytes([byte]))
    return at


def folder_of(world, job):
    return world.system.state / "jobs" / str(job)


def failed_files(client, job):
    return {f["name"] for f in client.ask("GET", f"/api/jobs/{job}/files?status=failed", (200,)).json()["files"]}


def await_final(client, job):
    while not (shown := client.ask("GET", f"/api/jobs/{job}?chunkLimit=1", (200,)).json()["job"])["completedAt"]:
        time.sleep(0.02)
    return shown


def test_inputs_on_disk(world, chance):
    """Between the upload and the run."""
    client, count, failed = Client(world.system, world.oracle, "inputs"), Count(), 0
    agents = list(world.system.agents.values())
    files = {f"{i}": bytes(chance.randbytes(SIZE - 512)) for i in range(FILES)}  # with its header, a span each
    while count.goes_on():
        for agent in agents:
            agent.stop()
        job = client.submit(params={"op": "base64"}, uploads=[client.upload(tar_of(files))], chunkCount=FILES)
        [path] = folder_of(world, job).glob("in.0.0")
        spans = {flip(path, chance) >> 20 for _ in range(FILES // 4)}
        count.flips += len(spans)
        for agent in agents:
            agent.start()
        shown = await_final(client, job)
        bad = failed_files(client, job)
        assert shown["status"] == "failed" and {str(span) for span in spans if span < FILES} <= bad, (shown, spans, bad)
        failed += len(bad)
        for name in set(files) - bad:
            answer = client.ask("GET", f"/api/jobs/{job}/result?name={name}.b64", (200,))
            assert base64.b64decode(answer.content) == files[name], name
        client.delete(job)
    print(f"covered: {count.flips} bits of inputs flipped, all detected, {failed} files failed")


def test_outputs_on_disk(world, chance):
    """After the run; a job's result is never wrong, a file that was not hit is right."""
    client, count = Client(world.system, world.oracle, "outputs"), Count()
    files = {f"{i}": words(chance, 40_000) for i in range(FILES)}
    while count.goes_on():
        job = client.submit(uploads=[client.upload(tar_of(files))], chunkCount=FILES)
        client.await_end(job, FILES)
        hit = set()
        for path in chance.sample(sorted(folder_of(world, job).glob("out.*")), FILES // 2):
            flip(path, chance)
            hit.add(path.name.split(".")[1])
        count.flips += len(hit)
        for name, data in files.items():
            try:
                answer = client.system.rest().get(f"/api/jobs/{job}/result?name={name}.upper")
                detected = answer.status_code != 200 or not is_whole(answer)
                assert detected or answer.content == data.upper(), f"job {job}: {name} is wrong"
            except OSError:
                detected = True  # cut off
            assert detected == (name in hit), (job, name, hit)
        client.delete(job)
    print(f"covered: {count.flips} bits of outputs flipped, all detected")


@pytest.fixture
def relays(world, chance):
    """Relays of control and data between the one agent and the broker."""
    agent = world.system.agents["agent-1"]
    world.system.agents["agent-2"].stop()
    port = free_ports(2)
    agent.command[agent.command.index("--broker") + 1] = f"127.0.0.1:{port}"
    agent.kill()
    relays = [FlippingRelay(port + i, world.system.broker_port + i, chance) for i in range(2)]
    yield relays
    for relay in relays:
        relay.stop()


def test_a_damaged_handshake(world, relays):
    """ZeroMQ gives up a link whose handshake was damaged: that of data must be made anew all the same."""
    relays[1].welcomes = 1
    world.system.agents["agent-1"].start()
    Client(world.system, world.oracle, "handshake").run()
    assert relays[1].flips == 1


def test_messages(world, chance, relays):
    """Between an agent and the broker: CURVE refuses what was changed, the link is made anew."""
    count = Count()
    world.system.agents["agent-1"].start()
    stop = threading.Event()

    def disturb():
        while not stop.wait(chance.uniform(0.1, PAUSE_S)) and count.goes_on():
            chance.choice(relays).arm()

    thread = threading.Thread(target=disturb)
    thread.start()
    jobs = 0
    try:
        while count.goes_on():
            client = Client(world.system, world.oracle, f"messages-{jobs}")
            client.run()
            jobs += 1
            count.flips = sum(relay.flips for relay in relays)
        stop.set()
        thread.join()
        until(lambda: not any(relay.unnoticed() for relay in relays), "every connection with a flip ends", 20)
    finally:
        stop.set()
    world.oracle.follow(world.system.broker)
    print(f"covered: {count.flips} bits of messages flipped, each ended its connection; {jobs} jobs, "
          f"{world.oracle.verdict(world.system.state)}")
