"""Options that say how a subscription is delivered, and how one is shown to a person."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from rich.console import Console

from cli.delivery_options import seconds, settings_given
from cli.subscription_page import page_of
from cli.subscription_requests import with_members
from tests.queues import arn


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("7d", 604_800)]
)
def test_a_duration_is_a_number_of_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1", "1.5h", "1w", "1h30m", "\u0661h", "1" * 8, "1h\n"])
def test_another_text_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="whole number of seconds"):
        seconds(text)


def test_members_that_are_not_given_are_not_named_and_nothing_takes_one_back() -> None:
    assert settings_given(None, None, None, None, None) == {}
    assert settings_given("none", 200, 3600, None, arn("d")) == {
        "fairness": "none",
        "messages_per_s": 200,
        "retry_for_s": 3600,
        "dead_letter": {"type": "sqs", "arn": arn("d")},
    }
    back = settings_given(None, 0, 0, 0, "")
    assert back.keys() == {"messages_per_s", "retry_for_s", "retry_pause_max_s", "dead_letter"}
    assert set(back.values()) == {None}


def test_the_other_members_stay_as_they_were_written() -> None:
    body = b'{"name": "x", "filter": {"payload": {"n": [1.10, 1E+400]}}}'
    found = with_members(body, {"delivery": {"messages_per_s": 1}})
    assert b'{"payload": {"n": [1.10, 1E+400]}}' in found
    assert json.loads(found)["delivery"] == {"messages_per_s": 1}


@pytest.mark.parametrize("body", [b'{"delivery": {}}', '{"name": "x"}'.encode("utf-16")])
def test_what_is_said_twice_or_cannot_be_read_is_exit_1(body: bytes) -> None:
    with pytest.raises(typer.Exit) as ended:
        with_members(body, {"delivery": {"messages_per_s": 1}})
    assert ended.value.exit_code == 1


WELL: dict[str, Any] = {
    "breaker": "closed",
    "breaker_since": None,
    "last_error": None,
    "last_hour": {"delivered": 1200, "failed": 0, "dead": 0},
    "waiting": 0,
    "behind": {"records": 0, "since": None},
    "dead": 0,
    "oldest_undelivered": None,
}


def drawn(subscription: dict[str, Any], **health: Any) -> dict[str, str]:
    """The page's lines by their names."""
    page = io.StringIO()
    now = datetime(2026, 11, 26, 13, 5, 0, tzinfo=UTC)
    Console(file=page, width=200).print(page_of(subscription, WELL | health, now))
    found, name = dict[str, str](), ""
    for line in page.getvalue().splitlines():
        if line.strip() and not line.startswith(" "):
            name, _, text = line.partition("  ")
            found[name] = text.strip()
        elif line.strip():  # of more than one line
            found[name] += f"\n{line.strip()}"
    return found


def test_a_page_says_what_holds_for_settings_of_before_and_of_now() -> None:
    old: dict[str, Any] = {
        "id": "one",
        "name": "[red]x",
        "filter": {},
        "destination": {"type": "sqs", "arn": arn("q")},
        "enabled": True,
    }
    shown = drawn(old)
    assert (shown["state"], shown["last hour"]) == (
        "well: its queue takes messages",
        "1,200 delivered, 0 failed, 0 dead",
    )
    assert shown["waiting"] == "nothing"
    assert "what to do" not in shown
    assert (shown["name"], shown["queue"], shown["fairness"]) == ("[red]x", arn("q"), "tenant")
    assert (shown["messages per s"], shown["dead letters to"]) == ("no limit", "no queue")
    delivery = {
        "fairness": "entity",
        "messages_per_s": 2000,
        "retry_for_s": 3600,
        "retry_pause_max_s": None,
        "dead_letter": {"type": "sqs", "arn": arn("d")},
    }
    shown = drawn(old | {"delivery": delivery})
    assert (shown["fairness"], shown["messages per s"], shown["tried for s"]) == (
        "entity",
        "2,000",
        "3,600",
    )
    assert (shown["longest pause s"], shown["dead letters to"]) == ("the operator's", arn("d"))
    proof = {"by": "role", "state": "proven", "asked_at": "2026-01-31T12:00:00Z"}
    waiting = {**proof, "by": "confirmation", "state": "pending"}
    shown = drawn(old | {"ownership": {"destination": proof, "dead_letter": waiting}})
    assert shown["destination is"] == "proven by role"
    assert shown["dead letter is"] == "pending by confirmation"


def test_one_that_cannot_be_read_has_a_page_with_its_reason() -> None:
    shown = drawn({"id": "one", "inactive": "unreadable"})
    assert shown["state"] == "inactive: unreadable"
    assert "queue" not in shown


def test_a_page_says_what_waits_since_when_and_what_to_do() -> None:
    at = "2026-11-26T13:00:51.075Z"
    error = {"at": at, "code": "AccessDenied", "message": "no", "advice": "Grant it."}
    shown = drawn(
        {"id": "one", "enabled": True},
        breaker="open",
        breaker_since=at,
        last_error=error,
        waiting=3,
        behind={"records": 1500, "since": at},
        oldest_undelivered=at,
    )
    since = f"{at} (4 min ago)"
    assert shown["state"] == f"failing: its queue takes nothing, since {since}"
    assert shown["waiting"] == "at most 1,500 events, as of the last look"
    assert shown["oldest waits since"] == since
    assert shown["last error"] == f"{since}: AccessDenied: no"
    assert shown["what to do"] == "Grant it.\nevents subscriptions check one"


def test_a_page_of_one_that_is_paused_says_why_and_how_it_goes_on() -> None:
    at = "2026-11-26T12:00:51.075Z"
    error = {"at": at, "code": "AccessDenied", "message": "no", "advice": "Grant it."}
    paused = {"at": at, "since": "2026-11-25T12:00:00.000Z"}
    shown = drawn(
        {"id": "one", "enabled": True, "inactive": "paused: x", "paused": paused},
        last_error=error,
        dead=2,
    )
    assert shown["state"].startswith(f"paused since {at} (64 min ago): nothing was taken since")
    assert shown["what to do"].splitlines() == [
        "Grant it.",
        "events subscriptions enable one --catch-up, or --skip",
        "events deliveries redrive --subscription one --dry-run",
    ]
    assert shown["dead"] == "2, given up"


def test_a_page_of_one_that_is_disabled_says_how_it_goes_on_and_what_became_last() -> None:
    started = {"at": "2026-11-24T13:05:00.000000Z", "missed": "catch_up"}
    shown = drawn({"id": "one", "enabled": False, "started": started})
    assert shown["state"].startswith("disabled: ")
    assert shown["what to do"] == "events subscriptions enable one --catch-up, or --skip"
    assert shown["went on"] == "2026-11-24T13:05:00.000000Z (2 d ago), catch up"
