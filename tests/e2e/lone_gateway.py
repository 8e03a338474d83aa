"""A real gateway before a fake broker (fake_broker.py), for tests of its door, routes, roles and faults."""

import os
import subprocess

import pytest
from fake_broker import FakeBroker, job_row
from program import Program
from system import ROOT, Rest, free_ports


class LoneGateway:
    def __init__(self, folder, build):
        self.state = folder / "state"
        (self.state / "gateway").mkdir(parents=True)
        self.port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.binary = build / "gateway" / "shadow-gateway"
        self.broker = FakeBroker(self.port + 1, self.state / "gateway" / "broker.key")
        self.program = self.make("gateway", folder / "gateway.log")

    def make(self, name, log, *flags):
        """Another gateway Program on the same state, not started."""
        return Program(name, [self.binary, "--state", self.state, "--port", self.port,
                              "--broker", f"127.0.0.1:{self.port + 1}", *flags], log)

    def start(self, broker=True):
        if broker:
            self.broker.start()
        self.program.start()
        return self

    def stop(self):
        try:
            assert self.program.stop() in (0, None), self.program.log()
            self.program.check()
        finally:
            self.broker.stop()

    @property
    def token(self):
        return (self.state / "gateway" / "admin.token").read_text().strip()

    def add_token(self, role, name=""):
        done = subprocess.run([self.binary, "--state", self.state, "--add-token", f"{role}:{name}"],
                              capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.strip()

    def rest(self, token=None):
        return Rest(self.url, self.token if token is None else token)


@pytest.fixture
def lone(folder):
    """A running LoneGateway; stopped at the test's end."""
    gateway = LoneGateway(folder, ROOT / os.environ.get("SHADOW_BUILD", "build-test")).start()
    yield gateway
    gateway.stop()


@pytest.fixture
def jobs(lone):
    """The broker's answers for submissions: job 7 with one chunk."""
    answers = lone.broker.answers
    answers["SUBMIT"] = lambda question, _: ("OK", {"job": 7, "chunks": 1})
    answers["GET_JOBS"] = lambda question, _: ("JOBS", {"rows": [job_row(question["job"] or 7)]})
    answers["GET_CHUNKS"] = lambda question, _: ("CHUNKS", {"rows": [
        {"chunk_id": f"{question['job']}-0", "job": question["job"], "status": "pending"}]})
    return lone


def submit(lone, body, **options):
    return lone.rest().post("/api/jobs", json=body, **options)
