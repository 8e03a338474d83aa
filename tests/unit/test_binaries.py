"""Every shipped binary carries the hardening of the build: position independent, read-only relocations bound at
start, no executable stack, stack protector, fortified calls."""

import re

import pytest
from tree import BUILD, binaries, readelf


def everything():
    return binaries("programs") + binaries("libraries")


@pytest.mark.parametrize("path", everything(), ids=lambda path: path.name)
def test_hardening(path):
    header, dynamic, segments = readelf("-h", path), readelf("-d", path), readelf("-l", path)
    symbols = readelf("--dyn-syms", path)
    assert "DYN" in re.search(r"Type:\s+(\S+)", header).group(1)
    if path.suffix == ".so":
        assert re.search(r"FLAGS_1.*\bNOOPEN\b", dynamic), "can be loaded by dlopen"
    else:
        assert re.search(r"FLAGS_1.*\bPIE\b", dynamic), "not position independent"
    assert "GNU_RELRO" in segments, "relocations stay writable"
    assert re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", dynamic), "symbols are bound late"
    assert re.search(r"GNU_STACK.*\bRW\b", segments), "the stack is executable"
    assert "__stack_chk_fail" in symbols, "no stack protector"
    assert re.search(r"__\w+_chk\b", symbols), "no fortified call"


def test_the_library_is_there():
    assert [path.name for path in binaries("libraries")], f"nothing built in {BUILD}"
