"""Fixtures of the end-to-end tests: real processes of the build named by SHADOW_BUILD (default build-test),
on free loopback ports, in a temporary folder, always stopped by pid."""

import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
from samples import write_fifty, write_large
from system import ROOT, System

sys.path.append(str(ROOT / "tests" / "mongo"))
from server import Server  # noqa: E402

BUILD = os.environ.get("SHADOW_BUILD", "build-test")
PROGRAMS = ["broker/shadow-broker", "gateway/shadow-gateway", "agent/shadow-agent", "gateway/ctl/shadowctl"]


@pytest.fixture(scope="session")
def build():
    """The folder of the build under test, as a Path; fails if a program is missing."""
    missing = [name for name in PROGRAMS if not (ROOT / BUILD / name).exists()]
    assert not missing, f"not in {BUILD}: {' '.join(missing)}; run ninja -C {BUILD}"
    return ROOT / BUILD


@pytest.fixture(scope="session")
def is_sanitized():
    """True when the programs under test are the sanitizer build (slower, larger; no address-space limits)."""
    return BUILD == "build-asan"


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory):
    """A MongoDB server for the whole run (tests/mongo/server.py)."""
    server = Server(tmp_path_factory.mktemp("mongodb")).start()
    print(f"store: {server.words}")
    yield server
    server.stop()


@pytest.fixture
def store(request):
    """The store of the systems under test, as the broker's option: SQLite, or with SHADOW_E2E_STORE=mongodb a
    database of its own for each test."""
    if os.environ.get("SHADOW_E2E_STORE", "sqlite") == "sqlite":
        return "sqlite"
    if request.node.get_closest_marker("sqlite"):
        pytest.skip("looks into the SQLite store itself")
    return f"{request.getfixturevalue('mongodb').uri}e2e_{uuid.uuid4().hex[:12]}"


def pytest_collection_modifyitems(config, items):
    """A run on another store leaves out what starts no system."""
    if os.environ.get("SHADOW_E2E_STORE", "sqlite") != "sqlite":
        without = [item for item in items if "store" not in item.fixturenames]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if "store" in item.fixturenames]


@pytest.fixture
def folder(request):
    """A temporary folder with a short path, kept when the test failed."""
    path = Path(tempfile.mkdtemp(prefix="sw-e2e-"))
    yield path
    if getattr(request.node, "failed", False):
        print(f"kept for a look: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    item.failed = getattr(item, "failed", False) or outcome.get_result().failed


@pytest.fixture
def start_system(build, folder, store):
    """A function: start_system(agents=2, slots=1) starts a System (system.py) and returns it; agents=0 starts
    broker and gateway alone. `start=False` gives it unstarted. One a test; stopped at the test's end, which
    fails the test if a program does not end on SIGTERM or wrote a sanitizer report."""
    started = []

    def make(agents=2, slots=1, start=True):
        assert not started, "one system a test"
        system = System(folder, build, store)
        started.append(system)
        return system.start(agents, slots) if start else system

    yield make
    for system in started:
        system.stop()


@pytest.fixture
def system(start_system):
    """A running System with two agents of one slot: .broker .gateway .agents[name] are Programs (program.py:
    kill, stop, restart, freeze, thaw, wait_log, log, pid), .add_agent(name), .state, .url, .token."""
    return start_system()


@pytest.fixture
def rest(system):
    """A requests session of `system` with the admin's token; takes paths: rest.get("/api/jobs")."""
    return system.rest()


@pytest.fixture
def ctl(system):
    """Runs shadowctl against `system`: ctl("hash", path) gives a CompletedProcess with text output; fails the
    test unless it exits 0 (status=N: N; status=None: any). input=, cwd=, limit_s= as for subprocess.run."""
    return system.ctl


@pytest.fixture
def fifty(folder):
    """(folder, names) of fifty real files of every kind (samples.py)."""
    return folder / "work", write_fifty(folder / "work")


@pytest.fixture
def large(fifty):
    """`fifty` and one file of 300 MB."""
    work, names = fifty
    write_large(work / "large")
    return work, [*names, b"large"]
