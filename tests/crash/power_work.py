"""The life that the power ends, as it is recorded: uploads, jobs that grow, results, removals; and every acknowledgement
with the position in the log at which its client had it."""

from concurrent.futures import ThreadPoolExecutor

from power_disk import Disk, Log
from system import System
from work import TUS, Client, tar_of, words
from world import BUILD

RECORDER = BUILD / "tests" / "crash" / "crash-record.so"
TEXTS, FILES, LARGE = 12, 10, 1_300_000  # more than one sum


class Witness(Client):
    """A patient client that notes what it was told, and until when."""

    def __init__(self, system, oracle, seed, position):
        super().__init__(system, oracle, seed)
        self.position = position
        self.told = []  # (position, what, of what, how much)
        self.data = {}  # upload: its bytes
        self.expected = {}  # job: its result
        self.added = {}  # job: how many ADDs were acknowledged
        self.parts = {}  # job: the files of each
        self._sending = b""

    def note(self, what, of, value=0):
        self.told.append((self.position(), what, of, value))

    def ask(self, method, path, wanted, give_up=(), **options):
        parts = path.split("?")[0].split("/")[2:]
        if method == "DELETE":
            self.note("removing", parts[1])
        answer = super().ask(method, path, wanted, give_up, **options)
        if answer.status_code not in wanted:
            return answer
        if parts == ["uploads"]:
            name = answer.headers["Location"].rsplit("/", 1)[1]
            self.data[name] = self._sending
            self.note("upload", name)
        elif parts[0] == "uploads" and method in ("HEAD", "PATCH"):
            self.note("upload", parts[1], int(answer.headers["Upload-Offset"]))
        elif parts[0] == "jobs" and method == "GET" and len(parts) == 2:
            job = answer.json()["job"]
            self.note("done", int(parts[1]), job["completedChunks"])
            if job["completedAt"]:
                self.note("ended", int(parts[1]))
        elif parts == ["jobs"]:
            job = int(answer.json()["job"]["jobId"])
            self.added[job] = 1 if "uploads" in options["json"] or "inputData" in options["json"] else 0
            self.note("job", job)
            self.note("adds", job, self.added[job])
        elif parts[-1] == "inputs":
            self.added[int(parts[1])] += 1
            self.note("adds", int(parts[1]), self.added[int(parts[1])])
        elif method == "DELETE" and parts[0] == "jobs":
            self.note("removed", int(parts[1]))
        return answer

    def upload(self, data):
        self._sending = data
        return super().upload(data)

    def add(self, job, upload, expected):
        self.expected[job] = {**self.expected.get(job, {}), **expected}
        self.parts.setdefault(job, []).append(len(expected))
        self.ask("POST", f"/api/jobs/{job}/inputs", (200, 201),
                 json={"uploads": [upload]})

    def some_files(self, name, sizes):
        files = {f"{name}/{i}": words(self.chance, size) for i, size in enumerate(sizes)}
        return tar_of(files), {f"{file}.upper": data.upper() for file, data in files.items()}

    def end(self, job):
        self.await_end(job, len(self.expected[job]))
        self.compare(job, self.expected[job])

    def grow(self):
        """An open job: texts, then uploads one by one; the first upload is removed while the job holds it."""
        texts = [words(self.chance, 200) for _ in range(TEXTS)]
        job = self.submit(inputData=[text.decode() for text in texts], open=True, chunkCount=TEXTS)
        self.expected[job] = {f"input-{i + 1}.upper": text.upper() for i, text in enumerate(texts)}
        self.parts[job] = [TEXTS]
        for name in ("one", "two"):
            tar, expected = self.some_files(name, [18_000] * FILES)
            upload = self.upload(tar)
            self.add(job, upload, expected)
            if name == "one":
                self.ask("DELETE", f"/api/uploads/{upload}", (204,), give_up=(404, 410), headers=TUS)
        self.ask("POST", f"/api/jobs/{job}/seal", (200,))
        self.end(job)

    def ship(self):
        """Two jobs of files of an upload, the first forgotten in the end."""
        for i in range(2):
            tar, expected = self.some_files(f"part-{i}", [LARGE, 100, 0, *[40_000] * FILES])
            job = self.submit(uploads=[self.upload(tar)], chunkCount=FILES)
            self.expected[job] = expected
            self.parts[job] = [len(expected)]
            self.ask("GET", f"/api/jobs/{job}?chunkLimit=1", (200,))
            if i == 0:
                self.end(job)
                self.delete(job)
        self.end(job)


class Life:
    """What was recorded: `disk` as it was before the first of `events`, and what the clients were told."""

    def __init__(self, folder, oracle, seed):
        self.system = system = System(folder, BUILD)
        system.add_peer("gateway", "gateway", system.state / "gateway" / "broker.key")
        agents = [system.add_agent(f"agent-{i}", start=False) for i in range(2)]
        self.disk = Disk(system.state)
        self.log = Log(folder / "power.log", system.state)
        for program in (system.broker, system.gateway):
            program.env |= {"LD_PRELOAD": str(RECORDER), **self.log.env}
        self.clients = [Witness(system, oracle, f"{seed}-{i}", self.log.position) for i in range(2)]
        for program in (system.broker, system.gateway, *agents):
            program.start()
        self._run()
        self.events = self.log.read()
        self.told = sorted((told for client in self.clients for told in client.told), key=lambda told: told[0])

    def parts(self, job):
        """How many files each of the job's ADDs brought."""
        return next(client.parts[job] for client in self.clients if job in client.parts)

    def _run(self):
        with ThreadPoolExecutor() as pool:
            for work in [pool.submit(self.clients[0].grow), pool.submit(self.clients[1].ship)]:
                work.result()
        self.system.stop()
