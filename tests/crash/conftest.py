"""Fixtures of the crash tests."""

import pytest
from server import Server
from world import World


@pytest.fixture
def start_world(request):
    """A function: start_world(seed, ...) starts a World (world.py). Its folder is kept when the test failed."""
    worlds = []

    def make(*arguments, **options):
        worlds.append(World(*arguments, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close(failed=getattr(request.node, "failed", False))


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory):
    """A MongoDB server for the whole run (tests/mongo/server.py), not to be harmed."""
    server = Server(tmp_path_factory.mktemp("mongodb")).start()
    print(f"store: {server.words}")
    yield server
    server.stop()


@pytest.fixture
def world(start_world):
    return start_world("world")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    item.failed = getattr(item, "failed", False) or outcome.get_result().failed
