"""build.py OUT.wasm SCRATCH CLANG ROOT VERSION ZSTD PCRE2 [JOBS]: the kernels as one wasm32 module.

Libraries are compiled once for each version and set of flags and kept in SCRATCH; the kernels each time."""

import concurrent.futures
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import sources

HERE = Path(__file__).resolve().parent
SODIUM = "1.0.18"
TARGET = ["--target=wasm32-wasi", "-O2", "-fno-ident", "-ffunction-sections", "-fdata-sections"]
KERNELS = """base/own.c base/buf.c base/err.c kernels/kernel.c kernels/params.c kernels/stream.c kernels/compress.c
    kernels/compress_verify.c kernels/hash.c kernels/filter.c kernels/lines.c kernels/pattern.c kernels/transform.c
    kernels/transform_text.c kernels/transform_base64.c kernels/transform_zstd.c
    kernels/wasm/evp.c kernels/wasm/lone.c kernels/wasm/module.c""".split()
PCRE2 = """auto_possess chartables chkdint compile compile_cgroup compile_class config context error extuni
    find_bracket jit_compile maketables match match_data match_next newline ord2utf pattern_info script_run
    string_utils study tables ucd valid_utf xclass""".split()
# as Debian builds it: legacy frames from 0.5 on
ZSTD = ["-DNDEBUG", "-DZSTD_DISABLE_ASM", "-DXXH_NAMESPACE=ZSTD_", "-DZSTD_LEGACY_SUPPORT=5"]
NATIVE = HERE / "zstd_native.h"
SODIUM_FILES = """crypto_hash/sha256/cp/hash_sha256_cp.c crypto_hash/sha512/cp/hash_sha512_cp.c
    crypto_generichash/blake2b/ref/blake2b-ref.c crypto_generichash/blake2b/ref/blake2b-compress-ref.c
    crypto_generichash/blake2b/ref/generichash_blake2b.c""".split()
# stack first: its overflow is a trap, not silent damage. 1 GiB: level 19, the largest input and output.
LINK = ["-mexec-model=reactor", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--gc-sections", "-Wl,-z,stack-size=1048576",
        "-Wl,--stack-first", "-Wl,--max-memory=1073741824"]


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def compile_all(clang, units, folder, jobs):
    """units: (source, flags); the objects."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = [([clang, *TARGET, *flags, "-c", source, "-o", folder / f"{Path(source).stem}.o"])
                for source, flags in units]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, commands))
    return [command[-1] for command in commands]


def zstd(root):
    found = [path for part in ("common", "compress", "decompress") for path in (root / "lib" / part).glob("*.c")]
    found += [root / "lib" / "legacy" / f"zstd_v0{n}.c" for n in (5, 6, 7)]
    flags = [*ZSTD, "-I", root / "lib"]
    return [(path, [*flags, "-include", NATIVE] if path.name == "zstd_compress.c" else flags)
            for path in sorted(found)], ["-I", root / "lib"]


def pcre2(root):
    source = root / "src"
    for name, of in (("pcre2.h", "pcre2.h.generic"), ("config.h", "config.h.generic"),
                     ("pcre2_chartables.c", "pcre2_chartables.c.dist")):
        (source / name).write_bytes((source / of).read_bytes())
    flags = ["-DNDEBUG", "-DHAVE_CONFIG_H", "-DHAVE_MEMMOVE", "-DPCRE2_CODE_UNIT_WIDTH=8", "-DSUPPORT_PCRE2_8", "-DSUPPORT_UNICODE",
             "-DPCRE2_STATIC", "-I", source]
    found = [source / f"pcre2_{name}.c" for name in PCRE2]
    return [(path, flags) for path in found if path.exists()], ["-DPCRE2_STATIC", "-I", source]


def sodium(root):
    source = root / "src" / "libsodium"
    use = ["-DSODIUM_STATIC", "-I", source / "include"]
    flags = [*use, "-DNDEBUG", "-DCONFIGURED=1", "-I", source / "include" / "sodium"]
    return [(source / name, flags) for name in SODIUM_FILES], use


def library(clang, package, version, units_of, scratch, jobs):
    """Objects of a library, from an earlier build if nothing of it changed; the flags of its users."""
    root = sources.fetch(package, version, scratch / "sources")
    units, use = units_of(root)
    what = (clang, TARGET, units, (root / "REVISION").read_text(), NATIVE.read_text())
    key = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    folder = scratch / "objects" / f"{package}-{key}"
    if (folder / "whole").exists():
        return [folder / f"{path.stem}.o" for path, _ in units], use
    objects = compile_all(clang, units, folder, jobs)
    (folder / "whole").touch()
    return objects, use


def imports(module):
    """How many entries the import section has; wasm: 8 bytes, then sections of id, LEB128 size, contents."""
    def number(at):
        value = shift = 0
        while True:
            value |= (module[at] & 127) << shift
            shift += 7
            at += 1
            if module[at - 1] < 128:
                return value, at
    at = 8
    while at < len(module):
        size, begin = number(at + 1)
        if module[at] == 2:
            return number(begin)[0]
        at = begin + size
    return 0


def main():
    out, scratch, clang, root, version, zstd_version, pcre2_version = sys.argv[1:8]
    scratch, source = Path(scratch).resolve(), Path(root).resolve() / "libshadow"
    jobs = int(sys.argv[8]) if len(sys.argv) > 8 else min(4, os.cpu_count() or 1)
    # WASI has no ENODATA: an input that ends too early is a broken one
    objects, flags = [], ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror",
                          f'-DSHADOW_VERSION="{version}"', "-DENODATA=EIO",
                          f"-fmacro-prefix-map={source}=.", "-I", HERE, "-I", source]
    try:
        for package, wanted, units_of in (("libzstd", zstd_version, zstd), ("pcre2", pcre2_version, pcre2),
                                          ("libsodium", SODIUM, sodium)):
            made, use = library(clang, package, wanted, units_of, scratch, jobs)
            objects += made
            flags += use
    except sources.Missing as reason:
        sys.exit(f"the sources of the wasm module cannot be had: {reason}")
    objects += compile_all(clang, [(source / name, flags) for name in KERNELS], scratch / "objects" / "kernels", jobs)
    new = Path(out).with_suffix(".new")
    run([clang, "--target=wasm32-wasi", "-O2", *LINK, *objects, "-o", new])
    module = new.read_bytes()
    if imports(module):
        sys.exit(f"{new}: its import list is not empty")
    new.rename(out)
    print(f"{out}: {len(module)} bytes, {len(gzip.compress(module, 9, mtime=0))} by gzip")


main()
