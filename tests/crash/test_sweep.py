"""kill -9 at the Nth call of a small job, in broker, gateway and agent: the job ends, its result is the reference,
nothing acknowledged is lost, nothing committed runs again. So also at random moments, several times a job."""

import os

import pytest
import random_kills
from sweep import Sweep

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 300)]  # preloads a library
LONG = bool(os.environ.get("SHADOW_LONG"))
BUDGET_S, MONGODB_S, RANDOM_S = 90, 25, 10
KILLS = {"write": ["kill-before", "tear"], "sync": ["kill-before", "kill-after"], "name": ["kill-after"],
         "send": ["kill-before", "kill-after"]}


def test_kill_at_every_call():
    print(Sweep("kills", KILLS, BUDGET_S).run())


def test_kill_at_every_call_on_mongodb(mongodb):
    """Of the broker: nobody else knows which store it is."""
    print(Sweep("kills-mongodb", KILLS, MONGODB_S, ["broker"], mongodb.uri).run())


def test_kill_at_random_moments():
    print(random_kills.run(1e9 if LONG else RANDOM_S))
