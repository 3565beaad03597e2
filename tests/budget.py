"""Seconds that each folder of tests may take, and which tests stay together when workers share them.

The one place for both. As seen with five workers on two cores that were busy all the while, where each waits
for the others too: eight and a half minutes in all. What takes long goes to `make test-faults`.
"""

from collections import defaultdict
from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

BUDGETS_S = {
    "view": 345,
    "alone": 270,
    "console": 315,
    "faults": 490,
    "cluster": 60,
    "e2e": 345,
    "attacks": 150,
    "local": 155,
    "clients": 15,
    "drivers": 30,
    "adapters": 295,
    "cli": 105,
    "model": 25,
    "filters": 20,
    "grouping": 40,
    "unit": 110,
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
