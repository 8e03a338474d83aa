"""filter against `LC_ALL=C grep -a`, to the byte: every flag, any split, any order."""

import itertools

import pytest

MIB = 1 << 20
SPLITS = [(), ("-g", 1, "-o", 5, "-r", 3), ("-g", 7, "-o", 2, "-r", 1), ("-c", 13, "-o", 9), ("-g", 500, "-o", 1)]
PATTERNS = ["a", "^$", "$", "^", "", ".", r"\.$", "the|you", r"\x00", r"\r$", "[^a]", r"\s", r"\S\s\S", r"\xff", "é",
            r"end\z", r"\ALicen", "(?i)license", "(?m)^[a-z]", "(?s).", "(?x) w o r k", r"\bof\b", r"(\w)\1", r"\n",
            r"\R", r"\N", "(*CR).$", "(*ANYCRLF)^", "(*NO_JIT)a", r"(?=a\z)", "[[:^print:]]", "(?<!t)he", r"\Q.\E",
            "[[:upper:]]{4}", "(?:(?:a|b)*c){2}", "-n", r"\x{e9}"]
FIXED = ["a", ".", "", "License", r"\x00", "(c)", "a\n.", "\n", "the\n", "\n\nx", "é", "$^*+?[]{}()|\\/#-", "-e", r"\E\Q"]
FLAGS = {"invert": "-v", "ignore-case": "-i", "count": "-c", "with-filename": "-H"}


def params(pattern, chosen, fixed=False):
    return [f"pattern={pattern}", *[f"{flag}=true" for flag in chosen], *(["fixed="] if fixed else [])]


def grep(kernels, pattern, chosen, names, fixed=False):
    options = [FLAGS[flag] for flag in chosen] + ["-F" if fixed else "-P"] + ([] if "with-filename" in chosen else ["-h"])
    return kernels.command("grep", "-a", *options, "-e", pattern, "--", *names, check=False)


def compare(data, pattern, chosen, fixed, splits):
    kernels, names = data.kernels, data.names
    wanted = grep(kernels, pattern, chosen, names, fixed)
    for split in splits:
        result = kernels.run("filter", params(pattern, chosen, fixed), names, split)
        assert result.files == [("ok", b"filter.txt")] * len(names)
        assert kernels.output() == wanted, (pattern, chosen, split)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(small, pattern):
    compare(small, pattern, [], False, SPLITS)
    compare(small, pattern, ["invert", "with-filename"], False, SPLITS[:2])


@pytest.mark.parametrize("pattern", FIXED)
def test_fixed(small, pattern):
    compare(small, pattern, [], True, SPLITS)
    compare(small, pattern, ["ignore-case", "invert"], True, SPLITS[:2])


@pytest.mark.parametrize("fixed", [False, True])
def test_all_flags_together(small, fixed):
    for n in range(len(FLAGS) + 1):
        for chosen in itertools.combinations(FLAGS, n):
            for pattern in ["LICENSE", "", "x"]:
                compare(small, pattern, chosen, fixed, SPLITS[1:2])


@pytest.mark.parametrize("pattern", ["needle", "^", "[Cc]opyright", "z|^$"])
def test_long_lines_and_large_files(large, pattern):
    splits = [("-g", 300000, "-o", 3), ("-c", 7, "-o", 4, "-r", 65537)]
    compare(large, pattern, ["with-filename"], False, splits)
    compare(large, pattern, ["invert", "count"], False, splits[:1])


def test_count_never_splits(large):
    given = params("needle", ["count"])
    assert large.kernels.run("filter", given, large.names, ("-c", 1000)).chunks == len(large.names)
    assert large.kernels.run("filter", given[:1], large.names, ("-c", 1000)).chunks > 900


@pytest.fixture(scope="module")
def limits(tmp_path_factory):
    """Lines of exactly the limit, and one byte more."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "good").write_bytes(b"a\n" + b"x" * (32 * MIB) + b"\nb\n" + b"y" * (32 * MIB))
    (folder / "long").write_bytes(b"a\n" + b"x" * (32 * MIB + 1) + b"\nb\n")
    (folder / "last").write_bytes(b"a\n" + b"x" * (32 * MIB + 1))
    (folder / "text").write_bytes(b"a\nb\n")
    return folder


@pytest.mark.parametrize("split", [(), ("-g", 20 * MIB, "-o", 3), ("-g", 2, "-r", 50 * MIB)])
def test_a_line_over_the_limit_is_that_files_error(small, limits, split):
    names = [limits / name for name in ("good", "long", "last", "text")]
    if split[:2] == ("-g", 2):
        names = names[3:]
    result = small.kernels.run("filter", ["pattern=^[ab]"], names, split)
    for name, (word, text) in zip(names, result.files):
        if name.name in ("long", "last"):
            assert (word, text) == ("error", b"the line at byte 2: it is longer than 32 MiB")
        else:
            assert word == "ok"
    good = [name for name in names if name.name in ("good", "text")]
    assert small.kernels.output() == grep(small.kernels, "^[ab]", [], good)


@pytest.mark.parametrize("pattern, words", [
    ("(x+x+)+[yz]", "the pattern backtracks too often (over 10 million times)"),
    ("(*NO_JIT)(x+x+)+[yz]", "the pattern backtracks too often (over 10 million times)"),
    ("(?=xxx)(?R)|xxy", "the pattern needs too much memory (over 64 MiB)"),
])
def test_a_pattern_that_never_ends_is_cut(small, tmp_path, pattern, words):
    evil, good = tmp_path / "evil", tmp_path / "good"
    evil.write_bytes(b"ok\n" + b"x" * 5000 + b"\n")
    good.write_bytes(b"xxy\n")
    result = small.kernels.run("filter", [f"pattern={pattern}"], [evil, good])
    assert result.files[0] == ("error", b"the line at byte 3: " + words.encode())
    assert result.files[1] == ("ok", b"filter.txt")
    assert small.kernels.output() == good.read_bytes()


@pytest.mark.parametrize("given, words", [
    ([], "pattern is required: Perl-compatible regular expression that a line is searched for"),
    (["pattern=(a"], "pattern: missing closing parenthesis (at byte 2)"),
    (["pattern=a{3,2}"], "pattern: numbers out of order in {} quantifier (at byte 5)"),
    (["pattern=[z-a]"], "pattern: range out of order in character class (at byte 3)"),
    (["pattern=a\nb"], "pattern has a line feed: one expression, or several texts with fixed"),
    (["pattern=(*UTF)a"], "pattern: using UTF is disabled by the application (at byte 6)"),
    (["pattern=" + "x" * 4097], "pattern has 4097 bytes: 0 to 4096 are allowed"),
    (["pattern=x", "invert=maybe"], 'invert "maybe" is not allowed: true or false'),
    (["pattern=x", "colour=1"],
     'unknown parameter "colour": filter takes pattern fixed invert ignore-case count with-filename'),
])
def test_refusals(small, given, words):
    assert small.kernels.refused("filter", given) == words
