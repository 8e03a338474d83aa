"""Logging in as a browser does: sessions, cookies, what a page of another origin may not, and how a login ends."""

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import websockets
from live_client import Live
from lone_gateway import LoneGateway, lone  # noqa: F401 (a fixture)
from system import until
from test_roles import NEEDS, routes

GUARD = {"X-ShadowWork": "1"}
WRITES = [(method, path) for method, path, _ in routes() if method not in ("GET", "HEAD", "OPTIONS")]


class Browser:
    """A cookie jar and an origin before a gateway."""

    def __init__(self, lone, **body):
        self.lone = lone
        self.session = requests.Session()
        self.session.headers.update({"Origin": lone.url, "Sec-Fetch-Site": "same-origin"})
        self.answer = self.write("POST", "/api/login", json=body) if body else None

    def write(self, method, path, headers=GUARD, **options):
        return self.session.request(method, self.lone.url + path, headers=headers, timeout=20, **options)

    def get(self, path, **options):
        return self.session.get(self.lone.url + path, timeout=20, **options)

    @property
    def cookie(self):
        name = f"shadowwork-{self.lone.port}"
        return f"{name}={self.session.cookies[name]}"

    def socket(self, origin=None, **headers):
        origin = {"Origin": origin or self.lone.url} if origin != "" else {}
        return Live(self.lone.url, Cookie=self.cookie, **origin, **headers)


def refused(browser, origin=None, **headers):
    with pytest.raises(websockets.InvalidStatusCode) as wrong:
        browser.socket(origin, **headers).close()
    return wrong.value.status_code


def token_id(lone, name):
    lines = (lone.state / "gateway" / "tokens").read_text().splitlines()
    return next(line.split()[0] for line in lines if name in line.split())


def revoke(lone, name):
    subprocess.run([lone.binary, "--state", lone.state, "--revoke-token", token_id(lone, name)], check=True, timeout=20)


def expire(lone, kind):
    """As if the time had come: the file says so, and the gateway sees that it changed."""
    path = lone.state / "gateway" / "logins"
    lines = [line.split() for line in path.read_text().splitlines()]
    fresh = path.with_name("logins.new")
    fresh.write_text("".join(" ".join([*line[:4], "1" if line[0] == kind else line[4]]) + "\n" for line in lines))
    os.replace(fresh, path)


def test_a_login_from_its_begin_to_its_end(lone):
    browser = Browser(lone)
    assert browser.get("/api/login").json() == {"success": True, "login": None}
    assert browser.get("/api/types").status_code == 401
    answer = browser.write("POST", "/api/login", json={"token": lone.token})
    assert answer.status_code == 200, answer.text
    said = answer.headers["Set-Cookie"].split("; ")
    assert said[1:] == ["Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Strict"]
    login = answer.json()["login"]
    assert login == browser.get("/api/login").json()["login"]
    assert (login["role"], login["name"], login["by"]) == ("admin", "admin", "cookie")
    assert login["expiresAt"] > time.strftime("%Y-%m-%dT", time.gmtime(time.time() + 6 * 86400))
    assert browser.get("/api/types").status_code == 200
    kept = browser.cookie
    secret = kept.split("=")[1]
    path = lone.state / "gateway" / "logins"
    assert secret not in path.read_text() and path.stat().st_mode & 0o777 == 0o600
    lone.program.restart()
    assert browser.get("/api/types").status_code == 200
    assert browser.write("POST", "/api/logout").status_code == 200
    assert not browser.session.cookies
    assert requests.get(lone.url + "/api/types", headers={"Cookie": kept}, timeout=20).status_code == 401
    assert secret not in path.read_text() and "session" not in path.read_text()
    assert secret not in lone.program.log() and lone.token not in lone.program.log()


