"""A broker that does as it is told: answers a gateway's questions from plain functions, or not at all.
For what a real broker cannot be made to do: silence, refusals, odd rows."""

import re
import threading
import time

import msgpack
import zmq
from system import ROOT

HEAD = re.compile(r"^(?:RECORD\((\w+),|MESSAGE\((\w+), (\w+), (\d+),)")
FIELD = re.compile(r"^\s+(\w+)\((\w+)(?:, (\w+))?,")


def read_definitions():
    """{name: (code, [(kind, field, record)])} of records ("job") and messages ("SUBMIT")."""
    definitions, fields = {}, None
    for line in (ROOT / "proto" / "messages.def").read_text().splitlines():
        if head := HEAD.match(line):
            fields = []
            definitions[head[1] or head[2]] = (int(head[4] or 0), fields)
        elif line.startswith("END("):
            fields = None
        elif fields is not None and (field := FIELD.match(line)):
            kind, first, second = field.groups()
            nested = kind in ("LIST", "MAP", "SUB")
            fields.append((kind, second if nested else first, first if nested else None))
    return definitions


DEFINITIONS = read_definitions()
NAMES = {code: name for name, (code, _) in DEFINITIONS.items() if code}
TEXTS = ("STR", "OPT", "JSON", "NAME", "BIN")


def pack_fields(name, values):
    """The array of a record or message; fields not given are zero."""
    unknown = set(values) - {field for _, field, _ in DEFINITIONS[name][1]}
    assert not unknown, f"{name} has no {unknown}"
    row = []
    for kind, field, record in DEFINITIONS[name][1]:
        value = values.get(field)
        if kind in ("LIST", "MAP"):
            value = [pack_fields(record, one) for one in value or []]
        elif kind == "SUB":
            value = pack_fields(record, value or {})
        elif kind in TEXTS:
            value = value if value is not None else ""
        else:
            value = value or (0.0 if kind == "F64" else 0)
        row.append(value)
    return row


def unpack_fields(name, row):
    fields = {}
    for (kind, field, record), value in zip(DEFINITIONS[name][1], row):
        if kind in ("LIST", "MAP"):
            value = [unpack_fields(record, one) for one in value]
        elif kind == "SUB":
            value = unpack_fields(record, value)
        elif kind in TEXTS and isinstance(value, bytes):
            value = value.decode(errors="surrogateescape") if kind != "BIN" else value
        fields[field] = value
    return fields


class FakeBroker:
    """`answers[NAME]` is a function (question, payload) -> (NAME, fields), or None for silence. `asked` lists
    the questions as (NAME, fields, payload). `key_file` is the gateway's."""

    def __init__(self, port, key_file):
        self.port = port
        self.asked = []
        self.answers = {"GET_STATS": lambda question, _: ("STATS", {"version": "fake", "store": "sqlite"})}
        public, secret = zmq.curve_keypair()
        self._keys = public, secret
        peer_public, peer_secret = zmq.curve_keypair()
        key_file.parent.mkdir(parents=True, exist_ok=True)
        key_file.write_text(f"public {peer_public.decode()}\nsecret {peer_secret.decode()}\n"
                            f"server {public.decode()}\n")
        key_file.chmod(0o600)
        self._changed = threading.Condition()
        self._thread = None

    def start(self):
        self._stop = False
        bound = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(bound,), daemon=True)
        self._thread.start()
        assert bound.wait(10)
        return self

    def stop(self):
        if self._thread:
            self._stop = True
            self._thread.join()
            self._thread = None

    def _run(self, bound):
        context = zmq.Context()
        socket = context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.linger = 0
        socket.bind(f"tcp://127.0.0.1:{self.port}")
        bound.set()
        while not self._stop:
            if socket.poll(50):
                route, header, *payload = socket.recv_multipart()
                answer = self._answer(header, b"".join(payload))
                if answer:
                    socket.send_multipart([route, answer])
        socket.close()
        context.term()

    def _answer(self, header, payload):
        code, *row = msgpack.unpackb(header, raw=True)
        name = NAMES[code]
        question = unpack_fields(name, row)
        with self._changed:
            self.asked.append((name, question, payload))
            self._changed.notify_all()
        function = self.answers.get(name)
        answer = function(question, payload) if function else ("ERROR", {"code": "not_found", "message": "none"})
        if not answer:
            return None
        answer_name, fields = answer
        fields = {"ref": question["ref"], **fields}
        return msgpack.packb([DEFINITIONS[answer_name][0], *pack_fields(answer_name, fields)], use_bin_type=True)

    def wait_asked(self, name, count=1, limit_s=20):
        """The first `count` questions of that name, when they have come."""
        def found():
            return len([1 for asked in self.asked if asked[0] == name]) >= count
        with self._changed:
            assert self._changed.wait_for(found, limit_s), f"{count} x {name} not asked within {limit_s} s"
            return [(fields, payload) for asked, fields, payload in self.asked if asked == name][:count]


def job_row(job, **fields):
    """A job as a broker shows it."""
    return {"job": job, "type": "hash", "status": "pending", "total_chunks": 1, "total_files": 1,
            "created_at": int(time.time() * 1000), "rev": 1, "etag": f"e{job}", **fields}
