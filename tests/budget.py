"""Seconds that each folder of tests may take, and which tests stay together when workers share them.

The one place for both. Two workers of 8 minutes have 960 s: what takes longer goes to `make test-faults`.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

BUDGETS_S = {
    "faults": 150,
    "view": 250,
    "cluster": 60,
    "e2e": 130,
    "attacks": 50,
    "local": 90,
    "clients": 30,
    "adapters": 60,
    "cli": 60,
    "model": 40,
    "filters": 15,
    "unit": 25,
}
"""By folder, in the order in which they are begun: what cannot be divided first."""

TOGETHER = ("faults", "view", "cluster", "clients")
"""Folders whose tests share servers of their own: one worker runs them. Elsewhere a file is a group."""


def arrange(items: list[pytest.Item], root: Path) -> None:
    """Give each test its group, and put them in the order in which groups are begun."""
    begun = list(BUDGETS_S)
    for item in items:
        path = item.path.relative_to(root)
        group = path.parts[0] if path.parts[0] in TOGETHER else path.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: begun.index(item.path.relative_to(root).parts[0]))


def account(reports: Iterable[pytest.TestReport]) -> list[str]:
    """A line for each folder that was run: seconds of its tests and fixtures beside the budget."""
    spent: dict[str, float] = defaultdict(float)
    for report in reports:
        spent[report.nodeid.removeprefix("tests/").partition("/")[0]] += report.duration
    return [
        f"{folder:10}{spent[folder]:6.0f} of {budget_s:4} s{'  OVER' * (spent[folder] > budget_s)}"
        for folder, budget_s in BUDGETS_S.items()
        if folder in spent
    ]
