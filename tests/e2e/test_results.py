"""Results of real jobs, by the whole system: tar and single files, ranges, ETags, files, chunks, retries."""

import base64
import hashlib
import io
import os
import subprocess
import tarfile
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from system import until
from urllib3.exceptions import ProtocolError


def make_tar(files):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), 0o640, 1000000000
            file.addfile(entry, io.BytesIO(data))
    return tar.getvalue()


def finished(rest, answer, status="completed"):
    assert answer.status_code == 201, answer.text
    job = answer.json()["job"]["jobId"]

    def ended():
        found = rest.get(f"/api/jobs/{job}").json()["job"]
        return found["status"] not in ("pending", "processing") and found
    found = until(ended, "the job's end")
    assert found["status"] == status, found
    return found


def unzstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def files():
    return {f"d{i % 7}/file {i}": os.urandom(1000) * (i * 3) for i in range(60)}


def test_a_tar_in_and_a_tar_out(rest, files):
    answer = rest.post("/api/jobs?type=compress&chunkCount=9", data=make_tar(files),
                       headers={"Content-Type": "application/x-tar"})
    job = finished(rest, answer)
    assert (job["totalFiles"], job["totalChunks"]) == (60, 9) and job["result"]["more"] is False
    result = rest.get(f"/api/jobs/{job['jobId']}/result")
    assert result.headers["Content-Type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(result.content)) as tar:
        members = {member.name: member for member in tar}
        assert set(members) == {name + ".zst" for name in files}
        for name, data in files.items():
            member = members[name + ".zst"]
            assert (member.mode, member.mtime) == (0o640, 1000000000)
            assert unzstd(tar.extractfile(member).read()) == data
    one = rest.get(f"/api/jobs/{job['jobId']}/result", params={"name": "d3/file 10.zst"})
    assert unzstd(one.content) == files["d3/file 10"]
    assert 'filename="file_10.zst"' in one.headers["Content-Disposition"]
    assert rest.get(f"/api/jobs/{job['jobId']}/result?name=nothing").status_code == 404


def test_ranges_and_etags(rest):
    data = os.urandom(3 << 20)
    job = finished(rest, rest.post("/api/jobs?type=transform&op=upper&name=x", data=data))
    path = f"/api/jobs/{job['jobId']}/result?name=x.upper"
    whole = rest.get(path)
    etag, size = whole.headers["ETag"], len(whole.content)
    assert whole.content == data.upper() and whole.headers["Accept-Ranges"] == "bytes"
    for header, first, last in (("bytes=0-0", 0, 0), ("bytes=5-", 5, size - 1), ("bytes=-7", size - 7, size - 1),
                                ("bytes=1048570-1048590", 1048570, 1048590), (f"bytes=0-{size + 9}", 0, size - 1),
                                (f"bytes={size - 1}-", size - 1, size - 1), (f"bytes=-{size * 2}", 0, size - 1)):
        part = rest.get(path, headers={"Range": header})
        assert part.status_code == 206 and part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert part.content == whole.content[first:last + 1], header
    for header in (f"bytes={size}-", "bytes=-0"):
        outside = rest.get(path, headers={"Range": header})
        assert (outside.status_code, outside.headers["Content-Range"]) == (416, f"bytes */{size}")
    for header in ("bytes=0-1,5-6", "bytes=5-2", "bytes=x", "lines=1-2"):
        assert rest.get(path, headers={"Range": header}).status_code == 200
    assert rest.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert rest.get(path, headers={"If-None-Match": f'"x", {etag}'}).status_code == 304
    assert rest.get(path, headers={"If-Range": etag, "Range": "bytes=0-0"}).status_code == 206
    assert rest.get(path, headers={"If-Range": '"x"', "Range": "bytes=0-0"}).status_code == 200
    head = rest.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.headers["ETag"]) == (200, str(size), etag)
    assert rest.get(f"/api/jobs/{job['jobId']}/result").headers["ETag"] != etag


def test_data_in_place_when_it_is_small(rest):
    job = finished(rest, rest.post("/api/jobs", json={
        "type": "transform", "params": {"op": "upper"},
        "inputData": [{"name": "a", "data": "text"}, {"name": "b", "data": "/w==", "encoding": "base64"}]}))
    first, second = job["result"]["files"]
    assert (first["name"], first["data"], first["encoding"], first["size"]) == ("a.upper", "TEXT", "utf8", 4)
    assert (second["data"], second["encoding"]) == ("/w==", "base64")
    large = finished(rest, rest.post("/api/jobs?type=transform&op=upper&name=a", data=b"x" * 20000))
    assert "data" not in large["result"]["files"][0] and large["result"]["files"][0]["size"] == 20000


