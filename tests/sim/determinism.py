"""The same seed is the same world everywhere: built by gcc and clang, with and without optimisation, the simulator
prints the same running hash every thousand steps. Arguments: the root, then the sources."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

SEEDS = 6
STEPS = 5000
COMPILERS = ["gcc", "clang-14"]
LEVELS = ["-O0", "-O2"]
SKIP = 77


def build(compiler, level, root, sources, program):
    flags = ["-std=gnu17", "-D_GNU_SOURCE", f"-I{root}", f"-I{root}/libshadow", level]
    subprocess.run([compiler, *flags, "-o", program, *sources, "-lm"], check=True)


def traces(program):
    lines = []
    for seed in range(1, SEEDS + 1):
        done = subprocess.run([program, "--seed", str(seed), "--steps", str(STEPS), "--trace"],
                              check=True, capture_output=True, text=True)
        lines += done.stdout.splitlines()
    return lines


def main():
    root, sources = sys.argv[1], sys.argv[2:]
    compilers = [name for name in COMPILERS if shutil.which(name)]
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        for compiler in compilers:
            for level in LEVELS:
                program = str(pathlib.Path(folder) / f"sim{compiler}{level}")
                build(compiler, level, root, sources, program)
                seen[f"{compiler} {level}"] = traces(program)
        first, *others = seen
        again = traces(str(pathlib.Path(folder) / f"sim{compilers[0]}{LEVELS[0]}"))
        seen["the same twice"] = again
    for name, lines in seen.items():
        for here, there in zip(lines, seen[first]):
            if here != there:
                sys.exit(f"{name} is not {first}:\n  {here}\n  {there}")
        assert len(lines) == len(seen[first])
    print(f"{len(seen[first])} lines are the same with {', '.join(seen)}")
    if len(compilers) < len(COMPILERS):
        print("not every compiler is installed")
        sys.exit(SKIP)


main()
