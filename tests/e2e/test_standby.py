"""Two brokers on one state: the second waits without a port, takes over when the first dies, ends or stands still,
and nothing is lost or done twice. On SQLite, and with SHADOW_E2E_STORE=mongodb."""

import hashlib
import json
import os
import random
import re
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
from samples import check_compressed, text_of, write, write_fifty
from system import free_ports, until
from test_kills import TRACE, Witness, pause, run_jobs

pytestmark = pytest.mark.plain  # timing

TAKEOVERS = 20 if os.environ.get("SHADOW_LONG") else 4
TAKEOVER_S = 10
KILLED_S = 4  # both are processes of one machine
CLEAN_S = 2
FROZEN_S = 15  # on MongoDB
HELD_S = 8  # on SQLite; longer than 6 s of silence, after which agents give a session up


class Pair:
    """Two brokers that take each other's place; what they log, in the order of their epochs."""

    def __init__(self, system):
        self.system = system
        self.works, self.waits = system.broker, system.add_broker("broker-2", "--standby")
        for broker in (self.works, self.waits):
            broker.env["SHADOW_DEBUG"] = "1"

    def start_waiting(self):
        since = len(self.waits.log())
        if "--standby" not in self.waits.command:
            self.waits.command.append("--standby")
        self.waits.start()
        self.waits.wait_log(r"standby: waits", since=since)

    def take_over(self, end, limit_s):
        """Ends the one that works by `end(program)`; seconds until the other works and until REST answers."""
        since = len(self.waits.log())
        rest = self.system.rest()
        begin = time.monotonic()
        end(self.works)
        self.waits.wait_log(r"broker ready", since=since, limit_s=limit_s + 20)
        ready_s = time.monotonic() - begin
        until(lambda: rest.get("/api/jobs").status_code == 200, "an answer", limit_s=30)
        answer_s = time.monotonic() - begin
        self.works, self.waits = self.waits, self.works
        assert ready_s <= limit_s, f"took over after {ready_s:.1f} s"
        return ready_s, answer_s

    def log(self):
        parts = []
        for broker in (self.works, self.waits):
            for part in re.split(r"(?=<\d>broker ready )", broker.log()):
                if epoch := re.match(r"<\d>broker ready .*?epoch=(\d+)", part):
                    parts.append((int(epoch[1]), part))
        return "".join(part for _, part in sorted(parts))


@pytest.fixture
def pair(start_system):
    return Pair(start_system(start=False))


@pytest.fixture
def working(pair, folder):
    """(pair, witness, work, names): one broker works, one waits, three agents, files that take about ten seconds."""
    pair.system.start(agents=3)
    pair.start_waiting()
    work = folder / "work"
    names = write_fifty(work)
    for i in range(80):
        write(os.fsencode(work / "more" / str(i)), text_of(12_000, i + 5))
        names.append(b"more/%d" % i)
    return pair, Witness(SimpleNamespace(broker=pair, rest=pair.system.rest)), work, names


