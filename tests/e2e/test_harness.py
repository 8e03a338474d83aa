"""The end-to-end tests' own tools, tried on small real processes: a fixture that cannot fail proves nothing."""

import subprocess
import sys

import pytest
from program import Program
from system import free_ports

READY = "import os,socket,sys,signal;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);" \
        "s.sendto(b'READY=1\\nSTATUS=x','\\0'+os.environ['NOTIFY_SOCKET'][1:]);"


@pytest.fixture
def program(folder):
    made = []

    def make(code):
        made.append(Program("child", [sys.executable, "-c", code], folder / "child.log"))
        return made[0]

    yield make
    made[0].kill()


def test_start_returns_when_ready(program):
    child = program(READY + "print('up', flush=True); signal.pause()").start()
    assert child.is_running()
    assert child.wait_log(r"u(p)\n").group(1) == "p"
    first = child.pid
    assert child.restart().pid != first
    child.freeze()
    child.thaw()
    assert child.stop() == -15
    assert child.log_path.read_text().startswith("up\n")
    assert child.log_path.read_text() == child.log()


def test_start_fails_with_the_log_of_a_program_that_ends(program):
    with pytest.raises(AssertionError, match=r"ended \(status 3\)(.|\n)*out of luck"):
        program("import sys; print('out of luck'); sys.exit(3)").start()


def test_start_fails_when_ready_does_not_come(program):
    child = program("import signal; signal.pause()")
    with pytest.raises(AssertionError, match="was not ready within"):
        child.start(ready_s=0.3)
    assert not child.is_running()


def test_stop_fails_when_sigterm_is_ignored(program):
    child = program("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY + "signal.pause()")
    child.start()
    with pytest.raises(AssertionError, match="did not end within"):
        child.stop(limit_s=0.3)
    assert not child.is_running()


def test_reports_of_sanitizers_are_seen(program):
    child = program(READY + "print('==1==ERROR: AddressSanitizer: x', flush=True); signal.pause()").start()
    child.wait_log("Sanitizer")
    with pytest.raises(AssertionError, match="reports AddressSanitizer"):
        child.check()


def test_ports_are_free_and_neighbours():
    first = free_ports(3)
    probe = f"import socket\nfor p in range({first}, {first + 3}): socket.socket().bind(('127.0.0.1', p))"
    subprocess.run([sys.executable, "-c", probe], check=True)
