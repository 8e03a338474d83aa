"""A whole ShadowWork on loopback in a temporary folder: broker, gateway, agents, a REST session, shadowctl."""

import os
import random
import socket
import subprocess
import time
from pathlib import Path

import requests
from program import Program

ROOT = Path(__file__).resolve().parents[2]
# below the ports that the kernel gives to outgoing connections; a part of them where runs go side by side
PORTS = range(*map(int, os.environ.get("SHADOW_E2E_PORTS", "24600-32000").split("-")))


def free_ports(count):
    """The first of `count` neighbouring free loopback ports."""
    while True:
        first = random.choice(PORTS)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


def until(check, what, limit_s=60):
    """Calls `check` until it gives something true, and returns that; fails after `limit_s`. Only for what no
    event announces: prefer Program.wait_log and `shadowctl wait`."""
    deadline = time.monotonic() + limit_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"{what}: not within {limit_s} s"
        time.sleep(0.02)
    return found


class Rest(requests.Session):
    """A requests session with the admin's token; takes paths: rest.get("/api/jobs")."""

    def __init__(self, url, token):
        super().__init__()
        self.url = url
        self.trust_env = False  # no proxy, no .netrc
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, url, **options):
        options.setdefault("timeout", 60)
        return super().request(method, self.url + url if url.startswith("/") else url, **options)


class System:
    def __init__(self, folder, build, store="sqlite"):
        self.folder = Path(folder)
        self.store = store  # as the broker's option
        self.build = ROOT / build
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        (self.state / "gateway").mkdir(mode=0o700)
        self.gateway_port = free_ports(3)
        self.broker_port = self.gateway_port + 1
        self.brokers = f"127.0.0.1:{self.broker_port}"  # as agents and gateway are told
        self.url = f"http://127.0.0.1:{self.gateway_port}"
        self.token_file = self.state / "gateway" / "admin.token"
        self.agents = {}  # name -> Program
        self._all = []
        self.broker = self._program("broker", self.build / "broker" / "shadow-broker", "--state", self.state,
                                    "--store", store, "--listen", "127.0.0.1", "--port", self.broker_port)
        self.gateway = self._program("gateway", self.build / "gateway" / "shadow-gateway", "--state", self.state,
                                     "--listen", "127.0.0.1", "--port", self.gateway_port,
                                     "--broker", self.brokers)

    def _program(self, name, *command):
        program = Program(name, command, self.folder / f"{name}.log")
        self._all.append(program)
        return program

    def add_peer(self, role, name, key_file):
        """Makes and registers a key (before or while the broker runs)."""
        subprocess.run([self.build / "broker" / "shadow-broker", "--state", self.state,
                        "--add-peer", f"{role}:{name}:{key_file}"], check=True, timeout=30)
        return key_file

    def add_broker(self, name, *flags):
        """A further broker on the same state, not started; before anything runs, so that all are told of it."""
        port = free_ports(2)
        self.brokers += f", 127.0.0.1:{port}"
        self.gateway.command[-1] = self.brokers
        return self._program(name, self.build / "broker" / "shadow-broker", "--state", self.state, "--listen",
                             "127.0.0.1", "--port", port, "--store", self.store, *flags)

    def start(self, agents=2, slots=1):
        """Starts everything; every agent is welcomed when this returns."""
        self.add_peer("gateway", "gateway", self.state / "gateway" / "broker.key")
        self.broker.start()
        self.gateway.start()
        for i in range(agents):
            self.add_agent(f"agent-{i + 1}", slots)
        return self

    def add_agent(self, name, slots=1, *flags, start=True):
        """One more agent, with further --flags if given."""
        scratch = self.folder / "scratch" / name
        scratch.mkdir(parents=True, exist_ok=True)
        key = self.add_peer("agent", name, self.folder / f"{name}.key")
        agent = self._program(name, self.build / "agent" / "shadow-agent", "--broker",
                              self.brokers, "--name", name, "--key", key,
                              "--scratch", scratch, "--slots", slots, *flags)
        self.agents[name] = agent
        return agent.start() if start else agent

    @property
    def token(self):
        return self.token_file.read_text().strip()

    def rest(self, token=None):
        """A REST session: the admin's, or another token's ("" for none)."""
        return Rest(self.url, self.token if token is None else token)

    def ctl_command(self, *arguments):
        """(argv, environment) of shadowctl, for tests that start it themselves."""
        command = [self.build / "gateway" / "ctl" / "shadowctl", *arguments]
        env = {**os.environ, "SHADOW_GATEWAY": self.url, "SHADOW_TOKEN_FILE": str(self.token_file),
               "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / ".config")}
        return [os.fspath(word) if not isinstance(word, (str, bytes)) else word for word in command], env

    def ctl(self, *arguments, status=0, limit_s=240, **options):
        """Runs shadowctl to its end and checks its exit status (None: any); text output unless text=False."""
        command, env = self.ctl_command(*arguments)
        options = {"capture_output": True, "text": True, "env": env, **options}
        if options.get("input") is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(command, timeout=limit_s, **options)
        assert status is None or done.returncode == status, \
            f"{command} ended with {done.returncode}, not {status}:\n{done.stdout}\n{done.stderr}"
        return done

    def stop(self):
        """Stops everything that runs, agents first, and fails if anything wrote a sanitizer report."""
        problems = []
        for program in reversed(self._all):
            try:
                program.stop()
                program.check()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n".join(problems)
