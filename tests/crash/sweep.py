"""A sweep over the points at which a program can be hit: (role, class of call, number of the call, what to do). Within
a budget of seconds it takes them evenly spread; with SHADOW_LONG it goes on where the last run ended, and after the last
point takes random ones until LONG_POINTS are in its file in build-test/crash. A point that fails is written down in
build-test/crash/failed.jsonl; SHADOW_POINT="ROLE CLASS NUMBER WHAT" takes that one again, TRIES times."""

import json
import os
import random
import time
import uuid
from collections import Counter

from bench import evenly
from system import ROOT
from world import ROLES, World

LONG_POINTS = 10_000
ROUNDS = 200  # of one world: its oracle reads everything that was written down, each time
SLOW_SIZE = 40, 10  # of the job on a MongoDB server: the stand-in is slow
TRIES = 5  # of a point that failed: what meets there is not the same each time
RESULTS = ROOT / "build-test" / "crash"


class Sweep:
    def __init__(self, name, actions, budget_s, roles=ROLES, server="sqlite"):
        """`actions`: {class: what to do at its calls}; `server`: a MongoDB's URI up to the database, if it is to be one."""
        self.name, self.actions, self.roles, self.server = name, actions, roles, server
        self.is_long = bool(os.environ.get("SHADOW_LONG"))
        self.until = time.monotonic() + (1e9 if self.is_long else budget_s)
        self.seed = int(os.environ.get("SHADOW_SEED") or random.randrange(1 << 32))
        self.chance = random.Random(self.seed)
        print(f"seed {self.seed} (again: SHADOW_SEED={self.seed})")
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.file = RESULTS / f"{name}.jsonl"
        self.hit, self.missed, self.ended = set(), 0, 0
        self.total = 0
        self.classes = Counter()  # all points, by role and class

    def points(self, world):
        """All points of one round of the job, as counted now."""
        found = [(role, kind, n, what) for role in self.roles for kind, count in world.count(role).items()
                 for n in range(1, count + 1) for what in self.actions.get(kind, ())]
        self.total = len(found)
        self.classes = Counter(point[:2] for point in found)
        return found

    def order(self, world):
        if point := os.environ.get("SHADOW_POINT"):
            role, kind, n, what = point.split()
            return [(role, kind, int(n), what)] * TRIES
        points = self.points(world)
        if not self.is_long:
            return evenly(points, self.chance)
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        known = {tuple(json.loads(line)["point"]) for line in lines}
        left = [point for point in evenly(points, self.chance) if point not in known]
        if len(points) > LONG_POINTS:  # more than can be visited
            left = left[:max(0, LONG_POINTS - len(lines))]
        more = max(0, LONG_POINTS - len(lines) - len(left))
        print(f"{len(lines)} points in {self.file}")
        return left + self.chance.choices(points, k=more)

    def run(self):
        """Visits points until the budget is spent; the line that tests/run shows."""
        order = None
        size = () if self.server == "sqlite" else SLOW_SIZE
        while order is None or (order and time.monotonic() < self.until):
            store = self.server + (f"crash_{uuid.uuid4().hex[:12]}" if self.server != "sqlite" else "")
            with World(self.chance.getrandbits(32), store=store, size=size) as world:
                if order is None:
                    order = self.order(world)[::-1]
                for _ in range(ROUNDS):
                    if not order or time.monotonic() > self.until:
                        break
                    self.visit(world, order.pop())
        hit = Counter(point[:2] for point in self.hit)
        parts = "; ".join(f"{role} " + " ".join(f"{kind} {hit[role, kind]}/{n}" for (whose, kind), n in self.classes.items()
                                                if whose == role) for role in self.roles)
        return (f"covered: seed {self.seed}, {len(self.hit)} of {self.total} points ({self.missed} more were not reached), "
                f"{self.ended} ends: {parts}")

    def visit(self, world, point):
        try:
            call, ended = world.round(*point)
        except AssertionError as problem:
            with (RESULTS / "failed.jsonl").open("a") as file:
                file.write(json.dumps({"sweep": self.name, "point": point, "seed": self.seed, "folder": str(world.folder)}) + "\n")
            again = f'SHADOW_SEED={self.seed} SHADOW_POINT="{" ".join(map(str, point))}"'
            raise AssertionError(f"at {point}, again with {again}:\n{problem}") from None
        if call:
            self.hit.add(point)
        self.missed += not call
        self.ended += ended
        if self.is_long:
            with self.file.open("a") as file:
                file.write(json.dumps({"point": point, "call": call, "ended": ended}) + "\n")
