"""The libFuzzer targets, two at a time, each with a fixed budget; the corpus that grows is kept, so the
next run goes on from there."""

import re

from builds import SANITIZER_ENV, build
from shell import ROOT, finish, start

BUDGET_S = 30
LONG_S = 3600
AT_ONCE = 2


def command(target, seconds):
    name = target.name.removeprefix("fuzz_")
    grown = ROOT / "build-fuzz" / "corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    kept = [path for path in [ROOT / "tests" / "fuzz" / "corpus" / name] if path.is_dir()]
    crash = ROOT / "build-test" / "logs" / f"crash-{name}-"
    return [target, grown, *kept, f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10",
            "-rss_limit_mb=2048", f"-artifact_prefix={crash}"]


def report(tally, target, done):
    def last(pattern):
        found = re.findall(pattern, done.output)
        return found[-1] if found else "?"

    runs = last(r"number_of_executed_units: (\d+)")
    line = f"{runs} runs, {last(r'cov: ([0-9]+)')} edges, {last(r'ft: ([0-9]+)')} features in {done.seconds:.0f} s"
    print(f"  {target.name}: {line}")
    if done.ok and runs != "?":
        tally.ok()
    else:
        tally.fail(f"fuzz: {target.name}", done.output)
    return line


def fuzz(tally, options):
    names = [path.stem for path in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c")) if options.k in path.stem]
    if not names:
        return print(f"  no target{' of that name' if options.k else ''}")
    if not build(tally, "build-fuzz", [f"tests/fuzz/{name}" for name in names]):
        return
    targets = [ROOT / "build-fuzz" / "tests" / "fuzz" / name for name in names]
    seconds = LONG_S if options.long else BUDGET_S
    print(f"  {len(targets)} targets, {seconds} s each")
    for i in range(0, len(targets), AT_ONCE):
        started = [(t, start(f"fuzz-{t.name}", command(t, seconds), SANITIZER_ENV))
                   for t in targets[i:i + AT_ONCE]]
        for target, job in started:
            line = report(tally, target, finish(job, seconds + 120))
            if options.long:
                with (ROOT / "build-fuzz" / "long-results.txt").open("a") as results:
                    results.write(f"{target.name}: {line}\n")
