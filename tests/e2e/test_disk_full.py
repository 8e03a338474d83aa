"""A small disk that fills up: new work is refused early with `disk_full`, what runs ends as far as it fits, jobs can be
read and deleted, the broker starts on a full disk, and all recovers by itself."""

import os
import subprocess
import time

import pytest
import wire
from system import System, until
from wire_world import agent, gateway, job_of, submit  # noqa: F401 (fixtures)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
    pytest.mark.skipif(os.environ.get("SHADOW_E2E_STORE", "sqlite") != "sqlite", reason="the rows lie on another disk"),
]

DISK_MB = 160  # the gateway keeps 64 free of uploads
LOW_MB = 16


class SmallDisk:
    """A tmpfs over the system's folder, and a file that takes what is left of it."""

    def __init__(self, folder):
        self.folder = folder
        self.ballast = folder / "ballast"
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder],
                              capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no small disk to fill: {made.stderr.strip()}")

    def free(self):
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, spare=0):
        """Leaves `spare` bytes."""
        with open(self.ballast, "ab", buffering=0) as file:
            try:
                while self.free() > spare:
                    file.write(bytes(min(65536, self.free() - spare)))
            except OSError:
                pass  # full

    def clear(self):
        self.ballast.unlink()

    def unmount(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


@pytest.fixture
def disk(folder):
    disk = SmallDisk(folder)
    yield disk
    disk.unmount()


@pytest.fixture
def system(disk, build, folder):
    """With the broker's options for a disk of this size; nothing is started."""
    system = System(folder, build)
    system.broker.command += ["--disk-low", f"{LOW_MB}M"]
    yield system
    system.stop()


@pytest.fixture
def broker(system):
    system.keys = {}
    for role, name in [("agent", "a"), ("agent", "b"), ("gateway", "g")]:
        system.keys[name] = system.add_peer(role, name, system.folder / f"{name}.key")
    system.broker.start()
    return system


def refused(gateway, message="SUBMIT", **values):
    files, payload = wire.inputs(b"more")
    error = gateway.ask(message, payload, answer="ERROR", inputs=files,
                        **({"type": "hash"} if message == "SUBMIT" else {}), **values)
    assert error["code"] == "disk_full", error
    return error["message"]


def test_new_work_is_refused_early_and_what_runs_ends(broker, gateway, agent, disk):
    a = agent()
    a.hello(chunks=1)
    files, payload = wire.inputs(b"one")
    values = {"type": "hash", "key": "k", "body_hash": 7, "inputs": files}
    job = gateway.ask("SUBMIT", payload, **values)["job"]
    open_job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    lease = a.expect("ASSIGN")["leases"][0]
    assert not gateway.ask("GET_STATS")["disk_error"]
    disk.fill(LOW_MB * 2**20 - 2**20)
    until(lambda: gateway.ask("GET_STATS")["disk_error"], "status says it")
    words = refused(gateway)
    assert "15 MiB" in words or "14 MiB" in words or "15360 KiB" in words, words
    assert "16 MiB" in words and "shadowctl delete" in words and words == gateway.ask("GET_STATS")["disk_error"]
    refused(gateway, "ADD", job=open_job, key=5)
    assert gateway.ask("SUBMIT", payload, **values)["existing"]  # it is there: nothing new
    a.done(job, lease, b"sum")
    a.expect("TAKEN")
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")
    gateway.ask("SEAL", job=open_job)
    disk.clear()
    until(lambda: not gateway.ask("GET_STATS")["disk_error"], "there is room")
    assert submit(gateway, b"two") > open_job
    assert broker.broker.log().count("disk low") == 1 and "disk has room again" in broker.broker.log()


def is_stuck(gateway):
    return "nothing can be written now" in gateway.ask("GET_STATS")["disk_error"]


def test_results_wait_for_room_and_reads_go_on(broker, gateway, agent, disk):
    """Full to the last byte: results go into what the store keeps for that, and when that is used up they wait. A
    broker that is killed then starts on the full disk, and nothing that was acknowledged is lost."""
    a = agent()
    a.hello(chunks=1000, size=2**30)
    job = submit(gateway, *[b"%064d" % i for i in range(1000)], chunk_count=1000)
    total = job_of(gateway, job)["total_chunks"]
    leases = []
    while len(leases) < total:
        leases += a.expect("ASSIGN")["leases"]
    disk.fill()
    taken = []
    for lease in leases:
        a.done(job, lease, lease["chunk"].to_bytes(4, "big") * 4000)
    until(lambda: is_stuck(gateway), "the store waits")
    a.say("BEAT")
    while (got := a.expect("BEAT", "TAKEN"))["_name"] != "BEAT":
        taken += got["leases"]
    print(f"{len(taken)} of {total} results went into the reserve")
    assert 300 < len(taken) < total  # 5 MB and more
    assert job_of(gateway, job)["status"] == "processing"
    assert gateway.ask("GET_CHUNKS", job=job, limit=10)["rows"]
    refused(gateway)
    broker.broker.kill()
    disk.fill()
    broker.broker.start()
    gateway.connect()
    assert job_of(gateway, job)["completed_chunks"] >= len(taken)
    refused(gateway)
    disk.clear()
    a.connect()
    a.hello(chunks=1000, size=2**30)
    left = total - job_of(gateway, job)["completed_chunks"]
    while left:
        for lease in a.expect("ASSIGN", "TAKEN").get("leases", []):
            a.done(job, lease, b"sum")
            left -= 1
    until(lambda: job_of(gateway, job)["status"] == "completed", "the job ends")


def test_deleting_makes_room_on_a_full_disk(system, disk):
    system.start(agents=1)
    rest = system.rest()
    data = os.urandom(12 * 2**20)
    job = rest.post("/api/jobs?type=hash", data=data).json()["job"]["jobId"]
    system.ctl("wait", str(job))
    disk.fill()
    answer = rest.post("/api/jobs?type=hash", data=b"two")
    assert answer.status_code == 507 and answer.json()["error"]["code"] == "disk_full", answer.text
    assert "delete jobs" in answer.json()["error"]["message"]
    assert "shadowctl delete" in system.ctl("doctor", status=None).stdout
    assert rest.get(f"/api/jobs/{job}").json()["job"]["status"] == "completed"
    assert rest.get("/metrics").text.count("shadow_disk_free_bytes ") == 1
    assert rest.delete(f"/api/jobs/{job}").status_code == 200
    until(lambda: disk.free() > 10 * 2**20, "room")
    disk.clear()
    assert until(lambda: (answer := rest.post("/api/jobs?type=hash", data=b"two")).status_code == 201 and answer,
                 "new work is taken").json()["job"]["jobId"] > job


def test_outputs_that_do_not_fit_are_made_later(system, disk, tmp_path):
    """The device hands back what it computed and pauses; what it has credit for waits uncomputed. No chunk fails."""
    system.start(agents=0)
    rest = system.rest()
    data = os.urandom(8 * 2**20)
    job = rest.post("/api/jobs?type=compress", data=data).json()["job"]["jobId"]
    disk.fill(2**20)
    device = system.add_agent("agent-1", start=False)
    device.command[device.command.index("--scratch") + 1] = str(tmp_path)  # on another disk
    device.start()
    seen, since = 0, time.monotonic()

    def pauses():
        nonlocal seen, since
        if (count := device.log().count("disk_full")) != seen:
            seen, since = count, time.monotonic()
        return seen and time.monotonic() - since > 1.5  # it pauses for 2 s when its credit is used up

    until(pauses, "the device pauses", limit_s=30)
    print(f"{seen} chunks handed back before the pause")
    assert seen <= 4  # what a slot has in hand
    row = rest.get(f"/api/jobs/{job}").json()["job"]
    assert (row["status"], row["failedChunks"]) == ("processing", 0), row
    disk.clear()
    system.ctl("wait", str(job))
    row = rest.get(f"/api/jobs/{job}").json()["job"]
    assert (row["status"], row["failedChunks"]) == ("completed", 0), row
