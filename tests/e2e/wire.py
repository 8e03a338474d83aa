"""Speaks the wire from the table in proto/messages.def: all that a client or an agent in any language needs."""

import re
from pathlib import Path

import msgpack
import zmq

TABLE = Path(__file__).resolve().parents[2] / "proto" / "messages.def"
KINDS = "U64 I64 F64 BOOL TIME ID STR OPT BIN NAME JSON LIST MAP SUB".split()
NESTED = ("LIST", "MAP", "SUB")

records = {}  # name -> [(kind, field, record or None)]
by_name = {}  # "HELLO" -> (code, record)
by_code = {}  # code -> ("HELLO", record)
senders = {}  # "HELLO" -> "AGENT"


def _load():
    fields = None
    for line in TABLE.read_text().splitlines():
        line = line.strip()
        if match := re.match(r"RECORD\((\w+),", line):
            fields = records.setdefault(match[1], [])
        elif match := re.match(r"MESSAGE\((\w+), (\w+), (\d+), (\w+),", line):
            fields = records.setdefault(match[2], [])
            by_name[match[1]] = int(match[3]), match[2]
            by_code[int(match[3])] = match[1], match[2]
            senders[match[1]] = match[4]
        elif (match := re.match(r"(\w+)\((\w+), (\w+|\"\w*\"),", line)) and match[1] in KINDS and fields is not None:
            nested = match[1] in NESTED
            fields.append((match[1], match[3] if nested else match[2], match[2] if nested else None))


_load()


def pack(record, values):
    out = []
    for kind, name, nested in records[record]:
        value = values.get(name)
        if kind in ("LIST", "MAP"):
            out.append([pack(nested, item) for item in value or []])
        elif kind == "SUB":
            out.append(pack(nested, value or {}))
        elif kind in ("STR", "OPT", "JSON"):
            out.append(value or "")
        elif kind in ("BIN", "NAME"):
            out.append(value or b"")
        else:
            out.append(float(value or 0) if kind == "F64" else int(value or 0))
    return out


def unpack(record, array):
    values = {}
    for i, (kind, name, nested) in enumerate(records[record]):
        value = array[i] if i < len(array) else None
        if kind in ("LIST", "MAP"):
            value = [unpack(nested, item) for item in value or []]
        elif kind == "SUB":
            value = unpack(nested, value or [])
        values[name] = value
    return values


def encode(message, /, **values):
    code, record = by_name[message]
    return msgpack.packb([code, *pack(record, values)], use_bin_type=True)


def decode(header):
    array = msgpack.unpackb(header, raw=False, strict_map_key=False, unicode_errors="surrogateescape")
    name, record = by_code[array[0]]
    return name, unpack(record, array[1:])


class Peer:
    """A DEALER with the keys of a key file; recv() gives (name, fields, payload)."""

    def __init__(self, key_file, port, keys=None):
        self.keys = keys if keys is not None else dict(line.split() for line in Path(key_file).read_text().splitlines())
        self.port = port
        self.socket = None
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.sndtimeo = 5000
        if self.keys:
            self.socket.curve_serverkey = self.keys["server"].encode()
            self.socket.curve_publickey = self.keys["public"].encode()
            self.socket.curve_secretkey = self.keys["secret"].encode()
        self.socket.connect(f"tcp://127.0.0.1:{self.port}")

    def close(self):
        self.socket.close()

    def send(self, message, payload=b"", /, **values):
        self.send_raw(encode(message, **values), *([payload] if payload else []))

    def send_raw(self, *frames):
        self.socket.send_multipart(list(frames))

    def recv(self, limit_s=10):
        assert self.socket.poll(limit_s * 1000), "no answer"
        header, *rest = self.socket.recv_multipart()
        name, values = decode(header)
        return name, values, b"".join(rest)

    def expect(self, *names, limit_s=10):
        """The next message, which must be one of `names`; its fields, with "_name" and "_payload"."""
        name, values, payload = self.recv(limit_s)
        assert name in names, f"{name} {values}, not {names}"
        return {**values, "_payload": payload, "_name": name}

    def is_silent(self, for_s=0.5):
        return not self.socket.poll(for_s * 1000)

    def ask(self, message, payload=b"", /, answer=None, **values):
        """A client's request and its answer (OK and rows; or ERROR when answer="ERROR")."""
        self.ref = getattr(self, "ref", 0) + 1
        self.send(message, payload, ref=self.ref, **values)
        got = self.expect(*([answer] if answer else ["OK", "JOBS", "CHUNKS", "ADDS", "AGENTS", "WHY", "STATS"]))
        assert got["ref"] == self.ref
        return got


class Agent(Peer):
    """An agent by hand: counts its serials, checks the broker's."""

    instances = 100

    def __init__(self, key_file, port, slots=1, types=("hash",)):
        super().__init__(key_file, port)
        Agent.instances += 1
        self.instance, self.slots, self.types, self.session = Agent.instances, slots, types, 0

    def hello(self, chunks=100, size=1 << 20, held=(), answer="WELCOME"):
        Agent.instances += 1
        self.session, self.serial, self.heard = Agent.instances, 1, 0
        self.granted = chunks, size
        self.send("HELLO", session=self.session, serial=1, instance=self.instance, name="by-hand", slots=self.slots,
                  chunks=chunks, bytes=size, bytes_limit=size, held=list(held),
                  kernels=[{"type": kind, "rev": 1} for kind in self.types])
        return self.expect(answer)

    def say(self, message, payload=b"", /, **values):
        self.serial += 1
        self.send(message, payload, session=self.session, serial=self.serial, **values)

    def expect(self, *names, limit_s=10):
        got = super().expect(*names, limit_s=limit_s)
        if "serial" in got:
            assert got["session"] == self.session
            self.heard += 1
            assert got["serial"] == self.heard
        return got

    def done(self, job, lease, output, pieces=1, **session):
        """DONE for one lease; the output is the first piece's."""
        result = {"job": job, "chunk": lease["chunk"], "n": lease["n"], "token": lease["token"], "took_ms": 1,
                  "bytes_out": len(output), "inline_bytes": len(output),
                  "pieces": [{"length": len(output)}] + [{"length": 0}] * (pieces - 1)}
        self.say("DONE", output, results=[result])


def inputs(*contents):
    """inputs= and payload of a SUBMIT with these inline files."""
    return [{"name": b"f%d" % i, "size": len(c)} for i, c in enumerate(contents)], b"".join(contents)