def test_a_bearer_is_told_who_it_is(lone):
    viewer = lone.add_token("viewer", "screen")
    login = lone.rest(viewer).get("/api/login").json()["login"]
    assert login["expiresAt"] is None and (login["role"], login["name"], login["by"]) == ("viewer", "screen", "token")
    assert lone.rest("sw_nonsense").get("/api/login").json()["login"] is None


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "a", "code": "b"}, {"token": "a", "x": 1}, {"password": "x"}])
def test_a_login_of_another_form_is_refused(lone, body):
    assert Browser(lone).write("POST", "/api/login", json=body).status_code == 400


def test_what_is_shown_counts_once_and_with_the_right_name(lone):
    browser = Browser(lone, token=lone.token)
    name, secret = browser.cookie.split("=")

    def asks(cookie):
        return requests.get(lone.url + "/api/types", headers={"Cookie": cookie}, timeout=20).status_code
    assert asks(f"a=b; {name}={secret}; c=d") == 200
    for wrong in (f"{name}={secret}; {name}={secret}", f"{name}={secret}x", f"{name}={secret[:-1]}", f"{name}=", name,
                  f"x{name}={secret}", f"{name}={lone.token}", f"{name[:-1]}={secret}", f"{name}=\"{secret}\""):
        assert asks(wrong) == 401, wrong
    both = {"Cookie": browser.cookie, "Authorization": "Bearer sw_nonsense"}
    assert requests.get(lone.url + "/api/types", headers=both, timeout=20).status_code == 401
    assert lone.rest(secret).get("/api/types").status_code == 401  # a session is no token
    assert Browser(lone, code=secret).answer.status_code == 401


# ---- T3: forged requests ----

FORGED = {
    "without the header": {"X-ShadowWork": None}, "with another value": {"X-ShadowWork": "yes"},
    "from a page elsewhere": {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    "from a sandboxed page": {"Origin": "null"}, "from another port": {"Sec-Fetch-Site": "same-site"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory, build):
    lone = LoneGateway(tmp_path_factory.mktemp("login"), build).start()
    lone.browser = Browser(lone, token=lone.token)
    yield lone
    lone.stop()


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("method, path", WRITES)
def test_no_forged_request_changes_anything(world, method, path, forged):
    asked, logins = len(world.broker.asked), (world.state / "gateway" / "logins").read_text()
    answer = world.browser.write(method, path.replace(":id", "7"), headers={**GUARD, **FORGED[forged]},
                                 json={"type": "hash", "inputData": "x"})
    assert answer.status_code == 403, answer.text
    assert "Set-Cookie" not in answer.headers
    assert [name for name, _, _ in world.broker.asked[asked:] if name != "GET_STATS"] == []
    assert (world.state / "gateway" / "logins").read_text() == logins


@pytest.mark.parametrize("method, path", [(method, path) for method, path, _ in routes() if method == "GET"])
def test_no_foreign_page_reads_anything(world, method, path):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}):
        assert world.browser.get(path.replace(":id", "7"), headers=headers).status_code == 403
    rebound = world.browser.get(path.replace(":id", "7"), headers={"Host": "evil.example", "Origin": "http://evil.example"})
    assert rebound.status_code == 421


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_page_logs_nobody_in(world, media_type):
    body = json.dumps({"token": world.token})
    answer = requests.post(world.url + "/api/login", data=body, headers={"Content-Type": media_type}, timeout=20)
    assert answer.status_code == 415 and "Set-Cookie" not in answer.headers


# ---- T4: a WebSocket by cookie ----

def origins(lone):
    port = lone.port
    return ["null", "http://evil.example", f"http://evil.example:{port}", f"http://127.0.0.1.evil.example:{port}",
            f"http://evil127.0.0.1:{port}", "http://127.0.0.1", f"http://127.0.0.1:{port + 1}", f"http://127.0.0.1:{port}0",
            f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}.evil.example", f"http://x@127.0.0.1:{port}",
            f"http://localhost:{port}", f"http://[::1]:{port}", f"127.0.0.1:{port}", f"//127.0.0.1:{port}", "file://",
            f"http://127.0.0.1:{port} http://evil.example", f"http://127.0.0.1:{port}, http://evil.example",
            f"http://127.1:{port}", f"http://2130706433:{port}"]


