"""Seconds that each folder of tests may take, and which tests stay together when workers share them.

The one place for both. As seen with three workers on two cores, where each waits for the others too:
ten and a half minutes in all. What takes long goes to `make test-faults`.
"""

from collections import defaultdict
from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

BUDGETS_S = {
    "console": 240,
    "faults": 300,
    "view": 180,
    "cluster": 45,
    "e2e": 470,
    "attacks": 120,
    "local": 190,
    "clients": 20,
    "drivers": 30,
    "adapters": 160,
    "cli": 100,
    "model": 20,
    "filters": 20,
    "grouping": 50,
    "unit": 110,
}
"""By folder, in the order in which they are begun: the longest that cannot be divided first."""

ALIKE = {
    "tests/e2e/test_send_again.py": "console",
    "tests/e2e/test_lifecycle.py": "pausing",
    "tests/attacks/test_destinations.py": "pausing",
}
"""Files that want a stack with the same settings, by the name of their group."""

TOGETHER = ("faults", "view", "cluster", "clients", "console", "drivers")
"""Folders whose tests share servers of their own: one worker runs them. Elsewhere a file is a group."""

ON_STACK = ("e2e", "attacks", "local", "adapters", "cli")
"""Folders that use the stack of all tests: the worker that begins with the others starts none."""


def arrange(items: list[pytest.Item]) -> None:
    """Put tests in the order in which their groups are begun."""
    begun = list(BUDGETS_S)
    items.sort(key=lambda item: begun.index(_folder(item.nodeid)))


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # untyped base
    """Gives a worker the tests of a group one after another, then the next group that is left."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give the first worker what needs no stack and the others what does, while there is any."""
        shared = node is not self.nodes[0]
        fits = (scope for scope in self.workqueue if (_folder(scope) in ON_STACK) == shared)
        self.workqueue.move_to_end(next(fits, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        folder, file = _folder(nodeid), nodeid.partition("::")[0]
        return ALIKE.get(file) or (folder if folder in TOGETHER else file)


def _folder(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("/")[0]


def account(reports: Iterable[pytest.TestReport]) -> list[str]:
    """A line for each folder that was run: seconds of its tests and fixtures beside the budget."""
    spent: dict[str, float] = defaultdict(float)
    for report in reports:
        spent[_folder(report.nodeid)] += report.duration
    return [
        f"{folder:10}{spent[folder]:6.0f} of {budget_s:4} s{'  OVER' * (spent[folder] > budget_s)}"
        for folder, budget_s in BUDGETS_S.items()
        if folder in spent
    ]
