"""`events subscriptions enable --catch-up`: from when on something was missed."""

from typing import Any

import pytest

from cli.lifecycle import stopped_at

AT = "2026-01-31T12:00:00.000Z"
PAUSED = {"missed_from": "2026-01-30T12:00:00.000Z"}


def changed(at: str, after: Any, before: Any = None) -> dict[str, Any]:
    return {"at": at, "after": after, "before": before}


@pytest.mark.parametrize(
    ("subscription", "changes", "expected"),
    [
        ({"enabled": True}, [], ""),
        ({"enabled": True, "paused": PAUSED}, [], PAUSED["missed_from"]),
        ({"enabled": False}, [changed(AT, {"enabled": False})], "2026-01-31T11:59:59.000Z"),
        (
            {"enabled": False},
            [changed(AT, {"enabled": False}, {"paused": PAUSED})],
            "2026-01-30T12:00:00.000Z",
        ),
        (
            {"enabled": False},
            [
                changed("2026-02-02T12:00:00.000Z", {"name": "x"}),
                changed(AT, {"enabled": False}),
                changed("2026-01-01T12:00:00.000Z", {"enabled": True}),
                changed("2025-12-01T12:00:00.000Z", {"enabled": False}),
            ],
            "2026-01-31T11:59:59.000Z",
        ),
        ({"enabled": False}, [changed(AT, None)], ""),
    ],
)
def test_it_is_told_by_its_pause_or_by_who_disabled_it(
    subscription: Any, changes: Any, expected: str
) -> None:
    assert stopped_at(subscription, changes) == expected
