"""What the load test makes of answers, and what it then lets Kafka hold; its made events are valid."""

import json

import pytest

from bench import retail
from bench.tally import Bounds, Tally, bounds, of_batch, of_event
from contracts.encoding.parse import parse_event


def a_batch(*statuses: int, accepted: int | None = None) -> bytes:
    """A batch's answer; `accepted` in place of the right count."""
    right = statuses.count(201)
    return json.dumps(
        {
            "accepted": right if accepted is None else accepted,
            "rejected": len(statuses) - right,
            "items": [{"status": status} for status in statuses],
        }
    ).encode()


def taken(sent: int, status: int, body: bytes) -> tuple[str, Tally, Bounds]:
    """The reason, the tally and its bounds after one batch of `sent` events was answered."""
    tally = Tally(offered=sent)
    reason = tally.take(sent, status, body, of_batch)
    return reason, tally, bounds([tally])


def test_accepted_events_must_be_in_kafka() -> None:
    reason, tally, found = taken(3, 201, a_batch(201, 201, 201))
    assert (reason, tally.accepted, found) == ("", 3, Bounds(3, 3))


def test_an_event_that_was_answered_503_may_be_in_kafka_and_is_no_failure() -> None:
    reason, tally, found = taken(3, 207, a_batch(201, 503, 201))
    assert (reason, tally.events_pressed, found) == ("", 1, Bounds(2, 3))


def test_a_request_that_was_answered_503_may_be_in_kafka_and_is_no_failure() -> None:
    reason, tally, found = taken(3, 503, b"{}")
    assert (reason, tally.requests_pressed[503], found) == ("", 1, Bounds(0, 3))


def test_a_request_that_was_answered_429_must_not_be_in_kafka_and_is_no_failure() -> None:
    reason, tally, found = taken(3, 429, b"{}")
    assert (reason, tally.requests_pressed[429], found) == ("", 1, Bounds(0, 0))


def test_a_request_without_an_answer_may_be_in_kafka() -> None:
    assert bounds([Tally(offered=3)]) == Bounds(0, 3)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, a_batch(201, 201)),
        (201, a_batch(201, 201, 201, accepted=2)),
        (201, a_batch(201, 503, 201)),
        (207, a_batch(201, 201, 201)),
        (207, a_batch(201, 405, 201)),
        (200, a_batch(201, 201, 201)),
        (201, b"<html>"),
        (201, b"[]"),
        (201, b"{}"),
        (405, b"{}"),
        (500, b"{}"),
    ],
)
def test_any_other_answer_is_a_failure_of_which_a_sample_is_kept(status: int, body: bytes) -> None:
    reason, tally, _ = taken(3, status, body)
    assert reason
    assert tally.sample == body.decode()


@pytest.mark.parametrize(("status", "body"), [(201, b'{"id":null}'), (207, b'{"id":"1"}')])
def test_a_single_event_is_accepted_by_201_with_its_id_alone(status: int, body: bytes) -> None:
    tally = Tally(offered=1)
    assert tally.take(1, status, body, of_event)
    assert tally.accepted == 0
    assert tally.take(1, 201, b'{"id":"1"}', of_event) == ""
    assert tally.accepted == 1


def test_kafka_may_hold_what_is_unknown_but_neither_less_nor_more() -> None:
    allowed = Bounds(least=10, most=12)
    assert [allowed.broken(held) for held in (10, 11, 12)] == ["", "", ""]
    assert allowed.broken(9) == "1 acknowledged events are not in Kafka"
    assert allowed.broken(14) == "Kafka holds 2 events more than were sent and not refused"


def test_made_events_are_valid_and_the_same_in_every_run() -> None:
    made = retail.events(None)
    assert made == retail.events(None)
    assert len({parse_event(text).entity_id for text in made}) > 100
