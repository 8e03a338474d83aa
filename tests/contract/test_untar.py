"""Tars made by GNU tar, bsdtar and Python, taken apart: every member's bytes lie where the manifest says, and the
rules of the design hold for names, links and what is no file."""

import io
import os
import random
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

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


@pytest.fixture
def tree(tmp_path):
    """A folder with names and kinds of files that tars have trouble with."""
    root = tmp_path / "tree"
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
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_maker
def test_every_file_is_where_it_is_said_to_be(make, tree, tmp_path):
    tar = tmp_path / "t.tar"
    make(tar, tree)
    entries = take_apart(tar)
    found = {os.path.normpath(name): entry.data for name, entry in entries.items()}
    assert found == files_of(tree)
    for name, entry in entries.items():
        assert (entry.state, entry.mode, entry.part, entry.reason) == (FILE, 0o640, 0, "")
        assert entry.mtime == 1700000000 + len(os.path.normpath(name))


def test_names_of_short_formats(tree, tmp_path):
    for form in ("ustar", "v7"):
        tar = tmp_path / f"{form}.tar"
        subprocess.run(["tar", "-C", tree, f"--format={form}", "-cf", tar, "./plain", "./not utf-8 \udcff\udcfe"],
                       check=True)
        assert {n: e.data for n, e in take_apart(tar).items()} == {
            b"./" + n: files_of(tree)[n] for n in (b"plain", b"not utf-8 \xff\xfe")}


@pytest.mark.parametrize("make", [lambda *a: gnu("gnu")(*a, "-S"), lambda *a: gnu("pax")(*a, "-S"),
                                  lambda *a: gnu("pax")(*a, "-S", "--sparse-version=0.0"),
                                  lambda *a: gnu("pax")(*a, "-S", "--sparse-version=0.1"), bsd("pax")],
                         ids=["gnu", "pax-1.0", "pax-0.0", "pax-0.1", "bsd"])
