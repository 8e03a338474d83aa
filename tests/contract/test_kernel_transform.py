"""transform against zstd -d, iconv, tr, sed and base64: what they give, and what they refuse."""

import os
import random

import pytest

MIB = 1 << 20
COMMANDS = {
    "upper": (["tr", "a-z", "A-Z"], b".upper"),
    "lower": (["tr", "A-Z", "a-z"], b".lower"),
    "crlf": (["sed", r"s/$/\r/"], b".crlf"),
    "lf": (["sed", r"s/\r$//"], b".lf"),
    "base64": (["base64"], b".b64"),
}


def one(kernels, tmp_path, data, *given, read=MIB):
    """("ok", output) or ("error", words) for one file with this content."""
    path = tmp_path / "in"
    path.write_bytes(data)
    word, text = kernels.run("transform", given, [path], ("-r", read)).files[0]
    return (word, kernels.output(0)) if word == "ok" else (word, text.decode())


@pytest.mark.parametrize("op", COMMANDS)
def test_equals_the_command(small, large, op):
    command, suffix = COMMANDS[op]
    for data, read in [(small, 1), (small, 1000), (large, 70001)]:
        result = data.kernels.run("transform", [f"op={op}"], data.names, ("-r", read, "-g", 1, "-o", 2))
        assert result.files == [("ok", name + suffix) for name in data.names]
        for i, name in enumerate(data.names):
            assert data.kernels.output(i) == data.kernels.command(*command, input=data.contents[name]), name


@pytest.mark.parametrize("op", ["crlf", "lf"])
def test_line_ends_at_the_edges_of_blocks(small, tmp_path, op):
    for around in range(128 * 1024 - 2, 128 * 1024 + 3):
        for end in (b"\r", b"\n", b"\r\n", b"\r\r\n", b"\rx", b"\r\r"):
            data = b"a" * around + end
            assert one(small.kernels, tmp_path, data, f"op={op}") == (
                "ok", small.kernels.command(*COMMANDS[op][0], input=data))


def test_unbase64_gives_back_what_base64_made(large):
    kernels = large.kernels
    kernels.run("transform", ["op=base64"], large.names)
    names = []
    for i, name in enumerate(large.names):
        names.append(kernels.folder / (os.fsdecode(name) + ".b64"))
        names[-1].write_bytes(kernels.output(i))
    result = kernels.run("transform", ["op=unbase64"], names, ("-r", 70001))
    assert result.files == [("ok", os.fsencode(name)[:-4]) for name in names]
    for i, name in enumerate(large.names):
        assert kernels.output(i) == large.contents[name]


def test_unbase64_takes_what_the_command_takes(small, tmp_path):
    chance = random.Random(3)
    cases = [b"", b"\n", b"YQ==", b"YQ==YQ==", b"YQ", b"YQ=\n=", b"YR==", b"YQ==Y", b"=", b"Y\rQ==", b"====", b"A===",
             b"AB=C", b"YWJj\0", b" YWJj"]
    cases += [bytes(chance.choices(b"AQz09+/==\n", k=chance.randrange(14))) for _ in range(150)]
    for data in cases:
        # the command prints what it decoded before it fails: no output, but for the exit status
        done = small.kernels.command("sh", "-c", "base64 -d || echo failed", input=data)
        word, output = one(small.kernels, tmp_path, data, "op=unbase64", read=3)
        assert word == ("error" if done.endswith(b"failed\n") else "ok"), data
        assert word == "error" or output == done, data


TEXTS = ["", "Hello, world 123\nabc\n", "Grüße, naïve\n", "Ελληνικά\n", "日本語テキスト漢字\n" * 9, "Привет мир"]
SETS = ["UTF-8", "UTF-16", "UTF-16LE", "UTF-32", "ISO-8859-1", "ISO-8859-7", "KOI8-R", "CP1252", "SHIFT_JIS", "EUC-JP",
        "ISO-2022-JP", "UTF-7", "IBM037", "BIG5", "GB18030", "ASCII"]


