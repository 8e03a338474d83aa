"""A broker by hand, for one agent: control and data ROUTERs whose every message a test writes itself."""

import contextlib
import time

import msgpack
import wire
import zmq
from system import free_ports, until

SLICE = 256 << 10


class HandBroker:
    """`welcome()` opens a session, `say` sends with session and serial, `expect` and `expect_data` take the next
    message (heartbeats are answered and CREDITs kept in `granted` on the way). `streams[(chunk, n)]` are inputs,
    served by `serve_data`; outputs gather in `stored`."""

    def __init__(self, key_file):
        self.port = free_ports(2)
        public, secret = zmq.curve_keypair()
        self._keys = public, secret
        peer_public, peer_secret = zmq.curve_keypair()
        key_file.write_text(f"public {peer_public.decode()}\nsecret {peer_secret.decode()}\n"
                            f"server {public.decode()}\n")
        self.streams, self.stored, self.granted = {}, {}, (0, 0)
        self.fetched = {}  # n: up to where its input was served
        self.answer_beats = True
        self.last_n = 1 << 32
        self.control = self.data = None
        self.listen()

    def listen(self):
        self.control, self.data = self._bind(self.port), self._bind(self.port + 1)

    def _bind(self, port):
        socket = zmq.Context.instance().socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.linger = 0
        socket.router_mandatory = 1
        until(lambda: self._is_bound(socket, port), "the port of the broker before")
        return socket

    @staticmethod
    def _is_bound(socket, port):
        try:
            socket.bind(f"tcp://127.0.0.1:{port}")
        except zmq.ZMQError:
            return False
        return True

    def close(self):
        for socket in (self.control, self.data):
            socket.close()

    # --- control ---

    def expect(self, *names, limit_s=10, skip=("BEAT", "CREDIT")):
        """The next message that is not in `skip`, which must be one of `names`: its fields, and "_payload"."""
        deadline = time.monotonic() + limit_s
        while True:
            left = deadline - time.monotonic()
            assert left > 0 and self.control.poll(left * 1000), f"no {' or '.join(names)} within {limit_s} s"
            route, header, *rest = self.control.recv_multipart()
            name, fields = wire.decode(header)
            if name == "HELLO":
                self.route, self.hello = route, fields
                self.granted = fields["chunks"], fields["bytes"]
            elif name != "DONE" or fields["serial"]:
                assert fields["session"] == self.session, f"{name} of another session"
                self.heard += 1
                assert fields["serial"] == self.heard, f"{name} {fields['serial']}, not {self.heard}"
            if name == "CREDIT":
                self.granted = fields["chunks"], fields["bytes"]
            if name == "BEAT" and self.answer_beats:
                with contextlib.suppress(zmq.ZMQError):  # of a session that is over
                    self.say("BEAT")
            if name not in skip or name in names:
                assert name in names, f"{name} {fields}, not {names}"
                return {**fields, "_payload": b"".join(rest), "_name": name}

    def welcome(self, limit_s=10):
        """Waits for a HELLO and opens its session; the HELLO."""
        hello = self.expect("HELLO", limit_s=limit_s)
        self.session, self.heard, self.serial = hello["session"], 1, 0
        self.say("WELCOME", device_id="d-hand", window=1 << 20, epoch=1)
        return hello

    def say(self, message, payload=b"", /, **fields):
        self.serial += 1
        header = wire.encode(message, **{"session": self.session, "serial": self.serial, **fields})
        self.control.send_multipart([self.route, header, *([payload] if payload else [])])

    def refuse(self, code):
        self.control.send_multipart([self.route, wire.encode("ERROR", session=self.hello["session"], code=code)])

    def assign(self, *streams, job=1, type="hash", params=(), fetch=False, bytes=None, **grant):
        """One ASSIGN with a chunk for each stream, inline unless `fetch`; its grants."""
        grants = []
        for stream in streams:
            self.last_n += 1
            chunk = self.last_n & 0xFFFFFFFF
            grants.append({"chunk": chunk, "n": self.last_n, "token": self.last_n * 7, "attempt": 1,
                           "bytes": bytes or len(stream), "charge_bytes": len(stream),
                           "inline_bytes": 0 if fetch else len(stream), **grant})
            self.streams[(chunk, self.last_n)] = stream
        self.say("ASSIGN", b"" if fetch else b"".join(streams), job=job, type=type, rev=1,
                 params=[{"name": name, "value": value} for name, value in dict(params).items()], leases=grants)
        return grants

    def lease(self, grant, job=1):
        return {"job": job, "chunk": grant["chunk"], "n": grant["n"], "token": grant["token"]}

    def take(self, *grants, job=1):
        self.say("TAKEN", leases=[self.lease(grant, job) for grant in grants])

    def results(self, count, **options):
        """The next `count` results: {n: (result, output)}."""
        found = {}
        while len(found) < count:
            done = self.expect("DONE", **options)
            at = 0
            for result in done["results"]:
                found[result["n"]] = result, done["_payload"][at:at + result["inline_bytes"]]
                at += result["inline_bytes"]
        return found

    # --- data ---

    def expect_data(self, name, limit_s=10):
        assert self.data.poll(limit_s * 1000), f"no {name} within {limit_s} s"
        self.data_route, header, *rest = self.data.recv_multipart()
        found, fields = wire.decode(header)
        assert found == name, f"{found} {fields}, not {name}"
        assert fields["token"] == fields["n"] * 7
        return {**fields, "_payload": b"".join(rest)}

    def answer_data(self, message, question, payload=b"", /, **fields):
        fields = {"job": question["job"], "chunk": question["chunk"], "n": question["n"], **fields}
        with contextlib.suppress(zmq.ZMQError):  # of a session that is over
            self.data.send_multipart([self.data_route, wire.encode(message, **fields), *([payload] if payload else [])])

    def slice(self, fetch, **fields):
        stream = self.streams[(fetch["chunk"], fetch["n"])]
        piece = stream[fetch["offset"]:fetch["offset"] + min(fetch["size"], SLICE)]
        self.fetched[fetch["n"]] = fetch["offset"] + len(piece)
        self.answer_data("SLICE", fetch, piece, offset=fetch["offset"], **fields)

    def keep(self, store, answer=True):
        """Takes a STORE as the broker does; the bytes there."""
        there = self.stored.setdefault(store["n"], bytearray())
        right = store["offset"] == len(there)
        if right:
            there += store["_payload"]
        if answer:
            self.answer_data("STORED", store, size=len(there), last=int(right and bool(store["last"])))
        return there

    def serve_data(self, until, limit_s=30):
        """Answers FETCH and STORE until `until()` is true."""
        deadline = time.monotonic() + limit_s
        while not until():
            assert time.monotonic() < deadline, "the transfer did not end"
            if not self.data.poll(50):
                continue
            self.data_route, header, *rest = self.data.recv_multipart()
            name, fields = wire.decode(header)
            fields["_payload"] = b"".join(rest)
            if name == "FETCH":
                self.slice(fields)
            else:
                self.keep(fields)

    def serve_until_result(self, limit_s=30):
        self.serve_data(lambda: self.control.poll(0) and self._is_done(), limit_s)
        return self._result

    def _is_done(self):
        found = self.expect("DONE", "BEAT", "CREDIT", skip=())
        self._result = found
        return found["_name"] == "DONE"


def stream(*files, tail=b""):
    """A chunk's input: (name, bytes) each; the last one has `tail` behind its own bytes (files/stream.h)."""
    rows = []
    for i, (name, data) in enumerate(files):
        mine = len(tail) if i + 1 == len(files) else 0
        rows.append([name, 0o644, 1700000000, len(data) + mine, 0, len(data), 0, mine])
    return msgpack.packb(rows, use_bin_type=True) + b"".join(data for _, data in files) + tail


def slot_pids(pid):
    """The slot processes of an agent."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
