"""The tus routes against a real gateway: creation, offsets, interruption, removal, what is refused."""

import base64
import os
import socket

import pytest
from lone_gateway import lone  # noqa: F401
from system import until

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def metadata(**pairs):
    def coded(value):
        return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()
    return ",".join(f"{key} {coded(value)}" for key, value in pairs.items())


def create(rest, length, data=None, **pairs):
    headers = {**(BYTES if data is not None else TUS), "Upload-Length": str(length)}
    if pairs:
        headers["Upload-Metadata"] = metadata(**pairs)
    return rest.post("/api/uploads", data=data, headers=headers)


def offset_of(rest, path):
    answer = rest.head(path, headers=TUS)
    return int(answer.headers["Upload-Offset"]) if answer.status_code == 200 else answer.status_code


def stored(lone, path):
    return (lone.state / "uploads" / path.rsplit("/", 1)[1]).read_bytes()


def test_an_upload_in_parts(lone):
    rest = lone.rest()
    made = create(rest, 11, filename=b"a \xff\n.txt", mode="755", mtime=7)
    assert made.status_code == 201 and made.headers["Upload-Offset"] == "0" and made.headers["Upload-Expires"]
    path = made.headers["Location"]
    answer = rest.patch(path, data=b"hello ", headers={**BYTES, "Upload-Offset": "0"})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "6")
    assert offset_of(rest, path) == 6
    assert rest.head(path, headers=TUS).headers["Upload-Metadata"] == metadata(
        filename=b"a \xff\n.txt", mode="755", mtime=7)
    wrong = rest.patch(path, data=b"xx", headers={**BYTES, "Upload-Offset": "4"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "conflict")
    long = rest.patch(path, data=b"world!", headers={**BYTES, "Upload-Offset": "6"})
    assert long.status_code == 413
    answer = rest.patch(path, data=b"world", headers={**BYTES, "Upload-Offset": "6"})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "11")
    assert stored(lone, path) == b"hello world"
    assert (lone.state / "uploads" / (path.rsplit("/", 1)[1] + ".manifest")).exists()


def test_creation_with_upload_and_empty_uploads(lone):
    rest = lone.rest()
    data = os.urandom(3 << 20)
    made = create(rest, len(data), data)
    assert (made.status_code, made.headers["Upload-Offset"]) == (201, str(len(data)))
    assert stored(lone, made.headers["Location"]) == data
    empty = create(rest, 0)
    assert empty.status_code == 201
    assert (lone.state / "uploads" / (empty.headers["Location"].rsplit("/", 1)[1] + ".manifest")).exists()


def test_what_came_before_a_cut_stays(lone):
    rest = lone.rest()
    path = create(rest, 4 << 20).headers["Location"]
    first = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", lone.port)) as cut:
        cut.sendall(f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lone.token}\r\n"
                    "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
                    f"Upload-Offset: 0\r\nContent-Length: {4 << 20}\r\n\r\n".encode() + first)
    offset = until(lambda: offset_of(rest, path), "offset")
    assert offset <= len(first)
    first = first[:offset]
    rest_of_it = os.urandom((4 << 20) - offset)
    assert rest.patch(path, data=rest_of_it, headers={**BYTES, "Upload-Offset": str(offset)}).status_code == 204
    assert stored(lone, path) == first + rest_of_it


def test_a_client_that_comes_back_takes_over_from_its_old_connection(lone):
    rest = lone.rest()
    path = create(rest, 1 << 20).headers["Location"]
    with socket.create_connection(("127.0.0.1", lone.port)) as old:
        old.sendall(f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lone.token}\r\n"
                    "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
                    f"Upload-Offset: 0\r\nContent-Length: {1 << 20}\r\n\r\n".encode() + b"x" * 1000)

        def take_over():
            offset = offset_of(rest, path)
            data = b"y" * ((1 << 20) - offset)
            answer = rest.patch(path, data=data, headers={**BYTES, "Upload-Offset": str(offset)})
            assert answer.status_code in (204, 409)  # 409: the old one had not begun when it was asked
            return answer.status_code == 204 and [offset]
        offset = until(take_over, "the take-over")[0]
        assert offset <= 1000 and stored(lone, path) == b"x" * offset + b"y" * ((1 << 20) - offset)
        assert old.recv(1) == b""


