"""shadowctl against the gateway of fake_gateway.py: what it sends, what it writes, how it ends."""

import json
import os
import subprocess
import threading

from ctl_run import CTL, ctl, gateway, read, unzstd, write  # noqa: F401
from fake_jobs import hash_line

AWKWARD = [b"with space", b"new\nline", b"-leading-dash", b"not utf-8 \xff\xfe", b"100%", "ümläut".encode(),
           b"x" * 180, b"sub/dir/deep", b"back\\slash", b"tab\there", b"..hidden", b"a" * 60 + b"/" + b"b" * 120]


def test_awkward_names_compress(ctl):
    for i, name in enumerate(AWKWARD):
        write(ctl.folder, name, os.urandom(100 * i), mode=0o640)
    ctl("compress", "--", *AWKWARD)
    for name in AWKWARD:
        assert unzstd(read(ctl.folder, name + b".zst")) == read(ctl.folder, name)
        before, after = (os.stat(os.path.join(os.fsencode(ctl.folder), n)) for n in (name, name + b".zst"))
        assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    left = [p for p in ctl.folder.rglob(".shadowctl-*")]
    assert not left


def test_hash_is_what_sha256sum_prints(ctl):
    outside = os.fsencode(ctl.folder.parent / "outside")
    write(ctl.folder.parent, "outside", b"absolute")
    names = [*AWKWARD, outside, b"../outside", b"./dot", b"sub/../with space", b"//" + outside, AWKWARD[0]]
    for name in [*AWKWARD, b"dot"]:
        write(ctl.folder, name, name)
    wanted = subprocess.run(["sha256sum", "--", *names], cwd=ctl.folder, capture_output=True, check=True).stdout
    assert ctl("hash", "--", *names).stdout == wanted


def test_the_same_file_twice(ctl):
    write(ctl.folder, "a", b"1")
    assert ctl("hash", "a", "a", "a").stdout == 3 * hash_line(b"a", b"1")


def test_folder_in_byte_order_links_skipped(ctl, gateway):
    for name in ["d/a/x", "d/a.txt", "d/a-b", "d/B", "d/zz/1", "d/é"]:
        write(ctl.folder, name, name.encode())
    os.symlink("a.txt", ctl.folder / "d" / "link")
    os.mkfifo(ctl.folder / "d" / "fifo")
    os.symlink("d/B", ctl.folder / "named")
    done = ctl("hash", "named", "d")
    listed = subprocess.run("find d -type f | LC_ALL=C sort", shell=True, cwd=ctl.folder, capture_output=True, check=True)
    names = ["named", *listed.stdout.decode().splitlines()]
    assert done.stdout == b"".join(hash_line(n.encode(), read(ctl.folder, n)) for n in names)
    assert b"d/link: skipped, a symbolic link" in done.stderr
    assert b"d/fifo: skipped, not a regular file" in done.stderr


def test_unreadable_is_listed_and_the_rest_done(ctl):
    write(ctl.folder, "good", b"1")
    done = ctl("--json", "hash", "-o", "sums", "good", "missing", status=1)
    assert b"missing: No such file" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["failed"] == [{"input": "missing", "error": "No such file or directory"}]
    assert answer["status"] == "completed"
    assert read(ctl.folder, "sums") == hash_line(b"good", b"1")
    assert ctl("hash", "missing", status=1).stdout == b""


def test_broken_input_costs_only_itself(ctl):
    for i in range(30):
        write(ctl.folder, f"f{i}", b"BROKEN INPUT" if i == 17 else b"x" * i)
    names = [f"f{i}" for i in range(30)]
    done = ctl("--json", "compress", *names, status=1)
    answer = json.loads(done.stdout)
    assert b"f17: this input is broken" in done.stderr
    assert answer["failed"] == [{"input": "f17", "error": "this input is broken"}]
    assert [o["input"] for o in answer["outputs"]] == [n for n in names if n != "f17"]
    assert not (ctl.folder / "f17.zst").exists()
    for output in answer["outputs"]:
        assert unzstd(read(ctl.folder, output["path"])) == read(ctl.folder, output["input"])
        assert output["size"] == (ctl.folder / output["path"]).stat().st_size


