"""The broker at its wire: sessions, leases and what is durable. No agent or gateway program here: both are played by
hand."""

import pytest
import wire
from system import until
from wire_world import agent, broker, gateway, job_of, submit  # noqa: F401 (fixtures)


def test_a_result_is_taken_and_shown(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one", chunk_count=1)
    grant = a.expect("ASSIGN")
    a.done(job, grant["leases"][0], b"sum")
    assert a.expect("TAKEN")["leases"][0]["n"] == grant["leases"][0]["n"]
    row = job_of(gateway, job)
    assert row["status"] == "completed" and row["completed_chunks"] == 1 and row["bytes_out"] == 3
    chunk = gateway.ask("GET_CHUNKS", job=job, limit=10, full=1)["rows"][0]
    assert chunk["status"] == "completed" and chunk["output"] == b"sum"


def test_nothing_acknowledged_is_lost_by_kill_9(broker, gateway, agent):
    a = agent()
    a.hello(chunks=1)
    jobs = [submit(gateway, b"x" * i, key=f"k{i}", body_hash=i) for i in range(1, 30)]
    grant = a.expect("ASSIGN")
    a.done(grant["job"], grant["leases"][0], b"first")
    a.expect("TAKEN")
    broker.broker.kill()
    broker.broker.start()
    gateway.connect()
    rows = gateway.ask("GET_JOBS", limit=100)["rows"]
    assert sorted(row["job"] for row in rows) == jobs
    assert [row["status"] for row in rows if row["job"] == grant["job"]] == ["completed"]
    for i, job in enumerate(jobs, 1):  # the keys still name their jobs
        files, payload = wire.inputs(b"x" * i)
        again = gateway.ask("SUBMIT", payload, type="hash", inputs=files, key=f"k{i}", body_hash=i)
        assert again["existing"] and again["job"] == job
    a.connect()
    a.hello(chunks=100)
    seen = set()
    while len(seen) < len(jobs) - 1:
        grant = a.expect("ASSIGN")
        seen.add(grant["job"])
        for lease in grant["leases"]:
            a.done(grant["job"], lease, b"later")
        while True:
            got = a.expect("TAKEN", "ASSIGN")
            if got["_name"] == "TAKEN":
                break
            seen.add(got["job"])
            for lease in got["leases"]:
                a.done(got["job"], lease, b"later")
    assert grant["job"] in jobs


def test_after_a_restart_a_running_lease_is_adopted(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    broker.broker.kill()
    broker.broker.start()
    gateway.connect()
    a.connect()
    held = [{"job": job, "chunk": lease["chunk"], "n": lease["n"], "token": lease["token"], "phase": 1}]
    a.hello(held=held)
    assert a.is_silent()  # not given out again
    a.done(job, lease, b"sum")
    a.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "completed"


def test_a_late_result_counts_once(broker, gateway, agent):
    a, b = agent("a"), agent("b")
    a.hello()
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    a.say("BYE")
    b.hello()
    second = b.expect("ASSIGN")["leases"][0]
    a.connect()
    a.hello()  # lists nothing; then the result comes after all
    a.done(job, lease, b"early")
    a.expect("TAKEN")
    b.expect("REVOKE")
    b.done(job, second, b"late")
    b.expect("TAKEN")
    assert gateway.ask("GET_CHUNKS", job=job, limit=1, full=1)["rows"][0]["output"] == b"early"


def test_a_forged_or_stolen_token_changes_nothing(broker, gateway, agent):
    a, b = agent("a"), agent("b")
    a.hello()
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    b.hello(chunks=0)
    b.done(job, lease, b"stolen")  # right numbers, another key
    b.done(job, {**lease, "token": lease["token"] ^ 1}, b"forged")
    b.say("FAIL", job=job, chunk=0, n=lease["n"], token=lease["token"], error="no")
    assert b.is_silent()
    assert job_of(gateway, job)["status"] == "processing"
    a.done(job, lease, b"true")
    a.expect("TAKEN")
    assert gateway.ask("GET_CHUNKS", job=job, limit=1, full=1)["rows"][0]["output"] == b"true"


def test_a_result_that_does_not_fit_its_plan_is_refused(broker, gateway, agent):
    a = agent()
    a.hello()
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    a.done(job, lease, b"sum", pieces=2)
    assert a.is_silent()
    assert job_of(gateway, job)["status"] == "processing"


def test_a_lost_message_is_noticed(broker, gateway, agent):
    a = agent()
    a.hello()
    a.serial += 1  # one of the agent's messages vanished
    a.say("BEAT")
    assert a.expect("ERROR")["code"] == "again"
    a.hello()
    a.say("BEAT")
    a.expect("BEAT")


def test_only_done_counts_without_a_session(broker, gateway, agent):
    a = agent()
    a.hello(chunks=1)
    job = submit(gateway, b"one")
    lease = a.expect("ASSIGN")["leases"][0]
    session, a.session = a.session, 77
    a.say("RETURN", leases=[{"job": job, "chunk": 0, "n": lease["n"], "token": lease["token"]}])
    assert a.expect("ERROR")["code"] == "again"
    assert job_of(gateway, job)["status"] == "processing"
    a.done(job, lease, b"sum")
    assert a.expect("ERROR")["code"] == "again"
    a.session = session
    a.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "completed"


def test_one_key_is_one_agent(broker, agent):
    first, second = agent(), agent()
    first.hello()
    second.session = 1
    second.send("HELLO", session=second.session, serial=1, instance=second.instance)
    first.expect("BEAT")  # asked whether it lives
    first.say("BEAT")
    first.expect("BEAT")
    second.send("HELLO", session=second.session, serial=1, instance=second.instance)
    assert second.expect("ERROR")["code"] == "duplicate-key"
    first.close()  # the connection is gone: nobody to ask
    for _ in range(40):  # each refusal, then half a second of silence
        second.send("HELLO", session=second.session, serial=1, instance=second.instance)
        if wire.Peer.expect(second, "WELCOME", "ERROR")["_name"] == "WELCOME":
            return
        assert second.is_silent()
    pytest.fail("never welcomed")


def test_three_failures_on_two_agents_fail_the_chunk(broker, gateway, agent):
    a, b = agent("a"), agent("b")
    a.hello()
    b.hello()
    job = submit(gateway, b"bad")
    by = []
    for attempt in range(1, 4):
        who = a if a.socket.poll(3000) else b
        grant = who.expect("ASSIGN")
        lease = grant["leases"][0]
        assert lease["attempt"] == attempt and lease["isolate"] == (attempt == 3)
        by.append(who)
        who.say("FAIL", job=job, chunk=0, n=lease["n"], token=lease["token"], error="killed by SIGSEGV",
                stderr_tail="last words")
    assert by[0] is not by[1]  # on different agents while there are some
    until(lambda: job_of(gateway, job)["status"] == "failed", "the job fails")
    row = job_of(gateway, job)
    assert row["failed_chunks"] == 1 and row["failed_files"] == 1
    chunk = gateway.ask("GET_CHUNKS", job=job, limit=1)["rows"][0]
    assert (chunk["status"], chunk["error"], chunk["stderr_tail"]) == ("failed", "killed by SIGSEGV", "last words")
    assert not any(row["tasks_completed"] for row in gateway.ask("GET_AGENTS")["rows"])  # nobody's work
    gateway.ask("RETRY", job=job)
    who = a if a.socket.poll(3000) else b
    who.done(job, who.expect("ASSIGN")["leases"][0], b"good")
    who.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "completed"
    assert gateway.ask("RETRY", answer="ERROR", job=job)["code"] == "conflict"


def test_inline_inputs_always_ride_in_assign(broker, gateway, agent):
    """Nobody could fetch them. Many small ones have a head that is larger than they are."""
    a = agent()
    a.hello()
    job = submit(gateway, *[b"x" * 10] * 1000)
    grant = a.expect("ASSIGN")
    lease = grant["leases"][0]
    assert lease["bytes"] == 10000 and lease["inline_bytes"] == len(grant["_payload"]) > 20480
    a.done(job, lease, b"sum", pieces=1000)
    a.expect("TAKEN")
    files, payload = wire.inputs(b"x" * 20000)
    error = gateway.ask("SUBMIT", payload, answer="ERROR", type="hash", inputs=files, key="k", body_hash=1)
    assert error["code"] == "spill" and "16 KiB" in error["message"]
    assert gateway.ask("SUBMIT", type="hash", open=1, key="k", body_hash=1)["existing"] == 0  # nothing stayed of it


def test_cancel_set_forget(broker, gateway, agent):
    a = agent()
    job = submit(gateway, b"one")
    gateway.ask("SET", job=job, has_priority=1, priority=7, has_name=1, name="other")
    row = job_of(gateway, job)
    assert row["priority"] == 7 and row["name"] == "other"
    a.hello()
    a.expect("ASSIGN")
    gateway.ask("CANCEL", job=job)
    a.expect("REVOKE")
    assert job_of(gateway, job)["status"] == "cancelled"
    gateway.ask("CANCEL", job=job)
    assert gateway.ask("RETRY", answer="ERROR", job=job)["code"] == "cancelled"
    gateway.ask("FORGET", job=job)
    assert gateway.ask("GET_JOBS", answer="ERROR", job=job)["code"] == "not_found"
    assert gateway.ask("FORGET", answer="ERROR", job=job)["code"] == "not_found"
    assert submit(gateway, b"next") > job  # numbers are never used again


def test_an_open_job_takes_adds_until_its_seal(broker, gateway, agent):
    a = agent()
    a.hello()
    job = gateway.ask("SUBMIT", type="hash", open=1)["job"]
    files, payload = wire.inputs(b"one", b"two")
    for key in (1, 2, 2):  # the repeat changes nothing
        gateway.ask("ADD", payload, job=job, key=key, inputs=files)
    assert job_of(gateway, job)["total_files"] == 4
    for grant in [a.expect("ASSIGN"), a.expect("ASSIGN")]:
        a.done(job, grant["leases"][0], b"sum", pieces=2)
        a.expect("TAKEN")
    assert job_of(gateway, job)["status"] == "processing"
    gateway.ask("SEAL", job=job)
    assert job_of(gateway, job)["status"] == "completed"
    assert gateway.ask("ADD", payload, answer="ERROR", job=job, key=3, inputs=files)["code"] == "conflict"


def test_chunks_are_never_shown_ahead_of_their_rows(broker, gateway, agent):
    """While a result is committed, and while its job ends, many ask: each sees the chunk whole, as it is or was."""
    a = agent()
    a.hello()
    for _ in range(60):
        job = submit(gateway, b"one")
        lease = a.expect("ASSIGN")["leases"][0]
        for ref in range(20):
            if ref == 5:
                a.done(job, lease, b"sum")
            gateway.send("GET_CHUNKS", ref=1000 + ref, job=job, limit=10, full=1)
            gateway.send("GET_JOBS", ref=2000 + ref, limit=1)
        for _ in range(40):
            got = gateway.expect("CHUNKS", "JOBS")
            assert len(got["rows"]) == 1
            row = got["rows"][0]
            assert row["status"] in ("assigned", "processing", "completed")
            if got["_name"] == "JOBS":
                assert (row["job"], row["total_chunks"], row["total_files"]) == (job, 1, 1)
            elif row["status"] == "completed":
                assert row["output"] == b"sum" and row["pieces"] and row["assigned_to"] and row["completed_at"]
        a.expect("TAKEN")
        a.say("CREDIT", chunks=1000, bytes=1 << 30)
        assert gateway.ask("GET_CHUNKS", job=job, limit=1)["rows"][0]["status"] == "completed"
