"""The tar of a result as GNU tar, bsdtar and Python read it: names, modes, times and bytes come back."""

import io
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "tests" / "contract" / "result_run"


def compose(files, step=1000, most=1 << 40):
    """The tar of [(name, mode, mtime, data or length)]."""
    lines = "".join(f"{name.hex()} {mode:o} {mtime} " + (f"{data} -\n" if isinstance(data, int) else
                                                         f"{len(data)} {data.hex()}\n")
                    for name, mode, mtime, data in files)
    done = subprocess.run([PROGRAM, str(step), str(most)], input=lines.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def files():
    rng = random.Random(1)
    names = [b"plain.zst", b"./dot", b"empty", b"with space\nand newline", b"-dash", b"not utf-8 \xff\xfe", "ümlaut".encode(),
             b"folder/" * 12 + b"f", b"n" * 99, b"m" * 100, b"o" * 101, b"p" * 255, b"deep/" * 200 + b"q" * 60]
    return [(name, rng.choice([0o600, 0o644, 0o755, 0o400]), 1700000000 + i,
             b"" if name == b"empty" else rng.randbytes(rng.choice([1, 511, 512, 513, 40000])))
            for i, name in enumerate(names)]


def found_in(folder):
    found = {}
    for path, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            file = os.path.join(path, name)
            status = os.stat(file)
            with open(file, "rb") as opened:
                found[os.path.relpath(file, os.fsencode(folder))] = (
                    status.st_mode & 0o7777, int(status.st_mtime), opened.read())
    return found


@pytest.mark.parametrize("tool", [["tar", "-x", "-p"], ["bsdtar", "-x", "-p", "-f", "-"],
                                  ["busybox", "tar", "-x", "-f", "-"]], ids=lambda tool: tool[0])
def test_tools_give_the_files_back(tool, files, tmp_path):
    if subprocess.run(["which", tool[0]], capture_output=True).returncode:
        pytest.skip(f"no {tool[0]}")
    done = subprocess.run([*tool, "-C", tmp_path], input=compose(files), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert found_in(tmp_path) == {os.path.normpath(name): (mode, mtime, data) for name, mode, mtime, data in files}


def test_python_gives_the_files_back(files):
    with tarfile.open(fileobj=io.BytesIO(compose(files)), errors="surrogateescape") as tar:
        found = [(os.fsencode(m.name), m.mode, m.mtime, tar.extractfile(m).read()) for m in tar]
        assert all(m.isreg() and (m.uid, m.gid) == (0, 0) for m in tar.getmembers())
    assert found == files


def test_any_step_gives_the_same_tar(files):
    whole = compose(files, 1 << 20)
    assert len(whole) % 512 == 0 and whole[-1024:] == bytes(1024)
    for step in (1, 511, 512, 4097):
        some = files[:4] if step == 1 else files
        assert compose(some, step) == (compose(some, 1 << 20) if step == 1 else whole)
    assert compose(files, 700, 5000) == whole[:5000]


def test_names_that_lead_out_stay_inside(tmp_path):
    names = [b"/etc/passwd", b"../../up", b"a/../b", b"x//y", b"end/", b"..x/y..", b"./z"]
    tar = compose([(name, 0o644, 0, name) for name in names])
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert opened.getnames() == ["etc/passwd", "up", "a/b", "x//y", "end", "..x/y..", "./z"]
    done = subprocess.run(["tar", "-x", "-C", tmp_path], input=tar, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {data for _, _, data in found_in(tmp_path).values()} == set(names)


def test_numbers_that_octal_cannot_hold():
    """Only the headers are read here; the bytes of these outputs do not exist."""
    for mtime, size in ((-7, 5), (1 << 40, 9 << 30), (0o77777777777, (8 << 30) - 1), (1, 8 << 30), (-(1 << 40), 1 << 60)):
        header = compose([(b"big", 0o644, mtime, size)], 512, 512)
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        assert (info.name, info.mtime, info.size) == ("big", mtime, size)
        listed = subprocess.run(["bsdtar", "-tvf", "-"], input=header + bytes(1024), capture_output=True)
        assert f" {size} ".encode() in listed.stdout


def test_set_user_id_is_not_passed_on():
    with tarfile.open(fileobj=io.BytesIO(compose([(b"a", 0o7755, 0, b"x")]))) as tar:
        assert tar.getmember("a").mode == 0o755


def test_an_empty_result_is_an_empty_tar():
    assert compose([]) == bytes(1024)
    assert subprocess.run(["tar", "-t"], input=bytes(1024), capture_output=True).stdout == b""
