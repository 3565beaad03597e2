"""Workers share the tests by groups, and all of them one stack."""

import random
from itertools import chain, groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest
from tests.budget import ALIKE_BY_FILE, BUDGETS_S, ByFolder, arrange, group

TESTS = Path(__file__).parent.parent
LONGEST = ["view", "alone", "console"]


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
def test_a_group_is_one_workers_and_the_longest_are_begun_first(workers: int) -> None:
    """All is run once; a worker is done with a group before it begins the next."""
    tests = [f"tests/{each}/test_{n}.py::test" for each in BUDGETS_S for n in range(4)]
    tests += [f"{file}::test" for file in ALIKE_BY_FILE]
    random.Random(1).shuffle(tests)
    items: Any = [SimpleNamespace(nodeid=each) for each in tests]
    arrange(items)
    tests = [each.nodeid for each in items]
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
    assert [group(tests[node.given[0]]) for node in nodes] == LONGEST[:workers]
    done = [0] * workers
    while any(done[n] < len(node.given) for n, node in enumerate(nodes)):
        for number, node in enumerate(nodes):
            if done[number] < len(node.given):
                scheduler.mark_test_complete(node, node.given[done[number]])
                done[number] += 1
    assert sorted(index for node in nodes for index in node.given) == list(range(len(tests)))
    run = [[name for name, _ in groupby(group(tests[n]) for n in node.given)] for node in nodes]
    assert sorted(chain(*run)) == sorted({group(each) for each in tests})


def test_those_who_want_the_same_stack_are_a_group() -> None:
    for one, other in (
        ("tests/view/test_rebuild.py", "tests/view/test_audit.py"),
        ("tests/faults/test_loss.py", "tests/faults/test_job_kills.py"),
        ("tests/console/test_live.py", "tests/console/test_pages.py"),
        ("tests/e2e/test_lifecycle.py", "tests/attacks/test_destinations.py"),
    ):
        assert group(f"{one}::test[a]") == group(f"{other}::test_more")
    for one, other in (
        ("tests/alone/test_kills.py", "tests/view/test_audit.py"),
        ("tests/faults/test_kills.py", "tests/faults/test_job_kills.py"),
        ("tests/e2e/test_batch.py", "tests/e2e/test_search.py"),
    ):
        assert group(f"{one}::test") != group(f"{other}::test")


@pytest.mark.parametrize(
    ("next_", "ended"),
    [
        ("tests/view/test_rebuild.py::test", False),
        ("tests/alone/test_status.py::test", True),
        ("tests/e2e/test_batch.py::test", True),
        (None, True),
    ],
)
def test_a_stack_with_settings_ends_with_its_group(next_: str | None, ended: bool) -> None:
    stopped = list[bool]()
    another: Any = SimpleNamespace(stop=lambda: stopped.append(True))
    item: Any = SimpleNamespace(
        nodeid="tests/view/test_owed.py::test",
        config=SimpleNamespace(stash={conftest.ANOTHER: another}),
    )
    nextitem: Any = next_ and SimpleNamespace(nodeid=next_)
    conftest.pytest_runtest_teardown(item, nextitem)
    assert bool(stopped) == ended


@pytest.mark.parametrize("file", sorted(ALIKE_BY_FILE))
def test_a_file_that_has_a_group_is_there(file: str) -> None:
    assert (TESTS.parent / file).exists()


def test_every_folder_of_tests_has_a_budget() -> None:
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders == set(BUDGETS_S)
