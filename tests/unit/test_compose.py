"""Compose and the image, as far as they can be checked without a Docker engine."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.settings import rows

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENDS_BY_ITSELF = {"setup"}
CLUSTER = "EVENTS_TABLES__CLUSTER"


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_that_is_set_is_a_setting(service: str) -> None:
    known = {row[0] for row in rows()}
    given = SERVICES[service].get("environment", {})
    assert {name for name in given if name.startswith("EVENTS_")} <= known


@pytest.mark.parametrize("service", SERVICES)
def test_every_command_is_a_module_that_exists_and_is_in_the_image(service: str) -> None:
    for module in re.findall(r"python -m ([\w.]+)", SERVICES[service].get("command", "")):
        assert importlib.util.find_spec(module) is not None
        copied = re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE)
        assert module.replace(".", "/") in copied or module.split(".")[0] in copied


def test_what_the_image_holds_imports_nothing_of_ours_that_it_does_not_hold() -> None:
    copied = [ROOT / name for name in re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)]
    sources = [path for each in copied if each.is_dir() for path in each.rglob("*.py")]
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    held = {*sources, *(path for path in copied if path.is_file())}
    for source in sources:
        for module in re.findall(r"^\s*(?:from|import) ([\w.]+)", source.read_text(), re.MULTILINE):
            if module.split(".")[0] in ours:
                path = ROOT / module.replace(".", "/")
                assert {path.with_suffix(".py"), path / "__init__.py"} & held, f"{source}: {module}"


LOADED = """
import sys
from processors.__main__ import asked
asked(sys.argv[1:])
print(*(each.__file__ for each in sys.modules.values() if getattr(each, "__file__", None)), sep="\\n")
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies, in a folder of its own."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target)
        elif source.endswith(".py"):
            (folder / target).mkdir(exist_ok=True)
            shutil.copy(ROOT / source, folder / target)
    return folder


@pytest.mark.parametrize("command", [["audit"], ["rebuild"], ["accept-log", "new"], ["migrate"]])
def test_the_image_alone_has_the_commands_of_operators(image: Path, command: list[str]) -> None:
    """It loads nothing from the repository."""
    answer = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, *command],
        env={"PYTHONPATH": str(image)},
        cwd=image,
        timeout=60,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = [Path(each) for each in answer.stdout.splitlines()]
    assert image / "processors" / "upkeep" / "commands.py" in loaded
    ours = [each.relative_to(ROOT).parts[0] for each in loaded if each.is_relative_to(ROOT)]
    assert set(ours) <= {".venv"}


def test_the_console_and_browsers_know_the_issuer_by_one_address() -> None:
    """Its `iss` is a text that both compare, and the page of the issuer is shown to a browser."""
    issuer = SERVICES["issuer"]
    address = issuer["command"].split("--issuer ")[1].split()[0]
    for service in SERVICES.values():
        told = service.get("environment", {}).get("EVENTS_ACCESS__ISSUER", address)
        assert told == address
    console = SERVICES["console"]
    assert console["network_mode"] == "service:issuer"
    url = console["environment"]["EVENTS_CONSOLE__URL"]
    assert f"--client console={url}/sign-in/callback,{url}/signed-out" in issuer["command"]
    published = {port.rpartition(":")[0] for port in issuer["ports"]}
    assert {url.removeprefix("http://"), address.removeprefix("http://")} == published


def test_one_service_builds_the_image_that_the_others_use() -> None:
    assert len([name for name, service in SERVICES.items() if "build" in service]) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_when_it_is_started_again(service: str) -> None:
    assert SERVICES[service]["restart"] in ("unless-stopped", "on-failure")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_that_serves_has_a_health_check(service: str) -> None:
    assert ("healthcheck" in SERVICES[service]) != (service in ENDS_BY_ITSELF)


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_waits_for_exists_and_can_become_that(service: str) -> None:
    for name, wait in SERVICES[service].get("depends_on", {}).items():
        healthy = wait["condition"] == "service_healthy"
        assert ("healthcheck" in SERVICES[name]) == healthy


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_and_every_mounted_file_exists(service: str) -> None:
    image = SERVICES[service]["image"]
    assert image == "events-api" or re.search(r":\d", image), image
    for volume in SERVICES[service].get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_cluster_adds_replicas_to_services_that_are_there() -> None:
    """compose.cluster.yaml, which Compose lays over compose.yaml."""
    over = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())["services"]
    known = {row[0] for row in rows()}
    for name, service in over.items():
        assert name in SERVICES or re.search(r":\d", service["image"])
        given = service.get("environment", {})
        assert {each for each in given if each.startswith("EVENTS_")} <= known
        for wait in service.get("depends_on", {}):
            assert "healthcheck" in over[wait]
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).is_file()
    told = {name for name in over if over[name].get("environment", {}).get(CLUSTER) == "main"}
    [readers] = [row[2] for row in rows() if row[0] == CLUSTER]
    assert told == set(readers.split(", "))
    config = (ROOT / "docs" / "clickhouse-replicas.xml").read_text()
    hosts = set(re.findall(r"<host>([\w-]+)</host>", config))
    assert hosts == {"keeper", *(name for name in over if name.startswith("clickhouse"))}


def test_the_image_runs_as_a_user_without_rights_and_checks_what_it_installs() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE
