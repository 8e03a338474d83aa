"""Memory that is refused: at the Nth call for it, or from the Nth on, in the broker at work. It goes on, or ends by
itself (an abort counts as a crash); started again it ends the job; nothing acknowledged is lost."""

import os

import pytest
from sweep import Sweep
from world import REFUSALS

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 300)]
BUDGET_S = 30


def test_memory_refused_at_every_call():
    print(Sweep("memory", {"memory": REFUSALS}, BUDGET_S, roles=["broker"]).run())
