"""The scripts by which `--scale agent=N` gives each agent a key of its own, with real agents and no containers."""

import os
import re
import subprocess

import pytest
from system import ROOT, until

DOCKER = ROOT / "deploy" / "docker"


@pytest.fixture
def scaled(start_system, build, folder):
    """(system, add): a system without agents, keys for two, and a function that starts one more agent by the script."""
    system = start_system(agents=0)
    path = f"{build / 'broker'}:{build / 'agent'}:{os.environ['PATH']}"
    for kind in ("agents", "gateway"):
        (folder / "keys" / kind).mkdir(parents=True)
    command = [DOCKER / "keys", folder / "keys", "2", "--state", system.state]
    for _ in range(2):  # again changes nothing
        subprocess.run(command, check=True, timeout=60, env={**os.environ, "PATH": path})
    count = 0

    def add(wait=True):
        nonlocal count
        count += 1
        agent = system._program(f"container-{count}", DOCKER / "agent", folder / "keys" / "agents", "--broker",
                                f"127.0.0.1:{system.broker_port}", "--slots", "1")
        agent.env["PATH"] = path
        return agent.start(wait=wait)

    return system, add


def test_each_agent_has_its_own_key(scaled, folder):
    system, add = scaled
    assert len((system.state / "keys" / "peers").read_text().splitlines()) == 4  # two gateways': the system's and the script's
    first, second = add(), add()
    names = {re.search(r"name=(agent-\d)", agent.log())[1] for agent in (first, second)}
    assert names == {"agent-1", "agent-2"}
    third = add(wait=False)
    until(lambda: not third.is_running(), "an agent too many ends")
    assert third.process.returncode == 1 and "no free key" in third.log()
    first.kill()
    assert "name=agent-1" in add().log()  # the key of the dead one
    devices = system.rest().get("/api/devices").json()["devices"]
    assert sorted(device["name"] for device in devices) == ["agent-1", "agent-2"]
    assert (folder / "keys" / "agents" / "agent-1.key").stat().st_mode & 0o777 == 0o640