def test_a_viewer_sees_names_and_sizes_but_no_bytes(rest, system):
    job = finished(rest, rest.post("/api/jobs", json={"type": "hash", "inputData": "x"}))
    done = subprocess.run([system.build / "gateway" / "shadow-gateway", "--state", system.state, "--add-token", "viewer"],
                          capture_output=True, text=True, check=True)
    shown = system.rest(done.stdout.strip()).get(f"/api/jobs/{job['jobId']}").json()
    for result in (shown["job"]["result"], shown["chunks"][0]["result"]):
        file, = result["files"]
        assert set(file) == {"name", "size", "error"} and file["size"] == job["result"]["files"][0]["size"]
    assert "data" in job["result"]["files"][0]


def test_concat_results(rest):
    texts = [f"line {i}" for i in range(50)]
    job = finished(rest, rest.post("/api/jobs", json={"type": "hash", "inputData": texts, "chunkCount": 10}))
    assert job["totalChunks"] == 10
    expected = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  input-{i + 1}\n" for i, text in enumerate(texts))
    assert rest.get(f"/api/jobs/{job['jobId']}/result").text == expected
    assert rest.get(f"/api/jobs/{job['jobId']}/result?name=SHA256SUMS").text == expected
    assert rest.get(f"/api/jobs/{job['jobId']}/result?name=input-1").status_code == 404
    chunks = rest.get(f"/api/jobs/{job['jobId']}").json()["chunks"]
    assert "".join(chunk["result"]["files"][0]["data"] for chunk in chunks) == expected
    empty = finished(rest, rest.post("/api/jobs", json={"type": "filter", "params": {"pattern": "zzz"},
                                                        "inputData": "abc"}))
    assert rest.get(f"/api/jobs/{empty['jobId']}/result").content == b""
    assert empty["result"]["files"][0]["data"] == ""


def test_a_corrupt_file_costs_only_itself(rest):
    good = subprocess.run(["zstd", "-cq"], input=b"fine", capture_output=True, check=True).stdout
    tar = make_tar({"good.zst": good, "bad.zst": b"not zstd at all", "more.zst": good})
    job = finished(rest, rest.post("/api/jobs?type=transform&op=decompress", data=tar,
                                   headers={"Content-Type": "application/x-tar"}), "failed")
    assert job["failedFiles"] == 1 and job["error"]
    path = f"/api/jobs/{job['jobId']}"
    listed = {file["name"]: file for file in rest.get(path + "/files").json()["files"]}
    assert [listed[name]["status"] for name in ("good.zst", "bad.zst", "more.zst")] == ["completed", "failed", "completed"]
    assert listed["bad.zst"]["error"] and listed["bad.zst"]["outputName"] is None
    assert [file["name"] for file in rest.get(path + "/files?status=failed").json()["files"]] == ["bad.zst"]
    with tarfile.open(fileobj=io.BytesIO(rest.get(path + "/result").content)) as result:
        assert result.getnames() == ["good", "more"]
    assert rest.get(path + "/result?name=bad").status_code == 404
    assert rest.get(path + "/result?name=good").content == b"fine"
    answer = rest.post(path + "/retry")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_names_that_are_not_utf8(rest):
    name = b"a \xff\n\\.txt"
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8",
                      errors="surrogateescape") as file:
        entry = tarfile.TarInfo(name.decode(errors="surrogateescape"))
        entry.size = 1
        file.addfile(entry, io.BytesIO(b"x"))
    job = finished(rest, rest.post("/api/jobs?type=compress", data=tar.getvalue(),
                                   headers={"Content-Type": "application/x-tar"}))
    shown = rest.get(f"/api/jobs/{job['jobId']}/files").json()["files"][0]
    assert base64.b64decode(shown["nameBytes"]) == name and base64.b64decode(shown["outputNameBytes"]) == name + b".zst"
    quoted = urllib.parse.quote_from_bytes(name + b".zst", safe="")
    assert unzstd(rest.get(f"/api/jobs/{job['jobId']}/result?name={quoted}").content) == b"x"