def test_sparse_members_are_expanded(make, tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    rng = random.Random(2)
    for name, blocks, size in (("some", [0, 7, 300], 5_000_001), ("tail", [3], 1_000_000), ("hole", [], 3_000_000),
                               ("many", range(0, 4000, 40), 20_000_000), ("dense", range(20), 20 * 4096)):
        with open(root / name, "wb") as file:
            for block in blocks:
                file.seek(block * 4096)
                file.write(rng.randbytes(4096))
            file.truncate(size)
    (root / "after").write_bytes(b"after")
    tar = tmp_path / "t.tar"
    make(tar, root)
    entries = take_apart(tar)
    assert {os.path.normpath(n): e.data for n, e in entries.items()} == files_of(root)
    assert tar.stat().st_size < 3_000_000, "the tar is not sparse: this tests nothing"
    assert {e.part for e in entries.values()} == {0, 1}
    limited = take_apart(tar, 8_000_000)  # the large one is that member's error, the others are whole
    assert limited[b"./many"].state == FAILED and "limit" in limited[b"./many"].reason
    assert limited[b"./after"].data == b"after"
    assert sum(e.state == FAILED for e in limited.values()) >= 1
    assert os.stat(f"{tar}.expanded").st_size <= 8_000_000


def test_a_member_that_is_not_where_its_header_says(tmp_path):
    """A hole in Solaris' way is known to libarchive alone: size 3000, no bytes, and no sparse map to be seen."""
    tar = tmp_path / "t.tar"
    hole = member("hole")[0]
    hole.pax_headers = {"SUN.holesdata": " 3000", "GNU.sparse.realsize": "3000"}
    write(tar, member("before", b"1" * 700), (hole, None), member("after", b"2" * 700), form=tarfile.PAX_FORMAT)
    entries = take_apart(tar)
    assert {n: e.data for n, e in entries.items()} == {
        b"before": b"1" * 700, b"hole": bytes(3000), b"after": b"2" * 700}
    assert {e.part for e in entries.values()} == {1}, "no second walk: this tests nothing"


def test_hard_links_are_their_targets_bytes(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(b"first")
    os.link(root / "a", root / "b")
    for make in MAKERS.values():
        tar = tmp_path / "t.tar"
        make(tar, root)
        assert {n: e.data for n, e in take_apart(tar).items()} == {b"./a": b"first", b"./b": b"first"}


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


def test_links_follow_time(tmp_path):
    entries = take_apart(write(
        tmp_path / "t.tar", link("early", "a"), member("a", b"one"), link("b", "a"), member("a", b"two!"),
        link("c", "/a"), link("d", "b"), link("a2", "a"), link("a2", "a2"), link("self", "self"),
        link("s", "nowhere", tarfile.SYMTYPE), link("t", "s"), member("../x", b"x"), link("u", "../x")))
    assert list(entries) == [b"early", b"b", b"a", b"c", b"d", b"a2", b"self", b"s", b"t", b"../x", b"u"]
    assert [entries[n].data for n in (b"b", b"a", b"c", b"d", b"a2")] == [b"one", b"two!", b"two!", b"one", b"two!"]
    for name in (b"early", b"self", b"u", b"../x"):
        assert entries[name].state == FAILED and entries[name].reason and entries[name].size == 0
    assert entries[b"t"].state == SKIPPED and entries[b"t"].reason == "a symbolic link"


def test_later_duplicates_win(tmp_path):
    tar = write(tmp_path / "t.tar", member("a", b"old"), member("b", b"kept"), member("a", b"new", mode=0o600),
                member("c", b"gone"), link("c", "b", tarfile.SYMTYPE), link("d", "b", tarfile.SYMTYPE), member("d", b"d"))
    entries = take_apart(tar)
    assert list(entries) == [b"b", b"a", b"c", b"d"]
    assert (entries[b"a"].data, entries[b"a"].mode) == (b"new", 0o600)
    assert entries[b"c"].state == SKIPPED and entries[b"d"].data == b"d"
    subprocess.run(["tar", "-C", tmp_path, "-rf", tar, "t.tar.expanded"], check=True)  # appended by another tool
    assert b"t.tar.expanded" in take_apart(tar)


def test_names_from_outside(tmp_path):
    entries = take_apart(write(
        tmp_path / "t.tar", member("/etc/passwd", b"1"), member("//a//b", b"2"), member("../up", b"3"),
        member("a/../../b", b"4"), member("a/..", b"5"), member("..", b"6"), member("..a/b..", b"7"), member("./c", b"8"),
        member("x" * 4096, b"9"), member("y" * 4097, b"10"), member("/../e", b"11")))
    assert {n: e.data for n, e in entries.items() if e.state == FILE} == {
        b"etc/passwd": b"1", b"a//b": b"2", b"..a/b..": b"7", b"./c": b"8", b"x" * 4096: b"9"}
    failed = {n: e.reason for n, e in entries.items() if e.state == FAILED}
    assert set(failed) == {b"../up", b"a/../../b", b"a/..", b"..", b"../e", b"y" * 4096}
    assert "4096" in failed.pop(b"y" * 4096)
    assert all("'..'" in reason for reason in failed.values())


def test_refused_names_replace_nothing(tmp_path):
    """A name that was cut to fit is not the file of that name."""
    tar = write(tmp_path / "t.tar", member("x" * 4097, b"1"), member("x" * 4096, b"2"), member("x" * 4097, b"3"))
    lines = subprocess.run([PROGRAM, tar, f"{tar}.expanded", "0"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in lines.splitlines()] == ["2", "0", "2"]


def test_what_is_no_file(tmp_path):
    root = tmp_path / "tree"
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("/etc/passwd")
    (root / "file").write_bytes(b"x")
    for make in MAKERS.values():
        tar = tmp_path / "t.tar"
        make(tar, root)
        assert {n: (e.state, e.reason) for n, e in take_apart(tar).items()} == {
            b"./fifo": (SKIPPED, "a named pipe"), b"./link": (SKIPPED, "a symbolic link"), b"./file": (FILE, "")}
    entries = take_apart(write(tmp_path / "dev.tar", member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
                               member("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0), member("cont", b"c",
                                                                                              type=tarfile.CONTTYPE)))
    assert {n: e.reason for n, e in entries.items()} == {b"null": "a character device", b"sda": "a block device",
                                                         b"cont": ""}


def test_large_numbers(tmp_path):
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        entries = take_apart(write(tmp_path / "t.tar", member("a", b"a", mtime=-5), member("b", b"b", mtime=1 << 40),
                                   member("c", b"c", mode=0o7777), form=form))
        assert [(e.mtime, e.mode) for e in entries.values()] == [(-5, 0o644), (1 << 40, 0o644), (0, 0o7777)]


def test_a_file_of_more_than_8_gib(tmp_path):
    """Its bytes are never read, only skipped: a sparse file holds the tar."""
    tar = tmp_path / "t.tar"
    info = tarfile.TarInfo("big")
    info.size = 9 << 30
    with open(tar, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.seek(info.size, os.SEEK_CUR)
        file.write(member("after", b"after")[0].tobuf(tarfile.GNU_FORMAT) + b"after".ljust(512, b"\0") + bytes(1024))
    done = subprocess.run([PROGRAM, tar, f"{tar}.expanded", "0"], capture_output=True, text=True, timeout=20, check=True)
    assert [line.split()[3:6] for line in done.stdout.splitlines()] == [
        [str(9 << 30), "0", "512"], ["5", "0", str((9 << 30) + 1024)]]


def test_empty_and_no_tars(tmp_path):
    assert take_apart(write(tmp_path / "empty.tar")) == {}
    for name, data in (("nothing", b""), ("text", b"hello " * 1000), ("short", b"x" * 100), ("ones", b"\xff" * 10240),
                       ("gzip", subprocess.run(["gzip", "-c", tmp_path / "empty.tar"], capture_output=True).stdout)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Refused, match="no tar|damaged"):
            take_apart(tmp_path / name)


def test_cut_tars_are_refused(tree, tmp_path):
    tar = tmp_path / "t.tar"
    gnu("gnu")(tar, tree)
    whole, names = tar.read_bytes(), take_apart(tar)
    last = max(i for i in range(0, len(whole), 512) if any(whole[i:i + 512]))
    rng = random.Random(3)
    refused = 0
    for _ in range(60):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(whole[:rng.randrange(1, last)])
        try:
            assert len(take_apart(cut)) < len(names)  # only a cut between members is a tar
        except Refused:
            refused += 1
    assert refused > 40


def test_damaged_tars_never_crash(tree, tmp_path):
    rng = random.Random(4)
    for make in (gnu("gnu"), gnu("pax"), lambda *a: gnu("pax")(*a, "-S")):
        tar = tmp_path / "t.tar"
        make(tar, tree)
        whole = tar.read_bytes()
        headers = [i for i in range(0, len(whole), 512) if whole[i + 257:i + 262] == b"ustar"]
        for _ in range(60):
            damaged = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                at = rng.choice(headers) + rng.randrange(512)
                damaged[at] = rng.randrange(256)
            fix_sums(damaged, headers)
            (tmp_path / "d.tar").write_bytes(damaged)
            try:
                take_apart(tmp_path / "d.tar", 100_000_000)
            except Refused as error:
                assert "\n" in str(error) and len(str(error)) > 10


def fix_sums(tar, headers):
    for at in headers:
        block = bytes(tar[at:at + 148]) + b" " * 8 + bytes(tar[at + 156:at + 512])
        tar[at + 148:at + 156] = b"%06o\0 " % sum(block)


@pytest.mark.skipif("asan" in str(PROGRAM), reason="sanitizers need address space")
def test_a_hostile_sparse_map_costs_no_memory(tmp_path):
    """Millions of extents in one header: libarchive would keep some 25 bytes for each byte of it."""
    sparse_map = b"4000000\n" + b"".join(b"%d\n1\n" % (2 * i) for i in range(4_000_000))
    sparse_map += bytes(-len(sparse_map) % 512)
    info = tarfile.TarInfo("GNUSparseFile.0/x")
    info.size = len(sparse_map) + 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x",
                        "GNU.sparse.realsize": "100000000"}
    tar = tmp_path / "t.tar"
    tar.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + sparse_map + bytes(512) + bytes(1024))
    limited = f'ulimit -v 200000; exec "{PROGRAM}" "{tar}" "{tar}.expanded" 1000000000'
    done = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "header is larger" in done.stderr