def begin_job(pair, work, names):
    """shadowctl at work in the middle of a job, and where its results go."""
    out = work.parent / "out"
    command, env = pair.system.ctl_command("--json", "compress", "--level", "19", "-o", out, "--", *names)
    process = subprocess.Popen(command, env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    until(lambda: len(re.findall("chunk done", pair.log())) >= 5, "some chunks")
    return process, out


def end_job(process, work, names, out):
    said, words = process.communicate(timeout=240)
    assert process.returncode == 0, words
    job = json.loads(said)
    assert job["status"] == "completed" and job["completedChunks"] == job["totalChunks"]
    check_compressed(work, names, out)


GIVEN = re.compile(r"chunk given job=(\d+) chunk=(\d+) device=(\S+)")


def port_of(broker):
    return int(broker.command[broker.command.index("--port") + 1])


def test_a_second_broker_is_refused_unless_it_waits(pair):
    pair.system.start(agents=0)
    pair.waits.command.remove("--standby")
    pair.waits.start(wait=False)
    assert pair.waits.process.wait(30) == 1
    pair.waits.ended()
    assert f"another broker uses this store (process {pair.works.pid}" in pair.waits.log()


def test_a_standby_has_no_port_and_takes_over_from_one_that_ends(pair):
    pair.system.start(agents=1)
    pair.start_waiting()
    for port in (port_of(pair.waits), port_of(pair.waits) + 1):
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", port))
    ready_s, answer_s = pair.take_over(lambda broker: broker.stop(), CLEAN_S)
    assert pair.waits.process.returncode == 0
    print(f"covered: clean stop, works after {ready_s:.2f} s, answers after {answer_s:.2f} s")
    assert pair.system.ctl("hash", pair.system.token_file).stdout.startswith(
        hashlib.sha256(pair.system.token_file.read_bytes()).hexdigest())


def test_a_standby_takes_over_from_one_that_is_killed(working):
    pair, witness, work, names = working
    process, out = begin_job(pair, work, names)
    witness.look()
    ready_s, answer_s = pair.take_over(lambda broker: broker.kill(), KILLED_S)
    end_job(process, work, names, out)
    witness.look()
    count, runs = witness.check()
    held = sum(int(n) for n in re.findall(r"agent online .*held=(\d+)", pair.works.log()))
    again = set(GIVEN.findall(pair.waits.log())) & set(GIVEN.findall(pair.works.log()))
    print(f"covered: kill -9, works after {ready_s:.2f} s, answers after {answer_s:.2f} s; {count} chunks given out {runs} "
          f"times; agents kept {held}, of which {len(again)} were given to them again")
    assert held and len(again) <= held // 10  # an ASSIGN that was under way


def test_a_broker_that_stands_still(working, store):
    """On MongoDB it finds its place taken. The lock on SQLite's file it keeps: the other waits, and the job goes on."""
    if store == "sqlite":
        keeps_its_lock(*working)
    else:
        loses_its_lease(*working)


def keeps_its_lock(pair, witness, work, names):
    process, out = begin_job(pair, work, names)
    pair.works.freeze()
    with pytest.raises(AssertionError, match="did not log"):
        pair.waits.wait_log("broker ready", limit_s=HELD_S)
    pair.works.thaw()
    end_job(process, work, names, out)
    witness.look()
    print(f"covered: SIGSTOP for {HELD_S} s, the standby still waits; %d chunks given out %d times" % witness.check())


def loses_its_lease(pair, witness, work, names):
    process, out = begin_job(pair, work, names)
    begin = time.monotonic()
    ready_s, answer_s = pair.take_over(lambda broker: broker.freeze(), TAKEOVER_S)
    pause(process, FROZEN_S - (time.monotonic() - begin))
    old, said = pair.waits, len(pair.waits.log())
    time_left = FROZEN_S - (time.monotonic() - begin)
    if time_left > 0:
        time.sleep(time_left)
    old.thaw()
    assert old.process.wait(15) == 1
    old.ended()
    assert "chunk done" not in old.log()[said:] and "another broker" in old.log()[said:]
    end_job(process, work, names, out)
    witness.look()
    count, runs = witness.check()
    print(f"covered: SIGSTOP for {FROZEN_S} s, works after {ready_s:.2f} s, answers after {answer_s:.2f} s; "
          f"{count} chunks given out {runs} times; the old one ended by itself")


def test_a_second_gateway_takes_over_in_the_middle_of_a_job(start_system, folder):
    system = start_system()
    port = free_ports(1)
    command = [str(port) if word == str(system.gateway_port) else word for word in system.gateway.command]
    second = system._program("gateway-2", *command, "--standby").start()
    second.wait_log("standby: waits")
    work = folder / "work"
    names = write_fifty(work)
    command, env = system.ctl_command("--json", "compress", "--level", "19", "-o", folder / "out", "--", *names)
    env["SHADOW_GATEWAY"] = f"{system.url},http://127.0.0.1:{port}"
    process = subprocess.Popen(command, env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    until(lambda: process.poll() is not None or system.rest().get("/api/jobs").json()["jobs"], "the job")
    begin = time.monotonic()
    system.gateway.kill()
    second.wait_log("gateway ready", limit_s=TAKEOVER_S)
    print(f"covered: a gateway's kill -9, the other works after {time.monotonic() - begin:.2f} s")
    end_job(process, work, names, folder / "out")
    told = json.loads(system.ctl("--json", "--gateway", env["SHADOW_GATEWAY"], "doctor").stdout)
    link = next(link for link in told["links"] if link["link"] == "gateway")
    assert link["ok"] and system.url in link["detail"], "which of them is away"


def test_they_take_each_others_place_again_and_again(working):
    pair, witness, work, names = working
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    gaps = []

    def disturb(process):
        pause(process, chance.uniform(0.5, 3))
        if process.poll() is None and len(gaps) < TAKEOVERS:
            witness.look()
            clean = len(gaps) % 4 == 3
            gaps.append(pair.take_over(lambda broker: broker.stop() if clean else broker.kill(),
                                       CLEAN_S if clean else KILLED_S))
            pair.start_waiting()

    jobs, count, runs = run_jobs((pair.system, witness, work, names), disturb, lambda: len(gaps) >= TAKEOVERS)
    ready_s, answer_s = (max(gap[i] for gap in gaps) for i in range(2))
    print(f"covered: seed {seed}, {len(gaps)} take-overs, worst {ready_s:.2f} s to work and {answer_s:.2f} s to an answer; "
          f"{jobs} jobs, {count} chunks committed once each, given out {runs} times")
