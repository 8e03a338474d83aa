"""shadowctl with several gateways, of which one works at a time: it asks the next when a connection fails."""

import socket
import time

import pytest
from ctl_run import ctl, gateway, read, unzstd, write  # noqa: F401
from fake_gateway import FakeGateway


def nobody():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_the_one_that_works_is_found(ctl, gateway, how):
    urls = f"{nobody()}/ , {nobody()},{gateway.url}/"
    begun = time.monotonic()
    if how == "flag":
        ctl("--gateway", urls, "jobs")
    elif how == "environment":
        ctl("jobs", env={"SHADOW_GATEWAY": urls})
    else:
        (ctl.config / "shadowctl.conf").write_text(f"gateway = {urls}\n")
        ctl("jobs")
    assert time.monotonic() - begun < 2


def test_when_none_works_it_says_so_at_once(ctl):
    begun = time.monotonic()
    done = ctl("--gateway", f"{nobody()},{nobody()},{nobody()}", "jobs", status=3)
    assert b"none of 3 gateways can be reached: Connection refused" in done.stderr
    assert time.monotonic() - begun < 2


def test_a_list_that_cannot_be_read(ctl, gateway):
    assert b"gateway ``: expected http" in ctl("--gateway", f"{gateway.url},", "jobs", status=2).stderr
    many = ",".join([gateway.url] * 9)
    assert b"more than 8 gateways" in ctl("--gateway", many, "jobs", status=2).stderr


def test_a_job_goes_on_with_the_gateway_that_takes_its_place(ctl, gateway):
    """Two doors of one system: both know the same uploads and jobs. Every request of the first breaks once."""
    data = b"abc" * 300_000
    write(ctl.folder, "large", data)
    with FakeGateway() as second:
        for name in ("uploads", "jobs", "keys"):
            setattr(second, name, getattr(gateway, name))
        gateway.breaks = {"PATCH .*": ["drop 1000"], "GET /api/jobs/1.*": ["drop"], "GET .*/result.*": ["drop 10"]}
        ctl("--gateway", f"{gateway.url},{second.url}", "compress", "large")
        assert unzstd(read(ctl.folder, "large.zst")) == data
        assert any(line.startswith("PATCH") for line in gateway.seen)
        assert any(line.startswith("PATCH") for line in second.seen)
