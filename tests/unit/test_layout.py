"""Holds the folder table of the design against the #include lines and the link lines."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from tree import BUILD, ROOT, binaries, needed, needed_with_ours, objects, sources, undefined


class Folder(NamedTuple):
    ours: set  # our folders that it may include, besides its own
    libraries: set  # outside libraries that it may include


COMMON = {"uthash"}  # headers alone
FOLDERS = {
    "libshadow/base": Folder(set(), set()),
    "libshadow/kernels": Folder({"libshadow/base"}, {"zstd", "crypto", "pcre2"}),
    # the wasm module: OpenSSL's header is its own there
    "libshadow/kernels/wasm": Folder({"libshadow/base", "libshadow/kernels"}, {"crypto", "sodium"}),
    "libshadow/files": Folder({"libshadow/base"}, COMMON | {"archive", "xxhash"}),
    "libshadow/store": Folder({"libshadow/base"}, COMMON | {"sqlite3", "mongoc"}),
    # options of the daemons: one table gives file, flags and help
    "libshadow/config": Folder({"libshadow/base"}, {"inih", "argp"}),
    "proto": Folder({"libshadow/base"}, COMMON | {"msgpack", "zmq", "sodium", "jansson"}),
    "broker/core": Folder({"libshadow/base"}, COMMON),
    "broker": Folder({"libshadow/base", "libshadow/kernels", "libshadow/files", "libshadow/store", "libshadow/config",
                      "proto", "broker/core"}, COMMON | {"zmq", "sodium", "systemd"}),
    "agent": Folder({"libshadow/base", "libshadow/kernels", "libshadow/config", "proto"},
                    COMMON | {"zmq", "sodium", "systemd", "seccomp"}),
    "gateway": Folder({"libshadow/base", "libshadow/kernels", "libshadow/files", "libshadow/config", "proto"},
                      COMMON | {"microhttpd", "websockets", "uv", "jansson", "zmq", "sodium", "archive", "systemd",
                                "crypto", "ssl"}),  # the in-process OpenSSL pump
    "gateway/ctl": Folder({"libshadow/base", "libshadow/kernels"}, COMMON | {"curl", "jansson", "archive", "argp", "crypto"}),
}
TOP = {"agent", "broker", "deploy", "gateway", "libshadow", "proto", "tests", "meson.build", "meson_options.txt",
       "README.md", "LICENSE"}

LIBRARIES = {  # header, or the folder it is in, to library
    "zmq.h": "zmq", "zmq_utils.h": "zmq", "czmq.h": "zmq", "msgpack.h": "msgpack", "msgpack": "msgpack",
    "openssl/ssl.h": "ssl", "sodium.h": "sodium", "sodium": "sodium", "sqlite3.h": "sqlite3", "mongoc": "mongoc", "bson": "mongoc", "zstd.h": "zstd",
    "zstd_errors.h": "zstd", "openssl": "crypto", "pcre2.h": "pcre2", "archive.h": "archive",
    "archive_entry.h": "archive", "xxhash.h": "xxhash", "microhttpd.h": "microhttpd",
    "libwebsockets.h": "websockets", "uv.h": "uv", "jansson.h": "jansson", "curl": "curl", "seccomp.h": "seccomp",
    "systemd": "systemd", "ini.h": "inih", "uthash.h": "uthash", "utlist.h": "uthash", "utarray.h": "uthash",
    "argp.h": "argp",
}
LIBC = set("""assert ctype dirent endian errno fcntl fnmatch ftw getopt glob grp iconv ifaddrs inttypes langinfo libgen limits
    locale malloc math netdb poll pthread pwd sched setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
    stdnoreturn string strings syslog termios threads time unistd wchar wctype""".split())
LIBC_FOLDERS = {"sys", "linux", "netinet", "arpa", "net"}

# Calls that a pure folder must not make, found in its object files; sw_alloc and friends are no I/O.
IMPURE = {
    "I/O": r"f?open(at|64)?|creat|p?read(64)?|p?write(64)?|recv\w*|send\w*|socket\w*|connect|accept4?|bind|listen|"
           r"poll|select|epoll_\w+|fopen(64)?|(f|v|vf|d)?printf|puts|fputs|fwrite|fread|unlink\w*|rename\w*|mmap(64)?|"
           r"f(data)?sync|sw_(p?write|p?read)_\w+|sw_file_\w+|sw_dir_\w+|sw_log",
    "clock": r"time|clock_\w+|gettimeofday|nanosleep|usleep|sleep|sw_(boot|wall)_ms",
    "random": r"s?rand(om)?(_r)?|getrandom|getentropy|arc4random\w*|randombytes\w*",
    "threads": r"pthread_\w+|thrd_\w+|mtx_\w+|fork|vfork|clone",
}
PURE = {"broker/core": IMPURE, "libshadow/kernels": IMPURE}
HTTP = r"libmicrohttpd|libcurl|libwebsockets"


def folder_of(path):
    """The folder of the table that a path belongs to: the longest one above it."""
    for parent in [Path(path), *Path(path).parents]:
        if str(parent) in FOLDERS:
            return str(parent)
    return None


def code():
    return [path for path in sources(".c", ".h") if path.parts[0] != "tests"]


def includes(path):
    text = (ROOT / path).read_text(errors="replace")
    return re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', text, re.MULTILINE)


def our_target(path, name):
    """Which folder a quoted include comes from; generated headers are found by their name alone."""
    for base in (path.parent, Path("."), Path("libshadow")):
        if (ROOT / base / name).exists():
            return folder_of((base / name))
    return folder_of(Path(name)) or folder_of(Path("libshadow") / name) or folder_of(path)


def test_the_top_level_is_the_designs():
    found = {path.parts[0] for path in sources("") if not path.parts[0].startswith(".")}
    assert found <= TOP


def test_every_source_is_in_a_folder_of_the_table():
    assert [str(path) for path in code() if folder_of(path) is None] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_includes(folder):
    wrong = []
    for path in (p for p in code() if folder_of(p) == folder):
        for mark, name in includes(path):
            first = name.split("/")[0]
            if mark == '"':
                target = our_target(path, name)
                if target != folder and target not in FOLDERS[folder].ours:
                    wrong.append(f"{path}: {name}: {folder} may not use {target}")
            elif name in LIBRARIES or first in LIBRARIES:
                library = LIBRARIES.get(name) or LIBRARIES[first]
                if library not in FOLDERS[folder].libraries:
                    wrong.append(f"{path}: <{name}>: {folder} may not use {library}")
            elif name.removesuffix(".h") not in LIBC and first not in LIBC_FOLDERS:
                wrong.append(f"{path}: <{name}>: not in the table of libraries")
    assert wrong == []


@pytest.mark.parametrize("folder", PURE)
def test_pure_folders_call_nothing_impure(folder):
    wrong = []
    for path in objects(folder):
        for symbol in undefined(path):
            wrong += [f"{path.name}: {symbol} ({kind})" for kind, pattern in PURE[folder].items()
                      if re.fullmatch(f"(__)?({pattern})(_chk)?", symbol)]
    assert wrong == []


@pytest.mark.parametrize("program, never", [
    ("shadow-agent", rf"libsqlite3|libmongoc|libbson|libarchive|libshadow-store|{HTTP}"),
    ("shadow-gateway", r"libsqlite3|libmongoc|libbson|libshadow-store"),
    ("shadow-broker", HTTP),
    ("shadowctl", r"libzmq|libczmq|libmsgpack|libsqlite3|libmongoc|libshadow-store|libmicrohttpd|libwebsockets"),
])
def test_programs_do_not_link(program, never):
    for path in (p for p in binaries("programs") if p.name == program):
        assert [name for name in sorted(needed_with_ours(path)) if re.match(never, name)] == []


@pytest.mark.parametrize("library, allowed", [
    ("libshadow.so", r"libc\.|libm\.|ld-linux|libzstd|libcrypto|libpcre2-8"),
    ("libshadow-store.so", r"libc\.|libm\.|ld-linux|libshadow\.so|libsqlite3|libmongoc|libbson"),
])
def test_libraries_link_only(library, allowed):
    for path in (p for p in binaries("libraries") if p.name == library):
        assert [name for name in sorted(needed(path)) if not re.match(allowed, name)] == []


def test_tests_of_the_core_link_libc_only():
    tests = [p for p in [*(BUILD / "tests" / "unit").glob("test_core*"), *(BUILD / "tests" / "sim").glob("*")]
             if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"]
    wrong = [f"{path.name}: {name}" for path in tests for name in sorted(needed(path))
             if not re.match(r"libc\.|libm\.|ld-linux|libcmocka", name)]
    assert wrong == []


def test_files_have_at_most_300_lines():
    long = [f"{path}: {count}" for path in sources(".c", ".h", ".py")
            if (count := (ROOT / path).read_text(errors="replace").count("\n")) > 300]
    assert long == []


def test_every_c_file_begins_with_a_comment():
    bare = [str(path) for path in sources(".c") if not (ROOT / path).read_text().startswith("/* ")]
    assert bare == []
