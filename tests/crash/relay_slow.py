"""A network between the broker and its MongoDB server that takes its time: what the server says comes `delay_s` later."""

import asyncio
import threading


class SlowLink:
    """Listens on `port`, a free one; `delay_s` may be set at any time, and counts for what comes from then on."""

    def __init__(self, to_port):
        self.to_port, self.delay_s, self.port = to_port, 0.0, 0
        self._loop, ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def _run(self, ready):
        async def listen():
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()

    async def _connected(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, far_writer, False), self._pump(far_reader, writer, True))

    async def _pump(self, reader, writer, is_late):
        """Copies one way; data and its end arrive in order, each when it is due."""
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()

        delivery = self._loop.create_task(deliver())
        data = b"-"
        while data:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            queue.put_nowait((self._loop.time() + (self.delay_s if is_late else 0), data))
        try:
            await delivery
        except OSError:
            pass  # who was to have it is gone
        writer.close()

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
