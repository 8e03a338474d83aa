"""Runs a command as a unit would, where systemd does not run: the unit's filter of system calls and what else it asks
of seccomp, no new privileges, another user, and parts of the file system read-only in a mount namespace of its own.

    as_unit.py UNIT UID GID [--bind SOURCE PLACE] [--read-only DIR] [--writable DIR] -- COMMAND...

Stands in for: User, Group, NoNewPrivileges, CapabilityBoundingSet, SystemCallFilter and its error,
RestrictAddressFamilies, RestrictSUIDSGID, MemoryDenyWriteExecute. Not for: ProtectProc, PrivateDevices, IPAddressDeny and the other namespaces. Root only."""

import argparse
import ctypes
import errno
import os
import socket
import subprocess
import sys

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
CLONE_NEWNS = 0x20000
PR_SET_NO_NEW_PRIVS = 38
ALLOW, ERROR = 0x7fff0000, 0x00050000
REFUSE = ERROR | errno.EPERM
EQ, MASKED_EQ = 4, 7
PROT_WRITE, PROT_EXEC = 2, 4
SET_IDS = [("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2), ("mknod", 1), ("mknodat", 2),
           ("open", 2), ("openat", 3), ("creat", 1)]  # and which argument is the mode

libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p


class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def check(status, what):
    if status < 0:
        sys.exit(f"as_unit: {what}: {os.strerror(ctypes.get_errno() or -status)}")


def directives(unit, name):
    with open(unit) as file:
        return [line.split("=", 1)[1].strip() for line in file if line.startswith(f"{name}=")]


def calls_of(name):
    """The system calls of a set, and of the sets in it."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True)
    words = [line.strip() for line in listed.stdout.splitlines()[1:] if line.strip()]
    return set().union(*(calls_of(word) for word in words if not word.startswith("#")))


def allowed_calls(unit):
    """As systemd reads it: the first line says that it is a list of what is allowed, later ones add and take away."""
    allowed = calls_of("@default")
    for line in directives(unit, "SystemCallFilter"):
        calls = set().union(*(calls_of(word) for word in line.removeprefix("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed | calls_of("@default")


def add(rules, action, call, *compares):
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    if number >= 0:  # else it is another machine's
        table = (Compare * max(1, len(compares)))(*compares)
        check(seccomp.seccomp_rule_add_array(rules, action, number, len(compares), table), call)


def load(default, fill):
    rules = ctypes.c_void_p(seccomp.seccomp_init(default))
    fill(rules)
    check(seccomp.seccomp_load(rules), "seccomp_load")


def refusals(unit):
    def fill(rules):
        names = " ".join(directives(unit, "RestrictAddressFamilies")).split()
        for family in set(range(46)) - {int(getattr(socket, name)) for name in names}:
            add(rules, ERROR | errno.EAFNOSUPPORT, "socket", Compare(0, EQ, family, 0))
        if directives(unit, "RestrictSUIDSGID") == ["yes"]:
            for call, argument in SET_IDS:
                for bit in (0o4000, 0o2000):
                    add(rules, REFUSE, call, Compare(argument, MASKED_EQ, bit, bit))
        if directives(unit, "MemoryDenyWriteExecute") == ["yes"]:
            both = PROT_WRITE | PROT_EXEC
            add(rules, REFUSE, "mmap", Compare(2, MASKED_EQ, both, both))
            add(rules, REFUSE, "mprotect", Compare(2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    return fill


def mount(source, place, flags):
    check(libc.mount(source.encode(), place.encode(), None, flags, None), f"mount {place}")


def arrange_files(given):
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", MS_REC | MS_PRIVATE)
    for source, place in given.bind:
        mount(source, place, MS_BIND)
    for place in given.read_only:
        mount(place, place, MS_BIND)
    for place in given.writable:  # before its parent becomes read-only, which does not reach it
        mount(place, place, MS_BIND)
    for place in given.read_only:
        mount("none", place, MS_REMOUNT | MS_BIND | MS_RDONLY)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("unit")
    parser.add_argument("uid", type=int)
    parser.add_argument("gid", type=int)
    parser.add_argument("--bind", nargs=2, action="append", default=[])
    parser.add_argument("--read-only", action="append", default=[])
    parser.add_argument("--writable", action="append", default=[])
    split = sys.argv.index("--")
    given, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    allowed = allowed_calls(given.unit)
    arrange_files(given)
    os.setgroups([])
    os.setresgid(given.gid, given.gid, given.gid)
    os.setresuid(given.uid, given.uid, given.uid)  # capabilities go with root
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    load(ALLOW, refusals(given.unit))
    load(REFUSE, lambda rules: [add(rules, ALLOW, call) for call in sorted(allowed)])
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
