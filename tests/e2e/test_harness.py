"""The end-to-end tests' own tools, tried on small real processes: a fixture that cannot fail proves nothing."""

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from program import Program
from system import ROOT, free_ports

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


@pytest.fixture
def tally(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "harness")
    return importlib.import_module("tally")


def junit(path, **cases):
    """A JUnit file: NAME=failure, skipped or None."""
    suite = ElementTree.Element("testsuite")
    for name, what in cases.items():
        case = ElementTree.SubElement(suite, "testcase", classname="test_x", name=name)
        if what:
            ElementTree.SubElement(case, what, message=f"{name} says why")
    ElementTree.ElementTree(suite).write(path)
    return path


@pytest.mark.parametrize("again, status, last", [
    ({"b": None}, 0, "1 unsteady: build: test_x::b\n2 passed, 0 failed"), ({"b": "failure"}, 1, "1 passed, 1 failed"),
    ({"b": "error"}, 1, "1 passed, 1 failed"), ({"b": "skipped"}, 1, "1 passed, 1 failed"), ({}, 1, "1 passed, 1 failed")])
def test_the_second_run_of_what_failed(tally, folder, capsys, again, status, last):
    count = tally.Tally()
    count.add_junit("build", junit(folder / "first.xml", a=None, b="failure", c="skipped"),
                    junit(folder / "again.xml", **again))
    assert count.report() == status
    out = capsys.readouterr().out
    assert out.endswith(f"{last}\n") and "skipped: build: test_x::c: c says why" in out, out


@pytest.mark.parametrize("shaky, status", [(3, 0), (4, 1)])
def test_many_that_are_unsteady_are_a_failure(tally, folder, capsys, shaky, status):
    count = tally.Tally()
    names = [f"t{i}" for i in range(shaky)]
    count.add_junit("build", junit(folder / "first.xml", **dict.fromkeys(names, "failure")),
                    junit(folder / "again.xml", **dict.fromkeys(names)))
    assert count.report() == status
    out = capsys.readouterr().out
    assert out.endswith(f"{shaky} passed, {status} failed\n") and out.count("UNSTEADY") == shaky, out
    assert f"\n{shaky} unsteady: build: test_x::t0, " in out, out


@pytest.mark.parametrize("result, stdout, passed", [
    ("OK", "1..2\nok 1 - a\nok 2 - b\n", True), ("EXPECTEDFAIL", "", True), ("SKIP", "no such thing here", False),
    ("OK", "1..2\nok 1 - a\nok 2 # SKIP no such thing\n", False), ("FAIL", "", False)])
def test_a_c_test_that_is_skipped_alone_does_not_pass(tally, folder, result, stdout, passed):
    log = folder / "testlog.json"
    log.write_text(json.dumps({"name": "x", "result": result, "stdout": stdout, "returncode": 0}) + "\n")
    assert tally.all_passed(log) == passed


def test_the_slowest_are_named(tally, folder, capsys):
    count = tally.Tally()
    log = folder / "testlog.json"
    log.write_text("".join(json.dumps({"name": f"t{i}", "result": "OK", "stdout": "", "returncode": 0, "duration": i}) + "\n"
                           for i in range(12)))
    count.add_meson("build", log, None)
    part = tally.Tally()
    part.add_junit("build", junit(folder / "first.xml", a=None))
    count.add(part)
    count.report()
    listed = capsys.readouterr().out.split("slowest: ")[1].splitlines()[:-1]
    assert [line.split(" s ")[0].strip() for line in listed] == [f"{s}.0" for s in (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)]
    assert listed[0].endswith("11.0 s build: t11")
