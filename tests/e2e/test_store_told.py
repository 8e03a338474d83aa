"""A MongoDB server that stands still: `doctor`, /api/status, the broker's log and every refusal name it, and it is told when it is back."""

import json
import os
import signal
import sys

import pytest
from system import ROOT, until

sys.path.append(str(ROOT / "tests" / "mongo"))
from server import Server  # noqa: E402

pytestmark = pytest.mark.plain  # timing


class Frozen:
    """A MongoDB server of the test's own, which can stand still."""

    def __init__(self, folder):
        self.server = Server(folder).start()
        if self.server.given:
            pytest.skip("freezes a server of its own")
        self.store = self.server.uri + "away"

    def begin(self):
        self.server.signal(signal.SIGSTOP)

    def end(self):
        self.server.signal(signal.SIGCONT)


@pytest.fixture
def away(folder):
    os.makedirs(folder / "server")
    away = Frozen(folder / "server")
    yield away
    away.server.stop()


@pytest.fixture
def store(away):
    return away.store


def test_a_store_that_is_away_is_named(start_system, away):
    system = start_system(agents=1)
    rest = system.rest()
    job = rest.post("/api/jobs?type=hash", data=b"one").json()["job"]["jobId"]
    system.ctl("wait", job)
    assert json.loads(system.ctl("--json", "doctor").stdout)["success"]
    away.begin()
    until(lambda: not rest.get("/api/status").json()["store"]["ok"], "the store is told", limit_s=15)
    told = json.loads(system.ctl("--json", "doctor", status=1).stdout)
    assert told["broken"] == "store"
    link = next(link for link in told["links"] if link["link"] == "store")
    assert "has not answered for" in link["detail"] and link["fix"]
    system.broker.wait_log(r"store does not answer")
    until(lambda: int(rest.get("/api/status").json()["store"]["message"].split(" for ")[1].split()[0]) >= 9,
          "nine seconds have gone", limit_s=20)
    for refused in (rest.post("/api/jobs?type=hash", data=b"two"), rest.get(f"/api/jobs/{job}")):
        assert refused.status_code == 503 and refused.headers["Retry-After"], refused.text
        assert refused.json()["error"]["code"] == "busy"
        assert "the store has not answered" in refused.json()["error"]["message"]
    away.end()
    system.broker.wait_log(r"store answers again")
    until(lambda: json.loads(system.ctl("--json", "doctor", status=None).stdout)["success"], "all is well", limit_s=15)
    assert rest.get(f"/api/jobs/{job}").status_code == 200
