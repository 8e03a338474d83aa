"""Rules that deploy/compose.yaml and the Dockerfile must keep; no container runs here."""

import re
import stat
import subprocess

import pytest
import yaml
from tree import BUILD, ROOT, binaries, needed_with_ours

DOCKER = ROOT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
TEXT = (ROOT / "deploy" / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
VERSION = re.search(r"version: '(.+?)'", (ROOT / "meson.build").read_text())[1]
SECRET = re.compile(r"pass|secret|token|key|uri|credential", re.IGNORECASE)


def environment(service):
    given = service.get("environment") or {}
    return given if isinstance(given, dict) else dict(item.partition("=")[::2] for item in given)


def is_one_shot(name):
    """Ends by itself, and others wait for that: there is nothing to look after."""
    waited = [(other.get("depends_on") or {}).get(name, {}).get("condition") for other in SERVICES.values()]
    return SERVICES[name].get("restart") == "no" and "service_completed_successfully" in waited


def pinned(image):
    return re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$|@sha256:[0-9a-f]{64}$", image)


@pytest.mark.parametrize("name", SERVICES)
class TestService:
    def test_no_secret_in_environment_or_arguments(self, name):
        service = SERVICES[name]
        assert "env_file" not in service
        for key, value in environment(service).items():
            by_file = key.endswith("_FILE") and str(value).startswith("/run/secrets/")
            assert by_file or not SECRET.search(key), f"{key} in the environment"
            assert "://" not in str(value)
        words = f"{service.get('command')} {service.get('entrypoint')} {service.get('build')}"
        assert "://" not in words and not re.search(r"password=|token=", words, re.IGNORECASE)

    def test_is_not_root(self, name):
        service = SERVICES[name]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
        assert service["cap_drop"] == ["ALL"] and not service.get("cap_add") and not service.get("privileged")
        assert service["security_opt"] == ["no-new-privileges:true"] and service["read_only"] is True
        assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))

    def test_is_looked_after(self, name):
        if not is_one_shot(name):
            assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
            assert SERVICES[name]["restart"] == "unless-stopped"

    def test_image_is_pinned(self, name):
        image = SERVICES[name]["image"]
        assert pinned(image), image
        if "build" in SERVICES[name]:
            assert image.endswith(f":{VERSION}")

    def test_ports_are_this_hosts(self, name):
        assert [port for port in SERVICES[name].get("ports", []) if not str(port).startswith("127.0.0.1:")] == []

    def test_what_it_mounts_is_declared(self, name):
        service = SERVICES[name]
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / "deploy" / source).is_file()


def test_agents_can_be_scaled():
    agent = SERVICES["agent"]
    assert "container_name" not in agent and "ports" not in agent and "hostname" not in agent
    assert [volume for volume in agent["volumes"] if not volume.endswith(":ro")] == []


def test_nothing_secret_comes_from_the_callers_environment():
    assert set(re.findall(r"(?<!\$)\$\{?(\w+)", TEXT)) == {"SHADOW_AGENTS_MAX"}


def test_every_stage_is_pinned_and_no_root():
    assert pinned(re.search(r"^ARG DEBIAN=(\S+)$", DOCKERFILE, re.MULTILINE)[1])
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert {source for source, _ in stages} == {"${DEBIAN}", "base"}
    for target in ("broker", "gateway", "agent"):
        stage = DOCKERFILE.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        user = re.search(r"^USER (\S+)$", stage, re.MULTILINE)[1]
        assert user == SERVICES[target]["user"] and SERVICES[target]["build"]["target"] == target
    assert not re.search(r"^(ENV|ADD) ", DOCKERFILE, re.MULTILINE)


def test_images_have_the_libraries():
    listed = set(re.findall(r"\blib[a-z0-9.+-]+\d\b", DOCKERFILE.split(" AS base")[1].split("&& rm")[0]))
    wanted = {}
    for program in binaries("programs"):
        if program.name != "shadowctl":
            for library in needed_with_ours(program):
                wanted[library] = program.name
    lines = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    missing = []
    for library, program in wanted.items():
        found = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)$", lines, re.MULTILINE)
        if library.startswith(("libc.", "libm.", "ld-linux", "libgcc_s", "libshadow")) or not found:
            continue
        path = found[1]
        done = subprocess.run(["dpkg", "-S", path, f"/usr{path}"], capture_output=True, text=True)
        package = done.stdout.split(":")[0]
        if package not in listed:
            missing.append(f"{program} needs {library} of {package}")
    assert wanted and missing == []


def test_setup_makes_the_secrets(tmp_path):
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([DOCKER / "setup", folder], check=True, capture_output=True)
        made = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert set(made) == set(COMPOSE["secrets"])
    subprocess.run([DOCKER / "setup", folder], check=True, capture_output=True)
    assert made == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(made["mongo-password"]) == 32 and made["mongo-password"] != made["mongo-admin-password"]
    assert made["mongo-password"] in made["broker.conf"]
    done = subprocess.run([BUILD / "broker" / "shadow-broker", "--config", folder / "broker.conf", "--state", tmp_path / "state",
                           "--add-peer", f"agent:a:{tmp_path / 'a.key'}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # the file is one that it understands


def test_secrets_are_not_in_the_repository():
    done = subprocess.run(["git", "check-ignore", "-q", "deploy/docker/secrets/broker.conf"], cwd=ROOT)
    assert done.returncode == 0
