"""Fixtures: a broker by hand (hand_broker.py) and the agent program on it."""

import hashlib
import signal

import pytest
from hand_broker import HandBroker, stream
from program import Program


@pytest.fixture
def hand(folder):
    broker = HandBroker(folder / "agent.key")
    yield broker
    broker.close()


@pytest.fixture
def agent(build, folder, hand):
    """The program, started and not yet welcomed."""
    program = Program("agent", [build / "agent" / "shadow-agent", "--broker", f"127.0.0.1:{hand.port}",
                                "--key", folder / "agent.key", "--name", "by-hand", "--slots", 1],
                      folder / "agent.log")
    program.start(wait=False)
    yield program
    for number in (signal.SIGINT, signal.SIGTERM):  # two: it does not wait for results to be taken
        if program.is_running():
            program.signal(number)
    program.process.wait(15)
    program.check()


def hash_line(name, data):
    return hashlib.sha256(data).hexdigest().encode() + b"  " + name + b"\n"


def waiting_chunk(hand, job=9):
    """A chunk that runs until the tail it asks for is given: (grant, the FETCH that waits)."""
    text = stream((b"w", b"first\nsecond"), tail=b" line\nthird\n")
    [grant] = hand.assign(text[:-len(b" line\nthird\n")], job=job, type="filter", params={"pattern": "second"})
    hand.streams[(grant["chunk"], grant["n"])] = text
    return grant, hand.expect_data("FETCH")
