"""Every kernel over 1 GiB within 256 MiB of address space: nothing holds a file, a line or an output whole."""

import subprocess

import pytest

MIB = 1 << 20
GIB = 1 << 30
LIMIT = 256 * MIB

pytestmark = pytest.mark.plain  # a sanitizer's shadow alone is terabytes of address space


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """1 GiB without a line feed; and 1 GiB of lines of 16 MiB, of which each fourth ends in a word."""
    folder = tmp_path_factory.mktemp("sparse")
    for name in ("zeros", "lines"):
        with (folder / name).open("wb") as file:
            file.truncate(GIB)
    with (folder / "lines").open("r+b") as file:
        for i in range(GIB // (16 * MIB)):
            file.seek((i + 1) * 16 * MIB - 7)
            file.write(b"needle\n" if i % 4 == 0 else b"other.\n")
    return folder


@pytest.mark.parametrize("level", [3, 19])
def test_compress(small, sparse, level):
    small.kernels.run("compress", [f"level={level}"], [sparse / "lines"], memory=LIMIT)
    plain = subprocess.run(f"zstd -dcq {small.kernels.scratch / '0'} | cmp - {sparse / 'lines'}", shell=True)
    assert plain.returncode == 0


def test_hash(small, sparse):
    small.kernels.run("hash", [], [sparse / "lines"], memory=LIMIT)
    assert small.kernels.output() == small.kernels.command("sha256sum", sparse / "lines")


@pytest.mark.parametrize("split", [(), ("-c", 50, "-o", 3)])
def test_filter(small, sparse, split):
    given = ["pattern=needle$", "invert="]
    result = small.kernels.run("filter", given, [sparse / "zeros", sparse / "lines"], split, memory=LIMIT)
    assert result.files == [("error", b"the line at byte 0: it is longer than 32 MiB"), ("ok", b"filter.txt")]
    wanted = subprocess.run(f"LC_ALL=C grep -a -v -P 'needle$' {sparse / 'lines'} | cmp - {small.kernels.scratch}/all",
                            shell=True)
    assert wanted.returncode == 0


def test_decompress(small, sparse):
    packed = sparse / "lines.zst"
    subprocess.run(["zstd", "-q1", "--long=27", sparse / "lines", "-o", packed], check=True)
    result = small.kernels.run("transform", ["op=decompress"], [packed], memory=LIMIT)
    assert result.files[0][0] == "ok"
    assert subprocess.run(["cmp", small.kernels.scratch / "0", sparse / "lines"]).returncode == 0


@pytest.mark.parametrize("given", [
    ["op=upper"], ["op=crlf"], ["op=lf"], ["op=base64"], ["op=iconv", "from=ISO-8859-1", "to=UTF-16LE"]])
def test_other_operations(small, sparse, given):
    """What they give is compared in test_kernel_transform.py; a GiB of it is not kept."""
    result = small.kernels.run("transform", given, [sparse / "lines"], ("-n",), memory=LIMIT)
    assert result.files[0][0] == "ok"


def test_unbase64(small, tmp_path):
    letters = tmp_path / "a.b64"
    with letters.open("wb") as file:
        for _ in range(128):
            file.write(b"A" * 4 * MIB)
    result = small.kernels.run("transform", ["op=unbase64"], [letters], ("-n",), memory=LIMIT)
    assert result.files[0][0] == "ok"
