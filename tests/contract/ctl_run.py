"""Runs shadowctl against the gateway of fake_gateway.py, in a folder of its own; fixtures to be imported."""

import os
import subprocess
from pathlib import Path

import pytest
from fake_gateway import TOKEN, FakeGateway

ROOT = Path(__file__).resolve().parents[2]
CTL = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "gateway/ctl/shadowctl"


@pytest.fixture
def gateway():
    with FakeGateway() as running:
        yield running


@pytest.fixture
def ctl(gateway, tmp_path):
    """ctl(*words, status=0) runs shadowctl in tmp_path/work; bytes out. ctl.start(...) gives the Popen."""
    config = tmp_path / "config" / "shadowwork"
    config.mkdir(parents=True)
    token = config / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    (config / "shadowctl.conf").write_text(f"# ours\ngateway = {gateway.url}/\ntoken-file = token\n")
    folder = tmp_path / "work"
    folder.mkdir()
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "http_proxy": "http://127.0.0.1:9"}
    env.pop("SHADOW_GATEWAY", None)

    def start(*words, **options):
        return subprocess.Popen([CTL, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**env, **options.pop("env", {})}, **options)

    def run(*words, status=0, **options):
        process = start(*words, **options)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, (words, process.returncode, out, err)
        return subprocess.CompletedProcess(words, status, out, err)

    run.start, run.folder, run.config, run.env = start, folder, config, env
    run.command = lambda *words: [CTL, *words]
    return run


def write(folder, name, data, mode=0o644, mtime_ns=1_600_000_000_123_456_789):
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def read(folder, name):
    with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "rb") as file:
        return file.read()


def unzstd(data):
    return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
