"""The agent program against a broker by hand: sessions, leases, slots and its leaving."""

import os
import signal
import subprocess
import time

import pytest
from hand_agent import agent, hand, hash_line, waiting_chunk  # noqa: F401 (fixtures)
from hand_broker import slot_pids, stream
from program import Program
from system import until


# --- sessions ---

def test_hello_says_who_and_what(hand, agent):
    hello = hand.expect("HELLO")
    assert hello["name"] == "by-hand" and hello["slots"] == 1 and hello["instance"] and hello["serial"] == 1
    assert [k["type"] for k in hello["kernels"]] == ["compress", "hash", "filter", "transform"]
    assert hello["chunks"] == 2 and hello["bytes"] == hello["bytes_limit"] > 1 << 20 and hello["held"] == []


def test_hello_is_repeated_until_welcome(hand, agent):
    first, second = hand.expect("HELLO"), hand.expect("HELLO")
    assert (first["session"], second["serial"]) == (second["session"], 1)
    hand.welcome()
    hand.expect("BEAT", skip=("CREDIT",))


def test_results_and_taken(hand, agent):
    hand.welcome()
    grants = hand.assign(stream((b"a", b"one")), stream((b"b", b"two"), (b"c", b"")))
    results = hand.results(2)
    result, output = results[grants[1]["n"]]
    assert output == hash_line(b"b", b"two") + hash_line(b"c", b"")
    assert [piece["length"] for piece in result["pieces"]] == [68, 68] and result["token"] == grants[1]["token"]
    hand.take(*grants)
    hand.refuse("again")
    assert hand.welcome()["held"] == []


def test_tiny_chunks_open_the_credit(hand, agent):
    hand.welcome()
    hand.assign(stream((b"a", b"one")))
    hand.results(1)
    until(lambda: hand.expect("CREDIT", skip=("BEAT",)) and hand.granted[0] > 1000, "credit")


@pytest.mark.parametrize("fault", ["gap", "repeat", "again", "silence", "welcome"])
def test_a_new_session_lists_and_repeats_what_is_held(hand, agent, fault):
    old = hand.welcome()
    grants = hand.assign(stream((b"a", b"one")))
    hand.results(1)
    if fault == "gap":
        hand.serial += 1
        hand.say("BEAT")
    elif fault == "repeat":
        hand.serial -= 1
        hand.say("BEAT")
    elif fault == "again":
        hand.refuse("again")
    elif fault == "welcome":
        hand.serial = 0
        hand.say("WELCOME", window=1 << 20)
    else:
        hand.answer_beats = False
    new = hand.welcome(limit_s=12)
    assert new["session"] != old["session"] and new["instance"] == old["instance"]
    assert [(h["n"], h["token"], h["phase"]) for h in new["held"]] == [(grants[0]["n"], grants[0]["token"], 2)]
    assert list(hand.results(1)) == [grants[0]["n"]]


def test_a_message_of_another_session_is_dropped(hand, agent):
    hand.welcome()
    hand.serial -= 1
    hand.say("ASSIGN", session=12345)
    grants = hand.assign(stream((b"a", b"one")))
    assert list(hand.results(1)) == [grants[0]["n"]]


def test_the_broker_restarts(hand, agent):
    old = hand.welcome()
    grant, _ = waiting_chunk(hand)
    hand.close()
    hand.listen()
    new = hand.welcome()
    assert new["session"] != old["session"] and [(h["n"], h["phase"]) for h in new["held"]] == [(grant["n"], 1)]
    hand.slice(hand.expect_data("FETCH"))  # asked again in the new session
    assert list(hand.results(1)) == [grant["n"]]


def test_a_duplicate_key_is_tried_again_later(hand, agent):
    hand.expect("HELLO")
    hand.refuse("duplicate-key")
    began = time.monotonic()
    hand.welcome()
    assert time.monotonic() - began > 1.5
    assert agent.log().count("another running agent") == 1


def test_it_answers_whether_it_lives(hand, agent):
    hand.welcome()
    hand.expect("BEAT", skip=("CREDIT",))  # the first one, answered
    hand.answer_beats = False
    hand.say("BEAT")
    hand.expect("BEAT", limit_s=1, skip=("CREDIT",))


