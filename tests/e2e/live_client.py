"""A WebSocket client of /ws for tests, in blocking calls: each socket has an event loop that runs while it waits."""

import asyncio
import json
import time

import websockets


class Live:
    def __init__(self, url, token=None, context=None, **headers):
        self.url = url.replace("http", "ws", 1) + "/ws"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.context = context  # of TLS
        self.loop = asyncio.new_event_loop()
        self.seq = 0
        self.socket = self.run(self.connect(headers))

    async def connect(self, headers):
        return await websockets.connect(self.url, extra_headers=headers, max_size=None, ssl=self.context)

    def run(self, awaitable, limit_s=10):
        async def bounded():
            return await asyncio.wait_for(awaitable, limit_s)
        return self.loop.run_until_complete(bounded())

    def send(self, event, **data):
        self.send_raw(json.dumps({"event": event, "data": data}))

    def send_raw(self, text):
        self.run(self.socket.send(text))

    def next(self, limit_s=10):
        """(event, data); numbers rise by one."""
        message = json.loads(self.run(self.socket.recv(), limit_s))
        if "seq" in message:
            assert message["seq"] == self.seq + 1, "a gap"
            self.seq += 1
        return message["event"], message["data"]

    def until(self, event, true=lambda data: True, limit_s=20):
        """The data of the next `event` for which `true`; what came before it is kept in `.passed`."""
        self.passed = []
        deadline = time.monotonic() + limit_s
        while True:
            name, data = self.next(max(deadline - time.monotonic(), 0.01))
            if name == event and true(data):
                return data
            self.passed.append((name, data))

    def closed(self, limit_s=10):
        """Reads on to the end; (status, words)."""
        try:
            while True:
                self.run(self.socket.recv(), limit_s)
        except websockets.ConnectionClosed as end:
            return end.rcvd and end.rcvd.code, end.rcvd and end.rcvd.reason

    def close(self):
        self.run(self.socket.close())
        self.loop.close()
