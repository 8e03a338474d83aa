"""Real files of every awkward kind, the reference commands, and the checks of what came back."""

import hashlib
import os
import subprocess

AWKWARD = [b"with space", b"new\nline", b"-leading-dash", b"--", b"not utf-8 \xff\xfe", b"100%", "ümläut".encode(),
           b"x" * 200, b"deep/er/est", b"back\\slash", b"tab\there", b"..hidden", b"a&b=c?d#e+f", b"quote\"'`",
           b"a" * 90 + b"/" + b"b" * 120, b"\x1b[2Jescape", b"trailing "]
LARGE = 300 << 20


def write(path, data, mode=0o644, mtime_ns=1_600_000_000_123_456_789):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def read(folder, name):
    with open(os.path.join(os.fsencode(folder), name), "rb") as file:
        return file.read()


def text_of(lines, seed):
    return b"".join(b"%d some words of line %d\r\n" % (i * seed, i) if i % 7 == 0 else b"%x line\n" % (i * seed)
                    for i in range(lines))


def write_fifty(work):
    """Writes fifty files into `work`: awkward names, empty, one byte, text, NULs, incompressible; their names."""
    names = [*AWKWARD, *(b"plain/%02d" % i for i in range(50 - len(AWKWARD)))]
    kinds = [b"", b"x", b"no final newline", text_of(4000, 3), os.urandom(700_000), b"\0" * 300_000,
             b"\xff\xfeinvalid\n" * 1000, text_of(60_000, 11), os.urandom(1), b"\r\n\r\n"]
    for i, name in enumerate(names):
        write(os.path.join(os.fsencode(work), name), kinds[i % len(kinds)], 0o600 + i % 64)
    return names


def write_large(path, size=LARGE):
    """One file of `size`, some of it compressible."""
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for i in range(size >> 20):
            file.write(block if i % 3 else os.urandom(1 << 20))


def reference(command, work, **options):
    """Standard output of a reference command."""
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, cwd=work, capture_output=True, env=env, **options).stdout


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def check_compressed(work, names, out=None):
    """Every output decodes to its input and has its mode and mtime; nothing half-made lies about."""
    for name in names:
        path = os.path.join(os.fsencode(work), name)
        packed = os.path.join(os.fsencode(out or work), name) + b".zst"
        with subprocess.Popen(["zstd", "-dqc", "--", packed], stdout=subprocess.PIPE) as unpacking:
            assert hashlib.file_digest(unpacking.stdout, "sha256").digest() == digest_of(path), name
        assert unpacking.returncode == 0, name
        before, after = os.stat(path), os.stat(packed)
        assert (before.st_mode, before.st_mtime_ns) == (after.st_mode, after.st_mtime_ns), name
    assert not list((out or work).rglob(".shadowctl-*"))
