"""shadowctl while connections break, files shrink and people press Ctrl-C."""

import hashlib
import os
import signal
import threading

from ctl_run import ctl, gateway, read, unzstd, write  # noqa: F401
from fake_jobs import hash_line


def big(folder, name="big", megabytes=70):
    block = hashlib.sha256(name.encode()).digest() * 32768
    write(folder, name, b"".join(block[i:] + block[:i] for i in range(megabytes)))


def test_parts_survive_breaks(ctl, gateway):
    """A large file alone, small ones as tars, in order; every kind of request broken once or twice."""
    for i in range(40):
        write(ctl.folder, f"s{i:02}", os.urandom(20000 + i))
    big(ctl.folder)
    write(ctl.folder, "t", b"last")
    gateway.breaks = {
        "POST /api/jobs": ["drop", "drop after", "503"],
        "POST /api/uploads": ["503", "drop"],
        "PATCH .*": ["drop 300000", "drop", "503", "drop 0", "drop 30000000", "drop 30000000"],
        "HEAD .*": ["drop", "503"],
        "POST .*/inputs": ["drop after", "503", "drop"],
        "POST .*/seal": ["drop after", "drop"],
        "GET /api/jobs/1": ["drop", "503"],
        "GET .*/result": ["drop 100", "drop 500000", "drop", "503"],
    }
    names = [*(f"s{i:02}" for i in range(40)), "big", "t"]
    ctl("compress", *names)
    assert not any(gateway.breaks.values())
    assert len(gateway.jobs) == 1 and gateway.jobs["1"].expected == sum((ctl.folder / n).stat().st_size for n in names)
    assert [f[0].decode() for f in gateway.jobs["1"].files] == names
    for name in names:
        assert unzstd(read(ctl.folder, name + ".zst")) == read(ctl.folder, name)


def test_downloads_survive_breaks(ctl, gateway):
    """One file by name, one tar, one output of all: taken up where they broke, never mixed, never short."""
    write(ctl.folder, "noise", os.urandom(3_000_000))
    breaks = ["drop 100", "drop", "drop 1000000", "503", "drop 500000"]
    gateway.breaks = {"GET .*/result": list(breaks)}
    ctl("compress", "noise")
    assert unzstd(read(ctl.folder, "noise.zst")) == read(ctl.folder, "noise")
    for i in range(9):
        write(ctl.folder, f"t/{i}", os.urandom(300_000))
    gateway.breaks = {"GET .*/result": list(breaks)}
    gateway.seen.clear()
    ctl("compress", "t")
    assert gateway.seen.count("GET /api/jobs/2/result") == 1 + len(breaks)
    for i in range(9):
        assert unzstd(read(ctl.folder, f"t/{i}.zst")) == read(ctl.folder, f"t/{i}")
    write(ctl.folder, "lines", b"".join(b"%d\n" % i for i in range(400_000)))
    gateway.breaks = {"GET .*/result": list(breaks)}
    assert ctl("filter", "7$", "lines").stdout == b"".join(b"%d\n" % i for i in range(400_000) if i % 10 == 7)


def test_file_that_shrinks_while_it_is_sent(ctl, gateway):
    """The part is made anew without it; nothing of it reaches the job."""
    big(ctl.folder, "a")
    big(ctl.folder, "shrinks", 66)
    write(ctl.folder, "c", b"c")
    process = None

    class Shrinks(list):
        def pop(self, _):
            super().pop(0)
            if not self:  # the first file is there, the second is not begun
                os.truncate(ctl.folder / "shrinks", 1000)
            return None

        def __bool__(self):
            return len(self) > 0
    gateway.breaks = {"POST /api/uploads": Shrinks(["", ""])}
    process = ctl("hash", "a", "shrinks", "c", status=1)
    assert b"shrinks: changed while it was read" in process.stderr
    assert process.stdout == b"".join(hash_line(n.encode(), read(ctl.folder, n)) for n in ["a", "c"])


def test_upload_that_the_gateway_lost(ctl, gateway):
    big(ctl.folder, "a", 66)
    gateway.breaks = {"PATCH .*": ["drop 5000000", "forget"]}
    assert ctl("hash", "a").stdout == hash_line(b"a", read(ctl.folder, "a"))


def test_interrupt_cancels(ctl, gateway):
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    process = ctl.start("compress", "a")
    gateway.await_seen("GET /api/jobs/1")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and b"job 1 is cancelled" in err
    assert gateway.jobs["1"].status == "cancelled"
    gateway.hold.set()


def test_second_interrupt_ends_at_once(ctl, gateway):
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    gateway.breaks = {"POST .*/cancel": ["503"] * 1000}
    process = ctl.start("compress", "a")
    gateway.await_seen("GET /api/jobs/1")
    process.send_signal(signal.SIGINT)
    gateway.await_seen("POST /api/jobs/1/cancel")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    gateway.hold.set()


def test_interrupt_while_sending(ctl, gateway):
    big(ctl.folder)
    gateway.breaks = {"PATCH .*": ["503"] * 1000}
    process = ctl.start("compress", "big")
    gateway.await_seen("PATCH .*")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130 and gateway.jobs["1"].status == "cancelled"


def test_interrupt_while_fetching_leaves_nothing(ctl, gateway):
    write(ctl.folder, "a", os.urandom(300_000))
    gateway.breaks = {"GET .*/result": ["drop 100000", *["503"] * 1000]}
    process = ctl.start("compress", "a")
    gateway.await_seen("GET .*/result", times=2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130 and os.listdir(ctl.folder) == ["a"]


def test_cancelled_by_another(ctl, gateway):
    gateway.hold = threading.Event()
    write(ctl.folder, "a", b"1")
    process = ctl.start("compress", "a")
    gateway.await_seen("GET /api/jobs/1")
    ctl("cancel", "1")
    process.communicate(timeout=30)
    assert process.returncode == 5
    ctl("wait", "1", status=5)
    ctl("result", "1", status=5)
    gateway.hold.set()
