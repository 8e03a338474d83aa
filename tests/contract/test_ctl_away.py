"""shadowctl while the broker is dead, the gateway frozen, or what answers is no gateway: no verb hangs or keeps
silent, a job is never left without its id, Ctrl-C ends every verb."""

import json
import signal
import socket
import threading
import time

import pytest
from ctl_run import ctl, gateway, write  # noqa: F401

ONE_SHOT = [["jobs"], ["job", "1"], ["devices"], ["why", "1"], ["result", "1"], ["cancel", "1"], ["files", "1"],
            ["types"], ["set", "1", "--name", "n"]]


def end(process, limit_s):
    """(status, out, err) of a process that must end within limit_s."""
    begun = time.monotonic()
    try:
        out, err = process.communicate(timeout=limit_s)
    except Exception:
        process.kill()
        raise AssertionError(f"still alive after {time.monotonic() - begun:.1f} s: {process.communicate()}") from None
    return process.returncode, out, err


@pytest.mark.parametrize("fault", ["away", "hang"])
def test_one_question_is_given_up_soon(ctl, gateway, fault):
    gateway.breaks = {".* /api/.*": fault}
    begun = [(words, ctl.start(*words)) for words in ONE_SHOT]
    deadline = time.monotonic() + 12
    for words, process in begun:
        status, _, err = end(process, deadline - time.monotonic())
        assert status == 3 and b"see `shadowctl doctor`" in err, (words, status, err)
        assert (b"it or its broker is away" if fault == "hang" else b"the broker does not answer") in err, err


@pytest.mark.plain  # timing
def test_broker_that_stays_dead_leaves_no_job_without_a_name(ctl, gateway):
    """Three at once, for each costs a minute: while it waits, while it sends, and `wait` itself."""
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    write(ctl.folder, "large", b"2" * 700_000)
    waiting = ctl.start("compress", "a")
    gateway.await_seen("GET /api/jobs/1")
    following = ctl.start("wait", "1")
    gateway.await_seen("GET /api/jobs/1", times=4)
    gateway.breaks = {"GET /api/jobs/1": "away", "POST .*/seal": "away"}
    sending = ctl.start("compress", "large")
    told = waiting.stderr.readline()
    assert b"the broker does not answer; trying again for up to 60 s" in told
    status, out, err = end(waiting, 75)
    assert status == 3 and not out, (status, err)
    assert b"job 1 goes on; `shadowctl wait 1` follows it, `shadowctl result 1 -o DIR` fetches it" in err
    assert b"the broker does not answer (see" in err and b"trying again" not in err
    status, _, err = end(following, 10)
    assert status == 3 and b"job 1 goes on" in err, (status, err)
    status, _, err = end(sending, 20)
    assert status == 3 and b"`shadowctl cancel 2` ends it" in err, (status, err)
    gateway.hold.set()


@pytest.mark.parametrize("fault", ["away", "hang"])
def test_one_interrupt_ends_it(ctl, gateway, fault):
    """Both signals in one test, for until shadowctl asks again takes seconds."""
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    processes = []
    for job in (1, 2):
        processes.append(ctl.start("compress", "a"))
        gateway.await_seen(f"GET /api/jobs/{job}")
    with gateway.lock:
        gateway.breaks = {".* /api/.*": fault}
        before = [gateway.seen.count(f"GET /api/jobs/{job}") for job in (1, 2)]
    for job in (1, 2):
        gateway.await_seen(f"GET /api/jobs/{job}", times=before[job - 1] + 2)
    for process, job, sent in zip(processes, (1, 2), (signal.SIGINT, signal.SIGTERM)):
        process.send_signal(sent)
        status, _, err = end(process, 2.5)
        assert status == 130 and f"job {job} could not be cancelled; it goes on: `shadowctl cancel {job}`".encode() in err, err
    gateway.hold.set()


@pytest.mark.parametrize("fault", ["away", "hang"])
def test_one_interrupt_ends_it_before_there_is_a_job(ctl, gateway, fault):
    write(ctl.folder, "a", b"1")
    gateway.breaks = {".* /api/.*": fault}
    process = ctl.start("compress", "a")
    gateway.await_seen("POST /api/jobs")
    process.send_signal(signal.SIGINT)
    status, _, err = end(process, 2.5)
    assert status == 130 and b"`shadowctl jobs` shows" in err, (status, err)


def test_a_silent_gateway_is_waited_for_in_words(ctl, gateway):
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    process = ctl.start("compress", "a")
    gateway.await_seen("GET /api/jobs/1")
    gateway.breaks = {"GET .*": "hang"}
    assert b"does not answer; waiting for it" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    status, _, err = end(process, 5)
    assert status == 130 and b"job 1 is cancelled" in err
    gateway.hold.set()


def test_doctor_has_a_deadline(ctl, gateway):
    gateway.breaks = {"GET /healthz": "hang"}
    status, out, _ = end(ctl.start("doctor"), 8)
    assert status == 3 and b"BROKEN  gateway" in out and b"see `shadowctl doctor`" not in out, out
    gateway.breaks = {"GET /api/status": "hang"}
    status, out, _ = end(ctl.start("--json", "doctor"), 8)
    assert status == 1 and json.loads(out)["broken"] == "broker", out


def test_doctor_knows_a_token_that_is_not_for_people(ctl, gateway):
    gateway.breaks = {"GET /api/status": "403"}
    out = ctl("doctor", status=4).stdout
    assert b"BROKEN  access" in out and b"role" in out and b"unknown to this gateway" not in out


class Stranger:
    """Listens and answers every connection with `greeting`, then hangs up."""

    def __init__(self, greeting):
        self.greeting, self.socket = greeting, socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                peer.sendall(self.greeting)
                peer.recv(1000)


@pytest.mark.parametrize("greeting", [b"\xff\0\0\0\0\0\0\0\1\x7f", b"220 mail ready\r\n", b""])
def test_what_is_no_gateway_is_named_soon(ctl, gateway, greeting):
    stranger = Stranger(greeting)
    write(ctl.folder, "a", b"1")
    for words in (["jobs"], ["hash", "a"]):
        status, _, err = end(ctl.start("--gateway", f"http://127.0.0.1:{stranger.port}", *words), 5)
        assert status == 3 and (b"speaks no HTTP" in err or b"gateway's port?" in err), err
    status, _, err = end(ctl.start("--gateway", gateway.url.replace("http", "https"), "jobs"), 3)
    assert status == 3 and b"is http:// meant?" in err, err
    stranger.socket.close()