def test_an_acknowledged_offset_survives_kill(lone):
    rest = lone.rest()
    path = create(rest, 2 << 20, filename="x").headers["Location"]
    half = os.urandom(1 << 20)
    assert rest.patch(path, data=half, headers={**BYTES, "Upload-Offset": "0"}).status_code == 204
    lone.program.restart()
    rest = lone.rest()
    assert offset_of(rest, path) == 1 << 20
    assert rest.patch(path, data=half, headers={**BYTES, "Upload-Offset": str(1 << 20)}).status_code == 204
    assert stored(lone, path) == half + half


def test_termination_and_ownership(lone):
    mine, other, admin = (lone.rest(lone.add_token("submitter", "a")), lone.rest(lone.add_token("submitter", "b")),
                          lone.rest())
    path = create(mine, 5, b"hello").headers["Location"]
    assert offset_of(other, path) == 404
    assert other.delete(path, headers=TUS).status_code == 404
    assert other.patch(path, data=b"", headers={**BYTES, "Upload-Offset": "5"}).status_code == 404
    assert offset_of(admin, path) == 5
    assert mine.delete(path, headers=TUS).status_code == 204
    assert offset_of(mine, path) == 404
    assert not list((lone.state / "uploads").iterdir())


def test_options_and_versions(lone):
    rest = lone.rest()
    answer = rest.options("/api/uploads")
    assert answer.status_code == 204 and answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {"creation", "creation-with-upload", "termination",
                                                              "expiration"}
    old = rest.post("/api/uploads", headers={"Tus-Resumable": "0.2.2", "Upload-Length": "1"})
    assert (old.status_code, old.headers["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize("headers, status", [
    ({}, 400),
    ({"Upload-Length": "-1"}, 400),
    ({"Upload-Length": "1e3"}, 400),
    ({"Upload-Length": "99999999999999999999"}, 400),
    ({"Upload-Length": str(1 << 50)}, 413),
    ({"Upload-Length": str(1 << 43)}, 507),
    ({"Upload-Defer-Length": "1"}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": "filename"}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": "filename !!!"}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": metadata(filename=b"a\0b")}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": metadata(mode="999")}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": metadata(mtime="soon")}, 400),
    ({"Upload-Length": "1", "Upload-Metadata": metadata(unpack="2")}, 400),
])
def test_bad_creations(lone, headers, status):
    assert lone.rest().post("/api/uploads", headers={**TUS, **headers}).status_code == status
    assert not list((lone.state / "uploads").iterdir())


@pytest.mark.parametrize("upload_id", ["x", "..", "0" * 32, "0" * 33, "%2e%2e%2fgateway%2ftokens", "%00"])
def test_ids_that_are_none(lone, upload_id):
    answer = lone.rest().patch(f"/api/uploads/{upload_id}", data=b"x", headers={**BYTES, "Upload-Offset": "0"})
    assert answer.status_code in (404, 400, 405)
    assert offset_of(lone.rest(), f"/api/uploads/{upload_id}") in (404, 400, 405)


def test_a_tar_that_is_none_is_refused(lone):
    answer = create(lone.rest(), 3, b"abc", unpack=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_memory_stays_flat_while_much_comes(lone):
    def resident():
        status = (f"/proc/{lone.program.pid}/status",)
        with open(*status) as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    rest = lone.rest()
    create(rest, 1, b"x")
    before = resident()
    block = bytes(1 << 20)

    def blocks():
        for _ in range(300):
            yield block
    path = create(rest, 300 << 20).headers["Location"]
    assert rest.patch(path, data=blocks(), headers={**BYTES, "Upload-Offset": "0"}).status_code == 204
    assert offset_of(rest, path) == 300 << 20
    assert resident() - before < 32 << 10
