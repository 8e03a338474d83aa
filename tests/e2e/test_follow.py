"""Agents and gateways that are given several brokers: they find the one that works, and follow when it goes."""

import re
import socket
import time

import pytest
from fake_broker import FakeBroker, job_row
from hand_agent import hash_line
from hand_broker import HandBroker, stream
from lone_gateway import LoneGateway, submit
from program import Program
from system import free_ports

HASH = {"type": "hash", "inputData": "abc"}


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
    agent.ended()
    assert re.search(r"HOST:PORT.*not `nonsense`", agent.log())


@pytest.fixture
def lone_of_two(folder, build):
    """A gateway with two brokers as they are told (fake_broker.py), of one identity; only the first runs."""
    gateway = LoneGateway(folder, build)
    second = FakeBroker(free_ports(1), folder / "other" / "broker.key")
    second._keys = gateway.broker._keys
    gateway.program.command[-1] = f"127.0.0.1:{gateway.port + 1},127.0.0.1:{second.port}"
    for broker in (gateway.broker, second):
        broker.answers["SUBMIT"] = lambda question, _: ("OK", {"job": 7, "chunks": 1})
        broker.answers["GET_JOBS"] = lambda question, _: ("JOBS", {"rows": [job_row(7)]})
        broker.answers["GET_CHUNKS"] = lambda question, _: ("CHUNKS", {"rows": []})
    gateway.start()
    yield gateway, second
    gateway.stop()
    second.stop()


def endpoint(gateway):
    broker = gateway.rest().get("/api/status").json()["broker"]
    return broker["ok"] and broker["endpoint"]


def test_a_gateway_follows_to_the_next_broker_and_back(lone_of_two):
    gateway, second = lone_of_two
    assert endpoint(gateway) == f"127.0.0.1:{gateway.broker.port}"
    gateway.broker.stop()
    begin = time.monotonic()
    second.start()
    assert submit(gateway, HASH).status_code == 201
    assert time.monotonic() - begin < 3 and endpoint(gateway) == f"127.0.0.1:{second.port}"
    second.stop()
    gateway.broker.start()
    assert submit(gateway, HASH).status_code == 201
    assert endpoint(gateway) == f"127.0.0.1:{gateway.broker.port}"


def test_a_gateway_asks_the_next_broker_what_a_silent_one_was_asked(lone_of_two):
    gateway, second = lone_of_two
    second.start()
    for question in gateway.broker.answers:
        gateway.broker.answers[question] = lambda *_: None
    begin = time.monotonic()
    assert submit(gateway, HASH).status_code == 201
    assert 3 < time.monotonic() - begin < 9
    keys = {question["key"] for broker in (gateway.broker, second) for question, _ in broker.wait_asked("SUBMIT", 1)}
    assert len(keys) == 1
