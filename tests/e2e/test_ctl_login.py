"""`shadowctl login`: trust in a gateway by its authority's fingerprint, kept with a token for the other verbs. Budget: 6 s."""

import os
import pty
import re
import subprocess

import pytest
from lone_gateway import lone  # noqa: F401
from test_tls import openssl, own_certificate, started


class Person:
    """One with a home of her own."""

    def __init__(self, folder, build):
        self.home = folder / "home"
        self.home.mkdir()
        self.settings = self.home / ".config" / "shadowwork"
        self.binary = build / "gateway" / "ctl" / "shadowctl"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("SHADOW_", "XDG_"))}
        self.env["HOME"] = str(self.home)

    def ctl(self, *words, status=0, **options):
        options.setdefault("stdin", subprocess.DEVNULL) if "input" not in options else None
        done = subprocess.run([self.binary, *map(str, words)], capture_output=True, text=True, timeout=60, env=self.env, **options)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


@pytest.fixture
def person(folder, build):
    return Person(folder, build)


def url_of(gateway, host="localhost"):
    return f"https://{host}:{gateway.port}"


def fingerprint_of(gateway):
    return re.findall(r"certificate authority.*sha256=(\S+)", gateway.program.log())[-1]


def admin_token(gateway):
    return gateway.state / "gateway" / "admin.token"


def login(person, gateway, **options):
    return person.ctl("login", url_of(gateway), "--fingerprint", fingerprint_of(gateway), "--token-file", admin_token(gateway), **options)


def test_after_a_login_the_other_verbs_find_all(lone, person):
    assert fingerprint_of(lone) in login(person, lone)
    assert person.settings.stat().st_mode & 0o777 == 0o700
    for name in ("token", "ca.crt", "shadowctl.conf"):
        assert (person.settings / name).stat().st_mode & 0o777 == 0o600, name
    assert "compress" in person.ctl("types")
    assert f"gateway {url_of(lone)}" in person.ctl("doctor", status=1), "the fake broker has no agents"


def test_the_token_on_standard_input(lone, person):
    told = fingerprint_of(lone).replace(":", "").lower()
    person.ctl("login", url_of(lone)[len("https://"):] + "/", "--fingerprint", told, input=lone.token + "\n")
    assert "compress" in person.ctl("types")


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_asks_once_at_a_terminal(lone, person, answer):
    outer, inner = pty.openpty()
    shadowctl = subprocess.Popen([person.binary, "login", url_of(lone)], stdin=inner, stdout=inner, stderr=inner, env=person.env)
    os.close(inner)
    seen = b""

    def see(words):
        nonlocal seen
        while words not in seen:
            seen += os.read(outer, 4096)

    see(b"[y/N] ")
    assert fingerprint_of(lone).encode() in seen
    os.write(outer, answer.encode() + b"\n")
    if answer == "y":
        see(b"Token: ")
        os.write(outer, lone.token.encode() + b"\n")
        see(b"from now on")
        assert lone.token.encode() not in seen, "typed tokens are not shown"
    assert shadowctl.wait(timeout=20) == (0 if answer == "y" else 4)
    assert person.settings.exists() == (answer == "y")
    os.close(outer)


def test_what_is_refused_is_not_stored(lone, person, folder):
    wrong = folder / "wrong"
    wrong.write_text("sw_wrong\n")
    fingerprint = fingerprint_of(lone)
    assert "nobody can be asked" in person.ctl("login", url_of(lone), status=4)
    assert "not the fingerprint" in person.ctl("login", url_of(lone), "--fingerprint", "AA" + fingerprint[2:], "--token-file", wrong, status=4)
    assert "token" in person.ctl("login", url_of(lone), "--fingerprint", fingerprint, "--token-file", wrong, status=4)
    assert "no token" in person.ctl("login", url_of(lone), "--fingerprint", fingerprint, status=2)
    assert "https:// only" in person.ctl("login", "http://192.0.2.7:8420", status=2)
    assert "cannot be reached" in person.ctl("login", "https://localhost:1", status=3)
    assert not person.settings.exists()


def test_another_authority_is_noticed(lone, person):
    login(person, lone)
    lone.program.stop()
    for name in ("ca.key", "ca.crt"):
        (lone.state / "gateway" / name).unlink()
    lone.program.start()
    assert "not by the authority that is trusted" in person.ctl("types", status=3)
    said = person.ctl("doctor", status=3)
    assert "BROKEN  gateway" in said and "login URL` again" in said
    login(person, lone)
    assert "compress" in person.ctl("types")
    (person.settings / "ca.crt").unlink()
    assert "cannot be read" in person.ctl("doctor", status=3)


def test_other_names_and_times_are_named(person, folder):
    cert, key = own_certificate(folder, "own")
    with started(folder / "named", "--cert", cert, "--key", key) as lone:
        person.ctl("login", url_of(lone), "--ca-file", cert, "--token-file", admin_token(lone))
        said = person.ctl("--gateway", url_of(lone, "127.0.0.1"), "types", status=3)
        assert "for other names" in said
        assert "`host`" in person.ctl("--gateway", url_of(lone, "127.0.0.1"), "doctor", status=3)
        assert "--ca-file" in person.ctl("login", url_of(lone), "--token-file", admin_token(lone), status=4)
        request = folder / "request"
        openssl("req", "-new", "-key", key, "-subj", "/CN=old", "-out", request)
        openssl("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", cert)
        lone.program.wait_log("certificate read again")
        (person.settings / "ca.crt").write_bytes(cert.read_bytes())
        assert "expired" in person.ctl("types", status=3)
        assert "clocks" in person.ctl("doctor", status=3)
