"""Everything that quickstart runs from one state folder: broker, gateway, agents, their keys, the lock."""

import contextlib
import fcntl
import os
import re
import shlex
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from process import STOP_S, Process
from words import Problem, say


class Fleet:
    def __init__(self, root, state, port, default_port):
        self.root = root
        self.state = state
        self.run_folder = state / "run"
        self.log_folder = state / "log"
        self.token_file = state / "gateway" / "admin.token"
        self.broker = Process("broker", "broker", self.run_folder, self.log_folder)
        self.gateway = Process("gateway", "gateway", self.run_folder, self.log_folder)
        kept = self._kept_port()  # also when nothing runs: clients know the gateway by it
        if port and kept and port != kept and self.running():
            raise Problem(f"what runs from {state} uses port {kept}, not {port}",
                          fix=f"leave --port out, or stop it first: {self.how_to_stop()}")
        self.port = port or kept or default_port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def how_to_stop(self):
        """The command, fit to be pasted anywhere."""
        program = "./deploy/quickstart" if Path.cwd() == self.root else str(self.root / "deploy" / "quickstart")
        return shlex.join([program, "stop", "--state", str(self.state)])

    @property
    def broker_port(self):
        return self.port + 1

    def _kept_port(self):
        try:
            return int((self.run_folder / "port").read_text())
        except (OSError, ValueError):
            return None

    def agent(self, number):
        return Process("agent", f"agent-{number}", self.run_folder, self.log_folder)

    def known(self):
        """Every process that was ever started from here and not stopped, running or not."""
        files = self.run_folder.glob("agent-*.pid") if self.run_folder.exists() else []
        numbers = sorted(int(m.group(1)) for f in files if (m := re.fullmatch(r"agent-(\d+)\.pid", f.name)))
        everyone = [self.broker, self.gateway, *(self.agent(number) for number in numbers)]
        return [process for process in everyone if process.pid_file.exists()]

    def running(self):
        return [process for process in self.known() if process.pid]

    @contextlib.contextmanager
    def lock(self):
        """One quickstart at a time changes what runs; a second waits."""
        for folder in (self.state, self.run_folder, self.log_folder, self.state / "gateway"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.run_folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another quickstart is at work on {self.state}: waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # --- starting ---

    def _program(self, name):
        return self.root / "build" / name

    def _add_peer(self, role, name, key_file):
        if key_file.exists():
            return
        done = subprocess.run(
            [self._program("broker/shadow-broker"), "--state", self.state, "--add-peer", f"{role}:{name}:{key_file}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Problem(f"no key could be made for {name}: {done.stderr.strip()}",
                          fix=f"see that {self.state} is yours and that its disk is not full")

    def _check_port(self, process, ports):
        for port in ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as why:
                    raise Problem(f"the {process.name}'s port {port} cannot be used: {why.strerror}",
                                  fix="choose others with --port N (it takes N, N+1 and N+2)") from None

    def start(self, agents):
        """Starts what does not run; the names. Every agent is welcomed when this returns."""
        started = []
        (self.run_folder / "port").write_text(f"{self.port}\n")
        here = ["--state", self.state, "--listen", "127.0.0.1"]
        broker = f"127.0.0.1:{self.broker_port}"

        def bring_up(process, ports, *command):
            if process.pid:
                return
            self._check_port(process, ports)
            process.start(command)
            started.append(process.name)

        self._add_peer("gateway", "gateway", self.state / "gateway" / "broker.key")
        bring_up(self.broker, [self.broker_port, self.broker_port + 1],
                 self._program("broker/shadow-broker"), *here, "--port", self.broker_port)
        bring_up(self.gateway, [self.port],
                 self._program("gateway/shadow-gateway"), *here, "--port", self.port, "--broker", broker)
        slots = max(1, (os.cpu_count() or 1) // agents)
        for number in range(1, agents + 1):
            agent = self.agent(number)
            folder = self.state / "agents" / agent.name
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._add_peer("agent", agent.name, folder / "broker.key")
            bring_up(agent, [], self._program("agent/shadow-agent"), "--broker", broker, "--name", agent.name,
                     "--key", folder / "broker.key", "--scratch", folder / "scratch", "--slots", slots)
        return started

    def stop(self):
        """Ends exactly what was started from here: agents hand back their work first, the broker goes last."""
        known = self.known()
        stopped = []
        for role in ("agent", "gateway", "broker"):
            asked = [(p, h) for p in known if p.role == role and (h := p.ask_to_end()) is not None]
            deadline = time.monotonic() + STOP_S
            for process, handle in asked:
                process.await_end(handle, deadline)
                stopped.append(process.name)
        return stopped

    # --- shadowctl ---

    def tell_shadowctl(self, is_default):
        """Makes shadowctl find the gateway; how to call it."""
        program = self.root / "build" / "gateway" / "ctl" / "shadowctl"
        config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        folder = (config if config.is_absolute() else Path.home() / ".config") / "shadowwork"
        file = folder / "shadowctl.conf"
        text = f"gateway = {self.url}\ntoken-file = {self.token_file}\n"
        was = file.read_text(errors="replace") if file.exists() else ""
        ours = re.sub(r"(?<=\Agateway = http://127\.0\.0\.1:)\d+(?=\n)", str(self.port), was) == text
        if is_default and (not was or ours):  # written here before, perhaps with another port
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if was != text:
                fresh = file.with_suffix(".new")
                fresh.touch(mode=0o600)
                fresh.write_text(text)
                fresh.rename(file)
            return shlex.quote(str(program))
        token, program = shlex.quote(str(self.token_file)), shlex.quote(str(program))
        return f"SHADOW_GATEWAY={self.url} SHADOW_TOKEN_FILE={token} {program}"

    # --- the page ---

    def has_page(self):
        """Whether the gateway was built with one."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy
        try:
            with opener.open(self.url + "/", timeout=10) as answer:
                return answer.headers.get_content_type() == "text/html"
        except OSError:
            return False

    def login_link(self):
        """An address that logs one browser in, once; None without a page."""
        if not self.has_page():
            return None
        done = subprocess.run(
            [self.root / "build" / "gateway" / "ctl" / "shadowctl", "login-link"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30,
            env={**os.environ, "SHADOW_GATEWAY": self.url, "SHADOW_TOKEN_FILE": str(self.token_file)})
        return done.stdout.strip() if done.returncode == 0 else None
