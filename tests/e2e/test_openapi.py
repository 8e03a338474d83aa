"""gateway/openapi.yaml against the running gateway: the routes are those of the program, and schemathesis finds no
answer that it does not describe."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from system import ROOT

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")  # of tests/requirements.txt
EXAMPLES = "15"  # a route and phase; about a minute
LIMIT_S = 400


def described():
    document = yaml.safe_load((ROOT / "gateway" / "openapi.yaml").read_text())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), re.sub(r"{\w+}", ":id", path), operation["x-role"]


def test_the_description_names_the_programs_routes_and_roles(build):
    printed = subprocess.run([build / "gateway" / "shadow-gateway", "--print-routes"], capture_output=True, text=True,
                             check=True).stdout
    assert {tuple(line.split()) for line in printed.splitlines()} == set(described())


@pytest.mark.timeout(LIMIT_S + 60)
def test_schemathesis_finds_nothing(system):
    if not SCHEMATHESIS.exists():
        pytest.skip("schemathesis is in tests/requirements.txt; ./tests/run installs it")
    here = ROOT / "tests" / "e2e"
    command = [SCHEMATHESIS, "--config-file", here / "schemathesis.toml", "run", f"{system.url}/api/openapi.yaml",
               "-H", f"Authorization: Bearer {system.token}", "--max-examples", EXAMPLES, "--seed", "1", "--no-color",
               "--generation-database", "none", "--report-dir", str(system.folder)]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(here)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=env, cwd=system.folder)
    print(done.stdout[-400:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
