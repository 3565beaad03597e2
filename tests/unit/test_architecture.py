"""The rules that keep the layout what it says: who imports whom, how long a file may be."""

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("cli", "contracts", "ingest", "local", "processors", "query", "service")
LINES_MAX = 250

ALLOWED = {
    "contracts": {"contracts"},
    "service": {"contracts", "service"},
    "ingest": {"contracts", "service", "ingest"},
    "query": {"contracts", "service", "query"},
    "processors": {"contracts", "service", "processors"},
}
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


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_the_packages_that_it_may(package: str) -> None:
    for path in files(package):
        assert imported(path) & set(PACKAGES) <= ALLOWED[package], path


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


@pytest.mark.parametrize("package", ["contracts", "service", "ingest", "query", "processors"])
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
