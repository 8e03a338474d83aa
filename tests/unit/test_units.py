"""The units of deploy/systemd, without systemd running: their score, what systemd says of them in a root of their own,
the rules of the house, and users and folders as sysusers and tmpfiles make them."""

import configparser
import os
import re
import shutil
import stat
import subprocess

import pytest
from tree import BUILD, ROOT

SOURCES = ROOT / "deploy" / "systemd"
UNITS = ["shadow-broker", "shadow-gateway", "shadow-agent"]
SCORE_MAX = "20"  # tenths

if not shutil.which("systemd-analyze"):
    pytest.skip("systemd-analyze is missing: tests/deps installs it (package systemd)", allow_module_level=True)


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)


class Lines(dict):
    """Directives that stand several times keep all their values."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            value = self[key] + value
        super().__setitem__(key, value)


def service(unit):
    parser = configparser.RawConfigParser(dict_type=Lines, strict=False)
    parser.optionxform = str
    parser.read(BUILD / "deploy" / f"{unit}.service")
    return dict(parser["Service"])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the units, programs by their names, and the users."""
    root = tmp_path_factory.mktemp("root")
    units = root / "usr/lib/systemd/system"
    for folder in (units, root / "etc", root / "usr/lib/sysusers.d", root / "usr/lib/tmpfiles.d"):
        folder.mkdir(parents=True)
    for target in ("sysinit", "basic", "network-online", "multi-user", "shutdown"):
        (units / f"{target}.target").write_text("[Unit]\nDescription=in place of the real one\n")
    for unit in UNITS:
        text = (BUILD / "deploy" / f"{unit}.service").read_text()
        program = root / re.search(r"^ExecStart=/(\S+)", text, re.MULTILINE)[1]
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/true\n")
        program.chmod(0o755)
        (units / f"{unit}.service").write_text(text)
    shutil.copy(SOURCES / "shadowwork.sysusers", root / "usr/lib/sysusers.d/shadowwork.conf")
    shutil.copy(SOURCES / "shadowwork.tmpfiles", root / "usr/lib/tmpfiles.d/shadowwork.conf")
    return root


@pytest.mark.parametrize("unit", UNITS)
def test_score(unit):
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={SCORE_MAX}", "--no-pager",
               BUILD / "deploy" / f"{unit}.service")
    print(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say(root, unit):
    done = run("systemd-analyze", "verify", f"--root={root}", "--man=no", f"{unit}.service")
    said = [line for line in done.stderr.splitlines() if "shadow" in line]
    assert done.returncode == 0 and said == [], done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_rules_of_the_house(unit):
    has = service(unit)
    wanted = {"Type": "notify", "Restart": "on-failure", "User": unit, "ProtectSystem": "strict",
              "NoNewPrivileges": "yes", "PrivateDevices": "yes",
              "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX" + " AF_NETLINK" * (unit != "shadow-agent"),
              "MemoryDenyWriteExecute": "no" if unit == "shadow-agent" else "yes"}
    assert {key: has.get(key) for key in wanted} == wanted
    assert int(has["WatchdogSec"]) >= 10  # the loops feed it every two seconds
    assert has["StateDirectory"]
    assert has["SystemCallFilter"].splitlines()[:2] == ["@system-service", "~@privileged @resources"]
    assert "ProcSubset" not in has  # hides what the agent measures the machine by
    assert not {"Environment", "EnvironmentFile", "PassEnvironment"} & set(has)


def test_a_user_each_and_one_group():
    broker, gateway, agent = (service(unit) for unit in UNITS)
    assert broker["Group"] == gateway["Group"] == "shadowwork"
    assert "Group" not in agent
    assert broker["StateDirectory"] == "shadowwork"  # all of it, as one mount
    assert gateway["StateDirectory"] == "shadowwork/gateway"
    assert gateway["ReadWritePaths"] == "%S/shadowwork/uploads"
    assert "%S/shadowwork/keys" in gateway["InaccessiblePaths"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_users_and_folders(root):
    done = run("systemd-sysusers", f"--root={root}")
    assert done.returncode == 0, done.stderr
    users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":")[2] for line in (root / "etc/group").read_text().splitlines()}
    assert {name for name in users if name.startswith("shadow-")} == set(UNITS)
    assert users["shadow-broker"][3] == users["shadow-gateway"][3] == groups["shadowwork"]
    assert users["shadow-agent"][3] != groups["shadowwork"]
    assert all(users[unit][6].endswith("nologin") for unit in UNITS)
    done = run("systemd-tmpfiles", f"--root={root}", "--create", root / "usr/lib/tmpfiles.d/shadowwork.conf")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for name, user, mode in (("shadowwork", "shadow-broker", 0o750), ("shadowwork/uploads", "shadow-broker", 0o2770),
                             ("shadow-agent", "shadow-agent", 0o700)):
        made = (root / "var/lib" / name).stat()
        assert stat.S_IMODE(made.st_mode) == mode
        assert [str(made.st_uid), str(made.st_gid)] == users[user][2:4]
