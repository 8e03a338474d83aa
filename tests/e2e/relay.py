"""Stands between one peer (an agent or a gateway) and the broker and loses messages. TCP cannot lose one without
breaking CURVE, so it works on whole messages: to the peer it is the broker (with the broker's keys), to the broker
it is the peer."""

import threading
from pathlib import Path

import wire
import zmq


def keys_of(path):
    return dict(line.split() for line in Path(path).read_text().splitlines())


class Channel:
    """One port. A new connection of the peer gets a new connection to the broker, as it would without us."""

    def __init__(self, context, name, port, broker_port, broker_keys, peer_keys):
        self.context, self.name, self.broker_port, self.peer_keys = context, name, broker_port, peer_keys
        self.front = context.socket(zmq.ROUTER)
        self.front.linger = 0
        self.front.curve_server = True
        self.front.curve_publickey = broker_keys["public"].encode()
        self.front.curve_secretkey = broker_keys["secret"].encode()
        self.front.bind(f"tcp://127.0.0.1:{port}")
        self.route = self.back = None

    def from_peer(self):
        route, *frames = self.front.recv_multipart()
        if route != self.route:
            if self.back:
                self.back.close()
            self.route, self.back = route, self.context.socket(zmq.DEALER)
            self.back.linger = 0
            self.back.curve_serverkey = self.peer_keys["server"].encode()
            self.back.curve_publickey = self.peer_keys["public"].encode()
            self.back.curve_secretkey = self.peer_keys["secret"].encode()
            self.back.connect(f"tcp://127.0.0.1:{self.broker_port}")
        return frames

    def close(self):
        self.front.close()
        if self.back:
            self.back.close()


class Relay:
    """Channels `control` (port) and, for an agent, `data` (port + 1). Ways: ("control", "up") is from the peer to
    the broker. Counts the messages of each way from the last arm(); loses the one that arm() named."""

    def __init__(self, port, broker_port, broker_key, peer_key, data=True):
        self.context = zmq.Context()
        keys = keys_of(broker_key), keys_of(peer_key)
        self.channels = [Channel(self.context, name, port + i, broker_port + i, *keys)
                         for i, name in enumerate(("control", "data") if data else ("control",))]
        self._lock = threading.Lock()
        self.arm()
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def arm(self, way=None, index=None):
        """From now on counts anew, and loses message `index` (from 0) of `way`; nothing, if None."""
        with self._lock:
            self.target = way, index
            self.counts = {(c.name, d): 0 for c in self.channels for d in ("up", "down")}
            self.lost = None  # the name of what was lost

    def _passes(self, way, frames):
        with self._lock:
            index = self.counts[way]
            self.counts[way] += 1
            if self.target != (way, index):
                return True
            self.lost = wire.decode(frames[0])[0]
            return False

    def _run(self):
        while not self._stop:
            fronts = {c.front: c for c in self.channels}
            backs = {c.back: c for c in self.channels if c.back}
            poller = zmq.Poller()
            for socket in (*fronts, *backs):
                poller.register(socket, zmq.POLLIN)
            for socket, _ in poller.poll(50):
                if socket in fronts:
                    channel = fronts[socket]
                    frames = channel.from_peer()
                    if self._passes((channel.name, "up"), frames):
                        channel.back.send_multipart(frames)
                elif not socket.closed:
                    channel = backs[socket]
                    frames = socket.recv_multipart()
                    if self._passes((channel.name, "down"), frames):
                        channel.front.send_multipart([channel.route, *frames])
        for channel in self.channels:
            channel.close()
        self.context.term()

    def stop(self):
        """Both sides see the link break."""
        self._stop = True
        self._thread.join()
