"""The dashboard: its files as the gateway serves them, and a person at it in a real Chromium."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from samples import text_of, write
from system import ROOT

HERE = Path(__file__).parent / "page"
sys.path.append(str(ROOT / "tests" / "harness"))
import node  # noqa: E402

pytestmark = pytest.mark.plain  # the page is in one build
COMPRESSED_MAX = 250_000  # of scripts and styles, at the first load


@pytest.fixture
def page(build):
    """Where the built page is; without a Node.js that is new enough when it was configured there is none."""
    place = build / "gateway" / "dashboard" / "page"
    if not (place / "index.html").exists():
        pytest.skip("this build has no page: it was configured without Node.js 20.19 and npm")
    return place


def test_it_is_served_as_it_was_built(page, system):
    rest = system.rest("")
    front = rest.get("/", headers={"Accept-Encoding": "gzip"})
    assert front.status_code == 200 and front.content == (page / "index.html").read_bytes()
    assert front.headers["Cache-Control"] == "no-cache" and front.headers["X-Content-Type-Options"] == "nosniff"
    policy = front.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "")
    assert rest.get("/", headers={"If-None-Match": front.headers["ETag"]}).status_code == 304
    total = 0
    for name in re.findall(r'(?:src|href)="(/assets/[^"]+)"', front.text):
        packed = rest.get(name, headers={"Accept-Encoding": "gzip"}, stream=True)
        assert packed.headers["Content-Encoding"] == "gzip" and "immutable" in packed.headers["Cache-Control"]
        body = packed.raw.read(decode_content=False)
        assert gzip.decompress(body) == rest.get(name, headers={"Accept-Encoding": "identity"}).content
        total += len(body)
    assert 0 < total <= COMPRESSED_MAX
    print(f"covered: {total} bytes of scripts and styles at the first load; limit {COMPRESSED_MAX}")


@pytest.mark.parametrize("path", ["/assets/../index.html", "/assets/..%2findex.html", "/assets/", "/assets/nothing.js",
                                  "/assets/%2e%2e/%2e%2e/state/gateway/admin.token", "/index.html", "/assets//etc/passwd"])
def test_nothing_else_is_served(page, system, path):
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", system.url + path],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout == "404"


def test_a_person_at_the_page(page, system, folder):
    env = node.environment()
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    place = ROOT / os.environ.get("SHADOW_BUILD", "build-test") / "page_test"
    node.install(place, HERE, ["package.json", "drive.mjs"], env)
    work = folder / "work"
    texts = {f"{i}.txt": text_of(20_000 + i, i) for i in range(50)}
    for name, text in texts.items():
        write(os.fsencode(work / name), text)
    done = subprocess.run(["node", "drive.mjs", system.url, system.token, work, os.environ.get("SHADOW_PICTURES", "")],
                          cwd=place, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["said"] == []
    with tarfile.open(work / "result.tar") as tar:
        names = tar.getnames()
        tar.extractall(folder / "out")
    assert sorted(names) == sorted(f"{name}.zst" for name in texts)
    for name, text in texts.items():
        plain = subprocess.run(["zstd", "-dc", folder / "out" / f"{name}.zst"], capture_output=True, check=True).stdout
        assert plain == text
