"""The kernels as a wasm module, under Node: the same bytes and the same errors as the native kernels give.

Budget: 40 s with the module's build (its libraries are compiled once for each build folder)."""

import ctypes
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("SHADOW_BUILD", "build-test")
FOLDER = ROOT / "libshadow" / "kernels" / "wasm"
MODULE = BUILD / "libshadow" / "kernels" / "wasm" / "shadow-kernels.wasm"
pytestmark = pytest.mark.plain  # the module knows no sanitizer


NO_SOURCES = "the sources of the wasm module cannot be had"  # build.py


def build():
    if "asan" in BUILD.name:
        return SimpleNamespace(returncode=0, stdout="")
    return subprocess.run(["ninja", "-C", BUILD, MODULE.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=280)


def missing():
    """Why these tests cannot be run here, or None."""
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else ""
    if not version or int(version[1:].split(".")[0]) < 18:
        return f"no node of version 18 or later ({version.strip() or 'none'})"
    if MODULE.name not in (BUILD / "build.ninja").read_text():
        return f"{BUILD.name} is configured without the wasm module: clang, lld or wasi-libc are missing (tests/deps)"
    built = build()
    if built.returncode and NO_SOURCES in built.stdout:  # a mirror without source packages
        return built.stdout[built.stdout.index(NO_SOURCES):].strip()[:300]
    return None


if reason := missing():
    pytest.skip(reason, allow_module_level=True)  # one skip for all


@pytest.fixture(scope="module")
def wasm():
    """Runs cases in one Node: (type, params, segments) each; segments are (name, path, more)."""
    built = build()
    assert built.returncode == 0, built.stdout

    def run(cases):
        files, given = {}, []
        for kernel, params, segments in cases:
            given.append({"type": kernel, "params": params, "segments": [
                {"name": os.fsencode(name).hex(), "file": files.setdefault(os.fsencode(path).hex(), len(files)), **more}
                for name, path, more in segments]})
        done = subprocess.run(["node", ROOT / "tests/contract/wasm_run.mjs", FOLDER / "kernels.mjs", MODULE],
                              input=json.dumps({"files": list(files), "cases": given}), capture_output=True, text=True,
                              timeout=200)
        assert done.returncode == 0, done.stderr
        return SimpleNamespace(**json.loads(done.stdout))
    return run


def place(kernels, name):
    return os.path.join(os.fsencode(kernels.folder), os.fsencode(name))


def sums(kernels, result):
    """Of native outputs: each file's (None where there is an error), or the one of all."""
    if (kernels.scratch / "all").exists():
        return hashlib.sha256(kernels.output()).hexdigest()
    return [None if word == "error" else hashlib.sha256(kernels.output(i)).hexdigest()
            for i, (word, _) in enumerate(result.files)]


def compare(wasm, kernels, cases, names):
    """The cases (kernel, params) over whole files, in wasm and natively: the same bytes, errors and refusals."""
    given = wasm([(kernel, params, [(name, place(kernels, name), {}) for name in names]) for kernel, params in cases])
    assert given.imports == 0
    for (kernel, params), got in zip(cases, given.results):
        assert "failed" not in got, (kernel, params, got)
        native = kernels.run(kernel, [f"{key}={str(value).lower() if value is True else value}" for key, value in params.items()],
                             names)
        assert got["errors"] == [text.decode() if word == "error" else "" for word, text in native.files], (kernel, params)
        wanted = sums(kernels, native)
        parts = [None if error else part for part, error in zip(got["parts"], got["errors"])]
        assert (got["whole"] if isinstance(wanted, str) else parts) == wanted, (kernel, params)
    print(f"covered: {len(cases)} runs over {len(names)} files in wasm, equal to native")


@pytest.fixture(scope="module")
def windows(tmp_path_factory, small):
    """Sizes around zstd's choices by window (16, 128, 256 KiB), text, a program, and noise between."""
    folder = tmp_path_factory.mktemp("windows")
    chance = random.Random(11)
    license_text, program = (ROOT / "LICENSE").read_bytes(), open("/bin/bash", "rb").read()
    words = [chance.randbytes(chance.randrange(2, 9)) for _ in range(3000)]
    mixed = b"".join(chance.choice(words) for _ in range(200_000))
    for n in (16384, 16385, 40000, 131071, 131073, 262145, 700_000):
        (folder / f"mixed-{n}").write_bytes(mixed[:n])
        (folder / f"program-{n}").write_bytes(program[-n:])
    (folder / "license").write_bytes(license_text * 20)
    (folder / "literals").write_bytes(mixed[:150_000] + chance.randbytes(140_000) + mixed[:150_000])
    kernels = type(small.kernels)(folder, tmp_path_factory.mktemp("out") / "windows")
    return SimpleNamespace(kernels=kernels, names=sorted(os.listdir(folder)))


def test_what_it_offers(wasm):
    given = {kernel["type"]: kernel for kernel in wasm([]).kernels}
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_versionString.restype = ctypes.c_char_p
    assert given["compress"]["engine"] == "zstd " + zstd.ZSTD_versionString().decode()
    assert given["filter"]["engine"].startswith("pcre2 ")
    assert given["transform"]["ops"] == "decompress upper lower crlf lf base64 unbase64".split()
    assert set(given) == {"compress", "hash", "filter", "transform"}


def test_compress_small(wasm, small):
    compare(wasm, small.kernels, [("compress", {"level": level}) for level in range(1, 20)], small.names)


def test_compress_windows(wasm, windows):
    compare(wasm, windows.kernels, [("compress", {"level": level}) for level in (1, 3, 5, 7, 9, 13, 19)],
            windows.names)


def test_compress_large(wasm, large):
    compare(wasm, large.kernels, [("compress", {"level": level}) for level in (1, 3)], large.names)


def test_hash(wasm, small, large):
    cases = [("hash", {"algorithm": algorithm}) for algorithm in ("sha256", "sha512", "blake2b")]
    compare(wasm, small.kernels, cases, small.names)
    compare(wasm, large.kernels, cases, [b"noise", b"frame+1"])


PATTERNS = ["", "a", "the", "^$", "^.", r"[\x80-\xff]+", r"\bof\b", "x|^a", "(?i)LICENSE", r"(\w)\1", r"\p{Lu}{3}", r".\z",
            r"\r$", r"(?<=e )\S+", r"^(?:(?=a)a|b)*+\r?", "(*NO_JIT)e.*o", r"\x00", r"\X{5}", "^.{40,}$"]
FLAGS = ["fixed", "invert", "ignore-case", "count", "with-filename"]


def test_filter(wasm, small, large):
    cases = [("filter", {"pattern": pattern, **dict.fromkeys(flags, True)})
             for pattern in PATTERNS for flags in ([], ["invert"], ["ignore-case", "with-filename"])]
    cases += [("filter", {"pattern": pattern, **dict.fromkeys(flags, True)}) for pattern in ["e", "LICENSE\nx", ""]
              for n in range(6) for flags in itertools.combinations(FLAGS, n) if "\n" not in pattern or "fixed" in flags]
    compare(wasm, small.kernels, cases, small.names)
    compare(wasm, large.kernels, [("filter", {"pattern": "needle|z"}), ("filter", {"pattern": "^", "count": True})],
            large.names)


def test_filter_cut_anywhere(wasm, small):
    """Segments with the byte before and what comes after, as a chunk brings them."""
    chance, cases = random.Random(5), []
    params = [{"pattern": "a", "with-filename": True}, {"pattern": "^", "invert": True}, {"pattern": r"\r|x$|^$"}]
    for given in params * 12:
        segments = []
        for name, data in small.contents.items():
            cuts = [0, *sorted(chance.sample(range(1, len(data)), min(len(data) - 1, 6)) if len(data) > 1 else []), len(data)]
            for begin, end in itertools.pairwise(cuts):
                lead = int(begin > 0)
                segments.append((name, place(small.kernels, name),
                                 {"from": begin - lead, "to": len(data), "offset": begin, "size": end - begin, "lead": lead}))
        cases.append(("filter", given, segments))
    for (_, given, _), got in zip(cases, wasm(cases).results):
        small.kernels.run("filter", [f"{k}={str(v).lower() if v is True else v}" for k, v in given.items()], small.names)
        assert got["whole"] == hashlib.sha256(small.kernels.output()).hexdigest(), given


@pytest.fixture(scope="module")
def packed(tmp_path_factory, small):
    """Files for unbase64 and decompress: good, joined, cut, damaged, and of other formats."""
    folder = tmp_path_factory.mktemp("packed")
    small.kernels.run("compress", ["level=9"], small.names)
    good = {i: small.kernels.output(i) for i in range(len(small.names))}
    text = good[0]
    contents = {f"good{i}.zst": data for i, data in good.items()}
    contents |= {"joined.zst": b"".join(good.values()), "cut.zst": text[:-5], "header.zst": text[:3], "none.zst": b"",
                 "damaged.zst": text[:60] + bytes([text[60] ^ 255]) + text[61:], "sum.zst": text[:-1] + b"?",
                 "old.zst": bytes.fromhex("25b52ffd00c00000"), "older.zst": bytes.fromhex("24b52ffd00c00000"),
                 "skip.zst": bytes.fromhex("502a4d1803000000616263") + text, "gzip.zst": b"\x1f\x8b\x08" + bytes(20),
                 "good.b64": b"QUJD\nRA==\n", "bad.b64": b"QUJD\nR*==", "short.b64": b"QUJDR", "crlf.b64": b"QUJD\r\n"}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    kernels = type(small.kernels)(folder, tmp_path_factory.mktemp("out") / "packed")
    return SimpleNamespace(kernels=kernels, names=list(contents))


def test_transform(wasm, small, large, packed):
    cases = [("transform", {"op": op}) for op in ("upper", "lower", "crlf", "lf", "base64", "unbase64", "decompress")]
    compare(wasm, small.kernels, cases, small.names)
    compare(wasm, packed.kernels, cases[4:] + [("transform", {"op": "decompress", "max-bytes": 300})], packed.names)
    compare(wasm, large.kernels, cases[:5], [b"noise", b"program", b"long lines"])


@pytest.mark.parametrize("checksum", [True, False])
def test_damage_is_never_another_verdict(wasm, small, tmp_path, checksum):
    """With a checksum the native verdict; without one that, or a native agent is to give it."""
    chance, program, names = random.Random(4), open("/bin/bash", "rb").read(), []
    for i in range(120):
        at = chance.randrange(len(program) - 20000)
        whole = subprocess.run(["zstd", "-q", "-c", f"--{'' if checksum else 'no-'}check"],
                               input=program[at:at + chance.randrange(200, 20000)], capture_output=True, check=True).stdout
        damaged = bytearray(whole)
        damaged[chance.randrange(12, len(whole))] ^= 1 << chance.randrange(8)
        names.append(os.fsencode(tmp_path / f"{i}.zst"))
        (tmp_path / f"{i}.zst").write_bytes(damaged)
    given = wasm([("transform", {"op": "decompress"}, [(name, name, {})]) for name in names]).results
    native = small.kernels.run("transform", ["op=decompress"], names)
    handed_back = 0
    for got, (word, text), wanted in zip(given, native.files, sums(small.kernels, native)):
        if "failed" in got:
            assert got["failed"] == "KernelFailed: cannot decompress: the data is damaged"
            handed_back += 1
        else:
            assert got["errors"] == [text.decode() if word == "error" else ""]
            assert word == "error" or got["parts"] == [wanted]
    print(f"covered: {len(names)} damaged frames, {handed_back} handed back")
    assert (handed_back == 0) == checksum


@pytest.mark.parametrize("kernel, params", [
    ("compress", {"level": "20"}), ("compress", {"colour": "1"}), ("hash", {"algorithm": "md5"}), ("filter", {}),
    ("filter", {"pattern": "(a"}), ("filter", {"pattern": "x", "invert": "maybe"}), ("transform", {"op": "crlf", "from": "a"}),
])
def test_refusals(wasm, small, kernel, params):
    words = small.kernels.refused(kernel, [f"{k}={v}" for k, v in params.items()])
    assert wasm([(kernel, params, [])]).results == [{"failed": f"KernelFailed: {words}"}]


def test_a_failed_run_leaves_the_next_one_alone(wasm, small, tmp_path):
    """iconv is not there; a bomb is more than the module takes; nonsense is no kernel."""
    subprocess.run(["zstd", "-q", "-f", "-o", tmp_path / "bomb.zst"], input=bytes(260 << 20), check=True)
    name = small.names[0]
    good = ("hash", {}, [(name, place(small.kernels, name), {})])
    got = wasm([("transform", {"op": "decompress"}, [(b"bomb.zst", os.fsencode(tmp_path / "bomb.zst"), {})]), good,
                ("transform", {"op": "iconv", "from": "UTF-8", "to": "ASCII"}, []), good, ("nonsense", {}, []), good]).results
    assert [one.get("failed") for one in got] == ["KernelFailed: more than 268435456 bytes of output", None,
                                                  "KernelFailed: op iconv is for native agents only", None,
                                                  "KernelFailed: no such kernel: nonsense", None]
    assert got[1] == got[3] == got[5]


# (module (memory (export "memory") 1) (global $used (mut i32) (i32.const 0)) (func (export "_initialize"))
#   (func (export "kernel_list") (result i32) (if (global.get $used) (then (unreachable))) (global.set $used (i32.const 1))
#     (i32.const 0)))
TRAPS_AT_SECOND_CALL = bytes.fromhex(
    "0061736d01000000 01080260000060 00017f 0303020001 0503010001 06 06 017f0141000b"
    "0726 03 066d656d6f7279 0200 0b5f696e697469616c697a65 0000 0b6b65726e656c5f6c697374 0001"
    "0a13 02 02000b 0e00230004 40000b4101240041000b")


def test_a_trap_costs_the_instance_alone(tmp_path):
    (tmp_path / "traps.wasm").write_bytes(TRAPS_AT_SECOND_CALL)
    script = """
        const [library, module] = process.argv.slice(1);
        const { Kernels, KernelFailed } = await import(library);
        const kernels = await Kernels.compile((await import("node:fs")).readFileSync(module));
        for (let i = 0; i < 4; i++) {
          try { kernels.list(); console.log("well"); }
          catch (error) { console.log(error instanceof KernelFailed, error.message); }
        }"""
    done = subprocess.run(["node", "--input-type=module", "-e", script, FOLDER / "kernels.mjs", tmp_path / "traps.wasm"],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["well", "true the kernel crashed: unreachable"] * 2, done.stderr
