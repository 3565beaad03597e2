"""Every command of the README, of the tutorials and of the how-tos runs, and prints what is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import on_path
from tests.documents import ROOT, run, with_commands
from tests.stack import Stack


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with on_path(tmp_path_factory.mktemp("documents")) as folder:
        yield folder


@pytest.mark.parametrize("document", with_commands(), ids=lambda path: path.stem)
def test_the_commands_run_as_they_are_written(
    stack: Stack, document: Path, tmp_path: Path, commands: Path
) -> None:
    run(document, stack, tmp_path, commands)


def test_every_tutorial_and_the_readme_have_commands() -> None:
    found = {str(each.relative_to(ROOT)) for each in with_commands()}
    assert "README.md" in found
    assert {f"docs/tutorial/{each.name}" for each in (ROOT / "docs/tutorial").glob("*.md")} <= found
