"""A gateway of one thread's memory that speaks interface.md section 1 as far as shadowctl uses it, and breaks
on command: what shadowctl does with lost connections, 503 and slow answers is tested here without a system."""

import base64
import json
import re
import socket
import struct
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fake_jobs import CONCAT, Job, Upload, result_tar, shown_name, untar

TOKEN = "tok-0123456789"


class Refused(Exception):
    def __init__(self, status, code, message, **headers):
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


class FakeGateway:
    """Running while used as a context. `breaks` maps "METHOD /path-regex" to a list of faults, each used once:
    "drop" (the connection ends), "drop after" (when the work is done), "drop N" (after N bytes of body read or
    sent), "503" (Retry-After: 1), "away" (503 of a gateway whose broker is dead), "hang" (no answer while the test
    runs), "403", "forget" (the upload is gone). A fault that is no list but a word is used for ever."""

    def __init__(self):
        self.uploads, self.jobs, self.keys, self.breaks, self.seen = {}, {}, {}, {}, []
        self.hold = None  # an Event that jobs wait for before they end
        self.devices = []
        self.status = {"success": True, **{link: {"ok": True} for link in ("broker", "store", "disk", "agents")}}
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.arrived = threading.Condition(self.lock)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"gateway": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def await_seen(self, wanted, limit_s=30, times=1):
        """Waits until a request like "POST /api/jobs/1/seal" has come."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: sum(bool(re.fullmatch(wanted, s)) for s in self.seen) >= times, limit_s), self.seen

    def fault(self, line):
        for pattern, faults in self.breaks.items():
            if faults and re.fullmatch(pattern, line):
                return faults if isinstance(faults, str) else faults.pop(0)
        return None

    def submit(self, kind, params, key, name, body, priority=0):
        with self.lock:
            if key and key in self.keys:
                return self.keys[key], 200
            job = Job(len(self.jobs) + 1, kind, params, name)
            job.priority = priority
            self.jobs[job.id] = job
            if key:
                self.keys[key] = job
        if body is not None:
            job.files += untar(body)
            self.finish(job)
        return job, 201

    def finish(self, job):
        job.open = False

        def end():
            if self.hold:
                self.hold.wait(60)
            if job.status != "cancelled":
                job.run()
        threading.Thread(target=end, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway = None

    def log_message(self, *_):
        pass

    def drop(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        raise ConnectionAbortedError

    def body(self, fault):
        left = int(self.headers.get("Content-Length", 0))
        limit = int(fault.split()[1]) if fault and " " in fault and self.command in ("PATCH", "POST") else None
        if limit is not None:
            return self.rfile.read(min(left, limit)), True
        return self.rfile.read(left), False

    def answer(self, status, document=None, **headers):
        data = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_any(self):
        gateway, url = self.gateway, urllib.parse.urlsplit(self.path)
        line = f"{self.command} {url.path}"
        with gateway.arrived:
            gateway.seen.append(line)
            gateway.arrived.notify_all()
            fault = gateway.fault(line)
        try:
            if fault == "drop":
                self.drop()
            data, broken = self.body(fault)
            if fault == "503":
                raise Refused(503, "busy", "full for a moment", Retry_After=1)
            if fault == "away":
                raise Refused(503, "unavailable", "the broker does not answer", Retry_After=2)
            if fault == "403":
                raise Refused(403, "forbidden", "your token's role is device, this needs viewer")
            if fault == "hang":
                gateway.over.wait(120)
                self.drop()
            if url.path != "/healthz" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refused(401, "unauthorized", "no valid token")
            query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
            self.route(url, query, data, broken, fault)
            if fault == "drop after":
                self.drop()
        except Refused as refused:
            self.answer(refused.status, {"success": False, "error": {"code": refused.code, "message": str(refused)}},
                        **refused.headers)
        except (ConnectionError, ValueError, BrokenPipeError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_HEAD = do_DELETE = handle_any

    def route(self, url, query, data, broken, fault):
        parts = url.path.strip("/").split("/")
        if url.path == "/healthz":
            return self.answer(200, {"success": True})
        if parts[:2] == ["api", "uploads"]:
            return self.uploads(parts[2:], data, broken, fault)
        if parts[:2] == ["api", "jobs"]:
            return self.jobs(parts[2:], query, data, fault)
        if parts[:2] == ["api", "devices"]:
            return self.answer(200, {"success": True, "devices": self.gateway.devices})
        if parts[:2] == ["api", "status"]:
            return self.answer(200, self.gateway.status)
        if parts[:2] == ["api", "types"]:
            return self.answer(200, {"success": True, "types": [{"name": "compress", "title": "Compress", "params": []}]})
        raise Refused(404, "not_found", "no such address")

    def uploads(self, rest, data, broken, fault):
        uploads = self.gateway.uploads
        assert self.headers["Tus-Resumable"] == "1.0.0"
        if self.command == "POST":
            pairs = [pair.split(" ") for pair in self.headers["Upload-Metadata"].split(",")]
            metadata = {key: base64.b64decode(value) for key, value in pairs}
            number = f"{len(uploads) + 1:032x}"
            uploads[number] = Upload(int(self.headers["Upload-Length"]), metadata)
            return self.answer(201, Location=f"/api/uploads/{number}", Tus_Resumable="1.0.0")
        upload = uploads.get(rest[0])
        if not upload:
            raise Refused(404, "not_found", "no such upload")
        if self.command == "DELETE":
            del uploads[rest[0]]
            return self.answer(204)
        if self.command == "PATCH":
            if int(self.headers["Upload-Offset"]) != len(upload.data):
                raise Refused(409, "conflict", f"the offset is {len(upload.data)}")
            if fault == "forget":
                del uploads[rest[0]]
                self.drop()
            upload.data += data
            if broken:
                self.drop()
        return self.answer(204 if self.command == "PATCH" else 200, Upload_Offset=len(upload.data),
                           Upload_Length=upload.length)

    def jobs(self, rest, query, data, fault):
        if not rest:
            return self.create(query, data, fault) if self.command == "POST" else self.answer(
                200, {"success": True, "jobs": [j.shown() for j in reversed(self.gateway.jobs.values())],
                      "nextCursor": None})
        job = self.gateway.jobs.get(rest[0])
        if not job:
            raise Refused(404, "not_found", f"no job {rest[0]}")
        action = rest[1] if len(rest) > 1 else ""
        document = {"success": True, "job": job.shown(), "chunks": [], "nextChunkCursor": None}
        if action == "inputs":
            key = self.headers["Idempotency-Key"]
            if key not in job.adds:
                job.adds.append(key)
                for number in json.loads(data)["uploads"]:
                    upload = self.gateway.uploads[number]
                    assert len(upload.data) == upload.length
                    job.files += upload.files()
        elif action == "seal":
            if job.open:
                self.gateway.finish(job)
        elif action == "cancel":
            job.status = "cancelled"
        elif action == "result":
            return self.result(job, query, fault)
        elif action == "files":
            return self.files(job, query)
        elif action == "why":
            document = {"success": True, "reasons": [{"deviceId": "d1", "reason": "no zstd\x1b[2J", "fix": "install it"}]}
        elif self.command == "DELETE":
            del self.gateway.jobs[rest[0]]
            return self.answer(204)
        elif self.command == "PATCH":
            change = json.loads(data)
            job.name, job.priority = change.get("name", job.name), change.get("priority", job.priority)
            document["job"] = job.shown()
        if fault == "drop after":
            self.drop()
        return self.answer(200, document)

    def create(self, query, data, fault):
        if self.headers["Content-Type"] == "application/x-tar":
            own = {key: query.pop(key, None) for key in ("type", "jobName", "priority", "chunkCount", "idempotencyKey")}
            job, status = self.gateway.submit(own["type"], query, own["idempotencyKey"], own["jobName"], data,
                                              int(own["priority"] or 0))
        else:
            wanted = json.loads(data)
            assert wanted["open"]
            job, status = self.gateway.submit(wanted["type"], wanted["params"], wanted["idempotencyKey"],
                                              wanted.get("name"), None, wanted.get("priority", 0))
            job.expected = wanted["expectedBytes"]
        if fault == "drop after":
            self.drop()
        return self.answer(status, {"success": True, "job": job.shown(), "chunks": []})

    def files(self, job, query):
        names = {index: name for name, _, index in job.outputs}
        start, files = int(query.get("cursor") or 0), []
        for index, (name, _, _, data) in enumerate(job.files):
            error = job.errors.get(index)
            entry = shown_name({"size": len(data), "status": "failed" if error else "completed", "error": error,
                                "outputSize": 0, "chunkId": f"{job.id}-0"}, "name", name)
            if index in names:
                shown_name(entry, "outputName", names[index])
            files.append(entry)
        files = [f for f in files if "status" not in query or f["status"] == query["status"]]
        cursor = str(start + 7) if len(files) > start + 7 else None  # small pages, so that paging is seen
        return self.answer(200, {"success": True, "files": files[start:start + 7], "nextCursor": cursor})

    def result(self, job, query, fault):
        if job.status == "cancelled":
            raise Refused(409, "cancelled", "the job was cancelled")
        if job.status not in ("completed", "failed"):
            raise Refused(409, "not_finished", "the job runs still")
        if job.type in CONCAT:
            data = job.outputs[0][1]
        elif "name" in query:
            name = urllib.parse.unquote_to_bytes(re.search("name=([^&]*)", self.path)[1])
            found = [output for wanted, output, _ in job.outputs if wanted == name]
            if not found:
                raise Refused(404, "not_found", "no such output")
            data = found[0]
        else:
            data = result_tar(job)
        start = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
        if start:
            assert self.headers["If-Range"] == job.etag
        self.send_response(206 if start else 200)
        self.send_header("ETag", job.etag)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if fault and fault.startswith("drop "):
            self.wfile.write(data[start:start + int(fault.split()[1])])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        self.wfile.write(data[start:])
