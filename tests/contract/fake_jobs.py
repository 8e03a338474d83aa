"""What the gateway of the tests keeps: uploads, and jobs whose work is done by the kernels' reference commands."""

import base64
import hashlib
import io
import os
import subprocess
import tarfile

CONCAT = {"hash": "SHA256SUMS", "filter": "filter.txt"}
NAMES = {"compress": ".zst", "transform": ".upper"}


class Upload:
    def __init__(self, length, metadata):
        self.length, self.metadata, self.data = length, metadata, b""

    def files(self):
        """(name, mode, mtime, bytes) of each file in it."""
        if self.metadata.get("unpack") == b"1":
            prefix = self.metadata.get("prefix", b"")
            return [(prefix + name, *rest) for name, *rest in untar(self.data)]
        return [(self.metadata["filename"], int(self.metadata["mode"], 8), int(self.metadata["mtime"]), self.data)]


class Job:
    def __init__(self, number, kind, params, owner_name):
        self.id, self.type, self.params, self.name = str(number), kind, params, owner_name
        self.status, self.files, self.open, self.priority = "pending", [], True, 0
        self.outputs, self.errors, self.expected, self.adds = [], {}, None, []
        self.etag = f'"{number}"'

    def shown(self):
        final = self.status in ("completed", "failed", "cancelled")
        return {
            "jobId": self.id, "type": self.type, "status": self.status, "name": self.name, "priority": self.priority,
            "params": self.params, "totalChunks": 1, "completedChunks": int(final), "failedChunks": 0,
            "totalFiles": len(self.files), "failedFiles": len(self.errors), "progress": 1 if final else 0.5,
            "bytesIn": sum(len(f[3]) for f in self.files), "bytesOut": sum(len(o[1]) for o in self.outputs),
            "createdAt": "2026-11-24T22:38:00.123Z", "startedAt": None,
            "completedAt": "2026-11-24T22:38:01.123Z" if final else None, "inputData": None, "error": None,
            "result": {"files": [shown_name({}, "name", o[0]) for o in self.outputs[:100]], "more": False,
                       "url": f"/api/jobs/{self.id}/result"} if final else None}

    def run(self):
        for index, (name, _, _, data) in enumerate(self.files):
            try:
                self.outputs.append((self.output_name(name), self.work(name, data), index))
            except ValueError as error:
                self.errors[index] = str(error)
        if self.type in CONCAT:
            whole = b"".join(output for _, output, _ in self.outputs)
            self.outputs = [(CONCAT[self.type].encode(), whole, None)]
        self.status = "failed" if self.errors else "completed"

    def output_name(self, name):
        return name + NAMES.get(self.type, "").encode()

    def work(self, name, data):
        if b"BROKEN INPUT" in data[:64]:
            raise ValueError("this input is broken")
        if self.type == "compress":
            return pipe(["zstd", "-qc", f"-{self.params.get('level', 3)}"], data)
        if self.type == "hash":
            return hash_line(name, data)
        if self.type == "filter":
            return pipe(["grep", "-a", "-P", "--", self.params["pattern"]], data, {"LC_ALL": "C"})
        return data.upper()


def hash_line(name, data):
    digest = hashlib.sha256(data).hexdigest().encode()
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + digest + b"  " + escaped + b"\n"


def pipe(command, data, env=None):
    return subprocess.run(command, input=data, capture_output=True, env={**os.environ, **(env or {})}).stdout


def untar(data):
    """As the gateway takes it apart: leading / stripped, `..` refused, a later duplicate wins."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            name = os.fsencode(member.name).lstrip(b"/")
            assert b".." not in name.split(b"/"), name
            found.pop(name, None)
            found[name] = (name, member.mode, member.mtime, tar.extractfile(member).read())
    return list(found.values())


def shown_name(entry, key, name):
    try:
        entry[key] = name.decode()
    except UnicodeDecodeError:
        entry[key] = name.decode("ascii", "backslashreplace")
        entry[key + "Bytes"] = base64.b64encode(name).decode()
    return entry


def relative(name):
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b".", b".."))


def result_tar(job):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", encoding="utf-8", errors="surrogateescape") as tar:
        for name, data, index in job.outputs:
            info = tarfile.TarInfo(os.fsdecode(relative(name)))
            info.size, info.mode, info.mtime = len(data), *(job.files[index][1:3] if index is not None else (0o644, 0))
            tar.addfile(info, io.BytesIO(data))
    return whole.getvalue()
