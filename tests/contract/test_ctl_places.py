"""Where shadowctl's outputs go when the place is no good: full disks, devices, pipes, links, names too long."""

import json
import os
import subprocess

import pytest
from ctl_run import ctl, gateway, read, unzstd, write  # noqa: F401
from fake_jobs import hash_line


@pytest.mark.parametrize("n", [3, 9])  # by name, and as one tar
def test_what_cannot_be_written_is_listed_and_the_rest_done(ctl, n):
    """Outputs above the process's limit stand for a full disk: each fails with EFBIG while small ones fit."""
    for i in range(n):
        write(ctl.folder, f"f{i}", os.urandom(200_000 if i % 2 else 100))
    names = [f"f{i}" for i in range(n)]
    process = subprocess.run(["bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "-", *ctl.command("--json", "compress", *names)],
                             cwd=ctl.folder, env=ctl.env, capture_output=True)
    assert process.returncode == 1, process.stderr
    answer = json.loads(process.stdout)
    assert [f["input"] for f in answer["failed"]] == names[1::2]
    assert all("File too large" in f["error"] for f in answer["failed"])
    assert [o["input"] for o in answer["outputs"]] == names[::2]
    assert b"`shadowctl result 1 -o ELSEWHERE` fetches the rest" in process.stderr
    for name in names[::2]:
        assert unzstd(read(ctl.folder, name + ".zst")) == read(ctl.folder, name)


def test_an_empty_place_is_a_mistake(ctl, gateway):
    write(ctl.folder, "a", b"1")
    for verb in (["compress", "a"], ["hash", "a"], ["result", "1"]):
        assert b"-o: an empty name" in ctl(*verb, "-o", "", status=2).stderr
    assert not gateway.seen


def test_devices_pipes_and_links_are_never_replaced(ctl, gateway):
    write(ctl.folder, "a", b"1")
    write(ctl.folder, "precious", b"2")
    os.symlink("precious", ctl.folder / "link")
    os.symlink("precious", ctl.folder / "a.zst")
    for words in (["hash", "-o", "link", "a"], ["compress", "a"]):
        for force in ([], ["--force"]):
            err = ctl(*words, *force, status=4).stderr
            assert b"is a symbolic link; it is never replaced" in err and b"--force" not in err
    (ctl.folder / "a.zst").unlink()
    os.mkfifo(ctl.folder / "a.zst")
    assert b"no regular file" in ctl("compress", "--force", "a", status=4).stderr
    assert not gateway.seen and read(ctl.folder, "precious") == b"2"
    os.symlink("/dev/null", ctl.folder / "null")
    ctl("hash", "-o", "null", "a")
    assert os.readlink(ctl.folder / "null") == "/dev/null"
    assert ctl("hash", "-o", "/dev/stdout", "a").stdout == hash_line(b"a", b"1")
    os.mkfifo(ctl.folder / "pipe")
    process = ctl.start("hash", "-o", "pipe", "--force", "a")
    assert read(ctl.folder, "pipe") == hash_line(b"a", b"1")
    assert process.wait(timeout=30) == 0 and (ctl.folder / "pipe").is_fifo()


def test_a_name_that_grows_too_long_costs_only_itself(ctl):
    write(ctl.folder, "d/" + "x" * 253, b"1")
    write(ctl.folder, "d/b", b"2")
    for more in ([], ["-o", "out"]):
        answer = json.loads(ctl("--json", "compress", *more, "d", status=1).stdout)
        assert [f["input"] for f in answer["failed"]] == ["d/" + "x" * 253]
        assert [o["input"] for o in answer["outputs"]] == ["d/b"]
        os.unlink(ctl.folder / answer["outputs"][0]["path"])


def test_a_place_where_nothing_can_be_made_is_refused_in_one_line(ctl, gateway):
    for i in range(9):
        write(ctl.folder, f"d/{i}", b"1")
    assert b"/proc: outputs cannot be written there" in ctl("compress", "-o", "/proc/x", "d", status=4).stderr
    assert not gateway.seen
    ctl("compress", "d")
    for place in ("/proc/x", "/proc"):
        err = ctl("result", "1", "-o", place, status=4).stderr
        assert b"/proc: outputs cannot be written there" in err and err.count(b"\n") == 1, err


def test_long_names_leave_room_for_the_reason(ctl):
    long = "/".join(["y" * 200] * 3)
    write(ctl.folder, long, b"1")
    write(ctl.folder, long + ".zst", b"1")
    assert b"exists already; --force replaces it\n" in ctl("compress", long, status=4).stderr
    assert b"would both give" in ctl("compress", long, "./" + long, status=4).stderr
    token = ctl.folder / ("z" * 200)
    assert b"No such file or directory\n" in ctl("--token-file", token, "jobs", status=2).stderr
    assert b"token file /dev/null holds no token\n" in ctl("--token-file", "/dev/null", "jobs", status=2).stderr


def test_the_hash_of_nothing_is_an_empty_file(ctl, gateway):
    (ctl.folder / "empty").mkdir()
    assert b"sums is empty" in ctl("hash", "-o", "sums", "empty").stderr
    assert read(ctl.folder, "sums") == b"" and not gateway.seen
    ctl("hash", "-o", "other", "empty", "missing", status=1)
    assert not (ctl.folder / "other").exists()
    answer = json.loads(ctl("--json", "hash", "missing", status=1).stdout)
    assert answer["success"] is False and [f["input"] for f in answer["failed"]] == ["missing"]
