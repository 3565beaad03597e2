"""How a subscription is delivered: what is chosen is kept, what is left out holds as a default.

What cannot be is answered 405, naming field, size and limit.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.changes import differing
from contracts.delivery_settings import MESSAGES_PER_S_MAX, RETRY_FOR_S, RETRY_PAUSE_S_MAX
from contracts.drafts import read_draft, read_patch
from contracts.problems import Problem
from contracts.subscriptions import Subscription, create, encode_json, read_stored
from tests.queues import arn

DEFAULTS = {
    "fairness": "tenant",
    "messages_per_s": None,
    "retry_for_s": None,
    "retry_pause_max_s": None,
    "dead_letter": None,
}


def queue(name: str) -> dict[str, str]:
    return {"type": "sqs", "arn": arn(name)}


def body(**members: Any) -> dict[str, Any]:
    return {"name": "x", "filter": {}, "destination": queue("q")} | members


def made(**members: Any) -> Subscription:
    return create(read_draft(encode_json(body(**members))), "one")


def delivery_of(subscription: Subscription) -> Any:
    return subscription.document()["delivery"]


settings = st.fixed_dictionaries(
    {},
    optional={
        "fairness": st.sampled_from(["none", "tenant", "entity"]),
        "messages_per_s": st.none() | st.integers(1, MESSAGES_PER_S_MAX),
        "retry_for_s": st.none() | st.integers(*RETRY_FOR_S),
        "retry_pause_max_s": st.none() | st.integers(1, RETRY_PAUSE_S_MAX),
        "dead_letter": st.none() | st.just(queue("dead")),
    },
)
patches = settings.flatmap(
    lambda chosen: st.fixed_dictionaries(
        {name: st.just(value) | st.none() for name, value in chosen.items()}
    )
)


@given(settings)
def test_what_is_chosen_is_stored_with_every_default_and_read_again(chosen: dict[str, Any]) -> None:
    subscription = made(delivery=chosen)
    assert delivery_of(subscription) == DEFAULTS | chosen
    read = read_stored(json.loads(subscription.represent()))
    assert read == subscription
    assert read.represent() == subscription.represent()


@given(settings, st.none() | patches)
def test_a_patch_changes_members_and_null_takes_one_or_all_back(
    chosen: dict[str, Any], patch: dict[str, Any] | None
) -> None:
    before = made(delivery=chosen)
    after = create(read_patch(encode_json({"delivery": patch}), before), before.id)
    kept = chosen if patch is not None else {}
    changed = {
        name: DEFAULTS[name] if value is None else value for name, value in (patch or {}).items()
    }
    assert delivery_of(after) == DEFAULTS | kept | changed
    told = differing(before.document(), after.document())
    if before == after:
        assert told == ({}, {})
    else:
        assert told == ({"delivery": delivery_of(before)}, {"delivery": delivery_of(after)})


def test_a_record_of_before_reads_as_the_defaults_and_is_shown_as_it_was() -> None:
    written = encode_json(
        {"name": "x", "description": None, "labels": {}} | body(enabled=True, id="one")
    )
    old = read_stored(json.loads(written))
    assert old.represent() == written
    assert old.delivery.model_dump() == DEFAULTS
    patched = create(read_patch(b'{"enabled":false}', old), old.id)
    assert delivery_of(patched) == DEFAULTS


def test_a_record_with_a_part_of_the_settings_is_shown_as_it_was() -> None:
    """As the record of this release is to one that knows another setting."""
    written = encode_json(body(delivery={"fairness": "none"}, enabled=True, id="one", labels={}))
    stored = read_stored(json.loads(written))
    assert json.loads(stored.represent()) == json.loads(written)
    assert stored.delivery.messages_per_s is None


def to(name: Any) -> dict[str, Any]:
    return {"dead_letter": {"type": "sqs", "arn": name}}


BAD: dict[str, tuple[Any, str, int | None, int | None]] = {
    # the settings; where they are at fault, what size is told, and what limit
    "a list": ([], "", 0, None),
    "null": (None, "", None, None),
    "an unknown member": ({"colour": "red"}, "/colour", 3, None),
    "a fairness of nobody": ({"fairness": "all"}, "/fairness", 3, None),
    "a fairness of null": ({"fairness": None}, "/fairness", None, None),
    "a text for a number": ({"messages_per_s": "9"}, "/messages_per_s", 1, None),
    "a fraction": ({"messages_per_s": 1.5}, "/messages_per_s", None, None),
    "true for a number": ({"messages_per_s": True}, "/messages_per_s", None, None),
    "no message": ({"messages_per_s": 0}, "/messages_per_s", 0, 1),
    "too many messages": ({"messages_per_s": 10_001}, "/messages_per_s", 10_001, 10_000),
    "30 digits": ({"messages_per_s": 10**30}, "/messages_per_s", None, 10_000),
    "under a minute": ({"retry_for_s": 59}, "/retry_for_s", 59, 60),
    "over a week": ({"retry_for_s": 604_801}, "/retry_for_s", 604_801, 604_800),
    "no pause": ({"retry_pause_max_s": 0}, "/retry_pause_max_s", 0, 1),
    "a pause of over an hour": ({"retry_pause_max_s": 3_601}, "/retry_pause_max_s", 3_601, 3_600),
    "a text for a queue": ({"dead_letter": "arn"}, "/dead_letter", 3, None),
    "no ARN": ({"dead_letter": {"type": "sqs"}}, "/dead_letter/arn", None, None),
    "what is no queue": (to("x"), "/dead_letter/arn", 1, None),
    "the destination": (to(arn("q")), "/dead_letter/arn", len(arn("q")), None),
    "FIFO for standard": (to(arn("dead.fifo")), "/dead_letter/arn", len(arn("dead.fifo")), None),
}


@pytest.mark.parametrize(("settings", "pointer", "size", "limit"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_is_405_naming_field_size_and_limit(
    settings: Any, pointer: str, size: int | None, limit: int | None
) -> None:
    with pytest.raises(Problem) as refused:
        made(delivery=settings)
    assert refused.value.status == 405
    [error] = refused.value.errors
    assert error["pointer"] == f"/delivery{pointer}"
    assert (error.get("size"), error.get("limit")) == (size, limit)
    assert error["detail"]


def test_every_fault_of_the_settings_is_named_at_once() -> None:
    wrong = {"fairness": "all", "retry_for_s": 1, "dead_letter": {"type": "sns", "arn": "x"}}
    with pytest.raises(Problem) as refused:
        made(delivery=wrong)
    assert {each["pointer"] for each in refused.value.errors} == {
        "/delivery/fairness",
        "/delivery/retry_for_s",
        "/delivery/dead_letter/type",
        "/delivery/dead_letter/arn",
    }


def test_a_patch_of_the_destination_alone_may_not_leave_a_dead_letter_queue_that_does_not_fit() -> (
    None
):
    before = made(delivery={"dead_letter": queue("dead")})
    for name in ("dead", "q.fifo"):
        with pytest.raises(Problem) as refused:
            read_patch(encode_json({"destination": {"arn": arn(name)}}), before)
        assert [each["pointer"] for each in refused.value.errors] == ["/delivery/dead_letter/arn"]


def test_the_dead_letter_queue_of_a_fifo_queue_is_fifo() -> None:
    fifo = queue("q.fifo")
    chosen = made(destination=fifo, delivery=to(arn("dead.fifo"))).delivery.dead_letter
    assert chosen is not None
    assert chosen.is_fifo
    with pytest.raises(Problem, match="1 field") as refused:
        made(destination=fifo, delivery=to(arn("dead")))
    assert refused.value.errors[0]["detail"] == "must be a FIFO queue, as the destination is"
