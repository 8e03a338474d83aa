"""transform decompress against zstd -d: many frames, damage, bombs, and one bad file among thousands."""

import os
import random
import struct
import subprocess

import pytest

MIB = 1 << 20
GIVEN = ["op=decompress"]


def one(kernels, tmp_path, data, *given):
    path = tmp_path / "in.zst"
    path.write_bytes(data)
    word, text = kernels.run("transform", [*GIVEN, *given], [path], ("-r", 70001)).files[0]
    return (word, kernels.output(0)) if word == "ok" else (word, text.decode())


def zstd(data, *options):
    return subprocess.run(["zstd", "-qc", *options], input=data, capture_output=True, check=True).stdout


def unzstd(data):
    """What `zstd -dc` gives; None when it fails."""
    done = subprocess.run(["zstd", "-dqc"], input=data, capture_output=True)
    return done.stdout if done.returncode == 0 else None


def test_names(small, tmp_path):
    data = zstd(b"x")
    names = [b"a.txt.zst", b"a.txt", b".zst", b"d/.zst", b"a.zst.zst", b"a.ZST", b"\xff.zst"]
    (tmp_path / "d").mkdir()
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(data)
    before = os.fsencode(tmp_path) + b"/"
    result = small.kernels.run("transform", GIVEN, [before + name for name in names])
    assert [name.removeprefix(before) for _, name in result.files] == [
        b"a.txt", b"a.txt.out", b".zst.out", b"d/.zst.out", b"a.zst", b"a.ZST.out", b"\xff"]


def test_gives_back_what_was_compressed(small, large, tmp_path):
    for data in (small, large):
        for name, plain in data.contents.items():
            assert one(data.kernels, tmp_path, zstd(plain, "-1")) == ("ok", plain), name
    # made by the kernel: frames of 16 MiB
    large.kernels.run("compress", [], [b"noise"])
    assert one(large.kernels, tmp_path, large.kernels.output(0)) == ("ok", large.contents[b"noise"])


def test_many_frames_and_odd_ones(small, tmp_path):
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    frame, empty, unsized = zstd(b"abc"), zstd(b""), zstd(b"abc" * 99, "--no-check", "--stream-size=297")
    window = zstd(bytes(9 * MIB), "--long=27", "-1")
    for data in (frame * 999, skipped, skipped + frame, frame + skipped, empty, empty + frame, unsized, window):
        plain = unzstd(data)
        assert plain is not None
        assert one(small.kernels, tmp_path, data) == ("ok", plain)


def test_a_window_over_the_limit(small, tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    data = subprocess.run(["zstd", "-qc1", "--long=28", path], capture_output=True, check=True).stdout
    assert unzstd(data) is None
    word, words = one(small.kernels, tmp_path, data)
    assert word == "error" and words.endswith("the frame needs a window over 128 MiB")


def test_damage_is_what_the_command_calls_damage(small, tmp_path):
    """Every length, and a flipped bit in every byte, of a file of two frames: all files of one run."""
    good = zstd(small.contents[b"text"]) + zstd(b"second")
    cases = [good[:n] for n in range(len(good))] + [good + b"x", good + b"\x28\xb5\x2f\xfd", b"plain text"]
    for i in range(0, len(good), 1 if os.environ.get("SHADOW_LONG") else 5):
        cases.append(good[:i] + bytes([good[i] ^ 1 << i % 8]) + good[i + 1:])
    names = []
    for i, data in enumerate(cases):
        names.append(tmp_path / f"{i}.zst")
        names[-1].write_bytes(data)
    result = small.kernels.run("transform", GIVEN, names, ("-o", 3, "-c", 50))
    good_cases = 0
    for i, (word, _) in enumerate(result.files):
        plain = unzstd(cases[i])
        assert word == ("error" if plain is None else "ok"), i
        if plain is not None:
            good_cases += 1
            assert small.kernels.output(i) == plain
    print(f"covered: {len(cases)} damaged files, {good_cases} of them still good to zstd -d")


def test_the_cap(small, tmp_path):
    data = zstd(bytes(1000))
    assert one(small.kernels, tmp_path, data, "max-bytes=1000") == ("ok", bytes(1000))
    assert one(small.kernels, tmp_path, data, "max-bytes=999") == (
        "error", "unpacks to more than 999 bytes (max-bytes)")


def test_one_corrupt_file_among_four_thousand(small, tmp_path):
    chance = random.Random(4)
    plain = [chance.randbytes(chance.randrange(300)) for _ in range(4000)]
    names = [tmp_path / f"{i}" for i in range(4000)]
    for name, data in zip(names, plain):
        name.write_bytes(data)
    small.kernels.run("compress", [], names)
    packed = [tmp_path / f"{i}.zst" for i in range(4000)]
    for i, name in enumerate(packed):
        name.write_bytes(small.kernels.output(i))
    damaged = bytearray(packed[1234].read_bytes())
    damaged[-1] ^= 1
    packed[1234].write_bytes(damaged)
    result = small.kernels.run("transform", GIVEN, packed, ("-g", 4096, "-o", 8))
    assert [i for i, (word, _) in enumerate(result.files) if word == "error"] == [1234]
    assert result.files[1234][1] == b"cannot decompress: the data is damaged"
    assert all(small.kernels.output(i) == plain[i] for i in range(4000) if i != 1234)


@pytest.mark.plain
def test_a_bomb_is_cut_in_little_memory(small, tmp_path):
    """1.5 GiB of zeros in 50 KiB, over the default cap."""
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(3 << 29)
    bomb = tmp_path / "bomb.zst"
    subprocess.run(["zstd", "-q1", tmp_path / "zeros", "-o", bomb], check=True)
    result = small.kernels.run("transform", GIVEN, [bomb], ("-n",), memory=256 * MIB)
    cap = 100 * bomb.stat().st_size + (1 << 30)
    assert result.files == [("error", f"unpacks to more than {cap} bytes (max-bytes)".encode())]
