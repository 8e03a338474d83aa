"""A running system with the shim and the oracle: one round arms a program, runs the small job, and holds against the
oracle what is there afterwards."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from bench import Keeper, Shim
from oracle import Oracle
from system import ROOT, System
from work import Client

BUILD = ROOT / os.environ.get("SHADOW_BUILD", "build-test")
ROLES = ["broker", "gateway", "agent"]

REFUSALS = ["ENOMEM", "out"]  # of memory: who cannot go on without it aborts, with or without a word
ASSERTS = re.compile("Sanitizer|runtime error:")  # libraries assert that they get memory


def is_kill(what):
    return what.startswith("kill") or what == "tear"


def is_decent(what, status, words):
    """Whether a program that was not killed ended as one may to whom a call failed."""
    if what in REFUSALS and status == -6:
        return True
    if what in REFUSALS and status == -11:  # glibc's NSS, when libzmq starts
        return " ready " not in words
    said = re.search(r"^<[0-3]>.*[^ :=\n]$", words, re.MULTILINE) and not re.search("Assertion|Sanitizer", words)
    return bool(said) and (status > 0 or status == -6)


class World:
    def __init__(self, seed, build=BUILD, agents=2, store="sqlite", size=()):
        """`size` of the small job, if it is to be another: texts, files."""
        self.seed, self.rounds, self.size = seed, 0, size
        self.since, self.last_words = 0, ""  # of the life that was armed
        self.folder = Path(tempfile.mkdtemp(prefix="sw-crash-"))
        self.system = System(self.folder, build, store)
        self.system.broker.env["SHADOW_DEBUG"] = "1"  # it then says which chunk is given out, and which committed
        self.oracle = Oracle(self.folder / "oracle.jsonl", store)
        self.shim = Shim(build, self.folder, self.system.state)
        self.system.start(agents)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(failed=bool(kind))

    def close(self, failed):
        self.system.stop()
        if failed:
            print(f"kept for a look: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, role):
        return {"broker": self.system.broker, "gateway": self.system.gateway}.get(role) or self.system.agents["agent-1"]

    def died(self, program, status):
        self.last_words = program.log()[self.since:]
        self.oracle.note("died", program=program.name, status=status, at=self.shim.fired())
        if program is self.system.broker:
            self.oracle.crashed(program, self.system.state)

    def count(self, role):
        """How many calls of each class one round makes."""
        program = self.program(role)
        program.kill()
        program.env.update(self.shim.env())
        program.start()
        self.work()
        counts = self.shim.calls()
        del program.env["LD_PRELOAD"]
        program.restart()
        return counts

    def work(self):
        """One job, its end held against the oracle, and deleted."""
        self.rounds += 1
        client = Client(self.system, self.oracle, f"{self.seed}-{self.rounds}", *self.size)
        jobs = client.run()
        self.oracle.follow(self.system.broker)
        words = self.oracle.verdict(self.system.state)
        for job in jobs:
            client.delete(job)
        return words

    def round(self, role, kind, n, what):
        """The job with `what` done at call `n` of class `kind`; (the call, or "" if it did not come so far; whether
        the program ended)."""
        program = self.program(role)
        if what in REFUSALS:
            program.reports = ASSERTS
        program.kill()
        self.died(program, "before")
        self.since = len(program.log())
        program.env.update(self.shim.env(kind, n, what))
        program.start(wait=False)
        keeper = Keeper(program, self.died)
        try:
            self.work()
        finally:
            keeper.stop()
        fired = self.shim.fired()
        if fired and not keeper.ends and is_kill(what):
            return "", False  # after the job
        self.judge(program, keeper.ends, fired, what)
        return fired, bool(keeper.ends)

    def judge(self, program, ends, fired, what):
        """It ended only if it was told to, or, with words, because a call had failed."""
        last = self.last_words[-2000:]
        kills = is_kill(what)
        if not fired:
            assert not ends, f"{program.name} ended by itself: {ends}\n{last}"
        elif kills:
            assert ends == [-9], f"{program.name} ended with {ends} after {what} at {fired}\n{last}"
        elif ends:
            # after a failed sync it aborts, and says so before: what is on the disk is unknown
            assert len(ends) == 1 and is_decent(what, ends[0], last), \
                f"{program.name}: {ends} after {what} at {fired}, and said\n{last}"
