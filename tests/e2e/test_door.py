"""The gateway alone: its start, its end, tokens and the door's first refusals."""

import socket
import stat
import subprocess
import threading

import pytest
from lone_gateway import lone  # noqa: F401
from system import until


def test_health_needs_no_token_and_the_rest_does(lone):
    anyone = lone.rest("")
    assert anyone.get("/healthz").json() == {"success": True}
    assert anyone.get("/api/openapi.yaml").status_code == 200
    for token in ("", "wrong", lone.token + "x", lone.token[:-1]):
        answer = lone.rest(token).get("/api/types")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert lone.rest().get("/api/version").json()["version"]


def test_types_are_the_kernels(lone):
    types = {kernel["type"]: kernel for kernel in lone.rest().get("/api/types").json()["types"]}
    level = types["compress"]["params"][0]
    assert (level["name"], level["type"], level["default"], level["min"], level["max"]) == ("level", "integer", 3, 1, 19)
    assert types["hash"]["output"] == "concat"


def test_answers_carry_safety_headers(lone):
    headers = lone.rest().get("/api/types").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_unknown_paths_and_methods(lone):
    rest = lone.rest()
    assert rest.get("/api/nothing").json()["error"]["code"] == "not_found"
    answer = rest.post("/api/types")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert rest.head("/api/types").status_code == 200


@pytest.mark.parametrize("address, words", [("203.0.113.9", "cannot listen"), ("example.org", "not an IP address")])
def test_refuses_to_listen_where_it_cannot(lone, folder, address, words):
    other = lone.make("other", folder / "other.log", "--listen", address)
    lone.program.stop()
    with pytest.raises(AssertionError, match=words):
        other.start()


def test_a_second_gateway_on_the_state_ends(lone, folder):
    with pytest.raises(AssertionError, match="another gateway runs"):
        lone.make("other", folder / "other.log").start()


def test_tokens_come_and_go_while_it_runs(lone):
    made = lone.add_token("viewer", "screen")
    assert lone.rest(made).get("/api/types").status_code == 200
    lines = (lone.state / "gateway" / "tokens").read_text()
    assert made not in lines and "screen" in lines
    token_id = next(line.split()[0] for line in lines.splitlines() if "screen" in line)
    subprocess.run([lone.binary, "--state", lone.state, "--revoke-token", token_id], check=True)
    until(lambda: lone.rest(made).get("/api/types").status_code == 401, "refusal", limit_s=1)


def test_admin_token_file_is_private(lone):
    mode = (lone.state / "gateway" / "admin.token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    lone.program.wait_log("admin token made file=")
    token = lone.token
    lone.program.restart()
    assert lone.token == token and token not in lone.program.log()


def test_stops_within_seconds_of_sigterm_with_connections_open(lone):
    rest = lone.rest()
    rest.get("/healthz")
    assert lone.program.stop(limit_s=6) == 0


def begin_body(lone, length=1 << 20):
    """A connection in the midst of a job's body."""
    connection = socket.create_connection(("127.0.0.1", lone.port))
    connection.sendall(f"POST /api/jobs?type=hash HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lone.token}\r\n"
                       f"Content-Length: {length}\r\n\r\n".encode() + bytes(300000))
    until(lambda: list((lone.state / "uploads").glob("*.info")), "the upload")
    return connection


def test_an_endless_body_does_not_hold_up_the_end(lone):
    with begin_body(lone):
        assert lone.program.stop(limit_s=7) == 0
    assert not list((lone.state / "uploads").iterdir())


def test_a_request_that_waits_for_the_broker_is_answered_at_the_end(lone):
    lone.broker.answers["GET_AGENTS"] = lambda question, _: None
    rest, answers = lone.rest(), []
    waiting = threading.Thread(target=lambda: answers.append(rest.get("/api/devices")))
    waiting.start()
    lone.broker.wait_asked("GET_AGENTS")
    assert lone.program.stop(limit_s=7) == 0
    waiting.join()
    assert answers[0].status_code == 503


def test_what_a_killed_gateway_was_taking_in_goes_at_the_next_start(lone):
    kept = lone.rest().post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    with begin_body(lone):
        lone.program.restart()
    left = {path.name.split(".")[0] for path in (lone.state / "uploads").iterdir()}
    assert left == {kept.headers["Location"].rsplit("/", 1)[1]}
