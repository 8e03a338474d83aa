"""verify of each kernel: right outputs are accepted, whatever made them, and nothing else is."""

import os
import random
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[2]
VERIFY = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "tests" / "contract" / "verify_run"
SKIPPABLE = bytes.fromhex("502a4d1804000000") + b"evil"
RUNS = [
    ("hash", []), ("hash", ["algorithm=sha512"]), ("hash", ["algorithm=blake2b"]),
    ("filter", ["pattern=e"]), ("filter", ["pattern=the", "count=true", "with-filename=true"]),
    ("transform", ["op=upper"]), ("transform", ["op=base64"]), ("transform", ["op=crlf"]),
    ("compress", []), ("compress", ["level=19"]),
]


def verify(where, kernel, params, output, claims, read=None):
    """`claims`: a (name, length, error) for each file. What verify_run says of each: "right", or "wrong" and why."""
    path = where.kernels.scratch / "claimed"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(output)
    words = [word for name, length, error in claims for word in (name, str(length), error)]
    done = subprocess.run([VERIFY, *(("-r", str(read)) if read else ()), path, kernel, *params, "--", *words],
                          cwd=where.kernels.folder, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(errors="replace").splitlines()
    assert len(said) == len(claims)
    return said


def honest(where, kernel, params, name):
    """(output, error) of a run over one file."""
    result = where.kernels.run(kernel, params, [name])
    [(word, text)] = result.files
    if word == "error":
        return b"", text.decode()
    return where.kernels.output("0" if kernel in ("compress", "transform") else "all"), ""


def plain(frames):
    return subprocess.run(["zstd", "-dcq"], input=frames, capture_output=True).stdout


@pytest.mark.parametrize("kernel, params", RUNS)
def test_the_kernels_own_output_is_right(small, kernel, params):
    parts = [(name, *honest(small, kernel, params, name)) for name in small.names]
    whole = b"".join(output for _, output, _ in parts)
    claims = [(name, len(output), error) for name, output, error in parts]
    for read in (None, 1):
        assert verify(small, kernel, params, whole, claims, read) == ["right"] * len(claims)


@pytest.mark.parametrize("kernel, params", RUNS)
def test_every_change_is_noticed(small, kernel, params):
    """Bits, ends, lengths: of one file whose neighbour stays right."""
    chance = random.Random(9)
    first, second = (honest(small, kernel, params, name)[0] for name in (b"text", b"tab\tand *?["))
    places = range(len(first)) if len(first) < 300 else sorted(chance.sample(range(len(first)), 150))
    changes = [first[:at] + bytes([first[at] ^ 1 << chance.randrange(8)]) + first[at + 1:] for at in places]
    changes += [first[:at] for at in (0, 1, len(first) // 2, len(first) - 1)]
    changes += [first + more for more in (b"\0", b"\n", first, SKIPPABLE)]
    changes += [b"x" + first, SKIPPABLE + first, b""]
    assert first and len(changes) > 8
    output = b"".join(changes) + second
    claims = [(b"text", len(change), "") for change in changes] + [(b"tab\tand *?[", len(second), "")]
    said = verify(small, kernel, params, output, claims)
    assert said[-1] == "right"
    accepted = [change for change, words in zip(changes, said) if not words.startswith("wrong ")]
    if kernel == "compress":  # a bit that zstd does not look at: the result is another one and right
        accepted = [change for change in accepted if plain(change) != small.contents[b"text"]]
    assert not accepted
    print(f"covered: {kernel} {params}: {len(changes)} changed outputs")


@pytest.mark.parametrize("kernel, params", RUNS)
def test_lengths_and_files_that_changed_places(small, kernel, params):
    a, b = (honest(small, kernel, params, name)[0] for name in (b"text", b" "))
    assert a and a != b
    for output, claims in [(a + b, [(b"text", len(a) - 1, ""), (b" ", len(b) + 1, "")]),
                           (b + a, [(b"text", len(b), ""), (b" ", len(a), "")])]:
        said = verify(small, kernel, params, output, claims)
        assert all(words.startswith("wrong ") for words in said), said


def test_a_hash_of_another_name_is_wrong(small):
    output, _ = honest(small, "hash", [], b"text")
    assert verify(small, "hash", [], output.replace(b"text", b"tent"), [(b"text", len(output), "")])[0] != "right"


def test_errors(small, tmp_path):
    """An input error is a result too: claimed where there is none, not claimed where there is one, in other words."""
    params = ["op=decompress"]
    output, error = honest(small, "transform", params, b"text")
    assert output == b"" and "no zstd frame" in error
    assert verify(small, "transform", params, b"", [(b"text", 0, error)]) == ["right"]
    for claim in [(b"text", 0, ""), (b"text", 0, error + "!"), (b"text", 0, "visit example.org")]:
        assert verify(small, "transform", params, b"", [claim])[0].startswith("wrong ")
    assert verify(small, "transform", params, b"x", [(b"text", 1, error)])[0].startswith("wrong ")
    assert verify(small, "compress", [], b"", [(b"text", 0, "a lie")])[0].startswith("wrong ")


@pytest.fixture(scope="module")
def tools(large):
    """Outputs of compress by the zstd command: other levels, other versions of the frames."""
    def compressed(name, *options):
        return large.kernels.command("zstd", "-qc", *options, "--", large.kernels.folder / name.decode())
    return SimpleNamespace(compressed=compressed)


def compress_says(where, output, name, read=None):
    return verify(where, "compress", ["level=3"], output, [(name, len(output), "")], read)[0]


@pytest.mark.parametrize("name", [b"frame", b"program", b"zeros"])
def test_other_frames_of_zstd_are_right(large, tools, name):
    for options in [("-1",), ("-12",), ("--fast=5",), ("-3", "-T2"), ("-5", "--long=24")]:
        assert compress_says(large, tools.compressed(name, *options), name) == "right", options


def test_frames_of_a_large_file(large, tools):
    """Each has 16 MiB: longer, shorter, missing, swapped, empty and unchecked ones are refused."""
    kernels = large.kernels
    kernels.run("compress", ["level=6"], [b"noise"])
    whole = kernels.output(0)
    assert compress_says(large, whole, b"noise") == "right"
    assert compress_says(large, whole, b"noise", 70001) == "right"
    kernels.run("compress", [], [b"frame"])
    one = kernels.output(0)
    assert compress_says(large, one, b"frame") == "right"
    kernels.run("compress", [], [b"frame+1"])
    two = kernels.output(0)
    empty = subprocess.run(["zstd", "-qc"], input=b"", capture_output=True, check=True).stdout
    last = subprocess.run(["zstd", "-qc", "--stream-size=1"], input=large.contents[b"frame+1"][16 * MIB:],
                          capture_output=True, check=True).stdout
    assert compress_says(large, one + last, b"frame+1") == "right"
    wrong = [one, two[len(one):] + one, empty + two, two + empty, one + SKIPPABLE + two[len(one):], two + two,
             tools.compressed(b"frame+1"), tools.compressed(b"frame+1", "--no-check")]
    for output in wrong:
        assert compress_says(large, output, b"frame+1").startswith("wrong ")
    for option in ("--no-check", "--no-content-size"):
        assert compress_says(large, tools.compressed(b"program", option), b"program").startswith("wrong ")