def test_a_socket_by_cookie_needs_the_exact_origin(world):
    table = origins(world)
    assert len(set(table)) == 20
    assert {origin: refused(world.browser, origin) for origin in table} == dict.fromkeys(table, 403)
    assert refused(world.browser, "") == 403  # none: a cookie from no page
    assert refused(world.browser, Authorization="Bearer sw_nonsense") == 401
    ws = world.browser.socket()
    assert ws.until("authenticated") == {"role": "admin"}
    ws.close()


# ---- the end of a login ----

def ended_by(lone, browser, how):
    if how == "token":
        revoke(lone, "phone")
    elif how == "logout":
        assert browser.write("POST", "/api/logout").status_code == 200
    else:
        expire(lone, "session")


@pytest.mark.parametrize("how", ["token", "logout", "expiry"])
def test_within_a_second_nothing_is_left_of_a_login(lone, how):
    token = lone.add_token("viewer", "phone")
    browser, other = Browser(lone, token=token), Browser(lone, token=lone.token)
    sockets = [browser.socket()] + ([Live(lone.url, token)] if how == "token" else [])
    others = other.socket() if how != "expiry" else None
    for ws in sockets + ([others] if others else []):
        ws.until("authenticated")
    cookie = browser.cookie
    begun = time.monotonic()
    ended_by(lone, browser, how)
    assert [ws.closed()[0] for ws in sockets] == [1008] * len(sockets)
    until(lambda: requests.get(lone.url + "/api/types", headers={"Cookie": cookie}, timeout=20).status_code == 401,
          "the refusal", limit_s=1)
    assert time.monotonic() - begun < (2 if "asan" in str(lone.binary) else 1.2)  # of it a command's start
    if others:
        assert other.get("/api/types").status_code == 200
        others.send("subscribe", jobs=True)
        others.close()


def test_a_token_does_not_come_back_with_its_name(lone):
    browser = Browser(lone, token=lone.add_token("viewer", "phone"))
    revoke(lone, "phone")
    lone.add_token("admin", "phone")
    until(lambda: browser.get("/api/types").status_code == 401, "the refusal", limit_s=1)


# ---- one-time codes ----

def test_a_code_is_good_once(lone):
    made = lone.rest().post("/api/login-codes")
    assert made.status_code == 201, made.text
    code = made.json()["code"]
    assert code not in (lone.state / "gateway" / "logins").read_text()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Browser(lone, code=code).answer.status_code, range(8)))
    assert sorted(answers) == [200] + [401] * 7
    assert "code " not in (lone.state / "gateway" / "logins").read_text()
    assert code not in lone.program.log()


def test_a_code_ends_with_its_time_and_its_token(lone):
    rest = lone.rest(lone.add_token("admin", "second"))
    code = rest.post("/api/login-codes").json()["code"]
    expire(lone, "code")
    assert Browser(lone, code=code).answer.status_code == 401
    code = rest.post("/api/login-codes").json()["code"]
    revoke(lone, "second")
    until(lambda: rest.get("/api/types").status_code == 401, "the refusal", limit_s=1)
    assert Browser(lone, code=code).answer.status_code == 401
    assert Browser(lone, token=code).answer.status_code == 401


# ---- T12: many attempts ----

def test_who_fails_too_often_has_to_wait(lone):
    answers = [Browser(lone, token=f"sw_{i}").answer for i in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert Browser(lone, token=lone.token).answer.status_code == 429
    assert lone.rest().get("/api/types").status_code == 200  # who has a token is not kept out


def test_logins_of_one_token_have_a_limit(lone):
    first = Browser(lone, token=lone.token)
    for _ in range(64):
        last = Browser(lone, token=lone.token)
    assert first.get("/api/types").status_code == 401 and last.get("/api/types").status_code == 200
    assert len((lone.state / "gateway" / "logins").read_text().splitlines()) == 64


def test_every_role_has_a_row():
    assert set(NEEDS) == {need for _, _, need in routes()}
