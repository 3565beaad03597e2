"""The rules that keep the layout what it says: who imports whom, how long a file may be."""

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("cli", "console", "contracts", "ingest", "local", "processors", "query", "service")
LINES_MAX = 250

CONTRACTS = ("contracts", "contracts/encoding", "contracts/clickhouse", "contracts/filters")
SERVICE = ("service", "service/http", "service/kafka", "service/access", "service/aws")
CONSOLE_PAGES = ("console/pages", "console/pages/subscriptions")
ALLOWED: dict[str, tuple[str, ...]] = {
    # what two processes must agree on: plain models, then bytes, tables, documents of them
    "contracts": (*CONTRACTS, "contracts/documents"),
    "contracts/encoding": ("contracts",),
    "contracts/filters": ("contracts", "contracts/encoding"),
    "contracts/clickhouse": ("contracts", "contracts/encoding", "contracts/filters"),
    "contracts/documents": CONTRACTS,
    # how a process of ours runs
    "service": (*CONTRACTS, *SERVICE),
    "service/access": (*CONTRACTS, "service"),
    "service/aws": (*CONTRACTS, "service"),
    "service/kafka": (*CONTRACTS, "service"),
    "service/http": (*CONTRACTS, "service", "service/kafka"),
    # the services
    "ingest": (*CONTRACTS, *SERVICE),
    "query": (*CONTRACTS, *SERVICE),
    # a client of the public API: of ours it knows what a client knows, and how a process runs
    "console": (
        *(*CONTRACTS, *SERVICE, "console/access"),
        *("console/html", "console/live", "console/reading", *CONSOLE_PAGES),
    ),
    "console/access": (*CONTRACTS, *SERVICE, "console"),
    "console/html": CONTRACTS,
    "console/line": (*CONTRACTS, "console/html"),
    "console/live": (*CONTRACTS, "console", "console/reading"),
    "console/reading": (*CONTRACTS, "console/html"),
    "console/pages": (
        *(*CONTRACTS, "console", "console/access"),
        *("console/html", "console/line", "console/live", "console/reading"),
    ),
    "console/pages/subscriptions": (*CONTRACTS, "console", "console/html", "console/reading"),
    "processors": (
        *CONTRACTS,
        *SERVICE,
        *("processors/consume", "processors/materialize", "processors/upkeep"),
        *("processors/ledger", "processors/deliver", "processors/deliver/destinations"),
        "processors/deliver/destinations/sqs",
    ),
    "processors/consume": (*CONTRACTS, *SERVICE, "processors"),
    "processors/materialize": (*CONTRACTS, *SERVICE, "processors/consume"),
    "processors/upkeep": (
        *(*CONTRACTS, *SERVICE, "processors"),
        *("processors/consume", "processors/materialize", "processors/upkeep/deliveries"),
    ),
    "processors/upkeep/deliveries": (
        *(*CONTRACTS, *SERVICE, "processors"),
        *(
            "processors/consume",
            "processors/deliver",
            "processors/materialize",
            "processors/upkeep",
        ),
    ),
    "processors/ledger": (*CONTRACTS, "processors/consume", "processors/materialize"),
    "processors/deliver": (*CONTRACTS, *SERVICE, "processors/consume"),
    "processors/deliver/destinations": (*CONTRACTS, *SERVICE, "processors/deliver"),
    "processors/deliver/destinations/sqs": (*CONTRACTS, *SERVICE, "processors/deliver"),
}
"""Which folders the files of a folder may import, beside their own."""
SETTINGS_ALONE = {
    "processors/consume": "processors.settings",
    "processors/upkeep": "processors.settings",
    "processors/upkeep/deliveries": "processors.settings",
}
"""Of the parent's files these see one."""
CONCRETE_DESTINATIONS = re.compile(
    r"processors\.deliver\.destinations\.(?!protocol|registry)[\w.]+"
)
KNOW_DESTINATIONS = {"processors/__main__.py", "processors/deliver/destinations/registry.py"}
LIBRARIES_OF_CONTRACTS = {
    *("pydantic", "pydantic_core", "jwt"),
    *(
        "msgspec",
        "pybase64",
        "crc32c",
        "cramjam",
        "zstandard",
    ),  # what the hot paths read and write with: no input or output
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of everything that the file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def modules(path: Path) -> set[str]:
    """Every module of ours that the file imports, dotted."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            are = {each for each in below if (ROOT / f"{each.replace('.', '/')}.py").exists()}
            found |= are or {node.module}
    return {each for each in found if each.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_the_folders_that_it_may(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("*.py")):
        for module in modules(path):
            source = module.replace(".", "/").rpartition("/")[0]
            if (ROOT / module.replace(".", "/")).is_dir():
                source = module.replace(".", "/")
            if source != folder:
                assert source in ALLOWED[folder], f"{path}: {module}"
            if source == "processors":
                assert SETTINGS_ALONE.get(folder, module) == module, f"{path}: {module}"


def test_every_folder_has_its_rule() -> None:
    for package in ("contracts", "service", "ingest", "query", "processors", "console"):
        for path in files(package):
            assert path.parent.relative_to(ROOT).as_posix() in ALLOWED, path


def test_only_the_registry_knows_a_concrete_destination() -> None:
    for path in files("processors"):
        if path.relative_to(ROOT).as_posix() not in KNOW_DESTINATIONS:
            folder = path.parent.relative_to(ROOT).as_posix()
            own = folder.replace("/", ".") + "." if "/destinations/" in folder else "no module"
            known = [
                each
                for each in modules(path)
                if CONCRETE_DESTINATIONS.fullmatch(each) and not each.startswith(own)
            ]
            assert not known, path


def test_contracts_need_no_library_that_does_input_or_output() -> None:
    for path in files("contracts"):
        foreign = imported(path) - set(sys.stdlib_module_names) - {"contracts"}
        assert foreign <= LIBRARIES_OF_CONTRACTS, path


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_one_thing(package: str) -> None:
    for path in files(package):
        assert len(path.read_text().splitlines()) <= LINES_MAX, path


UNICODE_PATTERN = re.compile(r"\\[dDwW]")
UNICODE_METHODS = {"isdigit", "isdecimal", "isnumeric", "isalnum", "isalpha", "isidentifier"}


def takes_any_alphabet(node: ast.AST) -> bool:
    """Whether it tells digits or letters apart by Unicode's tables: a pattern, or a method of text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(UNICODE_PATTERN.search(node.value))
    return isinstance(node, ast.Attribute) and node.attr in UNICODE_METHODS


@pytest.mark.parametrize("package", [*PACKAGES, "bench", "examples"])
def test_digits_and_letters_are_those_of_ascii(package: str) -> None:
    """An ARN with an Arabic digit was accepted, and stopped the router: `\\d` takes every digit there is."""
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if takes_any_alphabet(node):
                line = path.read_text().splitlines()[getattr(node, "lineno", 1) - 1]
                assert "isascii()" in line, f"{path}:{getattr(node, 'lineno', 0)}: {line.strip()}"


@pytest.mark.parametrize(
    "package", ["contracts", "service", "ingest", "query", "processors", "console"]
)
def test_the_environment_is_read_by_settings_alone(package: str) -> None:
    for path in files(package):
        if path != ROOT / "service" / "settings.py":
            assert "os.environ" not in path.read_text(), path


def test_the_files_of_a_package_import_each_other_one_way() -> None:
    for package in PACKAGES:
        graph = {path: own_imports(path, package) for path in files(package)}
        names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in graph}
        order = graphlib.TopologicalSorter(
            {name: graph[path] & names.keys() - {name} for name, path in names.items()}
        )
        order.prepare()  # raises CycleError with the files


def own_imports(path: Path, package: str) -> set[str]:
    """Modules of its own package that a file imports when it is loaded or for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
