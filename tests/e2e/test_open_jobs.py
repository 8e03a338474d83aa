"""Jobs that grow: uploads come one by one until the job is sealed."""

import base64
import hashlib

from system import until
from test_results import finished


def upload(rest, name, data):
    made = rest.post("/api/uploads", data=data, headers={
        "Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Content-Type": "application/offset+octet-stream",
        "Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}"})
    assert made.status_code == 201
    return made.headers["Location"].rsplit("/", 1)[1]


def test_open_jobs_take_uploads_until_they_are_sealed(rest):
    answer = rest.post("/api/jobs", json={"type": "hash", "open": True, "expectedBytes": 6})
    assert answer.status_code == 201
    path = f"/api/jobs/{answer.json()['job']['jobId']}"
    for name in ("one", "two"):
        answer2 = rest.post(path + "/inputs", json={"uploads": [upload(rest, name, name.encode())]})
        assert answer2.status_code == 200, answer2.text
    assert rest.post(path + "/seal").status_code == 200
    finished(rest, answer)
    assert rest.get(path + "/result").text == "".join(
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("one", "two"))
    late = rest.post(path + "/inputs", json={"uploads": [upload(rest, "late", b"x")]})
    assert late.status_code == 409


def test_an_upload_named_as_an_inline_input_is_refused(rest, system):
    answer = rest.post("/api/jobs", json={"type": "compress", "inputData": "hello", "open": True})
    path = f"/api/jobs/{answer.json()['job']['jobId']}"
    for restart in (False, True):
        if restart:
            system.broker.kill()
            system.broker.start()
        again = until(lambda: (got := rest.post(path + "/inputs", json={"uploads": [upload(rest, "input", b"x")]}))
                      .status_code != 503 and [got], "an answer of the broker")[0]
        assert again.status_code == 400 and "would both give the output input.zst" in again.text
    assert rest.post(path + "/inputs", json={"uploads": [upload(rest, "other", b"x")]}).status_code == 200
    assert rest.post(path + "/seal").status_code == 200
    assert [file["name"] for file in finished(rest, answer)["result"]["files"]] == ["input.zst", "other.zst"]


def test_a_second_input_with_an_output_name_is_refused_when_it_comes(rest, system):
    """Also after the broker forgot what it had seen: it reads the manifests again."""
    answer = rest.post("/api/jobs", json={"type": "compress", "open": True})
    path = f"/api/jobs/{answer.json()['job']['jobId']}"

    def bring(*names):
        return rest.post(path + "/inputs", json={"uploads": [upload(rest, name, name.encode()) for name in names]})

    assert bring("one").status_code == 200
    for restart in (False, True):
        if restart:
            system.broker.kill()
            system.broker.start()
        again = until(lambda: (got := bring("two", "one")).status_code != 503 and [got], "an answer of the broker")[0]
        assert again.status_code == 400 and "would both give the output one.zst" in again.text
    assert bring("two").status_code == 200  # what came with a refused one is not there
    assert rest.post(path + "/seal").status_code == 200
    job = finished(rest, answer)
    assert [file["name"] for file in job["result"]["files"]] == ["one.zst", "two.zst"]
