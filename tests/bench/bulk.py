"""The three bulk lines: what a job costs in CPU seconds through gateway, broker and two agents, beside the limit
program (limit.c: same bytes, same way, nothing else), the kernel alone and the reference command."""

import os
import random
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import cpu
from system import System

FULL = {"small": (10_000, 332 << 20), "large": (50, 1 << 30), "text": (1, 1 << 30)}
PATTERN = r"(struct|return) +[a-z]+_[a-z]+.*;$"


def real_bytes(folders, suffixes, wanted):
    """Contents of real files below `folders`, one after another, again from the first when they are too few."""
    given = 0
    while True:
        for folder in folders:
            for path in sorted(Path(folder).rglob("*")):
                if path.name.endswith(suffixes) and path.is_file() and not path.is_symlink():
                    data = path.read_bytes()
                    given += len(data)
                    yield data
        assert given, f"no {suffixes} below {folders}"
        if given >= wanted:
            return


def fill(path, size, pieces, left):
    """One file of `size` bytes from the stream of pieces; what is over of the last piece is given back."""
    with open(path, "wb") as file:
        while size:
            left = left or next(pieces)
            file.write(left[:size])
            left, size = left[size:], max(0, size - len(left))
    return left


def make_inputs(folder, scale):
    """Folders small, large, text below `folder`: random, binaries and text, sources."""
    chance = random.Random(8420)
    n, total = FULL["small"][0] // scale, FULL["small"][1] // scale
    (folder / "small").mkdir()
    weights = [chance.expovariate(1) for _ in range(n)]
    for i, weight in enumerate(weights):
        (folder / "small" / f"file-{i:05}").write_bytes(chance.randbytes(int(weight * total / sum(weights))))
    for name, places, suffixes in (("large", ["/usr/lib", "/usr/bin", "/usr/share/doc"], ("",)),
                                   ("text", ["/usr/include", "/usr/lib/python3"], (".h", ".py"))):
        (folder / name).mkdir()
        n, total = FULL[name][0], FULL[name][1] // scale
        pieces, left = real_bytes(places, suffixes, float("inf")), b""
        for i in range(n):
            left = fill(folder / name / f"file-{i:02}", total // n, pieces, left)


def through_the_system(system, folder, arguments):
    """One job of shadowctl: CPU seconds of every process that has to do with it, by name, and the time it took."""
    programs = {"broker": [system.broker], "gateway": [system.gateway], "agents": system.agents.values()}
    pids = {name: [program.pid for program in group] for name, group in programs.items()}
    command, env = system.ctl_command(*arguments)
    parts = {name: -cpu.of_processes(group) for name, group in pids.items()}
    done = cpu.of_command(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, group in pids.items():
        parts[name] += cpu.of_processes(group)
    return {"shadowctl": done.cpu_s, **parts}, done.wall_s


def limit(build, folder, kernel, inputs):
    """What the limit program prints, by name."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        done = cpu.of_command([build / "tests" / "bench" / "bench-limit", scratch, *kernel, "--", *inputs], cwd=folder)
    return {line.split()[0]: float(line.split()[1]) for line in done.output.decode().splitlines()}


def check(folder, name, reference):
    """The job's result is the reference command's."""
    if name == "large":
        for path in sorted((folder / "large").iterdir()):
            packed = subprocess.run(["zstd", "-dcq", folder / "out" / "large" / f"{path.name}.zst"], check=True,
                                    stdout=subprocess.PIPE)
            assert packed.stdout == path.read_bytes(), f"{path.name} came back different"
    else:
        assert (folder / "out" / name).read_bytes() == reference, f"{name}: not what the reference command gives"


LINES = {
    "small": ("10,000 small files (332 MB) hashed", ["hash"], ["hash", "small", "--output=out/small"],
              "find small -type f -print0 | LC_ALL=C sort -z | xargs -0 -n 100 sha256sum", "sha256sum by xargs"),
    "large": ("1 GB zstd -3 in 50 files", ["compress", "level=3"], ["compress", "large", "--output=out"],
              "zstd -q -3 -c --single-thread large/* > /dev/null", "zstd -3"),
    "text": ("1 GB text filtered", ["filter", f"pattern={PATTERN}"],
             ["filter", PATTERN, "text/file-00", "--output=out/text"],
             f"LC_ALL=C grep -a -h -P '{PATTERN}' text/file-00", "grep -P"),
}


def measure(system, build, folder, name, runs):
    title, kernel, arguments, reference, called = LINES[name]
    inputs = sorted(os.path.join(name, entry) for entry in os.listdir(folder / name))
    n, size = len(inputs), sum(os.path.getsize(folder / entry) for entry in inputs)
    (folder / "out").mkdir(exist_ok=True)
    jobs, limits = [], []
    for _ in range(runs):  # by turns: both see the same machine
        jobs.append(through_the_system(system, folder, [*arguments, "--force"]))
        limits.append(limit(build, folder, kernel, inputs))
    plain = cpu.of_command(["sh", "-c", reference], cwd=folder)
    check(folder, name, plain.output)
    job_s = median(sum(parts.values()) for parts, _ in jobs)
    limit_s, kernel_s = (median(one[key] for one in limits) for key in ("limit_s", "kernel_s"))
    later_s = 1.2 * limit_s + 15e-6 * n
    print(f"{title}: {n:,} files, {size / 1e6:.0f} MB, through gateway, broker and two agents, {runs} runs")
    print(f"  CPU of all processes            {job_s:8.2f} s   {job_s / n * 1e6:9.0f} us a file "
          f"{job_s / size * 1e9:6.2f} s/GB   (wall {median(wall_s for _, wall_s in jobs):.2f} s)")
    print("    of it", ", ".join(f"{part} {median(parts[part] for parts, _ in jobs):.2f}" for part in jobs[0][0]))
    print(f"  the limit program               {limit_s:8.2f} s   ratio {job_s / limit_s:.2f}   (limit 1.5; "
          f"later {later_s:.2f} s: {job_s / later_s:.2f} of it)")
    print(f"  of it the kernel in one process {kernel_s:8.2f} s")
    print(f"  {called:<31} {plain.cpu_s:8.2f} s", flush=True)
    return job_s / limit_s


def run(build, scale, runs):
    with tempfile.TemporaryDirectory(prefix="shadow-bench-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        make_inputs(folder, scale)
        system = System(folder, build)
        try:
            system.start(agents=2)
            for name in LINES:
                measure(system, build, folder, name, runs)
        finally:
            system.stop()
