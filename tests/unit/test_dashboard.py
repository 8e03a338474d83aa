"""The dashboard's own checks: types, Biome, vitest; file lengths as its conventions want them."""

import subprocess
import sys

import pytest
from tree import BUILD, ROOT

sys.path.append(str(ROOT / "tests" / "harness"))
import node  # noqa: E402

HERE = ROOT / "gateway" / "dashboard"
LINES_MAX = 150


def test_it_passes_its_checks():
    env = node.environment()
    if not env or not (BUILD / "gateway" / "dashboard" / "page" / "index.html").exists():
        pytest.skip("this build has no page: it was configured without Node.js 20.19 and npm")
    for command in (["check"], ["test"]):
        done = subprocess.run(["npm", "run", "--silent", *command], cwd=HERE, env=env, capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_files_are_short_and_name_no_registry():
    files = [path for path in (HERE / "src").rglob("*") if path.suffix in (".ts", ".tsx")]
    assert files and [path.name for path in files if len(path.read_text().splitlines()) > LINES_MAX] == []
    assert [path.name for path in files if path.stem != path.stem.lower()] == []
    for lock in ROOT.glob("*/*/**/package-lock.json"):
        if "node_modules" not in lock.parts and not lock.parts[len(ROOT.parts)].startswith("build"):
            assert '"resolved"' not in lock.read_text(), lock
