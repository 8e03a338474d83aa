"""An existing tus client (tuspy) uploads, is interrupted, goes on, and its upload becomes a job."""

import hashlib
import os
import subprocess
import sys
import textwrap

import pytest
from system import until

pytest.importorskip("tusclient", reason="tuspy is in tests/requirements.txt; ./tests/run installs it")


def run(code, *arguments):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


UPLOAD = """
    import sys
    from tusclient import client
    url, token, path, stop_at, upload_url = sys.argv[1:]
    tus = client.TusClient(url + "/api/uploads", headers={"Authorization": "Bearer " + token})
    uploader = tus.uploader(path, chunk_size=1 << 20, metadata={"filename": "photo.bin", "mode": "640"},
                            url=upload_url or None, retries=3, retry_delay=1)
    uploader.upload(stop_at=int(stop_at) or None)
    print(uploader.url, uploader.offset)
"""


def test_interrupted_and_resumed_across_a_restart(system, folder):
    path = folder / "input"
    data = os.urandom(5 << 20)
    path.write_bytes(data)
    url, offset = run(UPLOAD, system.url, system.token, path, 2 << 20, "").split()
    assert offset == str(2 << 20)
    system.gateway.restart()
    url, offset = run(UPLOAD, system.url, system.token, path, 0, url).split()
    assert offset == str(len(data))
    rest = system.rest()
    job = rest.post("/api/jobs", json={"type": "hash", "uploads": [url.rsplit("/", 1)[1]]}).json()["job"]["jobId"]
    until(lambda: rest.get(f"/api/jobs/{job}").json()["job"]["status"] == "completed", "the job's end")
    assert rest.get(f"/api/jobs/{job}/result").text == f"{hashlib.sha256(data).hexdigest()}  photo.bin\n"


def test_a_gateway_killed_in_the_midst(system, folder):
    """The client meets a dead and then a new gateway within one upload, and its own retries bring it through."""
    path = folder / "input"
    data = os.urandom(30 << 20)
    path.write_bytes(data)
    code = UPLOAD.replace("chunk_size=1 << 20", "chunk_size=256 << 10").replace("retries=3", "retries=20")
    client = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), system.url, system.token, path, "0", ""],
                              stdout=subprocess.PIPE, text=True)
    uploads = system.state / "uploads"
    until(lambda: [file for file in uploads.glob("*") if file.stat().st_size > 1 << 20], "the first bytes")
    system.gateway.restart()
    out, _ = client.communicate(timeout=120)
    url, offset = out.split()
    assert client.returncode == 0 and offset == str(len(data))
    assert (uploads / url.rsplit("/", 1)[1]).read_bytes() == data
