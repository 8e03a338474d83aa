"""The golden vectors read by another codec: tests/e2e/wire.py with Python's msgpack."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
wire = pytest.importorskip("wire")
FILES = sorted((ROOT / "proto" / "vectors").glob("*.json"))


def shown(record, values):
    """Decoded values as the vectors write them."""
    out = {}
    for kind, name, nested in wire.records[record]:
        value = values[name]
        if kind in ("LIST", "MAP"):
            out[name] = [shown(nested, item) for item in value]
        elif kind == "SUB":
            out[name] = shown(nested, value)
        elif kind in ("BIN", "NAME"):
            out[name] = (value or b"").hex()
        elif kind in ("STR", "OPT", "JSON"):
            out[name] = value or ""
        elif kind == "F64":
            out[name] = float(value or 0)
        else:
            out[name] = str(int(value or 0))
    return out


def meant(record, fields):
    """The other way."""
    out = {}
    for kind, name, nested in wire.records[record]:
        value = fields[name]
        if kind in ("LIST", "MAP"):
            out[name] = [meant(nested, item) for item in value]
        elif kind == "SUB":
            out[name] = meant(nested, value)
        elif kind in ("BIN", "NAME"):
            out[name] = bytes.fromhex(value)
        else:
            out[name] = value if kind in ("STR", "OPT", "JSON", "F64") else int(value)
    return out


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vectors(path):
    whole = json.loads(path.read_text())
    code, record = wire.by_name[whole["message"]]
    assert code == whole["code"]
    for case in whole["cases"]:
        header = bytes.fromhex(case["header"])
        name, values = wire.decode(header)
        assert name == whole["message"] and shown(record, values) == case["fields"], case["name"]
        if case["name"] not in ("older", "newer"):
            assert wire.encode(name, **meant(record, case["fields"])) == header, case["name"]
