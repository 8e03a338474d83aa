"""Making tars with the tools that people use, and taking them apart with ours (untar_run)."""

import io
import os
import random
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "tests" / "contract" / "untar_run"
FILE, SKIPPED, FAILED = range(3)


class Entry(NamedTuple):
    state: int
    mode: int
    mtime: int
    size: int
    data: bytes
    part: int
    reason: str


class Refused(Exception):
    pass


def take_apart(tar, limit=1 << 40):
    """The entries by name (bytes), in their order, each with the bytes that the manifest points at."""
    expanded = Path(f"{tar}.expanded")
    done = subprocess.run([PROGRAM, tar, expanded, str(limit)], capture_output=True, timeout=60)
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
    if done.returncode:
        assert done.returncode == 1, done
        raise Refused(done.stderr.decode())
    entries = {}
    for line in done.stdout.decode().splitlines():
        state, mode, mtime, size, part, offset, name, reason = line.split(" ", 7)
        with open(expanded if int(part) else tar, "rb") as file:
            file.seek(int(offset))
            data = file.read(int(size))
        assert len(data) == int(size)
        name = bytes.fromhex(name)
        assert name not in entries
        entries[name] = Entry(int(state), int(mode, 8), int(mtime), int(size), data, int(part), reason)
    return entries


def make_tree(folder):
    """A folder with names and kinds of files that tars have trouble with."""
    root = folder / "tree"
    root.mkdir()
    rng = random.Random(1)
    names = [b"plain", b"empty", b"with space\nand newline", b"-leading-dash", b"not utf-8 \xff\xfe", "ümlaut".encode(),
             b"deep/" * 20 + b"x" * 90, b"deep/" * 45 + b"y" * 200, b"n" * 99, b"n" * 100, b"n" * 101]
    for name in names:
        path = os.fsencode(root) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        size = 0 if name == b"empty" else rng.choice([1, 511, 512, 513, 70000])
        with open(path, "wb") as file:
            file.write(rng.randbytes(size))
        os.chmod(path, 0o640)
        os.utime(path, (1700000000, 1700000000 + len(name)))
    return root


def files_of(root):
    found = {}
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found[os.path.relpath(path, os.fsencode(root))] = Path(os.fsdecode(path)).read_bytes()
    return found


def gnu(form):
    def make(tar, root, *extra):
        subprocess.run(["tar", "-C", root, f"--format={form}", "-cf", tar, *extra, "."], check=True)
    return make


def bsd(form):
    def make(tar, root, *extra):
        subprocess.run(["bsdtar", "-C", root, "--format", form, "-cf", tar, *extra, "."], check=True,
                       env={**os.environ, "LC_ALL": "C.UTF-8"})
    return make


def python(form):
    def make(tar, root):
        with tarfile.open(tar, "w", format=form) as file:
            file.add(root, arcname=".")
    return make


MAKERS = {"gnu": gnu("gnu"), "gnu-pax": gnu("pax"), "gnu-oldgnu": gnu("oldgnu"), "bsd-gnutar": bsd("gnutar"),
          "bsd-pax": bsd("pax"), "python-gnu": python(tarfile.GNU_FORMAT), "python-pax": python(tarfile.PAX_FORMAT)}


def member(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, io.BytesIO(data)


def write(tar, *members, form=tarfile.GNU_FORMAT):
    with tarfile.open(tar, "w", format=form) as file:
        for info, data in members:
            file.addfile(info, data)
    return tar


def link(name, target, kind=tarfile.LNKTYPE):
    return member(name, type=kind, linkname=target)
