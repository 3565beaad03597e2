"""Seconds that each folder of tests may take, and which tests stay together when workers share them.

The one place for both. As seen with four workers on two cores, a sixth more: about eight minutes in all.
Five workers take as long: they wait for the cores. What takes long goes to `make test-faults`.
"""

from collections import defaultdict
from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

BUDGETS_S = {
    "view": 215,
    "alone": 235,
    "console": 195,
    "faults": 345,
    "cluster": 55,
    "e2e": 240,
    "attacks": 125,
    "local": 130,
    "clients": 20,
    "drivers": 30,
    "adapters": 190,
    "cli": 95,
    "model": 20,
    "filters": 20,
    "grouping": 30,
    "unit": 105,
}
"""By folder, in the order in which they are begun: the longest that cannot be divided first."""

ALIKE = {
    "pausing": ("tests/e2e/test_lifecycle.py", "tests/attacks/test_destinations.py"),
    "faults of deliveries": tuple(
        f"tests/faults/test_{each}.py"
        for each in (
            *("delivery", "delivery_faults", "delivery_kills"),
            *("job_kills", "ledger", "loss", "neighbours"),
        )
    ),
}
"""Files that want a stack with the same settings, or servers of their own beside their folder's others."""
ALIKE_BY_FILE = {file: name for name, files in ALIKE.items() for file in files}

TOGETHER = ("view", "alone", "console", "faults", "cluster", "clients", "drivers")
"""Folders whose tests share servers of their own: one worker runs them. Elsewhere a file is a group."""


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
    folder = _folder(nodeid)
    return ALIKE_BY_FILE.get(file) or (folder if folder in TOGETHER else file)


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
