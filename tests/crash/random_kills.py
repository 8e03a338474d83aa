"""kill -9 at random moments: a system that stays, several kills a job, the oracle at each job's end. What was done adds
up in a file over all runs, until TARGET kills are in it."""

import fcntl
import json
import random
import threading
import time

from sweep import RESULTS
from world import World

TARGET = 10_000
KILLS_PER_JOB = 12
AGENTS_PER_JOB = 4  # a chunk that is lost five times fails, and rightly so
JOBS = 300  # of one system
KINDS = ["lost", "doubled", "invented", "wrong"]


class Progress:
    """What all runs did together: build-test/crash/progress.json."""

    def __init__(self, path=RESULTS / "progress.json"):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self):
        empty = {"kills": 0, "jobs": 0, "runs": 0, "victims": {}, **dict.fromkeys(KINDS, 0), "failed": []}
        return {**empty, **json.loads(self.path.read_text())} if self.path.exists() else empty

    def add(self, **more):
        """Adds numbers to numbers, lists to lists; whole on disk or not at all, also beside another run."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = self.read()
            for name, value in more.items():
                if isinstance(value, dict):
                    now[name] = {key: now[name].get(key, 0) + value.get(key, 0) for key in {*now[name], *value}}
                else:
                    now[name] += value
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(now, indent=1) + "\n")
            new.rename(self.path)

    def words(self):
        now = self.read()
        victims = " ".join(f"{name}={n}" for name, n in sorted(now["victims"].items()))
        return (f"kills: {now['kills']:,} of {TARGET:,} ({now['runs']} runs, {now['jobs']:,} jobs; {victims}), "
                f"{', '.join(f'{kind} {now[kind]}' for kind in KINDS)}")


class Killer(threading.Thread):
    """Kills what `world` runs until end() or until it has killed enough for a job."""

    def __init__(self, world, chance):
        super().__init__(daemon=True)
        self.world, self.chance = world, chance
        self.victims, self.problem = {}, None
        self._end = threading.Event()
        self.start()

    def _choose(self):
        system = self.world.system
        spent = sum(n for name, n in self.victims.items() if name.startswith("agent"))
        agents = list(system.agents.values()) if spent < AGENTS_PER_JOB else []
        return self.chance.choice([system.broker, system.broker, system.gateway, *agents])

    def run(self):
        try:
            while sum(self.victims.values()) < KILLS_PER_JOB and not self._end.wait(self.chance.expovariate(1 / 0.05)):
                victim = self._choose()
                victim.kill()
                self.world.died(victim, "random")
                self.victims[victim.name] = self.victims.get(victim.name, 0) + 1
                victim.start()
        except BaseException as problem:  # noqa: BLE001 - handed on
            self.problem = problem

    def end(self):
        self._end.set()
        self.join()
        if self.problem:
            raise self.problem


def one_job(world, chance, progress):
    killer = Killer(world, chance)
    try:
        world.work()
    finally:
        killer.end()
        kinds = [kind for kind, _ in world.oracle.faults]
        progress.add(kills=sum(killer.victims.values()), jobs=1, victims=killer.victims,
                     **{kind: kinds.count(kind) for kind in KINDS})
    return sum(killer.victims.values())


def run(seconds, seed=None, store="sqlite", progress=None, say=lambda words: None):
    """Kills for `seconds`, or until TARGET is reached (counted over all runs); the line that tests/run shows."""
    progress, until = progress or Progress(), time.monotonic() + seconds
    seed = random.randrange(1 << 32) if seed is None else seed
    chance, here = random.Random(seed), 0
    progress.add(runs=1)
    while time.monotonic() < until and progress.read()["kills"] < TARGET:
        begun = chance.getrandbits(32)
        with World(begun, store=store) as world:
            for job in range(JOBS):
                if time.monotonic() > until or progress.read()["kills"] >= TARGET:
                    break
                try:
                    here += one_job(world, chance, progress)
                except BaseException as problem:
                    if not isinstance(problem, KeyboardInterrupt):
                        progress.add(failed=[{"seed": seed, "world": begun, "job": job, "store": store.split(":")[0],
                                              "what": str(problem)[:300]}])
                    print(f"again: tests/crash/kills 10 {seed}", flush=True)
                    raise
                say(progress.words())
    return f"covered: seed {seed}, {here} kills in this run; {progress.words()}"
