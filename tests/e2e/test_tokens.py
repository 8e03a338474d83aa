"""/api/tokens and shadowctl login-link: who may come in, made and ended by an admin."""

import json
import os
import re
import subprocess
import time

import pytest
import requests
from live_client import Live
from lone_gateway import lone  # noqa: F401 (a fixture)
from system import until
from test_login import Browser
from test_tls import secure


def make(lone, role, **more):
    answer = lone.rest().post("/api/tokens", json={"role": role, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["token"], answer.json()["secret"]


def file_of(lone):
    return (lone.state / "gateway" / "tokens").read_text()


def test_a_token_from_its_making_to_its_end(lone):
    rest = lone.rest()
    token, secret = make(lone, "viewer", name="hall screen")
    assert token["role"] == "viewer" and token["name"] == "hall screen" and token["expiresAt"] is None
    listed = rest.get("/api/tokens")
    assert token in listed.json()["tokens"] and len(listed.json()["tokens"]) == 2
    assert secret not in listed.text and secret not in file_of(lone)
    assert lone.rest(secret).get("/api/types").status_code == 200
    renamed = rest.patch(f"/api/tokens/{token['tokenId']}", json={"name": "lobby"})
    assert renamed.json()["token"] == {**token, "name": "lobby"}
    assert renamed.json()["token"] in rest.get("/api/tokens").json()["tokens"]
    browser = Browser(lone, token=secret)
    sockets = [browser.socket(), Live(lone.url, secret)]
    assert rest.delete(f"/api/tokens/{token['tokenId']}").status_code == 200
    assert lone.rest(secret).get("/api/types").status_code == 401 and browser.get("/api/types").status_code == 401
    begun = time.monotonic()
    assert [ws.closed()[0] for ws in sockets] == [1008, 1008]
    assert time.monotonic() - begun < 1.2
    assert rest.delete(f"/api/tokens/{token['tokenId']}").status_code == 404
    assert secret not in lone.program.log()


def test_a_token_expires_with_its_logins_and_sockets(lone):
    token, secret = make(lone, "submitter", expiresIn=2)
    assert token["expiresAt"] > token["createdAt"]
    assert re.search(rf"^{token['tokenId']} submitter \w+ \d+ \t\d+$", file_of(lone), re.MULTILINE)
    browser, ws = Browser(lone, token=secret), Live(lone.url, secret)
    assert browser.answer.json()["login"]["expiresAt"] == token["expiresAt"]
    assert ws.closed(limit_s=5)[0] == 1008
    until(lambda: lone.rest(secret).get("/api/types").status_code == 401, "the refusal", limit_s=2)
    until(lambda: browser.get("/api/types").status_code == 401, "the refusal", limit_s=2)
    assert Browser(lone, token=secret).answer.status_code == 401
    assert token in lone.rest().get("/api/tokens").json()["tokens"]


def test_lines_of_before_still_read(lone):
    """Without the TAB and the time; the name may be empty or have spaces."""
    secret = lone.add_token("viewer", "old one")
    lone.add_token("viewer")
    lone.program.restart()
    names = [token["name"] for token in lone.rest().get("/api/tokens").json()["tokens"]]
    assert names == ["admin", "old one", ""] and "\t" not in file_of(lone)
    assert lone.rest(secret).get("/api/types").status_code == 200


@pytest.mark.parametrize("body", [
    {}, {"role": "none"}, {"role": "root"}, {"role": 4}, {"role": "viewer", "name": "a\nb"}, {"role": "viewer", "name": "a\tb"},
    {"role": "viewer", "name": "x" * 65}, {"role": "viewer", "name": "a\u0000b"}, {"role": "viewer", "name": 7},
    {"role": "viewer", "expiresIn": 0}, {"role": "viewer", "expiresIn": -5}, {"role": "viewer", "expiresIn": 1.5},
    {"role": "viewer", "expiresIn": "5"}, {"role": "viewer", "expiresIn": 10 ** 12}, {"role": "viewer", "id": "t-1"}])
def test_what_is_no_token_is_not_made(lone, body):
    before = file_of(lone)
    assert lone.rest().post("/api/tokens", json=body).status_code == 400
    assert file_of(lone) == before


def test_nobody_locks_himself_out(lone):
    rest = lone.rest()
    own = rest.get("/api/login").json()["login"]["tokenId"]
    assert rest.delete(f"/api/tokens/{own}").status_code == 409
    browser = Browser(lone, token=lone.token)
    assert browser.write("DELETE", f"/api/tokens/{own}").status_code == 409
    for wrong in ("t-000000000000", own + "x" * 20, "x" * 200):
        assert rest.delete(f"/api/tokens/{wrong}").status_code == 404
        assert rest.patch(f"/api/tokens/{wrong}", json={"name": "a"}).status_code == 404


def test_by_tls_the_cookie_is_for_tls_only(lone):
    answer = secure(lone).post("/api/login", json={"token": lone.token})
    assert answer.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Strict; Secure")


# ---- shadowctl login-link ----

def ctl(lone, *words, token=None, status=0):
    path = lone.state / "t"
    path.write_text(token or lone.token)
    path.chmod(0o600)
    done = subprocess.run([lone.binary.parent / "ctl" / "shadowctl", *words], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "SHADOW_GATEWAY": lone.url, "SHADOW_TOKEN_FILE": str(path)})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_link_logs_a_browser_in_once(lone):
    link = ctl(lone, "login-link").strip()
    base, mark, code = link.partition("/#login=")
    assert base == lone.url and mark and re.fullmatch(r"[\w-]{43}", code)
    browser = Browser(lone, code=code)
    assert browser.answer.json()["login"]["role"] == "admin"
    assert Browser(lone, code=code).answer.status_code == 401
    told = json.loads(ctl(lone, "--json", "login-link"))
    assert told["link"] == f"{lone.url}/#login={told['code']}" and told["expiresAt"]
    ctl(lone, "login-link", token=lone.add_token("submitter"), status=4)
    assert requests.get(link, timeout=20).request.path_url == "/"  # what is sent to the gateway
    assert code not in lone.program.log()
