"""Fixtures of the wire's tests: a broker alone, agents and a gateway played by hand."""

import pytest
import wire


@pytest.fixture
def broker(start_system):
    """A system with only the broker running, and the keys of two agents and a gateway."""
    system = start_system(start=False)
    system.keys = {}
    for role, name in [("agent", "a"), ("agent", "b"), ("gateway", "g")]:
        system.keys[name] = system.add_peer(role, name, system.folder / f"{name}.key")
    system.broker.start()
    return system


@pytest.fixture
def gateway(broker):
    peer = wire.Peer(broker.keys["g"], broker.broker_port)
    yield peer
    peer.close()


@pytest.fixture
def agent(broker):
    peers = []

    def make(name="a", **options):
        peers.append(wire.Agent(broker.keys[name], broker.broker_port, **options))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def submit(gateway, *contents, **values):
    files, payload = wire.inputs(*contents)
    return gateway.ask("SUBMIT", payload, type="hash", inputs=files, **values)["job"]


def job_of(gateway, job):
    return gateway.ask("GET_JOBS", job=job)["rows"][0]
