"""Broker, gateway and agent as their units run them (as_unit.py): users of their own, two of them in one group, the state
folder read-only for the gateway but for its part, and the units' filters of system calls. Work must go through."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from samples import check_compressed, read, reference

AS_UNIT = Path(__file__).with_name("as_unit.py")
GROUP, BROKER, GATEWAY, AGENT = 61000, 61001, 61002, 61003

pytestmark = [
    pytest.mark.plain,  # sanitizers need calls that the filters refuse
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users"),
    pytest.mark.skipif(not shutil.which("systemd-analyze"),
                       reason="systemd-analyze is missing: tests/deps installs it (package systemd)")]


def folder_of(path, uid, gid, mode):
    path.mkdir(exist_ok=True)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def owner_of(path):
    about = path.stat()
    return about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)


@pytest.fixture
def installed(start_system, build, folder):
    """A running System whose three programs run as their units do."""
    system = start_system(start=False)
    place = folder / "build"  # other users may have no way to the checkout
    place.mkdir()
    folder.chmod(0o711)
    folder_of(system.state, BROKER, GROUP, 0o750)
    folder_of(system.state / "uploads", BROKER, GROUP, 0o2770)
    folder_of(system.state / "gateway", GATEWAY, GROUP, 0o700)
    home = folder_of(folder / "agent", AGENT, AGENT, 0o700)
    system.add_peer("gateway", "gateway", system.state / "gateway" / "broker.key")
    key = system.add_peer("agent", "agent-1", home / "agent.key")
    agent = system._program("agent-1", build / "agent" / "shadow-agent", "--broker", f"127.0.0.1:{system.broker_port}",
                            "--name", "agent-1", "--key", key, "--slots", "2")

    def as_unit(program, uid, gid, *options):
        unit = build / "deploy" / f"shadow-{program.name.split('-')[0]}.service"
        words = [word.replace(str(build), str(place)) for word in program.command]
        program.command = [str(word) for word in [sys.executable, AS_UNIT, unit, uid, gid, "--bind", build, place, *options,
                                                  "--", *words]]
        program.start()

    as_unit(system.broker, BROKER, GROUP)
    as_unit(system.gateway, GATEWAY, GROUP, "--read-only", system.state, "--writable", system.state / "gateway",
            "--writable", system.state / "uploads")
    as_unit(agent, AGENT, AGENT)
    system.agents["agent-1"] = agent
    return system


def test_root_adds_peers_for_others(installed):
    state = installed.state
    for name in ("keys", "jobs"):
        assert owner_of(state / name)[:2] == (BROKER, GROUP)
    for name in ("keys/peers", "keys/broker.key"):
        assert owner_of(state / name) == (BROKER, GROUP, 0o600)
    assert owner_of(state / "gateway" / "broker.key") == (GATEWAY, GROUP, 0o600)
    assert owner_of(installed.folder / "agent" / "agent.key") == (AGENT, AGENT, 0o600)


def test_work_goes_through(installed, fifty):
    work, names = fifty

    def ctl(*words):
        return installed.ctl(*words, cwd=work, text=False).stdout

    for program, uid in ((installed.broker, BROKER), (installed.gateway, GATEWAY), (installed.agents["agent-1"], AGENT)):
        status = Path(f"/proc/{program.pid}/status").read_text()
        assert f"\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status
        assert "\nNoNewPrivs:\t1\n" in status and "\nSeccomp:\t2\n" in status and "\nCapEff:\t0000000000000000\n" in status
    ctl("compress", "--", *names)
    check_compressed(work, names)
    assert ctl("hash", "--", *names) == reference(["sha256sum", "--", *names], work)
    ctl("filter", "-o", "found", "--", "[0-9a-f]{4}", *names)  # compiles its pattern to machine code
    assert read(work, b"found") == reference(["grep", "-a", "-h", "-P", "-e", "[0-9a-f]{4}", "--", *names], work)
    installed.ctl("hash", "--", work / "plain" / "21")  # after a restart as well
    installed.broker.restart()
    installed.gateway.restart()
    installed.ctl("hash", "--", work / "plain" / "21")