@pytest.mark.parametrize("name", SETS)
def test_iconv(small, tmp_path, name):
    """There and, where the command can, back; also cut short and with a wrong byte in front."""
    kernels = small.kernels

    def same(data, source, target, read=3):
        command = f"iconv -f {source} -t {target} 2>/dev/null || printf failed"
        wanted = kernels.command("sh", "-c", command, input=data)
        word, output = one(kernels, tmp_path, data, "op=iconv", f"from={source}", f"to={target}", read=read)
        assert word == ("error" if wanted.endswith(b"failed") else "ok"), (data, output)
        assert word == "error" or output == wanted
        return output if word == "ok" else b""

    for text in TEXTS:
        there = same(text.encode(), "UTF-8", name)
        for data in (there, there[:-1], b"\xff" + there):
            same(data, name, "UTF-8")
    same(TEXTS[4].encode() * 20000, "UTF-8", name, read=70001)


def test_iconv_starts_anew_with_each_file(small, tmp_path):
    """Byte order, shift state and the mark in front belong to one file."""
    names = [tmp_path / name for name in ("little", "big", "cut", "utf-8")]
    for path, data in zip(names, [b"\xff\xfea\0", b"\xfe\xff\0a", b"\xff\xfea", b"a\n"]):
        path.write_bytes(data)
    result = small.kernels.run("transform", ["op=iconv", "from=UTF-16", "to=UTF-8"], names[:3])
    assert [small.kernels.output(0), small.kernels.output(1)] == [b"a", b"a"]
    assert result.files[2] == ("error", b"an unfinished character at byte 2")
    small.kernels.run("transform", ["op=iconv", "from=UTF-8", "to=UTF-16"], [names[3], names[3]])
    assert small.kernels.output(0) == small.kernels.output(1) == small.kernels.command(
        "iconv", "-f", "UTF-8", "-t", "UTF-16", names[3])


def test_iconv_starts_anew_after_an_error(small, tmp_path):
    """The first file breaks off in the middle of a shift; the second must not begin in it."""
    names = [tmp_path / name for name in ("broken", "good")]
    names[0].write_bytes("日本".encode() + b"\xff")
    names[1].write_bytes("本 abc\n".encode())
    given = ["op=iconv", "from=UTF-8", "to=ISO-2022-JP"]
    result = small.kernels.run("transform", given, names)
    assert [word for word, _ in result.files] == ["error", "ok"]
    assert small.kernels.output(1) == small.kernels.command("iconv", "-f", "UTF-8", "-t", "ISO-2022-JP", names[1])


def test_iconv_says_where(small, tmp_path):
    given = ["op=iconv", "from=UTF-8", "to=ISO-8859-1"]
    words = ("error", "cannot convert the character at byte 300002")
    assert one(small.kernels, tmp_path, b"a" * 300000 + "ä€".encode(), *given) == words
    assert one(small.kernels, tmp_path, b"a" * 300002 + b"\xff", *given) == words
    translit = one(small.kernels, tmp_path, "5 €".encode(), "op=iconv", "from=UTF-8", "to=ASCII//TRANSLIT")
    assert translit == ("ok", small.kernels.command("iconv", "-f", "UTF-8", "-t", "ASCII//TRANSLIT", input="5 €".encode()))


@pytest.mark.parametrize("given, words", [
    ([], "op is required: "),
    (["op=sideways"], 'op "sideways" is not allowed: one of decompress iconv upper lower crlf lf base64 unbase64'),
    (["op=iconv"], "op iconv needs from and to, such as ISO-8859-1 and UTF-8"),
    (["op=iconv", "from=UTF-8"], "op iconv needs from and to, such as ISO-8859-1 and UTF-8"),
    (["op=upper", "from=UTF-8"], "from is allowed with op iconv only"),
    (["op=upper", "to=UTF-8"], "to is allowed with op iconv only"),
    (["op=lf", "max-bytes=1"], "max-bytes is allowed with op decompress only"),
    (["op=decompress", "max-bytes=0"],
     'max-bytes "0" is not allowed: a whole number from 1 to 1125899906842624'),
    (["op=iconv", "from=UTF-8", "to=none"], "no conversion from UTF-8 to none: `iconv -l` lists what is known"),
    (["op=iconv", "from=../x", "to=UTF-8"],
     "from is no name of a character set: letters, digits and _.:()+- are allowed"),
    (["op=iconv", "from=UTF-8", "to=ASCII//IGNORE"],
     "to is no name of a character set: letters, digits and _.:()+- are allowed, then //TRANSLIT"),
    (["op=iconv", "from=", "to=UTF-8"], "from has 0 bytes: 1 to 64 are allowed"),
])
def test_refusals(small, given, words):
    assert small.kernels.refused("transform", given).startswith(words)
