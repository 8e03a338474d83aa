"""shadowctl against the real system: real files of every kind through every kernel, compared with the reference
commands; then the ways to end."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from samples import read, reference, write
from system import until


@pytest.mark.parametrize("algorithm, command", [("sha256", "sha256sum"), ("sha512", "sha512sum"), ("blake2b", "b2sum")])
def test_hash_is_the_command(system, fifty, algorithm, command):
    work, names = fifty
    write(os.fsencode(work.parent / "up"), b"above")
    names = [*names, b"../up", os.fsencode(work / "plain" / "01"), b"./plain/02", b"plain//03", b"plain/../plain/04"]
    done = system.ctl("hash", "--algorithm", algorithm, "--", *names, cwd=work, text=False)
    assert done.stdout == reference([command, "--", *names], work)
    system.ctl("hash", "--algorithm", algorithm, "-o", "sums", "--", *names, cwd=work, text=False)
    subprocess.run([command, "-c", "--quiet", "sums"], cwd=work, check=True)


@pytest.mark.parametrize("flags, pattern", [
    ([], "7 .*9"), (["--ignore-case"], "LINE$"), (["--invert"], "line"), (["--count"], "[0-9]{3}"),
    (["--with-filename"], r"^\d+5 "), (["--fixed"], "words of line 14"), (["--count", "--with-filename", "--invert"], "x"),
])
def test_filter_is_grep(system, fifty, flags, pattern):
    work, names = fifty
    options = {"--ignore-case": "-i", "--invert": "-v", "--count": "-c", "--with-filename": "-H", "--fixed": "-F"}
    grep = ["grep", "-a"] + (["-h"] if "--with-filename" not in flags else []) + [options[f] for f in flags]
    grep += [] if "--fixed" in flags else ["-P"]
    done = system.ctl("filter", *flags, "--", pattern, *names, cwd=work, text=False)
    assert done.stdout == reference([*grep, "-e", pattern, "--", *names], work)


@pytest.mark.parametrize("operation, suffix, command", [
    ("upper", b".upper", ["tr", "a-z", "A-Z"]), ("lower", b".lower", ["tr", "A-Z", "a-z"]),
    ("crlf", b".crlf", ["sed", r"s/$/\r/"]), ("lf", b".lf", ["sed", r"s/\r$//"]), ("base64", b".b64", ["base64"]),
])
def test_transform_is_the_command(system, fifty, operation, suffix, command):
    work, names = fifty
    system.ctl("transform", operation, "-o", "out", "--", *names, cwd=work, text=False)
    for name in names:
        assert read(work / "out", name + suffix) == reference(command, work, input=read(work, name)), name


def test_there_and_back(system, fifty):
    """compress then decompress, base64 then unbase64: the same bytes under the same names."""
    work, _ = fifty
    away, home = work.parent / "away", work.parent / "home"
    for there, back in ((["compress", "--level", "12"], "decompress"), (["transform", "base64"], "unbase64")):
        system.ctl(*there, "-o", away, ".", cwd=work)
        system.ctl("transform", back, "-o", "../home", ".", cwd=away)
        done = subprocess.run(["diff", "-r", work, home], capture_output=True)
        assert (done.returncode, done.stdout) == (0, b"")
        shutil.rmtree(away)
        shutil.rmtree(home)


def test_a_corrupt_input_costs_only_itself(system, folder):
    work = folder / "work"
    for i in range(60):
        write(os.fsencode(work / f"{i}.zst"), subprocess.run(["zstd", "-qc"], input=b"%d" % i, capture_output=True).stdout)
    write(os.fsencode(work / "31.zst"), b"(\xb5/\xfdrubbish that follows")
    done = system.ctl("--json", "transform", "decompress", *(f"{i}.zst" for i in range(60)), cwd=work, status=1)
    job = json.loads(done.stdout)
    assert job["status"] == "failed" and [f["input"] for f in job["failed"]] == ["31.zst"] and "31.zst: " in done.stderr
    assert not (work / "31").exists()
    assert all((work / str(i)).read_bytes() == b"%d" % i for i in range(60) if i != 31)
    listed = json.loads(system.ctl("--json", "files", job["jobId"], "--status", "failed").stdout)["files"]
    assert [f["name"] for f in listed] == ["31.zst"] and listed[0]["error"]


def test_detach_wait_result(system, fifty):
    work, names = fifty
    number = system.ctl("compress", "--detach", "--name", "later", "--", *names, cwd=work, text=False).stdout.decode().strip()
    assert json.loads(system.ctl("--json", "wait", number).stdout)["job"]["name"] == "later"
    system.ctl("result", number, "-o", "out", cwd=work)
    for name in names:
        packed = os.path.join(os.fsencode(work), b"out", name + b".zst")
        assert subprocess.run(["zstd", "-dqc", "--", packed], capture_output=True, check=True).stdout == read(work, name)
        assert os.stat(packed).st_mode == os.stat(os.path.join(os.fsencode(work), name)).st_mode
    system.ctl("result", number, "-o", "out", cwd=work, status=4)
    sums = system.ctl("hash", "--detach", "--", *names, cwd=work, text=False).stdout.decode().strip()
    system.ctl("wait", sums)
    assert system.ctl("result", sums, text=False).stdout == reference(["sha256sum", "--", *names], work)
    system.ctl("delete", sums)
    system.ctl("wait", sums, status=4)


def start(system, *words, **options):
    command, env = system.ctl_command(*words)
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **options)


def newest(rest, status):
    jobs = rest.get("/api/jobs").json()["jobs"]
    return jobs[0] if jobs and jobs[0]["status"] == status else None


def test_interrupt_cancels_the_job(start_system, folder):
    system = start_system(agents=0)
    write(os.fsencode(folder / "a"), b"x" * 100_000)
    process = start(system, "compress", "a", cwd=folder)
    until(lambda: newest(system.rest(), "pending"), "the job")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130 and newest(system.rest(), "cancelled")


def test_cancel_why_and_exit_codes(start_system, folder):
    system = start_system(agents=0)
    write(os.fsencode(folder / "a"), b"x")
    done = system.ctl("compress", "--detach", "a", cwd=folder)
    number = done.stdout.strip()
    assert system.ctl("why", number).stdout.strip()
    assert "agents" in system.ctl("doctor", status=1).stdout
    system.ctl("set", number, "--priority", "7", "--name", "renamed")
    shown = json.loads(system.ctl("--json", "job", number).stdout)["job"]
    assert (shown["priority"], shown["name"]) == (7, "renamed")
    process = start(system, "wait", number)
    system.ctl("cancel", number)
    process.communicate(timeout=30)
    assert process.returncode == 5
    system.ctl("result", number, status=5)
    system.ctl("retry", number, status=4)
    system.ctl("wait", "999", status=4)
    assert system.ctl("why", number).stdout == "the job does not wait: it is cancelled\n"
    assert "no such job" in system.ctl("why", "999", status=4).stderr
    system.ctl("compress", "--level", "20", "a", cwd=folder, status=2)
    system.ctl("filter", "(", "a", cwd=folder, status=2)
    system.gateway.kill()
    system.ctl("jobs", status=3)
    assert "BROKEN  gateway" in system.ctl("doctor", status=3).stdout


def test_doctor_names_a_dead_broker(system):
    assert "everything works" in system.ctl("doctor").stdout
    system.broker.kill()
    begun = time.monotonic()
    assert json.loads(system.ctl("--json", "doctor", status=1).stdout)["broken"] == "broker"
    assert "does not answer" in system.ctl("doctor", status=1).stdout
    assert time.monotonic() - begun < 2 * 3
    system.broker.start()
    until(lambda: "everything works" in system.ctl("doctor", status=None).stdout, "all to be well again")


def test_devices(system):
    devices = json.loads(system.ctl("--json", "devices").stdout)["devices"]
    assert {d["name"] for d in devices} == {"agent-1", "agent-2"}
    for device in devices:
        assert device["deviceId"] in system.ctl("devices").stdout
        assert json.loads(system.ctl("--json", "device", device["deviceId"]).stdout)["device"]["slots"] == 1
    first = devices[0]["deviceId"]
    system.ctl("drain", first)
    until(lambda: f"{devices[0]['name']}  draining" in system.ctl("devices").stdout, "draining")
    system.ctl("resume", first)
    until(lambda: f"{devices[0]['name']}  online" in system.ctl("devices").stdout, "online")


def test_inputs_sent_twice_under_one_key(start_system, folder):
    """What shadowctl does when the answer to `inputs` was lost."""
    system = start_system(agents=0)
    rest = system.rest()
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Length": "3"}
    upload = rest.post("/api/uploads", data=b"abc", headers=tus).headers["Location"].rsplit("/", 1)[1]
    job = rest.post("/api/jobs", json={"type": "hash", "open": True}).json()["job"]["jobId"]
    for key, files in (("k-1", 1), ("k-1", 1), ("k-2", 2), ("k-1", 2), (None, 3), (None, 4)):
        answer = rest.post(f"/api/jobs/{job}/inputs", json={"uploads": [upload]},
                           headers={"Idempotency-Key": key} if key else {})
        assert answer.status_code == 200 and answer.json()["job"]["totalFiles"] == files, (key, answer.text)