def test_no_result_before_the_end_nor_of_a_cancelled_job(start_system):
    rest = start_system(agents=0).rest()
    job = rest.post("/api/jobs", json={"type": "hash", "inputData": "x"}).json()["job"]["jobId"]
    path = f"/api/jobs/{job}"
    answer = rest.get(path + "/result")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_finished")
    assert rest.get(path + "/files").json()["files"][0]["status"] == "pending"
    assert rest.get(path).json()["job"]["result"] is None
    assert rest.get(path + "/why").json()["reasons"]
    assert rest.post(path + "/cancel").json()["job"]["status"] == "cancelled"
    assert rest.post(path + "/cancel").status_code == 200
    answer = rest.get(path + "/result")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cancelled")
    assert rest.get(path + "/files").json()["files"][0]["status"] == "cancelled"
    assert rest.post(path + "/retry").status_code == 409
    assert rest.delete(path).json() == {"success": True}
    for method, suffix in (("get", ""), ("get", "/result"), ("get", "/files"), ("delete", ""), ("post", "/cancel")):
        assert rest.request(method, path + suffix).status_code == 404, (method, suffix)


def test_pages_of_chunks_and_files(rest):
    texts = ["x" * (i % 50) for i in range(1500)]
    job = finished(rest, rest.post("/api/jobs", json={"type": "hash", "inputData": texts, "chunkCount": 250}))
    path, seen, cursor = f"/api/jobs/{job['jobId']}", [], ""
    while cursor is not None:
        page = rest.get(path, params={"chunkCursor": cursor} if cursor else {}).json()
        seen += [chunk["chunkIndex"] for chunk in page["chunks"]]
        assert len(page["chunks"]) <= 100
        cursor = page["nextChunkCursor"]
    assert seen == list(range(250))
    assert set(rest.get(path, params={"chunkLimit": 0}).json()) == {"success", "job"}
    assert len(rest.get(path, params={"chunkLimit": 3}).json()["chunks"]) == 3
    assert rest.get(path, params={"chunkLimit": 101}).status_code == 400
    names, cursor = [], ""
    while cursor is not None:
        page = rest.get(path + "/files", params={"cursor": cursor} if cursor else {}).json()
        names += [file["name"] for file in page["files"]]
        cursor = page["nextCursor"]
    assert names == [f"input-{i + 1}" for i in range(1500)]


def test_a_damaged_output_is_cut_off_not_given_out(rest, system):
    data = os.urandom(3 << 20)
    job = finished(rest, rest.post("/api/jobs?type=transform&op=upper&name=x", data=data))
    path = f"/api/jobs/{job['jobId']}/result?name=x.upper"
    out, = [file for file in (system.state / "jobs" / job["jobId"]).glob("out.*") if file.suffix != ".sum"]
    out.chmod(0o600)
    with open(out, "r+b") as file:
        file.seek(2 << 20)
        byte = file.read(1)
        file.seek(2 << 20)
        file.write(bytes([byte[0] ^ 1]))
    with rest.get(path, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) == len(data)
        with pytest.raises(ProtocolError, match="2097152 bytes read, 1048576 more expected"):
            answer.raw.read()
    system.gateway.wait_log("result broken")
    assert rest.get("/healthz").status_code == 200


def test_many_downloads_at_once_and_those_that_go_away(rest, system):
    data = os.urandom(2 << 20)
    job = finished(rest, rest.post("/api/jobs?type=transform&op=upper&name=x", data=data))
    path, expected = f"/api/jobs/{job['jobId']}/result?name=x.upper", data.upper()

    def fetch(i):
        with system.rest().get(path, stream=True) as answer:
            return answer.raw.read(1000) == expected[:1000] if i % 2 else answer.content == expected
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(fetch, range(64)))
    descriptors = f"/proc/{system.gateway.pid}/fd"
    before = len(os.listdir(descriptors))
    assert rest.get(path).content == expected
    until(lambda: len(os.listdir(descriptors)) <= before, "descriptors", limit_s=5)


@pytest.mark.plain  # memory
def test_results_given_out_stay_neither_open_nor_in_memory(system, rest):
    def cost():
        folder = f"/proc/{system.gateway.pid}/fd"
        links = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if os.path.lexists(f"{folder}/{fd}")]
        with open(f"/proc/{system.gateway.pid}/statm") as file:
            return len([link for link in links if "/out." in link]), int(file.read().split()[1]) * 4096

    sizes = []
    for i in range(24):
        data = os.urandom(1000) * 1000
        job = finished(rest, rest.post(f"/api/jobs?type=transform&op=base64&name=x{i}", data=data,
                                       headers={"Content-Type": "application/octet-stream"}))
        assert len(rest.get(f"/api/jobs/{job['jobId']}/result").content) > 1_000_000
        until(lambda: cost()[0] == 0, "its outputs are closed")
        sizes.append(cost()[1])
    assert sizes[-1] - sizes[3] < 8 << 20, sizes
