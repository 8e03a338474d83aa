"""The daemons' manual pages have every option, and a wrong value ends each of them with status 2, as the pages say."""

import re
import shutil
import subprocess

import pytest
from tree import BUILD

DAEMONS = ["broker", "gateway", "agent"]


@pytest.mark.parametrize("name", DAEMONS)
def test_a_page_has_every_option(name):
    words = subprocess.run([BUILD / name / f"shadow-{name}", "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^ .*?(--[a-z-]+)", words, re.MULTILINE)
    assert {"--help", "--config"} < set(options)
    file = BUILD / "deploy" / f"shadow-{name}.8"
    page = file.read_text().replace("\\-", "-")
    assert [option for option in options if not re.search(rf"\.TP\n.*\\fB{option}\\fR(\\fI\S.*\\fR)?\n\S", page)] == []
    if shutil.which("groff"):
        assert subprocess.run(["groff", "-man", "-ww", "-z", file], capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize("name, option", zip(DAEMONS, ["--port", "--port", "--slots"]))
def test_a_wrong_value_ends_with_2(name, option):
    done = subprocess.run([BUILD / name / f"shadow-{name}", option, "many"], capture_output=True, text=True)
    assert done.returncode == 2 and f"{option} = many: a number from" in done.stderr, done
