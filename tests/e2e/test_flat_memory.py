"""An upload far larger than memory limits passes through every process in flat memory: into the gateway while nobody reads,
then through broker and agent as one chunk (hash never splits a file)."""

import hashlib
import os

import pytest
from system import until

GIB = 1 << 30
SIZE = 5 * GIB if os.environ.get("SHADOW_LONG") else GIB // 2
GROWTH_BYTES = 64 << 20
BLOCK = os.urandom(1 << 20)

pytestmark = pytest.mark.plain  # sanitizers multiply memory


def peak(program):
    """Highest resident size so far, in bytes."""
    with open(f"/proc/{program.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def test_a_large_upload_keeps_every_process_small(start_system):
    system = start_system(agents=0)
    rest = system.rest()
    blocks = SIZE // len(BLOCK)
    digest = hashlib.sha256()
    before = {p.name: peak(p) for p in (system.broker, system.gateway)}

    def body():
        for _ in range(blocks):
            digest.update(BLOCK)
            yield BLOCK

    answer = rest.post("/api/jobs?type=hash&name=large", data=body(), timeout=1200,
                       headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 201, answer.text
    job = answer.json()["job"]["jobId"]
    agent = system.add_agent("agent-1")
    before[agent.name] = peak(agent)
    until(lambda: rest.get(f"/api/jobs/{job}").json()["job"]["status"] == "completed", "the job completes", 600)
    assert rest.get(f"/api/jobs/{job}/result?name=SHA256SUMS").text == f"{digest.hexdigest()}  large\n"
    for program in (system.broker, system.gateway, agent):
        growth = peak(program) - before[program.name]
        print(f"covered: {SIZE >> 20} of {5 * GIB >> 20} MiB; {program.name} grew by {growth >> 20} MiB")
        assert growth < GROWTH_BYTES, program.name
