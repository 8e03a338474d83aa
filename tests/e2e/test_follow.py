"""Agents and gateways that are given several brokers: they find the one that works, and follow when it goes."""

import re
import socket
import time

import pytest
from hand_agent import hash_line
from hand_broker import HandBroker, stream
from program import Program
from system import free_ports


@pytest.fixture
def two(folder):
    """Two brokers by hand with one identity; the second has no port open."""
    first, second = HandBroker(folder / "agent.key"), HandBroker(folder / "other.key")
    second.close()
    second._keys = first._keys
    yield first, second
    for broker in (first, second):
        broker.close()


@pytest.fixture
def start_agent(build, folder):
    started = []

    def start(*ports):
        brokers = ", ".join(f"127.0.0.1:{port}" for port in ports)
        program = Program("agent", [build / "agent" / "shadow-agent", "--broker", brokers,
                                    "--key", folder / "agent.key", "--name", "by-hand", "--slots", 1],
                          folder / "agent.log")
        started.append(program.start(wait=False))
        return program

    yield start
    for program in started:
        program.kill()
        program.check()


def test_an_agent_passes_over_brokers_without_a_port(two, start_agent):
    begin = time.monotonic()
    start_agent(*(free_ports(2) for _ in range(7)), two[0].port)
    two[0].welcome(limit_s=5)
    assert time.monotonic() - begin < 3  # seven refusals with at most 50 ms between them, and a slow machine


def test_an_agent_passes_over_a_broker_that_is_silent(two, start_agent):
    """Its kernel takes the connection, nobody speaks: a broker that is frozen, or a host without one."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        start_agent(silent.getsockname()[1], two[0].port)
        two[0].welcome(limit_s=6)
        assert 1.5 < time.monotonic() - begin < 5


def test_an_agent_takes_its_work_to_the_next_broker(two, start_agent):
    first, second = two
    start_agent(first.port, second.port)
    first.welcome()
    [grant] = first.assign(stream((b"a", b"one")))
    first.results(1)
    second.listen()
    begin = time.monotonic()
    first.close()
    hello = second.welcome(limit_s=5)
    assert time.monotonic() - begin < 2
    assert [held["n"] for held in hello["held"]] == [grant["n"]]
    [(_, output)] = second.results(1).values()
    assert output == hash_line(b"a", b"one")
    second.take(grant)


def test_an_agent_keeps_a_broker_that_only_ends_the_session(two, start_agent):
    first, second = two
    second.listen()
    start_agent(first.port, second.port)
    first.welcome()
    first.refuse("again")
    first.welcome()


def test_an_agent_leaves_a_broker_that_does_not_welcome(two, start_agent):
    first, second = two
    second.listen()
    start_agent(first.port, second.port)
    first.expect("HELLO")
    second.welcome(limit_s=6)


def test_a_list_that_cannot_be_read_is_refused(build, folder, two):
    agent = Program("agent", [build / "agent" / "shadow-agent", "--broker", "127.0.0.1:7420,nonsense", "--key",
                              folder / "agent.key"], folder / "agent.log")
    agent.start(wait=False)
    assert agent.process.wait(10) == 2
    agent._ended()
    assert re.search(r"HOST:PORT.*not `nonsense`", agent.log())
