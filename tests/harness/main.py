"""tests/run: builds, runs every kind of test, counts them all. See --help; output of what passes goes to
build-test/logs."""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import SimpleNamespace

import builds
import fuzz
from shell import LOGS, ROOT, run
from tally import Tally

PYTEST_S = 1800  # limit of one pytest run: twice what an idle machine needs
AGAIN_S = 300  # limit of the second run of what failed
BRANCHES_PERCENT = 95  # of broker/core, by --coverage


def python():
    """The Python of the tests: Debian's, with the few packages of PyPI beside it that Debian lacks."""
    wanted = ROOT / "tests" / "requirements.txt"
    if not wanted.exists():
        return "/usr/bin/python3"
    venv = ROOT / "build-test" / "venv"
    stamp = venv / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        for step in (["/usr/bin/python3", "-m", "venv", "--clear", "--system-site-packages", venv],
                     [venv / "bin" / "python", "-m", "pip", "install", "-q", "-r", wanted]):
            done = run("venv", step, 300)
            if not done.ok:
                raise RuntimeError(f"the packages of tests/requirements.txt were not installed:\n{done.output}")
        stamp.write_text(wanted.read_text())
    return venv / "bin" / "python"


# (title, build, selection, environment), the longest first: a lane that is free takes the next.
WORK = [
    ("e2e", "build-test", ["tests/e2e"], {}),
    ("e2e-mongodb", "build-test", ["tests/e2e"], {"SHADOW_E2E_STORE": "mongodb"}),
    ("e2e-asan", "build-asan", ["tests/e2e", "-m", "not plain"], {}),
    ("contract", "build-test", ["tests/contract"], {}),
    ("pytest", "build-test", ["tests", "--ignore=tests/e2e", "--ignore=tests/crash", "--ignore=tests/contract"], {}),
    ("crash", "build-test", ["tests/crash"], {}),
    ("contract-asan", "build-asan", ["tests/contract", "-m", "not plain"], {}),
]
# Of each lane. Three on two cores: most tests wait more than they work.
PORTS = ["24600-27000", "27000-29500", "29500-32000"]


def second_run(command, junit, env):
    """Runs what failed once more, by itself; its JUnit file, or None."""
    again = junit.with_name(f"{junit.stem}-again.xml")
    again.unlink(missing_ok=True)
    run(again.stem, [word for word in command if word != f"--junitxml={junit}"] + ["--lf", f"--junitxml={again}"],
        AGAIN_S, env)
    return again if again.exists() else None


def pytest(tally, options, title, build, selection, env):
    """Runs pytest on `selection` against the programs of `build`."""
    junit = LOGS / f"{title}.xml"
    junit.unlink(missing_ok=True)
    env = {"SHADOW_BUILD": build, **builds.SANITIZER_ENV, **options.env, **env}
    command = [options.python, "-m", "pytest", "-q", "-rs", "--timeout=0" if options.long else "--timeout=300",
               "-o", f"cache_dir={LOGS / title}.cache", f"--junitxml={junit}", "-o", "junit_logging=all", *selection]
    if options.k:
        command += ["-k", options.k]
    done = run(title, command, None if options.long else PYTEST_S, env)
    before = tally.passed
    if junit.exists():
        tally.add_junit(title, junit, second_run(command, junit, env) if done.status == 1 else None)
    # 1: tests failed, and are counted one by one; 5: no test of that name
    counted = done.status == 1 and junit.exists()
    if not done.ok and done.status != 5 and not counted:
        tally.fail(f"{build}: {title}", done.output)
    print(f"  {title}: {tally.passed - before} pytest cases passed in {done.seconds:.0f} s", flush=True)


def lanes(tally, built, options):
    """Runs WORK in as many lanes as PORTS has; the cases are added to the tally."""
    free = SimpleQueue()
    for ports in PORTS:
        free.put(ports)

    def run_one(title, build, selection, env):
        part, ports = Tally(), free.get()
        try:
            pytest(part, options, title, build, selection, {"SHADOW_E2E_PORTS": ports, **env})
        finally:
            free.put(ports)
        return part

    with ThreadPoolExecutor(len(PORTS)) as pool:
        for part in [pool.submit(run_one, *work) for work in WORK if work[1] in built]:
            tally.add(part.result())


def coverage(tally, options):
    """Branch coverage of broker/core by the C tests; counts as one test."""
    if not list((ROOT / "broker" / "core").glob("*.c")):
        return tally.skip("coverage", "broker/core has no code yet")
    if not builds.build(tally, "build-cov"):
        return
    run("coverage-zero", ["find", "build-cov", "-name", "*.gcda", "-delete"], 60)
    # a slot process may not write its counters: its sandbox would see a file opened
    builds.meson_tests(tally, options, "build-cov", ["--no-suite", "bench", "--no-suite", "slots"])
    summary = LOGS / "coverage.json"
    done = run("coverage", [
        "gcovr", "--root", ".", "--object-directory", "build-cov", "--filter", "broker/core/", "--branches",
        "--exclude-lines-by-pattern", r".*\bassert\(.*",
        # what uthash's macros bring along is not ours; the planted bugs are not the product
        "--exclude-branches-by-pattern", r".*\b(HASH|DL)_[A-Z_]+\(.*", "--exclude-directories", ".*sim-bugs.*",
        "--json-summary", summary, "--txt", "-"], 300)
    print(done.output)
    percent = json.loads(summary.read_text())["branch_percent"] if done.ok else 0
    if percent >= BRANCHES_PERCENT:
        tally.ok()
    else:
        tally.fail("coverage", f"branches of broker/core: {percent} %, wanted {BRANCHES_PERCENT} %\n{done.output}")


def arguments():
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds and runs all tests.")
    parser.add_argument("--long", action="store_true", help="lift every budget (hours); resumes, keeps results")
    parser.add_argument("--coverage", action="store_true", help="also measure the branch coverage of broker/core")
    parser.add_argument("-k", metavar="NAME", default="", help="only the tests whose name contains NAME")
    given = parser.parse_args()
    return SimpleNamespace(**vars(given), env={"SHADOW_LONG": "1"} if given.long else {}, python=None)


def main():
    options, tally, begun = arguments(), Tally(), time.monotonic()
    options.python = None

    def step(title):
        print(f"[{time.monotonic() - begun:4.0f} s] {title}", flush=True)

    step("packages of PyPI")
    try:
        options.python = python()
    except RuntimeError as error:
        tally.fail("pytest", str(error))
    step("building")
    built = [name for name in ("build-test", "build-asan") if builds.build(tally, name)]
    step("C tests")
    for name in built:
        # suite `plain`: what sanitizers make meaningless (memory limits, timing, long sweeps)
        builds.meson_tests(tally, options, name,
                           ["--no-suite", "bench"] + (["--no-suite", "plain"] if name == "build-asan" else []))
    step("fuzzers")
    fuzz.fuzz(tally, options)
    step("pytest")
    if options.python:
        lanes(tally, built, options)
    if options.coverage:
        step("coverage")
        coverage(tally, options)
    step("done")
    return tally.report()


if __name__ == "__main__":
    sys.exit(main())
