"""Arms one program of a running system: its next life has the shim (shim.c), which kills it or fails a call. A keeper
starts it again, unarmed, as soon as it has ended."""

import struct
import threading

CLASSES = ["write", "sync", "name", "send", "memory"]
GOLDEN = (5 ** 0.5 - 1) / 2
FIRED = 8 * len(CLASSES)  # struct counts of shim.c: the counts, then the call that was chosen


class Shim:
    def __init__(self, build, folder, under):
        self.library = build / "tests" / "crash" / "crash-shim.so"
        self.counts = folder / "shim-counts"
        self.counts.touch(0o600)
        self.under = under
        assert self.library.exists(), f"run ninja -C {build}"

    def env(self, kind="", at=0, what=""):
        """The environment that arms a program: `what` at call number `at` of class `kind`; without, it only counts."""
        self.counts.unlink(missing_ok=True)
        self.counts.touch(0o600)
        return {"LD_PRELOAD": str(self.library), "SHIM_UNDER": f"{self.under}/", "SHIM_COUNTS": str(self.counts),
                "SHIM_CLASS": kind, "SHIM_AT": str(at), "SHIM_DO": what}

    def calls(self):
        """How many calls of each class were counted."""
        data = self.counts.read_bytes()
        return dict(zip(CLASSES, struct.unpack_from(f"={len(CLASSES)}Q", data))) if len(data) >= FIRED else {}

    def fired(self):
        """The call at which it did what it was told; "" if that has not come."""
        return self.counts.read_bytes()[FIRED:].split(b"\0")[0].decode(errors="replace")


class Keeper:
    """Starts a program again when it ends, unarmed, until told to stop. `died(program, status)` is called in between."""

    def __init__(self, program, died):
        self.program, self.died = program, died
        self.ends = []  # exit statuses
        self.problem = None
        self._stopping = False
        self._lock = threading.Lock()
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self):
        while True:
            self.program.process.wait()
            with self._lock:
                if self._stopping:
                    return
                self.ends.append(self.program.ended())
                self.program.env.pop("LD_PRELOAD", None)
                try:
                    self.died(self.program, self.ends[-1])
                    self.program.start()
                except (AssertionError, OSError) as problem:
                    self.problem = problem
                    return

    def stop(self):
        """Ends the keeping. The program runs on, unarmed; what it was armed with may still have come, too late."""
        with self._lock:
            self._stopping = True
        if self.problem:
            raise self.problem
        if self.program.env.pop("LD_PRELOAD", None):
            self.program.restart()


def evenly(points, chance):
    """The points in an order of which every beginning is evenly spread over all of them."""
    first = chance.random()
    return [points[i] for i in sorted(range(len(points)), key=lambda i: (i * GOLDEN + first) % 1)]
