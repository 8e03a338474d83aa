"""The agent program against a broker by hand: sessions, leases, transfers, slots and its leaving."""

import base64
import hashlib
import os
import signal
import time

import pytest
from hand_broker import SLICE, HandBroker, slot_pids, stream
from program import Program
from system import until


@pytest.fixture
def hand(folder):
    broker = HandBroker(folder / "agent.key")
    yield broker
    broker.close()


@pytest.fixture
def agent(build, folder, hand):
    """The program, started and not yet welcomed."""
    program = Program("agent", [build / "agent" / "shadow-agent", "--broker", f"127.0.0.1:{hand.port}",
                                "--key", folder / "agent.key", "--name", "by-hand", "--slots", 1],
                      folder / "agent.log")
    program.start(wait=False)
    yield program
    for number in (signal.SIGINT, signal.SIGTERM):  # two: it does not wait for results to be taken
        if program.is_running():
            program.signal(number)
    program.process.wait(15)
    program.check()


def hash_line(name, data):
    return hashlib.sha256(data).hexdigest().encode() + b"  " + name + b"\n"


def waiting_chunk(hand, job=9):
    """A chunk that runs until the tail it asks for is given: (grant, the FETCH that waits)."""
    text = stream((b"w", b"first\nsecond"), tail=b" line\nthird\n")
    [grant] = hand.assign(text[:-len(b" line\nthird\n")], job=job, type="filter", params={"pattern": "second"})
    hand.streams[(grant["chunk"], grant["n"])] = text
    return grant, hand.expect_data("FETCH")


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


# --- transfers ---

def test_fetched_input_and_stored_output(hand, agent):
    hand.welcome()
    data = os.urandom(3 << 20)
    [grant] = hand.assign(stream((b"big", data)), type="transform", params={"op": "base64"}, fetch=True)
    done = hand.serve_until_result()
    result = done["results"][0]
    stored = hand.stored[grant["n"]]
    assert result["bytes_out"] == len(stored) == result["pieces"][0]["length"] and result["inline_bytes"] == 0
    assert base64.b64decode(stored) == data


def test_a_head_larger_than_a_slice(hand, agent):
    hand.welcome()
    files = [(b"%04d-" % i + b"n" * 1000, b"%d" % i) for i in range(600)]
    hand.assign(stream(*files), fetch=True, bytes=sum(len(data) for _, data in files))
    hand.serve_until_result()
    [output] = hand.stored.values()
    assert output == b"".join(hash_line(name, data) for name, data in files)


def test_an_input_through_a_pipe(hand, agent):
    hand.welcome()
    data = bytes(range(256)) * (70 << 12)  # 70 MiB
    [grant] = hand.assign(stream((b"huge", data), tail=b"not its own"), fetch=True)
    done = hand.serve_until_result()
    assert done["results"][0]["n"] == grant["n"] and done["_payload"] == hash_line(b"huge", data)


def test_a_slot_is_not_idle_while_work_is_left(hand, agent):
    """When a chunk ends, the input of the next one is there already (or most of it, on a loaded machine)."""
    hand.welcome()
    data = os.urandom(4 << 20) + bytes(4 << 20)
    grants = hand.assign(*[stream((b"%d" % i, data)) for i in range(6)], type="compress",
                         params={"level": "12"}, fetch=True)
    ended, fetched_then = [], []

    def all_done():
        while hand.control.poll(0):
            message = hand.expect("DONE", "BEAT", "CREDIT", skip=())
            for result in message.get("results", []):
                ended.append(result["n"])
                fetched_then.append(dict(hand.fetched))
        return len(ended) == len(grants)

    hand.serve_data(all_done)
    assert ended == [grant["n"] for grant in grants]
    for next_one, fetched in zip(ended[1:], fetched_then):
        assert fetched.get(next_one, 0) > len(data) / 2


def test_the_tail_is_asked_for_on_demand(hand, agent):
    hand.welcome()
    grant, fetch = waiting_chunk(hand)
    hand.slice(fetch)
    result, output = hand.results(1)[grant["n"]]
    assert output == b"second line\n"


def test_a_lost_slice_is_asked_for_again(hand, agent):
    hand.welcome()
    data = os.urandom(600 << 10)
    hand.assign(stream((b"x", data)), fetch=True)
    lost = hand.expect_data("FETCH")
    again = hand.serve_until_result()
    assert lost["offset"] == 0 and again["_payload"] == hash_line(b"x", data)


def test_a_lost_store_goes_on_from_what_is_there(hand, agent):
    hand.welcome()
    data = os.urandom(900 << 10)
    [grant] = hand.assign(stream((b"x", data)), type="compress", fetch=True)
    hand.serve_data(lambda: hand.stored)
    hand.keep(hand.expect_data("STORE"), answer=False)  # it came, its answer did not
    hand.expect_data("STORE")  # this one never came
    hand.serve_until_result()
    assert len(hand.stored[grant["n"]]) > 900 << 10


def test_stored_output_is_offered_again_to_a_new_session(hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"x", os.urandom(900 << 10))), type="compress", fetch=True)
    hand.serve_until_result()
    whole = hand.stored[grant["n"]]
    hand.stored[grant["n"]] = whole[:SLICE]  # the broker lost power before it was durable
    hand.refuse("again")
    hand.welcome()
    hand.serve_until_result()
    assert hand.stored[grant["n"]] == whole


def test_a_stale_lease_is_given_up(hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"x", b"y" * 20000)), fetch=True)
    for _ in range(2):
        fetch = hand.expect_data("FETCH")
        hand.answer_data("SLICE", fetch, offset=fetch["offset"], error="stale")
    assert [lease["n"] for lease in hand.expect("RETURN")["leases"]] == [grant["n"]]


def test_an_input_that_cannot_be_read_fails(hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"x", b"y" * 20000)), fetch=True)
    fetch = hand.expect_data("FETCH")
    hand.answer_data("SLICE", fetch, offset=0, error="in.0.0: sum differs")
    assert "sum differs" in hand.expect("FAIL")["error"]


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
