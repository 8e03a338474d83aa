"""TLS on the gateway's one port: its authority and certificate, bad clients, many clients."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from lone_gateway import LoneGateway, lone  # noqa: F401
from system import ROOT, Rest, until


def authority(lone):
    return lone.state / "gateway" / "ca.crt"


def secure(lone):
    """A Rest session by TLS that trusts the gateway's authority."""
    rest = Rest(lone.url.replace("http://127.0.0.1", "https://localhost"), lone.token)
    rest.verify = str(authority(lone))
    return rest


def connect(lone, context=None, limit_s=20):
    context = context or ssl.create_default_context(cafile=authority(lone))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", lone.port), timeout=limit_s),
                               server_hostname="localhost")


def openssl(*words, **options):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=True, timeout=30,
                          **options).stdout


@contextlib.contextmanager
def started(folder, *flags, before=()):
    """A lone gateway with further flags, and words before its command."""
    gateway = LoneGateway(folder, ROOT / os.environ.get("SHADOW_BUILD", "build-test"))
    gateway.program = gateway.make("gateway", folder / "gateway.log", *flags)
    gateway.program.command = [*before, *gateway.program.command]
    if before:  # in another network READY=1 does not reach us
        gateway.program.start(wait=False).wait_log("gateway ready")
    else:
        gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def own_certificate(folder, name, days=30):
    """(cert, key): self-signed, for localhost."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", cert, "-days", days, "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")
    return cert, key


def shown(lone):
    """The certificate that is shown now, in PEM."""
    return ssl.get_server_certificate(("127.0.0.1", lone.port))


# ---- authority and certificate ----

def test_curl_by_name_and_address(lone):
    for host in ("localhost", "127.0.0.1"):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", authority(lone), f"https://{host}:{lone.port}/healthz"],
                              capture_output=True, text=True, timeout=20)
        assert (done.stdout, done.stderr) == ('{"success":true}', "")
    assert lone.rest().get("/healthz").status_code == 200, "plain HTTP from this machine goes on"


def test_the_authority_is_given_and_logged(lone):
    answer = lone.rest("").get("/api/ca.crt")
    assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
    assert answer.content == authority(lone).read_bytes()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(answer.text)).hexdigest()
    told = re.search(r"certificate authority made .*sha256=(\S+)", lone.program.log())[1]
    assert told.replace(":", "").lower() == fingerprint
    for name in ("ca.key", "server.key"):
        assert (lone.state / "gateway" / name).stat().st_mode & 0o777 == 0o600


def test_the_chain_as_openssl_sees_it(lone):
    text = openssl("s_client", "-connect", f"127.0.0.1:{lone.port}", "-CAfile", authority(lone), "-showcerts",
                   "-verify_return_error", "-verify_hostname", "localhost", "-alpn", "h2,http/1.1", input="")
    assert text.count("BEGIN CERTIFICATE") == 2 and "Verify return code: 0 (ok)" in text
    assert "ALPN protocol: http/1.1" in text and "TLSv1.3" in text
    details = openssl("x509", "-in", authority(lone), "-noout", "-text")
    for words in ("CA:TRUE, pathlen:0", "Certificate Sign", "Name Constraints: critical", "DNS:local\n"):
        assert words in details


def test_certificate_is_kept_and_renewed(lone):
    first, ca = shown(lone), authority(lone).read_bytes()
    lone.program.restart()
    assert (shown(lone), authority(lone).read_bytes()) == (first, ca)
    folder = lone.state / "gateway"
    request = folder / "request"
    openssl("req", "-new", "-key", folder / "server.key", "-subj", "/CN=old", "-out", request,
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    openssl("x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-days", 5,
            "-copy_extensions", "copy", "-out", folder / "server.crt")
    lone.program.signal(signal.SIGHUP)
    lone.program.wait_log("certificate made names=.*[\\s\\S]*certificate made names=")
    until(lambda: shown(lone) != first, "a new certificate", limit_s=5)
    assert secure(lone).get("/api/types").status_code == 200


def test_more_names_make_a_new_certificate(lone, folder):
    first = shown(lone)
    lone.program.stop()
    lone.program = lone.make("gateway", folder / "again.log", "--host", "pool.lan, 10.9.8.7, far.example.org").start()
    assert shown(lone) != first
    assert "cannot have name=far.example.org" in lone.program.log(), "the authority may not speak for it"
    names = openssl("x509", "-in", lone.state / "gateway" / "server.crt", "-noout", "-ext", "subjectAltName")
    assert "DNS:pool.lan" in names and "10.9.8.7" in names and "far.example" not in names
    assert secure(lone).get("/healthz", headers={"Host": "pool.lan"}).status_code == 200
    assert secure(lone).get("/healthz", headers={"Host": "evil.example.org"}).status_code == 421


def test_ones_own_certificate(folder):
    cert, key = own_certificate(folder, "first")
    with started(folder, "--cert", cert, "--key", key) as lone:
        assert shown(lone) == cert.read_text()
        assert lone.rest("").get("/api/ca.crt").status_code == 404
        assert not authority(lone).exists()
        second, second_key = own_certificate(folder, "second")
        second.replace(cert)
        lone.program.wait_log("the old certificate stays: key .* is not that of cert")
        assert shown(lone) != cert.read_text()
        second_key.replace(key)
        lone.program.wait_log("certificate read again")
        assert shown(lone) == cert.read_text()


def test_bad_certificates_are_named_at_the_start(folder):
    cert, key = own_certificate(folder, "one")
    _, other = own_certificate(folder, "other")
    nonsense = folder / "nonsense.pem"
    nonsense.write_text("nonsense")
    for flags, words in [((cert, folder / "none"), "key .*none: No such file"), ((folder / "none", key), "cert .*none: No such"),
                         ((nonsense, key), "cert .*nonsense.pem: no certificate in PEM"), ((cert, nonsense), "no key in PEM"),
                         ((cert, other), "is not that of cert")]:
        with pytest.raises(AssertionError, match=words), started(folder / words.split()[0], "--cert", flags[0], "--key", flags[1]):
            pass
        shutil.rmtree(folder / words.split()[0])
    with pytest.raises(AssertionError, match="key is missing"), started(folder / "half", "--cert", cert):
        pass
