"""What the kernels' contract tests share: running a kernel by kernel_run, the reference commands, and a
folder of awkward files."""

import os
import random
import resource
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "tests" / "contract" / "kernel_run"
MIB = 1 << 20


class Kernels:
    """`run` gives `chunks`, `files` (("ok", output name) or ("error", words) for each) and `output(i)`."""

    def __init__(self, folder, scratch):
        self.folder = folder
        self.scratch = scratch

    def call(self, kernel, params, names, split=(), memory=None):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))) if memory else None
        return subprocess.run([PROGRAM, *map(str, split), self.scratch, kernel, *params, "--", *names],
                              cwd=self.folder, capture_output=True, preexec_fn=limit, timeout=280)

    def run(self, kernel, params, names, split=(), memory=None):
        done = self.call(kernel, params, names, split, memory)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        first, *lines = done.stdout.decode().splitlines()
        words = [line.split(" ") for line in lines]
        return SimpleNamespace(chunks=int(first.split(" ")[1]),
                               files=[(word, bytes.fromhex(text)) for word, text in words])

    def output(self, which="all"):
        return (self.scratch / str(which)).read_bytes()

    def refused(self, kernel, params):
        """The words of a refusal."""
        done = self.call(kernel, params, [])
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        words = done.stderr.decode().removeprefix(f"{kernel}: ").rstrip("\n")
        assert 0 < len(words) < 160
        return words

    def command(self, *words, check=True, **more):
        """Standard output of a reference command."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **more)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout


def awkward():
    """Names and contents that a tool gets wrong if it gets anything wrong."""
    chance = random.Random(7)
    text = (ROOT / "LICENSE").read_bytes()[:1500]
    return {
        b"text": text,
        b"empty": b"",
        b"one byte": b"x",
        b"-n": b"\n",
        b"--help": b"no line feed at the end",
        b"feeds\n": b"\n\n\n\n",
        b"back\\slash\\n": text[:500].replace(b"\n", b"\r\n"),
        b"cr\r": b"a\rb\r\r\nlast\r",
        b"\xff\xfe\x80": b"caf\xe9 \xc3\xa9 \xff\xfe\n" * 5,
        b"tab\tand *?[": b"a\0b\0\n\0\n\n\0" + bytes(range(256)),
        b" ": chance.randbytes(600),
    }


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Small awkward files: cut at every byte."""
    folder = tmp_path_factory.mktemp("small")
    contents = awkward()
    for name, data in contents.items():
        (folder / os.fsdecode(name)).write_bytes(data)
    kernels = Kernels(folder, tmp_path_factory.mktemp("out") / "small")
    return SimpleNamespace(kernels=kernels, names=list(contents), contents=contents)


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """Larger than a frame, a block, a grain: round numbers and one off, long lines, what does not compress."""
    folder = tmp_path_factory.mktemp("large")
    chance = random.Random(8)
    license_text = (ROOT / "LICENSE").read_bytes()
    contents = {
        b"noise": chance.randbytes(17 * MIB + 12345),
        b"frame": (license_text * (16 * MIB // len(license_text) + 1))[:16 * MIB],
        b"frame+1": (license_text * (16 * MIB // len(license_text) + 1))[:16 * MIB + 1],
        b"program": Path("/bin/bash").resolve().read_bytes(),
        b"long lines": b"short\n" + b"x" * (10 * MIB) + b" needle\n\n" + b"y" * (10 * MIB) + b"\r\nneedle",
        b"zeros": bytes(9 * MIB),
    }
    for name, data in contents.items():
        (folder / os.fsdecode(name)).write_bytes(data)
    kernels = Kernels(folder, tmp_path_factory.mktemp("out") / "large")
    return SimpleNamespace(kernels=kernels, names=list(contents), contents=contents)