# --- configuration ---

def test_types_are_those_asked_for(hand, build, folder):
    command = [build / "agent" / "shadow-agent", "--broker", f"127.0.0.1:{hand.port}", "--key", folder / "agent.key"]
    program = Program("agent", [*command, "--types", "hash, filter", "--slots", 3], folder / "agent.log")
    program.start(wait=False)
    hello = hand.welcome()
    assert [k["type"] for k in hello["kernels"]] == ["hash", "filter"] and hello["slots"] == 3
    assert program.stop() == 0


@pytest.mark.parametrize("flags, status, words", [
    (["--types", "paint"], 2, "no task type paint"),
    (["--broker", "nowhere"], 2, "HOST:PORT"),
    (["--slots", "-1"], 2, "slots"),
    (["--scratch", "/dev/null"], 1, "not a folder"),
    (["--key", "/nowhere"], 1, "/nowhere"),
])
def test_a_wrong_configuration_is_said(hand, build, folder, flags, status, words):
    key = [] if "--key" in flags else ["--key", folder / "agent.key"]
    command = [build / "agent" / "shadow-agent", *key, *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == status and words in done.stderr


# --- leases ---

def test_revoke_frees_the_slot(hand, agent):
    hand.welcome()
    grant, _ = waiting_chunk(hand)
    [other] = hand.assign(stream((b"a", b"one")))
    hand.say("REVOKE", leases=[hand.lease(grant, job=9)])
    assert list(hand.results(1)) == [other["n"]]


def test_an_unknown_revision_is_handed_back(hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"a", b"one")), type="paint")
    back = hand.expect("RETURN")
    assert [lease["n"] for lease in back["leases"]] == [grant["n"]] and back["reason"]


def test_bad_parameters_fail(hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"a", b"one")), params={"algorithm": "md0"})
    fail = hand.expect("FAIL")
    assert fail["n"] == grant["n"] and "sha256" in fail["error"]


def test_a_killed_slot_costs_one_chunk(hand, agent):
    hand.welcome()
    grant, _ = waiting_chunk(hand)
    [slot] = slot_pids(agent.pid)
    [other] = hand.assign(stream((b"a", b"one")))
    os.kill(slot, signal.SIGKILL)
    fail = hand.expect("FAIL")
    assert fail["n"] == grant["n"] and "SIGKILL" in fail["error"]
    assert list(hand.results(1)) == [other["n"]]


def test_progress_is_in_the_beats(hand, agent):
    hand.welcome()
    grant, _ = waiting_chunk(hand)
    beat = until(lambda: (b := hand.expect("BEAT", skip=("CREDIT",)))["running"] and b, "a beat with it")
    assert beat["running"][0]["n"] == grant["n"] and beat["load"] == 1000


# --- leaving ---

def test_sigterm_hands_back_and_delivers(hand, agent):
    hand.welcome()
    grant, fetch = waiting_chunk(hand)
    hand.expect("BEAT", skip=("CREDIT",))
    queued = hand.assign(stream((b"a", b"one")), stream((b"b", b"two")), fetch=True)
    hand.expect_data("FETCH")
    agent.signal(signal.SIGTERM)
    back = hand.expect("RETURN")
    assert [lease["n"] for lease in back["leases"]] == [q["n"] for q in queued]
    hand.slice({**fetch})
    assert list(hand.results(1)) == [grant["n"]]
    hand.take(grant, job=9)
    hand.expect("BYE")
    assert agent.process.wait(5) == 0


def test_sigterm_returns_what_does_not_end(hand, agent):
    hand.welcome()
    grant, _ = waiting_chunk(hand)
    began = time.monotonic()
    agent.signal(signal.SIGTERM)
    assert [lease["n"] for lease in hand.expect("RETURN")["leases"]] == [grant["n"]]
    hand.expect("BYE")
    assert agent.process.wait(5) == 0 and time.monotonic() - began < 5.5


def test_a_second_signal_does_not_wait(hand, agent):
    hand.welcome()
    waiting_chunk(hand)
    agent.signal(signal.SIGTERM)
    agent.wait_log("stopping")
    agent.signal(signal.SIGTERM)
    assert agent.process.wait(3) == 0
