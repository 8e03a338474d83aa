"""quickstart's job: compresses files through shadowctl as anybody would, checks every result with the
standard tool and against its input, and shows what was done."""

import base64
import json
import os
import shutil
import stat
import subprocess
import time
import urllib.parse
import urllib.request
from collections import Counter

from words import Problem, say

FILES = 50
SMALLEST = 100 << 10
LARGEST = 8 << 20  # so that the first job is a matter of seconds
ENOUGH = 5000  # candidates: no need to walk a large /usr to its end


def find_files():
    """Fifty regular files of 100 KiB or more under /usr, spread over what there is."""
    found, seen = [], set()
    for folder, folders, names in os.walk("/usr"):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            good = stat.S_ISREG(info.st_mode) and SMALLEST <= info.st_size <= LARGEST and os.access(path, os.R_OK)
            if good and info.st_ino not in seen:  # hard links are one file
                seen.add(info.st_ino)
                found.append(path)
        if len(found) >= ENOUGH:
            break
    if len(found) < FILES:
        raise Problem(f"only {len(found)} files of 100 KiB or more under /usr",
                      fix="name the files yourself: ./deploy/quickstart FILE...")
    return [found[i * len(found) // FILES] for i in range(FILES)]


def copy_files(paths, folder):
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        shutil.copyfile(path, folder / f"{number + 1:02}-{os.path.basename(path)}")
    return sorted(folder.iterdir())


def rest(fleet, path):
    request = urllib.request.Request(fleet.url + path, headers={
        "Authorization": f"Bearer {fleet.token_file.read_text().strip()}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def chunks_by_device(fleet, job_id):
    names = {device["deviceId"]: device["name"] for device in rest(fleet, "/api/devices")["devices"]}
    count, cursor = Counter(), None
    while True:
        query = f"?chunkCursor={urllib.parse.quote(cursor)}" if cursor else ""
        page = rest(fleet, f"/api/jobs/{job_id}{query}")
        count.update(names.get(c["assignedTo"], c["assignedTo"] or "none") for c in page["chunks"])
        cursor = page["nextChunkCursor"]
        if not cursor:
            return count


def verify(output, original):
    """`zstd -t`, and the bytes that `zstd -dc` gives against the input's."""
    subprocess.run(["zstd", "-tq", "--", output], check=True, stdin=subprocess.DEVNULL)
    with subprocess.Popen(["zstd", "-dcq", "--", output], stdout=subprocess.PIPE) as unpack:
        same = subprocess.run(["cmp", "-s", "--", "-", original], stdin=unpack.stdout).returncode == 0
    if not same or unpack.returncode:
        raise Problem(f"{output} does not decode to {original}", fix="this is a bug of ShadowWork: report it")


def shown_name(path):
    """The last part of a path, fit for a terminal: bytes that are no text as \\xNN."""
    def escape(c):
        return f"\\x{ord(c) - 0xdc00:02x}" if "\udc80" <= c <= "\udcff" else ascii(c)[1:-1]
    return "".join(c if c.isprintable() else escape(c) for c in os.path.basename(path))


def show(fleet, pairs, job, seconds):
    sizes = [(str(source), os.path.getsize(source), os.path.getsize(output)) for source, output in pairs]
    width = min(60, max(len(shown_name(name)) for name, _, _ in sizes))
    print(f"{'file':{width}} {'bytes':>12} {'compressed':>12} {'ratio':>6}")
    for name, size, packed in sizes:
        print(f"{shown_name(name):{width}} {size:12,} {packed:12,} {size / max(packed, 1):6.2f}")
    size, packed = sum(s for _, s, _ in sizes), sum(p for _, _, p in sizes)
    print(f"{f'{len(sizes)} files':{width}} {size:12,} {packed:12,} {size / max(packed, 1):6.2f}")
    print(f"\nevery output passed `zstd -t` and decodes to its input\njob        {job['jobId']} in {seconds:.2f} s")
    for device, count in sorted(chunks_by_device(fleet, job["jobId"]).items()):
        print(f"{device:10} {count} chunks")


def exact(entry, key):
    """A name of shadowctl's JSON in its exact bytes, as Python passes them to programs."""
    encoded = entry.get(f"{key}Bytes")  # there when the name is not UTF-8
    return os.fsdecode(base64.b64decode(encoded)) if encoded else entry[key]


def pair(job):
    """(input, output) of each result, from shadowctl's list."""
    return [(exact(output, "input"), exact(output, "path")) for output in job.get("outputs", [])]


def first_job(fleet, files):
    stamp = time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}"
    folder = fleet.state / "first-job" / stamp
    inputs = files or copy_files(find_files(), folder / "in")
    out = folder / "out"
    say(f"compressing {len(inputs)} {'file' if len(inputs) == 1 else 'files'}")
    begun = time.monotonic()
    done = subprocess.run(
        [fleet.root / "build" / "gateway" / "ctl" / "shadowctl", "--json", "compress", "-o", out, "--", *inputs],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={
            **os.environ, "SHADOW_GATEWAY": fleet.url, "SHADOW_TOKEN_FILE": str(fleet.token_file)})
    seconds = time.monotonic() - begun
    if done.returncode not in (0, 1):
        raise Problem(f"shadowctl ended with status {done.returncode}", log=fleet.gateway.log,
                      fix=f"SHADOW_GATEWAY={fleet.url} SHADOW_TOKEN_FILE={fleet.token_file} "
                          "build/gateway/ctl/shadowctl doctor")
    job = json.loads(done.stdout)
    pairs = pair(job)
    for source, output in pairs:
        verify(output, source)
    if pairs:
        show(fleet, pairs, job, seconds)
    elif not done.returncode:
        raise Problem("there is no file in what you named", fix="name files, or folders that hold some")
    if done.returncode:
        raise Problem("some inputs failed: they are listed above", fix="see that you may read them")
    if files:
        print(f"outputs    {out}")
    else:
        shutil.rmtree(folder)  # copies, and what was made of them
