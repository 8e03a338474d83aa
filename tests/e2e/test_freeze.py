"""An agent is frozen near the end of a job: a twin of its chunk ends the job, and what it says when it thaws changes
nothing. The broker's log (SHADOW_DEBUG) shows who was given what."""

import os
import re
import time

import pytest
from samples import check_compressed, text_of, write
from system import until

pytestmark = pytest.mark.plain  # timing

FILES = 20
GIVEN_OR_DONE = re.compile(r"chunk (given|done) job=(\d+) chunk=(\d+) device=(\S+)")


@pytest.fixture
def system(start_system, folder):
    system = start_system(start=False)
    system.broker.env["SHADOW_DEBUG"] = "1"
    system.start(agents=3)
    slow = text_of(40_000, 3)
    for i in range(FILES):  # of one size, so that each is a chunk; only the last one takes long
        data = slow if i == FILES - 1 else bytes([i]) * len(slow)
        write(os.fsencode(folder / "work" / str(i)), data, mtime_ns=10**18)
    return system


def holders(system, job):
    """{device: chunk} of the chunks of `job` that are not done, each with whom it was given to last; the newest last."""
    held = {}
    for what, of, chunk, device in GIVEN_OR_DONE.findall(system.broker.log()):
        if int(of) == job:
            held.pop(chunk, None)
            if what == "given":
                held[chunk] = device
    return {device: int(chunk) for chunk, device in held.items()}


def freeze_one(system, job, devices):
    """Freezes the agent that works on the last chunk of `job`; (its Program, its device, the chunk). None: the job
    was over first."""
    system.broker.wait_log(f"(?s)(chunk done job={job} .*?){{{FILES - 1}}}", 120)  # 95 %
    for device, chunk in holders(system, job).items():
        agent = system.agents[devices[device]]
        agent.freeze()
        system.rest().get("/api/status")  # behind what it may have said just before
        if holders(system, job).get(device) == chunk:
            return agent, device, chunk
        agent.thaw()
    return None


@pytest.mark.parametrize("until_given_up", [False, True], ids=["thaws at once", "was given up"])
def test_a_frozen_agent_costs_seconds(system, folder, until_given_up):
    rest, work = system.rest(), folder / "work"
    devices = {d["deviceId"]: d["name"] for d in rest.get("/api/devices").json()["devices"]}
    names = [b"%d" % i for i in range(FILES)]
    frozen, job = None, 0
    while not frozen:
        job += 1
        system.ctl("compress", "--detach", "--level", "19", "--chunk-count", str(FILES), "--", *names, cwd=work)
        frozen = freeze_one(system, job, devices)
    agent, device, chunk = frozen
    begun = time.monotonic()
    system.ctl("wait", str(job), limit_s=30)
    seconds = time.monotonic() - begun
    log = system.broker.log()
    twins = [m.start() for m in GIVEN_OR_DONE.finditer(log)
             if m[1] == "given" and (int(m[2]), int(m[3])) == (job, chunk) and m[4] != device]
    assert twins and f"agent offline device={device}" not in log[:twins[-1]]  # a twin, not a lease that ran out
    before = rest.get(f"/api/jobs/{job}/result")
    shown = rest.get(f"/api/jobs/{job}").json()

    if until_given_up:
        system.broker.wait_log(f"agent offline device={device}")
    heard, mark = len(system.broker.log()), len(agent.log())
    agent.thaw()
    if until_given_up:
        agent.wait_log("session over", since=mark)
        agent.wait_log("welcomed", since=mark)
    # one more job on every agent: whatever the thawed one had to say was said before
    system.ctl("compress", "-o", folder / "again", "--level", "19", "--chunk-count", "9", "--", *names[:9], cwd=work)
    again = rest.get(f"/api/jobs/{job}/result")
    assert (again.content, again.headers["ETag"]) == (before.content, before.headers["ETag"])
    assert rest.get(f"/api/jobs/{job}").json() == shown
    assert not [m for m in GIVEN_OR_DONE.finditer(system.broker.log(), heard) if int(m[2]) == job]
    tasks = {d["name"]: d["tasksCompleted"] for d in rest.get("/api/devices").json()["devices"]}
    assert sum(tasks.values()) == FILES * job + 9
    assert {d["status"] for d in until(lambda: online(rest), "every agent is back")} == {"online"}
    system.ctl("result", str(job), "-o", folder / "out")
    check_compressed(work, names, folder / "out")
    check_compressed(work, names[:9], folder / "again")
    print(f"covered: {agent.name} frozen with chunk {chunk} of {FILES}; the job ended after {seconds:.1f} s")


def online(rest):
    devices = rest.get("/api/devices").json()["devices"]
    return devices if {d["status"] for d in devices} == {"online"} else None
