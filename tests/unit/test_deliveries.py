"""The form of a message: sizes in bytes, groups and ids, characters, attributes, claim checks."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deliveries import (
    SQS_ATTRIBUTES_MAX,
    SQS_BATCH_ENTRIES_MAX,
    Delivery,
    claim_check,
    delivery,
    fit_attributes,
    fit_body,
    packed,
)
from contracts.encoding.codec import decode
from tests.builders import an_event, represented
from tests.fakes import sqs_rules

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def made(subscription: str = "one", tenant: str = "acme", **more: Any) -> Delivery:
    value = represented(an_event(), ID)
    return delivery(tenant, decode(value), fit_body(value), subscription, (0, 7), **more)


def strict_size(each: Delivery) -> int:
    attributes = {
        name: {"DataType": "String", "StringValue": text} for name, text in each.attributes.items()
    }
    return sqs_rules.size_bytes({"MessageBody": each.body, "MessageAttributes": attributes})


def test_the_body_is_what_get_answers_and_the_attributes_say_whose_it_is() -> None:
    found = made()
    assert found.body.encode() == represented(an_event(), ID)
    names = {"tenant", "event_id", "event_type", "event_source", "subscription_id"}
    assert found.attributes.keys() == names
    assert (found.attributes["event_id"], found.position) == (ID, (0, 7))


def test_the_group_is_the_entitys_within_the_tenant() -> None:
    assert made().group == made("two").group
    assert made().group != made(tenant="other").group
    assert sqs_rules.GROUP_ID.match(made().group)


def test_a_repeat_has_the_same_deduplication_id_and_nothing_else_has() -> None:
    ids = [made().deduplication_id, made("two").deduplication_id]
    ids += [made(replay_id=each).deduplication_id for each in ("r1", "r2")]
    assert made().deduplication_id == ids[0]
    assert len(set(ids)) == 4
    assert all(sqs_rules.GROUP_ID.match(each) for each in ids)


def test_whom_a_standard_queue_is_fair_to_is_a_choice() -> None:
    assert made().fair_group == "acme"
    assert made(fairness="entity").fair_group == made().group
    assert made(fairness="none").fair_group == ""


@pytest.mark.parametrize(
    ("headers", "carried"),
    [
        ([("traceparent", TRACE)], TRACE.decode()),
        ([("traceparent", TRACE + b"\n")], None),
        ([("traceparent", TRACE.upper())], None),
        ([("traceparent", b"")], None),
        ([("traceparent", None)], None),
        ([("ce_id", TRACE)], None),
    ],
)
def test_a_traceparent_is_carried_on_if_it_is_one(
    headers: list[tuple[str, bytes | None]], carried: str | None
) -> None:
    assert made(headers=headers).attributes.get("traceparent") == carried


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_json_is_a_body_that_sqs_takes_and_means_the_same(text: str) -> None:
    body = fit_body(json.dumps({"t": text}, ensure_ascii=False).encode())
    assert not sqs_rules.FORBIDDEN.search(body)
    assert json.loads(body) == {"t": text}


def test_noncharacters_in_a_body_are_escaped() -> None:
    assert fit_body('"\ufffe\uffff\ufffd"'.encode()) == '"\\ufffe\\uffff\ufffd"'


@given(st.dictionaries(st.sampled_from([f"n{n}" for n in range(12)]), st.text()))
def test_attributes_are_such_as_sqs_takes(attributes: dict[str, str]) -> None:
    fit = fit_attributes(attributes)
    assert len(fit) <= SQS_ATTRIBUTES_MAX
    for text in fit.values():
        assert text
        assert not sqs_rules.FORBIDDEN.search(text)


def test_a_character_that_sqs_refuses_is_percent_encoded_and_others_are_left() -> None:
    fit = fit_attributes({"a": "x\x00\uffffü\t%", "b": ""})
    assert fit == {"a": "x%00%EF%BF%BFü\t%"}


def test_size_is_counted_as_sqs_does() -> None:
    for each in (made(), Delivery("ü🚚", {"a": "ö"}, "e", (0, 0)), Delivery("", {}, "", (0, 0))):
        assert each.size_bytes == strict_size(each)


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(100, 1000))
def test_batches_hold_all_in_order_and_no_more_than_they_may(sizes: list[int], most: int) -> None:
    deliveries = [Delivery("x" * size, {}, "", (0, n)) for n, size in enumerate(sizes)]
    batches = list(packed(deliveries, most))
    assert [each for batch in batches for each in batch] == deliveries
    for batch in batches:
        assert 1 <= len(batch) <= SQS_BATCH_ENTRIES_MAX
        assert len(batch) == 1 or sum(each.size_bytes for each in batch) <= most


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("", f"/api/v1/events/{ID}"),
        ("https://events.example.com", f"https://events.example.com/api/v1/events/{ID}"),
        ("https://example.com/events/", f"https://example.com/events/api/v1/events/{ID}"),
    ],
)
def test_a_claim_check_says_where_the_body_is_and_what_it_is(public_url: str, url: str) -> None:
    large = made()
    check = claim_check(large, public_url)
    assert check.attributes == large.attributes | {"claim_check": "true"}
    assert (check.group, check.deduplication_id) == (large.group, large.deduplication_id)
    body = large.body.encode()
    assert json.loads(check.body) == {
        "url": url,
        "size_bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    assert check.size_bytes < 1024  # the least that a queue takes


@given(
    st.text(max_size=50),
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=40), st.text(max_size=50)
    ),
)
def test_the_quick_bound_of_a_size_is_never_too_small(
    body: str, attributes: dict[str, str]
) -> None:
    made = Delivery(body, attributes, "", (0, 0))
    assert made.most_bytes >= made.size_bytes
