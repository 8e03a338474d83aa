"""Every route with every role: who may not gets 401 or 403 and changes nothing, who may gets past the door."""

import os
import subprocess

import pytest
from lone_gateway import LoneGateway
from system import ROOT

ORDER = {"none": 0, "device": 0, "viewer": 1, "submitter": 2, "admin": 3}
NEEDS = {"open": 0, "viewer": 1, "submitter": 2, "admin": 3}
BUILD = ROOT / os.environ.get("SHADOW_BUILD", "build-test")


def routes():
    program = BUILD / "gateway" / "shadow-gateway"
    printed = subprocess.run([program, "--print-routes"], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()) for line in printed.splitlines()]


def logged_in(gateway, token):
    """A session as a page has it: a cookie and the header for changes."""
    rest = gateway.rest("")
    rest.headers["X-ShadowWork"] = "1"
    if token:
        assert rest.post("/api/login", json={"token": token}).ok
    return rest


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = LoneGateway(tmp_path_factory.mktemp("roles"), BUILD).start()
    gateway.tokens = {role: gateway.add_token(role) for role in ("device", "viewer", "submitter", "admin")}
    gateway.tokens["none"] = ""
    gateway.logins = {role: logged_in(gateway, token) for role, token in gateway.tokens.items()}
    yield gateway
    gateway.stop()


def test_the_table_is_what_the_tests_think_it_is():
    table = routes()
    assert len(table) > 25 and {need for _, _, need in table} == set(NEEDS)
    assert {path for _, path, need in table if need == "open"} == {
        "/", "/assets/:id", "/healthz", "/api/openapi.yaml", "/api/ca.crt", "/api/login", "/api/logout"}


@pytest.mark.parametrize("shown", ["bearer", "cookie"])
@pytest.mark.parametrize("role", ORDER)
@pytest.mark.parametrize("method, path, need", [route for route in routes() if route[1] != "/api/logout"])
def test_route_and_role(gateway, method, path, need, role, shown):
    asked = len([name for name, _, _ in gateway.broker.asked if name != "GET_STATS"])
    body = {"json": {"type": "hash", "inputData": "x", "uploads": ["0" * 32]}} if method in ("POST", "PATCH") else {}
    rest = gateway.rest(gateway.tokens[role]) if shown == "bearer" else gateway.logins[role]
    answer = rest.request(method, path.replace(":id", "7"), **body)
    may = need == "open" or (role != "none" and ORDER[role] >= NEEDS[need] and ORDER[role] > 0)
    if may:
        assert answer.status_code not in (401, 403), answer.text
    else:
        assert answer.status_code == (401 if role == "none" else 403), answer.text
        assert len([name for name, _, _ in gateway.broker.asked if name != "GET_STATS"]) == asked
        if role == "none":
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/assets", "/api", "/api/tokens/x/y", "/api/jobs/7/inputs/x", "/metrics/x", "/favicon.ico"])
def test_what_is_not_in_the_table_is_not_there(gateway, path):
    assert gateway.rest().get(path).status_code == 404


def test_a_viewer_sees_no_result(gateway):
    """Neither by its route nor in a job: `data` is left out."""
    assert gateway.rest(gateway.tokens["viewer"]).get("/api/jobs/7/result").status_code == 403


def test_tokens_are_taken_from_the_header_alone(gateway):
    admin = gateway.tokens["admin"]
    for attempt in ({"params": {"token": admin}}, {"params": {"access_token": admin}}, {"cookies": {"token": admin}},
                    {"headers": {"Authorization": f"Basic {admin}"}}, {"headers": {"Authorization": admin}},
                    {"headers": {"Authorization": "Bearer"}}, {"headers": {"Authorization": "Bearer "}},
                    {"headers": {"X-Token": admin}}):
        assert gateway.rest("").get("/api/types", **attempt).status_code == 401, attempt
    assert gateway.rest("").get("/api/types", headers={"Authorization": f"bearer {admin}"}).status_code == 200
