"""Seconds that each folder of tests may take, and which tests stay together when workers share them.

The one place for both. With four workers on two cores, where each waits for the others too: eight
minutes in all at most. What takes long goes to `make test-faults`.
"""

from collections import defaultdict
from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

BUDGETS_S = {
    "view": 180,
    "alone": 200,
    "faults": 300,
    "console": 240,
    "cluster": 45,
    "e2e": 400,
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
    "tests/e2e/test_lifecycle.py": "pausing",
    "tests/attacks/test_destinations.py": "pausing",
}
"""Files that want a stack with the same settings, by the name of their group."""

TOGETHER = {
    each: each for each in ("console", "faults", "alone", "cluster", "clients", "drivers")
} | {"view": "alone"}
"""Folders whose tests share servers of their own: one worker runs them. Elsewhere a file is a group.

The view's tests count all that their stack has, so they come first on the one that they share.
"""


def arrange(items: list[pytest.Item]) -> None:
    """Put tests in the order in which their groups are begun."""
    begun = list(BUDGETS_S)
    items.sort(key=lambda item: begun.index(_folder(item.nodeid)))


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # untyped base
    """Gives a worker the tests of a group one after another, then the next group that is left."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The name of the group that a test is of."""
    file = nodeid.partition("::")[0]
    return ALIKE.get(file) or TOGETHER.get(_folder(nodeid), file)


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
