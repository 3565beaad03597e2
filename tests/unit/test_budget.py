"""Workers share the tests so that as few of them as can be start a stack."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.budget import BUDGETS_S, ON_STACK, ByFolder


class Worker:
    """Remembers what it was given."""

    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_first_begins_with_what_needs_no_stack(workers: int) -> None:
    """The others take that when nothing else is left, and all is run once."""
    folders = ("faults", "e2e", "local", "cli", "model", "unit", "filters", "view")
    tests = [f"tests/{each}/test_{n}.py::test" for each in folders for n in range(4)]
    config: Any = SimpleNamespace(
        option=SimpleNamespace(loadscopereorder=False),
        getvalue=lambda name: ["popen"] * workers,
    )
    scheduler: Any = ByFolder(config, None)
    nodes = [Worker(f"gw{number}") for number in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    done = [0] * workers
    while any(done[n] < len(node.given) for n, node in enumerate(nodes)):
        for number, node in enumerate(nodes):
            if done[number] < len(node.given):
                scheduler.mark_test_complete(node, node.given[done[number]])
                done[number] += 1
    assert sorted(index for node in nodes for index in node.given) == list(range(len(tests)))
    for number, node in enumerate(nodes):
        shared = [tests[index].split("/")[1] in ON_STACK for index in node.given]
        assert shared == sorted(shared, reverse=number > 0)


def test_every_folder_of_tests_has_a_budget() -> None:
    tests = Path(__file__).parent.parent
    folders = {path.parent.name for path in tests.glob("*/test_*.py")}
    assert folders == set(BUDGETS_S)
