"""A broker whose STATE/jobs is not the folder of its store's jobs says so and ends, instead of failing the jobs or
sweeping what belongs to another."""

import pytest
from samples import text_of


def refusal(broker):
    since = len(broker.log())
    broker.start(wait=False)
    assert broker.process.wait(30) == 1
    broker.ended()
    return broker.log()[since:]


@pytest.fixture
def waiting(start_system):
    """(system, job): a job that waits for agents; the broker is stopped."""
    system = start_system(agents=0)
    job = system.rest().post("/api/jobs?type=compress&name=a", data=text_of(100_000, 1)).json()["job"]["jobId"]
    assert (system.state / "jobs" / job).is_dir()
    system.broker.stop()
    return system, job


def test_a_folder_that_is_not_mounted(waiting, folder):
    system, job = waiting
    jobs = system.state / "jobs"
    jobs.rename(folder / "mounted")
    jobs.mkdir()
    assert f"{jobs} is not where the jobs of this store are" in refusal(system.broker)
    assert list(jobs.iterdir()) == []
    jobs.rmdir()
    (folder / "mounted").rename(jobs)
    system.broker.start()
    system.add_agent("late")
    system.ctl("wait", job)


def test_the_folder_of_another_system(waiting):
    system, job = waiting
    mark = system.state / "jobs" / "system"
    mark.write_text("0" * 32 + "\n")
    assert "belongs to another system" in refusal(system.broker)
    assert (system.state / "jobs" / job).is_dir()


def test_a_store_that_is_another(waiting):
    """A new, empty store on the folder of an old one: what lies there is not swept unless that is wanted."""
    system, job = waiting
    if system.store == "sqlite":
        for file in system.state.glob("store.sqlite*"):
            file.unlink()
    else:
        system.broker.command[system.broker.command.index("--store") + 1] += "_other"
    assert "holds jobs of another store" in refusal(system.broker)
    assert (system.state / "jobs" / job).is_dir()
    (system.state / "jobs" / "system").unlink()
    system.broker.start()
    assert [path.name for path in (system.state / "jobs").iterdir()] == ["system"]


def test_a_standby_whose_folder_is_not_mounted(start_system):
    """It would let none of the agents in: also where all jobs have ended, it does not take over."""
    system = start_system(agents=1)
    job = system.rest().post("/api/jobs?type=hash&name=a", data=b"one").json()["job"]["jobId"]
    system.ctl("wait", job)
    system.broker.stop()
    jobs = system.state / "jobs"
    jobs.rename(system.state / "mounted")
    system.broker.command.append("--standby")
    assert "Is it mounted?" in refusal(system.broker)


def test_a_new_folder_for_a_store_without_work(start_system):
    system = start_system(agents=0)
    system.broker.stop()
    mark = system.state / "jobs" / "system"
    number = mark.read_text()
    mark.unlink()
    system.broker.start()
    assert mark.read_text() == number
