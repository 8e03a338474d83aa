"""A small job of 200 chunks as a patient client sends it: 160 inline texts and 40 files from a resumable upload, each
step repeated until it is acknowledged, every acknowledgement held against what comes later."""

import base64
import hashlib
import io
import random
import tarfile
import threading
import time
import uuid

import requests

TEXTS, FILES = 160, 40
LIMIT_S = 90  # for one step, restarts and all
PART = 300_000  # of the upload
TUS = {"Tus-Resumable": "1.0.0"}


LETTERS = bytes(b"abcdefghijklmnopqrstuvwxyz \n"[i % 28] for i in range(256))


def words(chance, size):
    return chance.randbytes(size).translate(LETTERS)


def is_whole(answer):
    """Whether a download came to its end: requests itself does not look."""
    return len(answer.content) == int(answer.headers["Content-Length"])


def tar_of(files):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


class Client:
    def __init__(self, system, oracle, seed, texts=TEXTS, files=FILES):
        self.system, self.oracle = system, oracle
        self.texts, self.files = texts, files
        self.chance = random.Random(seed)
        self.rest = None
        self.refused = 0  # answers that asked to come back

    def ask(self, method, path, wanted, give_up=(), **options):
        """Repeats a request until it has one of the `wanted` statuses; `give_up` are returned as well. Everything
        else must be an honest refusal: 503, 507 or 429 with Retry-After, or no answer at all."""
        deadline = time.monotonic() + LIMIT_S
        said = "no answer"
        while time.monotonic() < deadline:
            try:
                self.rest = self.rest or self.system.rest()
                answer = self.rest.request(method, path, timeout=20, **options)
                if answer.status_code in (*wanted, *give_up):
                    return answer
                said = f"{answer.status_code} {answer.text[:300]}"
                assert answer.status_code in (429, 503, 507), f"{method} {path}: {said}"
                assert answer.status_code == 507 or "Retry-After" in answer.headers, said
                self.refused += 1
            except (requests.RequestException, OSError) as problem:
                said = str(problem)
                self.rest = None
            time.sleep(0.02)  # no event announces a program that is back
        raise AssertionError(f"{method} {path}: not within {LIMIT_S} s: {said}")

    def submit(self, **body):
        key = uuid.UUID(int=self.chance.getrandbits(128)).hex
        self.oracle.note("submit", key=key)
        answer = self.ask("POST", "/api/jobs", (200, 201), json={
            "type": "transform", "params": {"op": "upper"}, "idempotencyKey": key, **body})
        job = int(answer.json()["job"]["jobId"])
        self.oracle.note("ack", key=key, job=job)
        return job

    def upload(self, data):
        """A tus upload of a tar, resumed wherever it was broken; its id. An acknowledged offset never shrinks."""
        answer = self.ask("POST", "/api/uploads", (201,), headers={
            **TUS, "Upload-Length": str(len(data)),
            "Upload-Metadata": "unpack " + base64.b64encode(b"1").decode()})
        path = answer.headers["Location"]
        offset = 0
        while offset < len(data):
            held = int(self.ask("HEAD", path, (200,), headers=TUS).headers["Upload-Offset"])
            if held < offset:
                self.oracle.fault("lost", f"upload {path}: offset {offset} was acknowledged, {held} is there")
            offset = held
            if offset == len(data):
                break
            answer = self.ask("PATCH", path, (204,), give_up=(409, 423), data=data[offset:offset + PART], headers={
                **TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)})
            if answer.status_code == 204:
                offset = int(answer.headers["Upload-Offset"])
        return path.rsplit("/", 1)[1]

    def await_end(self, job, chunks):
        deadline = time.monotonic() + LIMIT_S
        while True:
            shown = self.ask("GET", f"/api/jobs/{job}?chunkLimit=1", (200,), give_up=(404,))
            if shown.status_code == 404:
                return self.oracle.fault("lost", f"job {job} was acknowledged and is not known")
            shown = shown.json()["job"]
            if shown["completedAt"]:
                break
            assert time.monotonic() < deadline, f"job {job} does not end: {shown}"
            time.sleep(0.02)  # the sweep must not depend on an event that a crash loses
        ended = [shown[field] for field in ("status", "completedChunks", "totalChunks", "error")]
        if ended != ["completed", chunks, chunks, None]:
            self.oracle.fault("wrong", f"job {job} ended so: {ended}")

    def compare(self, job, expected):
        """The result, read again from its start when a download is cut, against the reference."""
        for _ in range(20):
            answer = self.ask("GET", f"/api/jobs/{job}/result", (200,))
            if is_whole(answer):
                break
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
            got = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
        if got != expected:
            wrong = sorted(set(got) ^ set(expected)) or [name for name in got if got[name] != expected[name]]
            self.oracle.fault("wrong", f"the result of job {job} differs: {wrong[:5]}")
        self.oracle.note("result", job=job, sha256=hashlib.sha256(answer.content).hexdigest())

    def run(self):
        """Both halves, each with its result checked."""
        texts = [words(self.chance, 100) for _ in range(self.texts)]
        rows = self.submit(inputData=[text.decode() for text in texts], chunkCount=self.texts)
        files = {f"files/{i}": words(self.chance, 18_000) for i in range(self.files)}
        upload = self.upload(tar_of(files))
        kept = self.submit(uploads=[upload], chunkCount=self.files)
        self.ask("DELETE", f"/api/uploads/{upload}", (204,), give_up=(404, 410), headers=TUS)
        for job, expected in ((rows, {f"input-{i + 1}.upper": text.upper() for i, text in enumerate(texts)}),
                              (kept, {f"{name}.upper": data.upper() for name, data in files.items()})):
            self.await_end(job, len(expected))
            self.compare(job, expected)
        return rows, kept

    def delete(self, job):
        self.oracle.note("delete", job=job)
        self.ask("DELETE", f"/api/jobs/{job}", (200, 204), give_up=(404,))
        self.oracle.note("deleted", job=job)


class Job(threading.Thread):
    """The small job, run beside some trouble; what went wrong with it is raised by end()."""

    def __init__(self, world, name):
        super().__init__(daemon=True)
        self.client = Client(world.system, world.oracle, name)
        self.problem = None
        self.start()

    def run(self):
        try:
            self.client.run()
        except BaseException as problem:  # noqa: BLE001 - handed on
            self.problem = problem

    def end(self):
        self.join()
        if self.problem:
            raise self.problem
