"""Tars made by GNU tar, bsdtar and Python, taken apart: every member's bytes lie where the manifest says, and the
rules of the design hold for names, links and what is no file."""

import os
import random
import subprocess
import tarfile

import pytest
from tars import FAILED, FILE, MAKERS, PROGRAM, SKIPPED, bsd, files_of, gnu, link, make_tree, member, take_apart, write


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path)


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


def test_hard_links_are_their_targets_bytes(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(b"first")
    os.link(root / "a", root / "b")
    for make in MAKERS.values():
        tar = tmp_path / "t.tar"
        make(tar, root)
        assert {n: e.data for n, e in take_apart(tar).items()} == {b"./a": b"first", b"./b": b"first"}


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
