"""What a kill at the worst moment leaves on the disk goes at the next start: folders of jobs that were forgotten, inputs
of an ADD or SUBMIT that was never committed, uploads that one request made for itself. The kill is strace's, at the n-th
call of a kind on one folder."""

import os
import shutil
import socket
import subprocess

import pytest
import requests
from lone_gateway import lone  # noqa: F401 (fixture)
from system import until
from test_open_jobs import upload

pytestmark = pytest.mark.plain  # ptrace


@pytest.fixture(autouse=True)
def strace():
    probe = shutil.which("strace") and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    if not probe or probe.returncode:
        pytest.skip("no strace here")


def start_to_die(program, call, n, folder=None):
    """Starts it under strace; it dies at its n-th such call (in that folder)."""
    whole = program.command
    where = ["-P", folder] if folder else []
    program.command = [*map(str, ["strace", "-f", "-qqq", "-o", "/dev/null", *where, "-e", f"trace={call}",
                                  "-e", f"inject={call}:signal=KILL:when={n}", "--"]), *whole]
    program.start()
    program.command = whole


def send(rest, method, path, **options):
    """Whatever is answered: the broker dies of it."""
    try:
        rest.request(method, path, **{"timeout": 2, **options})
    except requests.RequestException:
        pass


def await_death(system):
    """Of the broker; and the gateway's, which would ask a new one again."""
    until(lambda: not system.broker.is_running(), "its death")
    system.broker.kill()
    system.gateway.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "system") if folder.exists() else None


def open_job(rest, name=b"one"):
    job = rest.post("/api/jobs", json={"type": "hash", "open": True}).json()["job"]["jobId"]
    assert rest.post(f"/api/jobs/{job}/inputs", json={"uploads": [upload(rest, "one", name)]}).status_code == 200
    return job


def test_a_folder_whose_job_was_forgotten(start_system):
    system = start_system(agents=0)
    rest = system.rest()
    for n in (1, 3):
        job = open_job(rest)
        folder = system.state / "jobs" / job
        system.broker.stop()
        before = names(folder)
        start_to_die(system.broker, "unlinkat", n, folder)
        until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
        rest.post(f"/api/jobs/{job}/cancel")
        send(rest, "DELETE", f"/api/jobs/{job}")
        await_death(system)
        left = names(folder)
        assert left and (n == 1 or left != before), "not the moment that was meant"
        system.broker.start()
        assert names(folder) is None
        system.gateway.start()
        until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
        assert rest.get(f"/api/jobs/{job}").status_code == 404


@pytest.mark.parametrize("call, n, left", [("linkat", 1, 0), ("linkat", 2, 1), ("linkat", 4, 3), ("fsync", 1, 6)])
def test_inputs_that_were_never_committed(start_system, call, n, left):
    system = start_system(agents=0)
    rest = system.rest()
    job = open_job(rest)
    folder = system.state / "jobs" / job
    system.broker.stop()
    before = names(folder)
    start_to_die(system.broker, call, n, folder)
    until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
    more = {"uploads": [upload(rest, "two", b"2"), upload(rest, "three", b"3")]}
    send(rest, "POST", f"/api/jobs/{job}/inputs", json=more)
    await_death(system)
    assert len(names(folder)) >= len(before) + left
    system.broker.start()
    assert names(folder) == before
    system.gateway.start()
    until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
    assert rest.post(f"/api/jobs/{job}/inputs", json=more).status_code == 200
    assert len(names(folder)) == len(before) + 6


@pytest.mark.parametrize("call, n", [("linkat", 2), ("fsync", 1)])
def test_a_submit_that_was_never_answered(start_system, call, n):
    system = start_system(agents=0)
    rest = system.rest()
    first = int(open_job(rest))
    sent = upload(rest, "a", b"a")
    system.broker.stop()
    start_to_die(system.broker, call, n)
    until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
    send(rest, "POST", "/api/jobs", json={"type": "hash", "uploads": [sent]})
    await_death(system)
    assert names(system.state / "jobs") == [str(first), str(first + 1)]
    system.broker.start()
    until(lambda: names(system.state / "jobs") == [str(first)], "its folder gone")
    system.gateway.start()
    until(lambda: rest.get("/api/jobs").status_code == 200, "an answer")
    assert [job["jobId"] for job in rest.get("/api/jobs").json()["jobs"]] == [str(first)]


def test_an_upload_of_one_request(lone):  # noqa: F811
    """Killed in the middle of a POST /api/jobs: what had come of it goes, a client's own upload stays."""
    rest = lone.rest()
    kept = upload(rest, "kept", b"kept")
    folder = lone.state / "uploads"
    before = names(folder)
    with socket.create_connection(("127.0.0.1", lone.port)) as sender:
        sender.sendall(f"POST /api/jobs?type=hash HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lone.token}\r\n"
                       f"Content-Type: application/octet-stream\r\nContent-Length: {8 << 20}\r\n\r\n".encode()
                       + os.urandom(2 << 20))
        until(lambda: any(path.name not in before and not path.suffix and path.stat().st_size for path in folder.iterdir()),
              "bytes of its upload")  # before its record is whole it is no upload, and goes after a minute
        lone.program.kill()
    assert len(names(folder)) > len(before)
    lone.program.start()
    assert names(folder) == before and kept in before