def test_nothing_is_sent_when_an_output_is_in_the_way(ctl, gateway):
    write(ctl.folder, "a", b"1")
    write(ctl.folder, "b", b"1")
    write(ctl.folder, "b.zst", b"precious")
    done = ctl("compress", "a", "b", status=4)
    assert b"b.zst exists already" in done.stderr and not gateway.seen
    assert not (ctl.folder / "a.zst").exists() and read(ctl.folder, "b.zst") == b"precious"
    ctl("compress", "--force", "a", "b")
    assert unzstd(read(ctl.folder, "b.zst")) == b"1"
    gateway.seen.clear()
    ctl("compress", "--force", "b", "b.zst", status=4)  # an output that is an input
    ctl("compress", "--force", "a", "./a", status=4)  # one output of two
    ctl("hash", "--force", "-o", "a", "a", status=4)
    assert not gateway.seen and read(ctl.folder, "a") == b"1"


def test_places_that_cannot_be_written_are_refused_first(ctl, gateway):
    write(ctl.folder, "a", b"1")
    write(ctl.folder, "file", b"1")
    assert b"file is no folder" in ctl("compress", "-o", "file/below", "a", status=4).stderr
    assert b"file is no folder" in ctl("compress", "-o", "file", "a", status=4).stderr
    assert b"file is no folder" in ctl("hash", "-o", "file/sums", "a", status=4).stderr
    os.mkdir(ctl.folder / "a.zst")
    assert b"is a folder" in ctl("compress", "--force", "a", status=4).stderr
    assert not gateway.seen


def test_output_folder_makes_names_safe(ctl):
    write(ctl.folder.parent, "up", b"1")
    absolute = write(ctl.folder, "sub/abs", b"2")
    ctl("compress", "-o", "out", "../up", absolute)
    assert unzstd(read(ctl.folder, "out/up.zst")) == b"1"
    assert unzstd(read(ctl.folder, b"out/" + absolute[1:] + b".zst")) == b"2"
    write(ctl.folder, "up", b"3")
    done = ctl("compress", "-o", "out2", "../up", "up", status=4)
    assert b"both give" in done.stderr


def test_many_tiny_files(ctl, gateway):
    for i in range(2000):
        write(ctl.folder, f"many/{i % 50}/{i}", b"%d" % i)
    ctl("transform", "upper", "-o", "out", "many")
    assert len(gateway.seen) < 12
    assert sum(1 for p in (ctl.folder / "out").rglob("*") if p.is_file()) == 2000
    assert read(ctl.folder, "out/many/7/1007.upper") == b"1007"


def test_absolute_names_are_as_cheap(ctl, gateway):
    folder = ctl.folder / "many"
    for i in range(300):
        write(folder, f"{i:03}", b"%d" % i)
    done = ctl("hash", folder)
    assert done.stdout == b"".join(hash_line(os.fsencode(folder / f"{i:03}"), b"%d" % i) for i in range(300))
    assert len(gateway.seen) < 9


def test_refusals_and_exit_codes(ctl, gateway):
    write(ctl.folder, "a", b"1")
    ctl(status=2)
    assert b"did you mean `compress`" in ctl("compres", "a", status=2).stderr
    for words in (["compress"], ["compress", "--level", "99", "a"], ["compress", "--nope", "a"], ["jobs", "x"],
                  ["filter", "p"], ["transform", "frobnicate", "a"], ["set", "1"], ["jobs", "--limit", "0"],
                  ["hash", "--priority", "101", "a"], ["filter", "(", "a"]):
        assert b"--help" in ctl(*words, status=2).stderr, words
    assert not gateway.seen
    assert b"cannot be reached: Connection refused" in ctl("--gateway", "http://127.0.0.1:1", "jobs", status=3).stderr
    assert b"no job 77" in ctl("job", "77", status=4).stderr
    (ctl.config / "token").write_text("wrong")
    assert b"no valid token" in ctl("hash", "a", status=4).stderr
    assert b"expected http://" in ctl("--gateway", "127.0.0.1:1", "jobs", status=2).stderr


