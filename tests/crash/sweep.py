"""A sweep over the points at which a program can be hit: (role, class of call, number of the call, what to do). Within
a budget of seconds it takes them evenly spread; with SHADOW_LONG it goes on where the last run ended, and after the last
point takes random ones until LONG_POINTS are in its file in build-test/crash."""

import json
import os
import random
import time

from bench import evenly
from system import ROOT
from world import ROLES, World

LONG_POINTS = 10_000
ROUNDS = 200  # of one world: its oracle reads everything that was written down, each time
RESULTS = ROOT / "build-test" / "crash"


class Sweep:
    def __init__(self, name, actions, budget_s, roles=ROLES):
        """`actions`: {class: what to do at its calls}."""
        self.actions, self.roles = actions, roles
        self.is_long = bool(os.environ.get("SHADOW_LONG"))
        self.until = time.monotonic() + (1e9 if self.is_long else budget_s)
        self.seed = int(os.environ.get("SHADOW_SEED") or random.randrange(1 << 32))
        self.chance = random.Random(self.seed)
        print(f"seed {self.seed} (again: SHADOW_SEED={self.seed})")
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.file = RESULTS / f"{name}.jsonl"
        self.hit, self.missed, self.ended = set(), 0, 0
        self.total = 0

    def points(self, world):
        """All points of one round of the job, as counted now."""
        found = [(role, kind, n, what) for role in self.roles for kind, count in world.count(role).items()
                 for n in range(1, count + 1) for what in self.actions.get(kind, ())]
        self.total = len(found)
        return found

    def order(self, points):
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
        while order is None or (order and time.monotonic() < self.until):
            with World(self.chance.getrandbits(32)) as world:
                if order is None:
                    order = self.order(self.points(world))[::-1]
                for _ in range(ROUNDS):
                    if not order or time.monotonic() > self.until:
                        break
                    self.visit(world, order.pop())
        return (f"covered: seed {self.seed}, {len(self.hit)} of {self.total} points ({self.missed} more were not reached), "
                f"{self.ended} ends")

    def visit(self, world, point):
        try:
            call, ended = world.round(*point)
        except AssertionError as problem:
            raise AssertionError(f"at {point}, seed {self.seed}:\n{problem}") from None
        if call:
            self.hit.add(point)
        self.missed += not call
        self.ended += ended
        if self.is_long:
            with self.file.open("a") as file:
                file.write(json.dumps({"point": point, "call": call, "ended": ended}) + "\n")
