"""compress against zstd: every output decodes to its input, for any split the same bytes, and sizes."""

import os
import random
import subprocess
from pathlib import Path

import pytest

MIB = 1 << 20
LONG = bool(os.environ.get("SHADOW_LONG"))
SPLITS = [("-g", 1, "-o", 3), ("-c", 5, "-o", 4, "-r", 70000), ("-g", 64 * MIB)]


@pytest.mark.parametrize("level", [1, 3, 10, 19])
def test_decodes_to_its_input(small, level):
    kernels = small.kernels
    for split in [(), ("-g", 1, "-o", 1, "-r", 1), ("-c", 3, "-o", 2)]:
        result = kernels.run("compress", [f"level={level}"], small.names, split)
        assert result.files == [("ok", name + b".zst") for name in small.names]
        for i, name in enumerate(small.names):
            plain = kernels.command("zstd", "-dcq", kernels.scratch / str(i))
            assert plain == small.contents[name], name


def frames(path):
    """`zstd -lv` as a dictionary."""
    listed = subprocess.run(["zstd", "-lv", path], capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ", 1) for line in listed.splitlines() if ": " in line)


def test_frames_are_independent_and_the_same_for_every_split(large):
    kernels = large.kernels
    kernels.run("compress", [], large.names)
    whole = [kernels.output(i) for i in range(len(large.names))]
    for i, name in enumerate(large.names):
        listed = frames(kernels.scratch / str(i))
        size = len(large.contents[name])
        assert int(listed["# Zstandard Frames"]) == max(1, -(-size // (16 * MIB)))
        assert f"({size} B)" in listed["Decompressed Size"]  # every frame says its size
        assert listed["Check"].startswith("XXH64")
        assert kernels.command("zstd", "-dcq", kernels.scratch / str(i)) == large.contents[name]
    for split in SPLITS:
        kernels.run("compress", ["level=3"], large.names, split)
        assert [kernels.output(i) for i in range(len(large.names))] == whole, split


def test_a_slow_level_has_one_frame_a_chunk(large):
    names = [b"frame+1", b"noise"]
    assert large.kernels.run("compress", ["level=9"], names, ("-g", 64 * MIB)).chunks == 1
    assert large.kernels.run("compress", ["level=10"], names, ("-g", 64 * MIB)).chunks == 4


def test_a_broken_output_is_noticed(large):
    kernels = large.kernels
    kernels.run("compress", [], [b"program"])
    data = bytearray(kernels.output(0))
    data[len(data) // 2] ^= 1
    assert subprocess.run(["zstd", "-tq"], input=data, capture_output=True).returncode != 0


@pytest.mark.parametrize("params, words", [
    (["level=0"], 'level "0" is not allowed: a whole number from 1 to 19'),
    (["level=20"], 'level "20" is not allowed: a whole number from 1 to 19'),
    (["level=99"], 'level "99" is not allowed: a whole number from 1 to 19'),
    (["level=x"], 'level "x" is not allowed: a whole number from 1 to 19'),
    (["levle=3"], 'unknown parameter "levle": compress takes level'),
    (["level=3", "level=4"], "level is given twice"),
])
def test_refusals(small, params, words):
    assert small.kernels.refused("compress", params) == words


def corpus(bytes_wanted, seed):
    """Real files of /usr: some of every size, among them larger ones than a frame."""
    sizes = []
    for path in Path("/usr").rglob("*"):
        if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
            sizes.append((path.stat().st_size, str(path)))
    chance = random.Random(seed)
    chosen, total = [], 0
    for least, most, share in [(16 * MIB, 36 * MIB, 0.6), (MIB, 16 * MIB, 0.25), (512, MIB, 0.15)]:
        some = sorted(item for item in sizes if least < item[0] <= most)
        chance.shuffle(some)
        part = 0
        for size, path in some:
            if part == 0 or part + size <= share * bytes_wanted:
                chosen.append(path)
                part += size
        total += part
    return chosen, total


@pytest.mark.plain
@pytest.mark.parametrize("level, limit", [(1, 1.01), (3, 1.01), (6, 1.01), (9, 1.05), (12, 1.05), (19, 1.05)])
def test_size_is_near_that_of_one_frame(small, level, limit):
    wanted = 512 * MIB if LONG else (64 if level < 9 else 32) * MIB
    paths, total = corpus(wanted, level)
    small.kernels.run("compress", [f"level={level}"], paths)
    ours = sum((small.kernels.scratch / str(i)).stat().st_size for i in range(len(paths)))
    theirs = 0
    for path in paths:
        with subprocess.Popen(["zstd", f"-{level}", "-qc", path], stdout=subprocess.PIPE) as zstd:
            theirs += sum(len(block) for block in iter(lambda: zstd.stdout.read(MIB), b""))
    print(f"covered: level {level}: {len(paths)} files, {total >> 20} MiB: {ours / theirs:.4f} of zstd -{level}")
    assert ours <= limit * theirs
