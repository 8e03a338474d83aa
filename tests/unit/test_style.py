"""The formatter and the static checks, both pinned to version 14.

clang-tidy takes seconds a file, so a file that passed is not looked at again until it, a header it includes or
the checks change, and a run stops at its budget (SHADOW_LONG lifts it); the last commit's files come first, the
tests' own last."""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import time

from tree import BUILD, ROOT, sources

TIDY_S = 240
GCC_ONLY = ("-Wtrampolines", "-Wbidi-chars", "-ftrivial-auto-var-init", "-Werror")
AT_ONCE = os.cpu_count() or 1


def test_clang_format():
    files = sources(".c", ".h")
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def digest(paths):
    whole = hashlib.sha256()
    for path in paths:
        whole.update(str(path).encode() + b"\0" + (ROOT / path).read_bytes())
    return whole


def changed_files():
    names = subprocess.run(["git", "log", "-1", "--format=", "--name-only"], cwd=ROOT, capture_output=True, text=True)
    return set(names.stdout.split("\n"))


def dependencies():
    """Per source file, it and the headers of ours that it includes, as ninja noted when it was compiled."""
    found = {}
    listed = subprocess.run(["ninja", "-C", BUILD, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    for block in listed.split("\n\n"):
        paths = [os.path.relpath(os.path.join(BUILD, line.strip()), ROOT) for line in block.splitlines()[1:]]
        ours = [path for path in paths if not path.startswith("..") and (ROOT / path).exists()]
        if ours:
            found[ours[0]] = ours
    return found


def clang_commands(folder):
    """Writes the build's compile commands without what clang does not know; the files that it compiles."""
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    for entry in entries:
        entry["command"] = " ".join(w for w in entry["command"].split() if not w.startswith(GCC_ONLY))
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    return {os.path.relpath(os.path.join(BUILD, entry["file"]), ROOT) for entry in entries}


def test_clang_tidy():
    passed = BUILD / "tidy"
    passed.mkdir(exist_ok=True)
    known = clang_commands(passed)
    files = [path for path in sources(".c") if str(path) in known]
    included = dependencies()
    stamps = {path: passed / digest([".clang-tidy", *included.get(str(path), [path])]).hexdigest() for path in files}
    recent = changed_files()
    left = sorted((p for p in files if not stamps[p].exists()), key=lambda p: (str(p) not in recent, p.parts[0] == "tests", stamps[p].name))
    deadline = time.monotonic() + (10**9 if os.environ.get("SHADOW_LONG") else TIDY_S)

    def check(path):
        if time.monotonic() > deadline:
            return None
        done = subprocess.run(["clang-tidy-14", "--quiet", "-p", passed, path], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return done.stdout + done.stderr
        stamps[path].touch()
        return ""

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(check, left))
    checked = sum(result is not None for result in results)
    print(f"covered: clang-tidy {len(files) - len(left) + checked} of {len(files)} files, "
          f"{len(files) - len(left)} unchanged since they passed")
    log = passed / "last.log"
    log.write_text("".join(filter(None, results)))
    errors = [line for line in log.read_text().splitlines() if " error: " in line]
    assert not any(results), "\n".join([*dict.fromkeys(errors), f"(how it comes to that: {log})"])
