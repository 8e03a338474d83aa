"""Memory that is refused: at the Nth call for it, or from the Nth on, in the broker at work. It goes on, or ends by
itself (an abort counts as a crash); started again it ends the job; nothing acknowledged is lost."""

import os

import pytest
from sweep import Sweep
from world import ASSERTS, REFUSALS, ROLES, World, is_decent

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 300)]
BUDGET_S = 30

FIRST = 120  # calls for memory: libzmq, keys, peers, the store


def test_a_start_without_memory_ends_with_words():
    with World("start") as world:
        broker = world.system.broker
        broker.kill()
        for n in range(1, FIRST + 1):
            since = len(broker.log())
            broker.env.update(world.shim.env("memory", n, "out"))
            broker.start(wait=False)
            status, words = broker.process.wait(30) and broker.ended(), broker.log()[since:]
            assert world.shim.fired() and is_decent("out", status, words), (n, status, words)
        broker.reports = ASSERTS
        del broker.env["LD_PRELOAD"]
        broker.start()
        print(world.work())


def test_memory_refused_at_every_call():
    roles = ROLES if os.environ.get("SHADOW_LONG") else ["broker"]
    print(Sweep("memory", {"memory": REFUSALS}, BUDGET_S, roles=roles).run())
