"""kill -9 at the Nth call of a small job, in broker, gateway and agent: the job ends, its result is the reference,
nothing acknowledged is lost, nothing committed runs again."""

import os

import pytest
from sweep import Sweep

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 300)]  # preloads a library
BUDGET_S = 120
KILLS = {"write": ["kill-before", "tear"], "sync": ["kill-before", "kill-after"], "name": ["kill-after"],
         "send": ["kill-before", "kill-after"]}


def test_kill_at_every_call():
    print(Sweep("kills", KILLS, BUDGET_S).run())
