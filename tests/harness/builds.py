"""The builds that the tests run in, and meson's own tests within them."""

import node
from shell import ROOT, run
from tally import all_passed

BUILD_S = 900  # limit of one configure and build
TESTS_S = 600  # limit of all meson tests of one build
AGAIN_S = 300  # limit of the second run of one that failed

# -fno-sanitize-recover: otherwise undefined behaviour is a line on stderr and exit status 0
# the page is the same in every build: one makes it
SANITIZE = ["-Ddashboard=disabled", "-Db_sanitize=address,undefined", "-Dc_args=-fno-sanitize-recover=all", "-Db_lundef=false"]
BUILDS = {
    "build-test": [],
    "build-asan": SANITIZE,
    "build-cov": ["-Ddashboard=disabled", "-Db_coverage=true", "-Doptimization=0"],
    # every object feeds the fuzzer's coverage, the targets alone bring its main; clang does not know uthash's
    # comments on falling through, gcc does
    "build-fuzz": ["-Ddashboard=disabled", "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                   "-Dc_args=-fno-sanitize-recover=all -fsanitize=fuzzer-no-link "
                   "-Wno-error=implicit-fallthrough",
                   "-Dc_link_args=-fsanitize=address,undefined"],
}
SANITIZER_ENV = {
    "ASAN_OPTIONS": "strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def build(tally, name, targets=()):
    """Configures if needed and builds all or `targets`; False, and a failure in the tally, if it does not build."""
    env = {**(node.environment() or {}), "CC": "clang-14" if name == "build-fuzz" else "gcc"}
    steps = [["ninja", "-C", name, *targets]]
    if not (ROOT / name / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", name, "-Dwerror=true", *BUILDS[name]])
    seconds = 0
    for step in steps:
        done = run(f"{name}-{step[0]}", step, BUILD_S, env)
        seconds += done.seconds
        if not done.ok:
            tally.fail(f"{name}: {step[0]}", done.output)
            return False
    print(f"  {name}: built in {seconds:.0f} s")
    return True


def names(build_name, suites, wanted):
    """The names of meson's tests in `suites` (options of meson test) that contain `wanted`."""
    listed = run(f"{build_name}-list", ["meson", "test", "-C", build_name, "--no-rebuild", "--list", *suites], 60)
    # "shadowwork:SUITE / NAME", or "NAME" when there is one suite
    lines = [line for line in listed.output.splitlines() if line and not line.startswith("ninja: ")]
    found = [line.split(" / ", 1)[-1] for line in lines]
    return [name for name in dict.fromkeys(found) if wanted in name]


def passes_alone(build_name, test, options):
    """Whether a test that failed among the others passes when it is run again by itself."""
    done = run(f"{build_name}-again", ["meson", "test", "-C", build_name, "--no-rebuild", "-t", 4, test],
               AGAIN_S, {**SANITIZER_ENV, **options.env})
    return done.ok and all_passed(ROOT / build_name / "meson-logs" / "testlog.json")


def meson_tests(tally, options, name, suites):
    """Runs meson's tests of a build and adds their cases to the tally."""
    chosen = names(name, suites, options.k)
    if not chosen:
        return print(f"  {name}: no meson test{' of that name' if options.k else ''}")
    before = tally.passed
    slow = 0 if options.long else 1 if name == "build-test" else 4
    done = run(f"{name}-meson-test",
               ["meson", "test", "-C", name, "--no-rebuild", "-t", slow, *suites, *chosen],
               None if options.long else TESTS_S, {**SANITIZER_ENV, **options.env})
    log = ROOT / name / "meson-logs" / "testlog.json"
    if log.exists():
        tally.add_meson(name, log, lambda test: passes_alone(name, test, options))
    if done.status < 0 or (not done.ok and not log.exists()):
        tally.fail(f"{name}: meson test", done.output)
    print(f"  {name}: {tally.passed - before} cases of {len(chosen)} meson tests passed in {done.seconds:.0f} s")
