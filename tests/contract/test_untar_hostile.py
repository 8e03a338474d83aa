"""Tars that are none, cut short, damaged or made to hurt: refused with words, never believed."""

import random
import subprocess
import tarfile

import pytest
from tars import PROGRAM, Refused, gnu, make_tree, member, take_apart, write


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


def test_empty_and_no_tars(tmp_path):
    assert take_apart(write(tmp_path / "empty.tar")) == {}
    for name, data in (("nothing", b""), ("text", b"hello " * 1000), ("short", b"x" * 100), ("ones", b"\xff" * 10240),
                       ("gzip", subprocess.run(["gzip", "-c", tmp_path / "empty.tar"], capture_output=True).stdout)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Refused, match="no tar|damaged"):
            take_apart(tmp_path / name)


def test_cut_tars_are_refused(tmp_path):
    tar = tmp_path / "t.tar"
    gnu("gnu")(tar, make_tree(tmp_path))
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


def test_damaged_tars_never_crash(tmp_path):
    rng = random.Random(4)
    tree = make_tree(tmp_path)
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
