"""A call that fails: ENOSPC, EIO, a short write or a failed sync at the Nth call of broker and gateway. The program goes
on, or ends by itself with words; started again it ends the job; nothing acknowledged is lost."""

import os

import pytest
from sweep import Sweep
from world import World

pytestmark = [pytest.mark.plain, pytest.mark.timeout(0 if os.environ.get("SHADOW_LONG") else 300)]
BUDGET_S, MONGODB_S = 60, 10
FAULTS = {"write": ["ENOSPC", "EIO", "short"], "sync": ["EIO", "ENOSPC"], "name": ["ENOSPC", "EIO"]}


@pytest.mark.parametrize("what", ["kill-before", "EIO"])
def test_an_upload_whose_bytes_are_all_there_can_be_used(what):
    """The last calls of its writer: an offset is told, and the upload is not complete."""
    with World("end") as world:
        last = world.count("gateway")["write"]
        for n in range(last - 2, last + 1):
            assert world.round("gateway", "write", n, what)[0]


def test_a_fault_at_every_call():
    print(Sweep("faults", FAULTS, BUDGET_S).run())


def test_a_fault_at_every_call_on_mongodb(mongodb):
    """Of the broker's own files: inputs, plans, results."""
    print(Sweep("faults-mongodb", FAULTS, MONGODB_S, ["broker"], mongodb.uri).run())
