"""deploy/quickstart: build, start, stop, ask; and a first job that shows that it works."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import job
from fleet import Fleet
from words import Problem, say

ROOT = Path(__file__).resolve().parents[2]
PORT = 8420
USAGE = """quickstart [FILE|DIR...]    start what is not running, then compress FILEs (or fifty found under /usr)
       quickstart start            start what is not running
       quickstart status [--json]  what runs; exit status 3 if nothing does
       quickstart stop             stop what quickstart started"""


def read_arguments():
    parser = argparse.ArgumentParser(prog="quickstart", usage=USAGE, allow_abbrev=False)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--agents", metavar="N", type=int, default=2, help="how many agents (default 2)")
    parser.add_argument("--state", metavar="DIR", help="where everything is kept (default ~/.local/share/shadowwork)")
    parser.add_argument("--port", metavar="N", type=int,
                        help=f"the gateway's port; the broker takes the next two (default {PORT})")
    parser.add_argument("--json", action="store_true", help="status for programs")
    given = parser.parse_intermixed_args()
    verbs = ("start", "status", "stop")
    given.verb = given.words.pop(0) if given.words and given.words[0] in verbs else "run"
    if given.verb != "run" and given.words:
        parser.error(f"{given.verb} takes no files (a file of that name: ./{given.verb})")
    if given.json and given.verb != "status":
        parser.error("--json belongs to status")
    if not 1 <= given.agents <= 64:
        parser.error("--agents: 1 to 64")
    if given.port is not None and not 1 <= given.port <= 65533:
        parser.error("--port: 1 to 65533")
    for word in given.words:
        if not os.path.exists(word):
            parser.error(f"no such file: {word}")
    return given


def default_state():
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "shadowwork"


def build(fleet):
    """Installs what is missing and brings the release build up to date; ninja does nothing if it is."""
    subprocess.run([ROOT / "tests" / "deps", "build"], check=True)
    steps = [["ninja", "-C", "build"]]
    if not (ROOT / "build" / "build.ninja").exists():
        say("building a release build in build/ (a minute or two)")
        steps.insert(0, ["meson", "setup", "build", "-Dbuildtype=release", "-Dtests=false"])
    log = fleet.log_folder / "build.log"
    for step in steps:
        with log.open("ab") as out:
            done = subprocess.run(step, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Problem(f"the build failed: {' '.join(step)}", log=log,
                          fix="see the log; `rm -rf build` and try again if the checkout has changed much")


def show_status(fleet, as_json):
    running = fleet.running()
    if as_json:
        print(json.dumps({
            "gateway": fleet.url, "tokenFile": str(fleet.token_file), "state": str(fleet.state),
            "processes": [{"role": p.role, "name": p.name, "pid": p.pid} for p in running]}))
    elif not running:
        print("nothing is running")
    else:
        print(f"gateway  {fleet.url}\ntoken    {fleet.token_file}\nstate    {fleet.state}")
        for process in fleet.known():
            where = f"pid {process.pid}" if process.pid else f"not running, see {process.log}"
            print(f"{process.name:8} {where}")
    return 0 if running else 3


def main():
    given = read_arguments()
    fleet = Fleet(ROOT, Path(given.state or default_state()).absolute(), given.port, PORT)
    if given.verb == "status":
        return show_status(fleet, given.json)
    if given.verb == "stop":
        with fleet.lock():
            stopped = fleet.stop()
        say(f"stopped {' '.join(stopped)}" if stopped else "nothing was running")
        return 0
    with fleet.lock():
        build(fleet)
        started = fleet.start(given.agents)
        say(f"started {' '.join(started)}" if started else "everything is running already")
    is_default = fleet.state == default_state().absolute()
    how = fleet.tell_shadowctl(is_default)
    if given.verb == "run":
        job.first_job(fleet, [Path(word).absolute() for word in given.words])
    link = fleet.login_link()
    if link:
        print(f"\npage       {link}\n           (logs one browser in, within ten minutes; `shadowctl login-link` prints another)",
              end="")
    print(f"\ngateway    {fleet.url}\nshadowctl  {how}\nstop       {fleet.how_to_stop()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        problem.show()
        sys.exit(1)
    except subprocess.CalledProcessError as failed:
        say(f"failed: {' '.join(map(str, failed.cmd))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
