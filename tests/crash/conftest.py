"""Fixtures of the crash tests."""

import pytest
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


@pytest.fixture
def world(start_world):
    return start_world("world")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    item.failed = getattr(item, "failed", False) or outcome.get_result().failed
