"""The one count over everything: what passed, what failed with its output, what was skipped and why."""

import json
import re
import xml.etree.ElementTree as ElementTree


SLOWEST = 10  # tests that the report names
UNSTEADY_MAX = 3  # in one run; more are no accident of a busy machine


def all_passed(log):
    """Whether meson's testlog.json knows of nothing but passes: what is skipped is none."""
    tests = [json.loads(line) for line in log.read_text(errors="replace").splitlines()]
    return all(test["result"] in ("OK", "EXPECTEDFAIL") and not re.search(r"^ok\b.*# SKIP", test.get("stdout", ""), re.M)
               for test in tests)


class Tally:
    def __init__(self):
        self.passed = 0
        self.shaky = []  # names of what failed first
        self.failures = []  # (name, output in full)
        self.skips = []  # (name, reason)
        self.times = []  # (seconds, name)

    def ok(self, count=1):
        self.passed += count

    def add(self, other):
        self.passed += other.passed
        self.shaky += other.shaky
        self.failures += other.failures
        self.skips += other.skips
        self.times += other.times

    def covered(self, name, output):
        """Shows what a sweep, fuzzer or random test says of its budget: its lines `covered: ...`."""
        for line in re.findall(r"^(?:# )?(covered: .*)$", output, re.MULTILINE):
            print(f"    {name}: {line}")

    def unsteady(self, name):
        """It failed among the others and passes alone: said, since a test on a busy machine is no proof."""
        self.passed += 1
        self.shaky.append(name)
        print(f"    UNSTEADY {name}: failed, then passed when it was run again alone")

    def fail(self, name, output):
        self.failures.append((name, output))
        print(f"    FAILED {name}")

    def skip(self, name, reason):
        self.skips.append((name, reason))

    def add_meson(self, build, log, passes_alone):
        """Adds meson's testlog.json; a TAP test counts each of its cases."""
        for line in log.read_text(errors="replace").splitlines():
            test = json.loads(line)
            name = f"{build}: {test['name'].removeprefix('shadowwork:')}"
            output = test.get("stdout", "") + test.get("stderr", "")
            self.covered(name, output)
            self.times.append((test["duration"], name))
            cases = re.findall(r"^(ok|not ok)\b", test.get("stdout", ""), re.MULTILINE)
            is_tap = re.search(r"^1\.\.\d+$", test.get("stdout", ""), re.MULTILINE)
            if test["result"] == "SKIP":
                self.skip(name, output.strip() or "no reason printed")
                continue
            good = test["result"] in ("OK", "EXPECTEDFAIL")
            if not good and passes_alone(test["name"].split(" / ")[-1]):
                self.unsteady(name)
                continue
            bad = cases.count("not ok") if is_tap else 0
            self.ok(cases.count("ok") if is_tap else int(good))
            for _ in range(max(bad, 0 if good else 1)):
                self.fail(name, f"{test['result']}, exit status {test['returncode']}\n{output}")
                output = "(its output stands above)\n"

    def add_junit(self, build, path, again=None):
        """Adds pytest's JUnit file; `again`, if there is one, is of a second run of what failed."""
        steady = {(c.get("classname"), c.get("name")) for c in ElementTree.parse(again).iter("testcase")
                  if not c.findall("failure") + c.findall("error") + c.findall("skipped")} if again else set()
        for case in ElementTree.parse(path).iter("testcase"):
            name = f"{build}: {case.get('classname', '')}::{case.get('name')}"
            self.times.append((float(case.get("time", 0)), name))
            problems = case.findall("failure") + case.findall("error")
            printed = [o.text or "" for o in case.findall("system-out") + case.findall("system-err")]
            self.covered(name, "\n".join(printed))
            skipped = case.find("skipped")
            if problems and (case.get("classname"), case.get("name")) in steady:
                self.unsteady(name)
            elif problems:
                self.fail(name, "\n".join([p.text or p.get("message", "") for p in problems] + printed))
            elif skipped is not None:
                self.skip(name, skipped.get("message", "no reason printed"))
            else:
                self.ok()

    def report(self):
        """Prints the slowest, the skips, every failure in full and the last line; the exit status."""
        if len(self.shaky) > UNSTEADY_MAX:
            self.fail("unsteady tests", f"{len(self.shaky)} tests failed, then passed when they were run again alone; "
                      f"{UNSTEADY_MAX} may:\n" + "\n".join(f"  {name}" for name in self.shaky))
        print("slowest: " + "\n         ".join(f"{s:6.1f} s {name}" for s, name in sorted(self.times)[:-SLOWEST - 1:-1]))
        for name, reason in self.skips:
            print(f"skipped: {name}: {reason}")
        for name, output in self.failures:
            print(f"\n==== FAILED {name}\n{output.rstrip()}")
        if self.failures:
            print("\nfailed:")
            for name, _ in self.failures:
                print(f"  {name}")
        if self.shaky:
            print(f"{len(self.shaky)} unsteady: {', '.join(self.shaky)}")
        print(f"{self.passed} passed, {len(self.failures)} failed", flush=True)
        return 0 if self.passed and not self.failures else 1
