"""hash against sha256sum, sha512sum and b2sum, to the byte, awkward names included."""

import subprocess

import pytest

ALGORITHMS = [("sha256", "sha256sum", b"SHA256SUMS"), ("sha512", "sha512sum", b"SHA512SUMS"),
              ("blake2b", "b2sum", b"B2SUMS")]
SPLITS = [(), ("-g", 1, "-o", 5, "-r", 1), ("-c", 3, "-o", 6), ("-c", 100, "-o", 7)]


@pytest.mark.parametrize("algorithm, command, manifest", ALGORITHMS)
@pytest.mark.parametrize("split", SPLITS)
def test_equals_the_command(small, algorithm, command, manifest, split):
    kernels = small.kernels
    result = kernels.run("hash", [f"algorithm={algorithm}"], small.names, split)
    assert result.files == [("ok", manifest)] * len(small.names)
    assert kernels.output() == kernels.command(command, "--", *small.names)
    checked = subprocess.run([command, "-c", "--quiet", kernels.scratch / "all"], cwd=kernels.folder)
    assert checked.returncode == 0


def test_large_files(large):
    for split in [("-g", 1, "-o", 1), ("-c", 4, "-r", 99999)]:
        large.kernels.run("hash", [], large.names, split)
        assert large.kernels.output() == large.kernels.command("sha256sum", "--", *large.names)


def test_a_file_is_never_split(large):
    assert large.kernels.run("hash", [], large.names, ("-c", 1000)).chunks == len(large.names)


@pytest.mark.parametrize("params, words", [
    (["algorithm=md5"], 'algorithm "md5" is not allowed: one of sha256 sha512 blake2b'),
    (["algorithm="], 'algorithm "" is not allowed: one of sha256 sha512 blake2b'),
    (["level=3"], 'unknown parameter "level": hash takes algorithm'),
])
def test_refusals(small, params, words):
    assert small.kernels.refused("hash", params) == words
