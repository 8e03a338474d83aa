"""Library sources for the wasm module: Debian's source packages, by the apt sources of this machine.

The upstream archive of each version is pinned by its sha256; Debian's patches (one of zstd's changes results) come
with it, checked by apt. Lists and archives stay in the build folder: nothing on the machine changes, no root is
needed."""

import hashlib
import shutil
import subprocess
from pathlib import Path

# (source package, upstream version): sha256 of its archive; those of Debian 12 and 13
PINS = {
    ("libzstd", "1.5.4"): "8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953",
    ("libzstd", "1.5.7"): "0c092ef267edce57ba7f3f2645c861f72eaf5e76273c6c3632869423464b90a5",
    ("pcre2", "10.42"): "c33b418e3b936ee3153de2c61cc638e7e4fe3156022a5c77d0711bcbb9d64f1f",
    ("pcre2", "10.46"): "8d28d7f2c3b970c3a4bf3776bcbb5adfc923183ce74bc8df1ebaad8c1985bd07",
    ("libsodium", "1.0.18"): "d59323c6b712a1519a5daf710b68f5e7fde57040845ffec53850911f10a5d4f4",
}
BINARIES = {"libzstd": "libzstd1", "pcre2": "libpcre2-8-0", "libsodium": "libsodium23"}
APT_S = 120  # limit of one call of apt


class Missing(Exception):
    """The sources cannot be had here; the text says why."""


def call(command, folder, seconds=APT_S):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"{' '.join(command[:1] + command[-2:])}: {(done.stderr + done.stdout).strip()[-600:]}")
    return done.stdout


def apt_lists(folder):
    """The options that make apt see source packages: lists of its own, from the same places as the binaries."""
    state = folder / "apt"
    options = ["-q", "-o", f"Dir::Etc::SourceList={state}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
               "-o", f"Dir::State::Lists={state}/lists", "-o", f"Dir::Cache={state}/cache",
               "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]
    if not (state / "ready").exists():
        (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        names = call(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
                      "Created-By: Packages"], folder).split("\n")
        found = [line.split("|")[1:] for line in dict.fromkeys(names) if line.startswith("Debian|")]
        wanted = [f"deb-src {place} {release} main\n" for place, release, part in found if part == "main"]
        if not wanted:
            raise Missing("apt knows no Debian mirror (apt-get update was never run?)")
        (state / "sources.list").write_text("".join(wanted))
        call(["apt-get", *options, "update", "--error-on=any"], folder)
        (state / "ready").touch()
    return options


def revisions(package, version, options, folder):
    """Debian's versions of that upstream version: the installed library's first, then the newest."""
    listed = call(["apt-cache", *options, "showsrc", "--only-source", package], folder).split("\n")
    found = [line[9:] for line in listed if line.startswith("Version: ")]
    mine = [v for v in found if v.split(":")[-1].rsplit("-", 1)[0].split("+")[0] == version]
    try:
        installed = call(["dpkg-query", "-W", "-f", "${source:Version}", BINARIES[package]], folder)
    except Missing:
        installed = ""
    return sorted(dict.fromkeys(mine), key=lambda v: (v == installed, found.index(v)), reverse=True)


def archive(package, version, folder):
    """The pinned upstream archive among what was fetched, if it is there."""
    for path in folder.glob(f"{package}_{version}*.orig.tar.*"):
        if path.suffix != ".asc" and hashlib.sha256(path.read_bytes()).hexdigest() == PINS[package, version]:
            return path
    return None


def fetch(package, version, folder):
    """The folder of the package's patched source, unpacked."""
    if (package, version) not in PINS:
        raise Missing(f"no sha256 of {package} {version} is known here (sources.py)")
    target = folder / f"{package}-{version}"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    options = apt_lists(folder)
    reasons = [f"the apt sources have no {package} {version}"]
    for revision in revisions(package, version, options, folder):
        try:
            call(["apt-get", *options, "source", "--download-only", f"{package}={revision}"], folder)
        except Missing as reason:  # a revision that was replaced since
            reasons.append(str(reason))
            continue
        if not archive(package, version, folder):
            raise Missing(f"{package} {revision}: its upstream archive has another sha256 than the pinned one")
        described = folder / f"{package}_{revision.split(':')[-1]}.dsc"
        new = folder / f"{package}.new"
        shutil.rmtree(new, ignore_errors=True)
        call(["dpkg-source", "--no-check", "-x", str(described), str(new)], folder)
        (Path(new) / "REVISION").write_text(revision)
        new.rename(target)
        return target
    raise Missing("; ".join(reasons))