def test_detach_wait_result(ctl, gateway):
    gateway.hold = threading.Event()
    for i in range(20):
        write(ctl.folder, f"d/{i}", b"BROKEN INPUT" if i == 3 else b"x" * i, mode=0o600)
    done = ctl("compress", "--detach", "--name", "mine", "--priority", "-5", "d")
    number = done.stdout.decode().strip()
    assert b"not_finished" not in ctl("result", number, status=4).stderr
    gateway.hold.set()
    assert json.loads(ctl("--json", "wait", number, status=1).stdout)["job"]["name"] == "mine"
    assert gateway.jobs[number].priority == -5
    answer = json.loads(ctl("--json", "result", number, "-o", "back", status=1).stdout)
    assert len(answer["outputs"]) == 19
    for i in set(range(20)) - {3}:
        path = ctl.folder / "back" / "d" / f"{i}.zst"
        assert unzstd(path.read_bytes()) == b"x" * i
        assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_mtime == 1_600_000_000
    assert b"exists already" in ctl("result", number, "-o", "back", status=4).stderr
    ctl("result", "--force", number, "-o", "back", status=1)


def test_json_everywhere(ctl, gateway):
    gateway.devices = [{"deviceId": "d1", "name": "lab\x1b[31m", "status": "online", "slots": 2}]
    write(ctl.folder, b"bad \xff", b"1")
    answer = json.loads(ctl("--json", "compress", b"bad \xff").stdout)
    assert answer["jobId"] == "1" and answer["outputs"][0]["pathBytes"] == "YmFkIP8uenN0"
    for words, key in ((["jobs"], "jobs"), (["job", "1"], "job"), (["files", "1"], "files"), (["why", "1"], "reasons"),
                       (["wait", "1"], "job"), (["types"], "types"), (["devices"], "devices"), (["doctor"], "links"),
                       (["set", "1", "--name", "n"], "job")):
        out = ctl("--json", *words).stdout
        assert key in json.loads(out), words
        assert key in json.loads(ctl(*words, "--json").stdout)  # after the verb too
    assert json.loads(ctl("--json", "hash", "--detach", b"bad \xff").stdout)["jobId"] == "2"
    assert json.loads(ctl("--json", "delete", "1").stdout) == {"success": True}
    shown = ctl("devices").stdout + ctl("why", "2").stdout
    assert b"\x1b" not in shown and b"lab\\x1b[31m" in shown


def test_doctor_names_the_broken_link(ctl, gateway):
    assert ctl("doctor").stdout.splitlines()[-1] == b"everything works"
    (ctl.config / "token").chmod(0o644)
    assert b"chmod 600" in ctl("doctor", status=1).stdout
    (ctl.config / "token").chmod(0o600)
    gateway.status["store"] = {"ok": False, "detail": "disk I/O error", "fix": "look at the disk"}
    done = ctl("--json", "doctor", status=1)
    assert json.loads(done.stdout)["broken"] == "store"
    assert b"-> look at the disk" in ctl("doctor", status=1).stdout
    assert b"BROKEN  gateway" in ctl("doctor", "--gateway", "http://127.0.0.1:1", status=3).stdout
    (ctl.config / "token").write_text("wrong")
    assert b"BROKEN  access" in ctl("doctor", status=4).stdout
    (ctl.config / "token").unlink()
    assert b"BROKEN  token" in ctl("doctor", status=4).stdout


def test_output_that_cannot_be_written(ctl):
    write(ctl.folder, "a", b"1")
    with open("/dev/full", "w") as full:
        process = subprocess.Popen([CTL, "hash", "a"], cwd=ctl.folder, stdout=full, stderr=subprocess.PIPE,
                                   env={**os.environ, "XDG_CONFIG_HOME": str(ctl.config.parent)})
        assert b"No space left" in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def test_man_page_and_completion_know_every_verb():
    text = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    verbs = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and "-" not in line.split()[0]]
    assert {"compress", "hash", "filter", "transform", "jobs", "doctor", "why"} <= set(verbs)
    man = CTL.with_name("shadowctl.1").read_text()
    script = CTL.with_name("shadowctl.bash").read_text()
    for verb in verbs:
        assert f"shadowctl {verb}" in man and f"        {verb}) options=" in script
        assert subprocess.run([CTL, verb, "--help"], capture_output=True, check=True).stdout
    ask = f"{script}\nCOMP_WORDS=(shadowctl transform --op u); COMP_CWORD=3; _shadowctl; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["upper", "unbase64"], done
