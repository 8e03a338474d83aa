"""What shadowctl says: one object with --json however it ends, the values that are allowed, one fix at a time."""

import json
import os
import subprocess
import threading

import pytest
from ctl_run import CTL, ctl, gateway, write  # noqa: F401


@pytest.mark.parametrize("words, status, code", [
    (["job", "77"], 4, "not_found"), (["nosuch"], 2, "usage"), (["hash"], 2, "usage"), (["jobs", "--nope"], 2, "usage"),
    (["jobs", "--limit", "0"], 2, "usage"), (["--gateway", "http://127.0.0.1:1", "jobs"], 3, "unavailable"),
    (["--gateway", "127.0.0.1:1", "jobs"], 2, "usage"), (["compress", "-o", "f/x", "f"], 4, "failed")])
def test_json_ends_with_an_object(ctl, words, status, code):
    write(ctl.folder, "f", b"1")
    for all_words in (["--json", *words], [*words, "--json"]):
        done = ctl(*all_words, status=status)
        answer = json.loads(done.stdout)
        assert answer["success"] is False and answer["error"]["code"] == code, answer
        assert answer["error"]["message"], answer
        assert done.stderr.startswith(b"shadowctl")
    assert ctl(*words, status=status).stdout == b""


@pytest.mark.parametrize("words", [["jobs", "--status", "foo"], ["jobs", "--status", "pending,foo"], ["jobs", "--status="],
                                   ["jobs", "--type", "foo"], ["files", "1", "--status", "foo"],
                                   ["files", "1", "--status", "failed,pending"]])
def test_values_that_are_not_allowed_are_named(ctl, gateway, words):
    err = ctl(*words, status=2).stderr
    assert (b"allowed are" in err and (b"completed" in err or b"compress" in err)) or b"not a list" in err, err
    assert not gateway.seen


def test_doctor_gives_one_fix_when_the_broker_is_dead(ctl, gateway):
    broken = {"ok": False, "message": "unknown: the broker does not answer"}
    gateway.status = {**gateway.status, "store": broken, "disk": broken, "agents": broken,
                      "broker": {"ok": False, "message": "does not answer"}}
    out = ctl("doctor", status=1).stdout.decode()
    assert out.count("->") == 1 and out.count("BROKEN") == 1 and out.count("not known: the broker does not answer") == 3, out
    links = json.loads(ctl("--json", "doctor", status=1).stdout)["links"]
    assert [link["link"] for link in links if "fix" in link] == ["broker"]


def test_one_file_in_two_spellings_is_found_before_sending(ctl, gateway):
    write(ctl.folder, "n1/x/f", b"1")
    for other in ("n1/x/../x/f", "n1//x/./f", os.fspath(ctl.folder / "n1/x/f")):
        assert b"would both give" in ctl("compress", "n1/x/f", other, status=4).stderr
    assert not gateway.seen


def test_a_job_that_nobody_begins_is_explained(ctl, gateway):
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    process = ctl.start("hash", "a")
    assert b"`shadowctl why 1` says what it waits for" in process.stderr.readline()
    gateway.hold.set()
    assert process.communicate(timeout=30)[1] == b"" and process.returncode == 0


def test_completion_knows_the_first_word_of_transform():
    script = CTL.with_name("shadowctl.bash").read_text()
    ask = f"{script}\nCOMP_WORDS=(shadowctl transform u); COMP_CWORD=2; _shadowctl; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["upper", "unbase64"], done
