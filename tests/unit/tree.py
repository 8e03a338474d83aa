"""What the tests of the tree share: the source files, and facts about built binaries."""

import functools
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("SHADOW_BUILD", "build-test")


@functools.cache
def sources(*suffixes):
    """Every source file of the checkout with one of these suffixes, tracked or about to be, as relative Paths."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    found = sorted(Path(name) for name in listed.split("\0") if name.endswith(suffixes))
    return [path for path in found if (ROOT / path).is_file()]


@functools.cache
def binaries(kind):
    """Built "programs" or "libraries" that are shipped (not tests), as absolute Paths; at least one."""
    folders = [BUILD / name for name in ("agent", "broker", "gateway", "libshadow")]
    pattern = {"programs": r"shadow-[a-z]+|shadowctl", "libraries": r"lib[a-z-]+\.so"}[kind]
    return [p for folder in folders for p in sorted(folder.rglob("*"))
            if p.is_file() and not p.is_symlink() and re.fullmatch(pattern, p.name)]


@functools.cache
def readelf(option, path):
    return subprocess.run(["readelf", option, "-W", path], capture_output=True, text=True, check=True).stdout


@functools.cache
def needed(path):
    """The libraries that a binary names itself."""
    return frozenset(re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", path)))


def needed_with_ours(path):
    """Also those that it gets through our own libraries."""
    found, left = set(), [path]
    while left:
        for name in needed(left.pop()) - found:
            found.add(name)
            left += [library for library in binaries("libraries") if library.name == name]
    return found


def undefined(path):
    """The symbols that an object file takes from elsewhere."""
    listed = subprocess.run(["nm", "-u", "--format=posix", path], capture_output=True, text=True, check=True)
    return {line.split()[0].split("@")[0] for line in listed.stdout.splitlines()}


def objects(folder):
    """The object files of a folder's own .c files; meson names them after their path."""
    stems = [(ROOT / path).relative_to(ROOT) for path in sources(".c") if path.parent == Path(folder)]
    found = []
    for path in stems:
        found += [o for o in BUILD.rglob(f"*{path.stem}.c.o") if belongs(o, path)]
    return found


def belongs(object_file, source):
    """Whether OBJECT (x.p/sub_name.c.o under its target's folder) was made from the source path."""
    target_folder = object_file.relative_to(BUILD).parent.parent
    try:
        inner = source.relative_to(target_folder)
    except ValueError:
        return False
    return object_file.name == str(inner).replace("/", "_") + ".o"
