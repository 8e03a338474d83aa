"""Passes the bytes of TCP connections on, and when told flips one bit of what it passes next. CURVE must notice: the
connection then ends, from either side. Not flipped: the greeting and CURVE's HELLO, whose padding nobody reads."""

import selectors
import socket
import threading


OPENING = 64 + 202  # bytes of greeting and HELLO


class FlippingRelay:
    def __init__(self, port, to_port, chance):
        self.to_port, self.chance = to_port, chance
        self.flips = 0
        self.welcomes = 0  # as many of CURVE's WELCOMEs are damaged
        self._armed = threading.Event()
        self._stopping = False
        self.listener = socket.create_server(("127.0.0.1", port))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.listener, selectors.EVENT_READ)
        self._others = {}  # socket -> the other side
        self._flipped = {}  # sockets of connections that had a flip -> (position, bit)
        self._far = set()  # the broker's side of each
        self._count = {}  # socket -> bytes received
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def arm(self):
        self._armed.set()

    def unnoticed(self):
        """Flips whose connection lives on."""
        return set(self._flipped.values())

    def _accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.to_port), 5)
        except OSError:
            near.close()
            return
        self._far.add(far)
        for one, other in ((near, far), (far, near)):
            self._others[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _drop(self, one):
        for side in (one, self._others.pop(one)):
            self._others.pop(side, None)
            self._flipped.pop(side, None)
            self._count.pop(side, None)
            self._far.discard(side)
            self._selector.unregister(side)
            side.close()

    def _pass(self, one):
        try:
            data = one.recv(65536)
            if not data:
                return self._drop(one)
            at = self._count.get(one, 0)
            self._count[one] = at + len(data)
            if self.welcomes and 64 <= at < OPENING and one in self._far:
                self.welcomes -= 1
                self.flips += 1
                data = data[:-1] + bytes([data[-1] ^ 1])
            if self._armed.is_set() and at >= OPENING and one not in self._flipped:
                self._armed.clear()
                self.flips += 1
                where, bit = self.chance.randrange(len(data)), self.chance.randrange(8)
                self._flipped[one] = self._flipped[self._others[one]] = at + where, bit
                changed = bytearray(data)
                changed[where] ^= 1 << bit
                data = bytes(changed)
            self._others[one].sendall(data)
        except OSError:
            self._drop(one)

    def _run(self):
        while not self._stopping:
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj in self._others:
                    self._pass(key.fileobj)

    def stop(self):
        self._stopping = True
        self._thread.join()
        for side in list(self._others):
            side.close()
        self.listener.close()
