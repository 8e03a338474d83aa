"""The watchdog of a unit, with a socket of ours in systemd's place: each program's loop feeds it, nobody else does. The
main thread alone is stopped (ptrace); what its other threads go on doing must not feed."""

import ctypes
import os
import select
import socket
import struct
import time
from pathlib import Path

import pytest
from program import Program

FED_S = 20  # a loaded machine
SILENCE_S = 5  # the slowest loop feeds every two seconds
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Watched(Program):
    """A program as a unit with WatchdogSec=2 starts it; what it says is read here."""

    def __init__(self, other):
        super().__init__(other.name, other.command, other.log_path, {"WATCHDOG_USEC": "2000000"})
        self.notify = None

    def _await_ready(self, notify, ready_s):
        notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify = notify.dup()
        super()._await_ready(notify, ready_s)

    def next_feed(self, limit_s):
        """The pid that fed within limit_s, None if nobody did."""
        deadline = time.monotonic() + limit_s
        while select.select([self.notify], [], [], max(0, deadline - time.monotonic()))[0]:
            data, extra, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(12))
            pid = struct.unpack("3i", extra[0][2])[0]
            if b"WATCHDOG=1" in data.split(b"\n") and pid:  # 0: from before we asked who speaks
                return pid
        return None

    def hear(self, line, limit_s):
        """Until it has said `line`."""
        deadline = time.monotonic() + limit_s
        while select.select([self.notify], [], [], max(0, deadline - time.monotonic()))[0]:
            if line in self.notify.recv(4096).split(b"\n"):
                return
        raise AssertionError(f"never said {line}")

    def drain(self):
        while select.select([self.notify], [], [], 0)[0]:
            self.notify.recv(4096)

    def states(self):
        """The states of the main thread and of the others, as in /proc."""
        found = {int(task.name): (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
                 for task in Path(f"/proc/{self.pid}/task").iterdir()}
        return found.pop(self.pid), list(found.values())


def ptrace(request, pid):
    if libc.ptrace(request, pid, None, None) < 0:
        pytest.skip(f"this machine allows no ptrace: {os.strerror(ctypes.get_errno())}")


@pytest.fixture
def watch(start_system):
    """A function: watch(role) starts a system whose broker, gateway or agent is Watched."""
    watched = []

    def begin(role):
        system = start_system(agents=1)
        if role == "agent":
            other = system.agents["agent-1"]
        else:
            other = getattr(system, role)
        other.stop()
        watched.append(Watched(other))
        return watched[0].start()

    yield begin
    for program in watched:
        program.stop()
        program.check()


@pytest.mark.parametrize("role", ["broker", "gateway", "agent"])
def test_only_a_loop_that_turns_feeds(watch, role):
    program = watch(role)
    for _ in range(3):
        assert program.next_feed(FED_S) == program.pid, "an idle loop does not feed"
    ptrace(PTRACE_SEIZE, program.pid)
    ptrace(PTRACE_INTERRUPT, program.pid)
    os.waitpid(program.pid, 0)  # until it stands still
    program.drain()
    try:
        main, others = program.states()
        assert main == "t" and others and "t" not in others and "T" not in others
        assert program.next_feed(SILENCE_S) is None, "fed although the loop stands still"
    finally:
        ptrace(PTRACE_DETACH, program.pid)
    assert program.next_feed(FED_S) == program.pid, "does not feed again"


def test_a_watched_agent_does_not_wait_for_the_broker(start_system):
    system = start_system(agents=0)
    system.broker.stop()
    agent = Watched(system.add_agent("agent-1", start=False))
    agent.start()  # returns with READY=1
    try:
        assert agent.next_feed(FED_S) == agent.pid
        system.broker.start()
        agent.wait_log("welcomed")
    finally:
        agent.stop()
        agent.check()


def test_a_standby_has_a_start_s_time_to_take_over(start_system):
    """To systemd it has started when it waits; loading may then take longer than the watchdog is patient."""
    system = start_system(agents=0)
    standby = Watched(system.add_broker("broker-2", "--standby"))
    standby.start()
    try:
        standby.hear(b"WATCHDOG_USEC=600000000", FED_S)
        system.broker.stop()
        standby.hear(b"STATUS=works", FED_S)
        standby.hear(b"WATCHDOG_USEC=2000000", FED_S)
    finally:
        standby.stop()
        standby.check()
