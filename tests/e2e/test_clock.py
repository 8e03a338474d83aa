"""The wall clock of all processes jumps by an hour and a day, both ways, in the middle of a job: nobody is counted as
gone, nothing is deleted or run again, the result is right. Leases and heartbeats go by the boot-time clock, which
a clock that is set does not move; retention goes by the wall clock, and is off here."""

import os
import struct
import subprocess

import pytest
from samples import check_compressed, text_of, write
from system import until

pytestmark = pytest.mark.plain  # preloads
JUMPS_S = [3600, -3600, 86400, -86400, 0]
FILES = 48


class Clocks:
    """A wall clock for each process; `factors`: by how many times the jump each of them is off."""

    def __init__(self, folder, build, factors):
        self.folder, self.build, self.factors = folder, build, factors
        self.jump(0)

    def jump(self, seconds):
        for name, factor in self.factors.items():
            (self.folder / name).touch()
            with open(self.folder / name, "r+b") as file:
                file.write(struct.pack("=q", seconds * factor))

    def env(self, name):
        return {"LD_PRELOAD": str(self.build / "tests" / "crash" / "clock-shim.so"),
                "SHADOW_CLOCK_FILE": str(self.folder / name)}


TOGETHER = {"clock-broker": 1, "clock-gateway": 1, "clock-0": 1, "clock-1": 1}
APART = {"clock-broker": 1, "clock-gateway": -1, "clock-0": 2, "clock-1": 0}


@pytest.mark.parametrize("factors", [TOGETHER, APART], ids=["together", "apart"])
def test_the_wall_clock_jumps(start_system, build, folder, factors):
    clocks = Clocks(folder, build, factors)
    system = start_system(start=False)
    system.broker.env.update(clocks.env("clock-broker"), SHADOW_DEBUG="1")
    system.gateway.env.update(clocks.env("clock-gateway"))
    system.start(agents=0)
    for i in range(2):
        system.add_agent(f"agent-{i}", start=False).env.update(clocks.env(f"clock-{i}"))
        system.agents[f"agent-{i}"].start()
    work = folder / "work"
    names = [b"%d" % i for i in range(FILES)]
    for name in names:
        write(os.fsencode(work) + b"/" + name, text_of(8_000, int(name)))
    command, ctl_env = system.ctl_command("compress", "--level", "19", "--chunk-count", str(FILES), "-o", folder / "out",
                                          "--", *names)
    process = subprocess.Popen(command, env=ctl_env, cwd=work, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rest, broker = system.rest(), system.broker
    real = rest.get("/api/devices").json()["devices"][0]["lastHeartbeat"]
    for jump in JUMPS_S:
        seen = len(broker.log())
        clocks.jump(jump)
        if process.poll() is None:
            until(lambda: process.poll() is not None or "chunk done" in broker.log()[seen:], "a chunk")
        if abs(jump) == 86400:  # the jump is seen where people look
            until(lambda: rest.get("/api/devices").json()["devices"][0]["lastHeartbeat"][:10] != real[:10], "a beat")
    assert process.wait(120) == 0
    check_compressed(work, names, folder / "out")
    log = broker.log()
    assert "agent offline" not in log and "session over" not in "".join(a.log() for a in system.agents.values())
    job = rest.get("/api/jobs").json()["jobs"][0]
    assert job["status"] == "completed" and job["completedChunks"] == FILES
    assert log.count("chunk done") == FILES
    print(f"covered: {len(JUMPS_S)} jumps of the wall clock in a job of {FILES} chunks, no session lost")
