"""The agent program against a broker by hand: inputs fetched and outputs stored, with what gets lost on the way."""

import base64
import hashlib
import os
import subprocess

import pytest
from hand_agent import agent, hand, hash_line, waiting_chunk  # noqa: F401 (fixtures)
from hand_broker import SLICE, stream
from system import until


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


def test_nothing_of_an_input_is_left_for_the_next_one(hand, agent):
    """Its memory is used again: a tail read behind the own bytes would be the earlier input's."""
    hand.welcome()
    filter_all = {"type": "filter", "params": {"pattern": "e"}, "fetch": True}
    hand.assign(stream((b"long", b"earlier\n" * 400_000)), **filter_all)
    hand.serve_until_result()
    lines = b"e\n" * 900_000 + b"the last"
    [grant] = hand.assign(stream((b"short", lines), tail=b" one\nnot its own e\n"), bytes=len(lines), **filter_all)
    hand.serve_until_result()
    assert hand.stored[grant["n"]] == lines + b" one\n"


def test_an_input_given_back_early_keeps_no_memory(hand, agent):
    """What is kept for the next input is counted by what came of this one."""
    def kept():
        fds = [f"/proc/{agent.pid}/fd/{fd}" for fd in os.listdir(f"/proc/{agent.pid}/fd")]
        return sum(os.stat(fd).st_blocks * 512 for fd in fds if "chunk input" in os.readlink(fd))

    hand.welcome()
    hand.assign(stream((b"whole", bytes(8 << 20))), fetch=True)
    hand.serve_until_result()
    assert kept() > 8 << 20
    [grant] = hand.assign(stream((b"begun", bytes(8 << 20))), fetch=True)
    hand.slice(hand.expect_data("FETCH"))
    until(lambda: hand.data.poll(0) and not hand.expect_data("FETCH")["offset"] < 1 << 20, "the next FETCH")
    hand.say("REVOKE", leases=[hand.lease(grant)])
    until(lambda: kept() <= 1 << 20, "memory given back", limit_s=5)


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


@pytest.fixture
def bomb():
    """150 MiB that are small as zstd: (compressed, its sum)."""
    whole = b"0123456789abcdef" * (150 << 16)
    done = subprocess.run(["zstd", "-qc"], input=whole, capture_output=True, check=True)
    return done.stdout, hashlib.sha256(whole).digest()


def test_an_output_of_many_parts(bomb, hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"x.zst", bomb[0])), type="transform", params={"op": "decompress"}, fetch=True)
    hand.serve_data(lambda: len(hand.stored.get(grant["n"], b"")) > 100 << 20)
    hand.refuse("again")  # parts that were stored are gone here: it goes on from what the broker has
    hand.welcome()
    hand.serve_until_result()
    assert hashlib.sha256(hand.stored[grant["n"]]).digest() == bomb[1]


def test_an_output_that_nobody_has_any_more_is_handed_back(bomb, hand, agent):
    hand.welcome()
    [grant] = hand.assign(stream((b"x.zst", bomb[0])), type="transform", params={"op": "decompress"}, fetch=True)
    hand.serve_data(lambda: len(hand.stored.get(grant["n"], b"")) > 100 << 20)
    del hand.stored[grant["n"]]
    hand.refuse("again")
    hand.welcome()
    hand.serve_data(lambda: hand.control.poll(0)
                    and hand.expect("RETURN", "BEAT", "CREDIT", skip=())["_name"] == "RETURN")


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
