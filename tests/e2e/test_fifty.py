"""Fifty files of every kind and one of 300 MB through every kernel on three agents, each held against its command."""

import json
import os

import pytest
from samples import check_compressed, digest_of, read, reference


@pytest.mark.plain  # the files without the large one see the sanitizers in test_ctl.py
def test_every_kernel_is_its_command(start_system, large):
    system = start_system(agents=3)
    work, names = large

    def ctl(*words):
        return system.ctl(*words, cwd=work, text=False).stdout

    job = json.loads(ctl("--json", "compress", "--", *names))
    assert job["status"] == "completed" and job["totalFiles"] == 51 and len(job["outputs"]) == 51 and not job["failed"]
    check_compressed(work, names)
    assert ctl("hash", "--", *names) == reference(["sha256sum", "--", *names], work)
    ctl("filter", "-o", "found", "--", "[0-9a-f]{4}", *names)
    assert read(work, b"found") == reference(["grep", "-a", "-h", "-P", "-e", "[0-9a-f]{4}", "--", *names], work)
    ctl("transform", "upper", "-o", "upper", "--", *names)
    ctl("transform", "decompress", "-o", "back", "--", *(name + b".zst" for name in names))
    for name in names:
        path = os.path.join(os.fsencode(work), name)
        with open(path, "rb") as source:
            (work / "expected").write_bytes(reference(["tr", "a-z", "A-Z"], work, stdin=source))
        assert digest_of(os.path.join(os.fsencode(work / "upper"), name + b".upper")) == digest_of(work / "expected"), name
        assert digest_of(os.path.join(os.fsencode(work / "back"), name)) == digest_of(path), name
    used = {d["name"] for d in json.loads(ctl("--json", "devices"))["devices"] if d["tasksCompleted"]}
    assert used == set(system.agents)
