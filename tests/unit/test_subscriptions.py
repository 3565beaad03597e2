"""What a subscription may name: queues that can exist, in ASCII, in regions that AWS has."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.destinations import SqsDestination
from contracts.drafts import read_draft
from contracts.problems import Problem
from contracts.subscriptions import create, read_stored
from service.regions import require_region


def arn(
    partition: str = "aws",
    region: str = "eu-west-1",
    account: str = "123456789012",
    queue: str = "q",
) -> str:
    return f"arn:{partition}:sqs:{region}:{account}:{queue}"


def accepted(text: str) -> SqsDestination:
    """The destination of a subscription that names `text`, as the edge reads and judges it."""
    body = {"name": "x", "filter": {}, "destination": {"type": "sqs", "arn": text}}
    destination = read_draft(json.dumps(body).encode()).destination
    require_region(destination, "/destination/arn")
    return destination


TAKEN = [
    arn(),
    arn(queue="A-z_9" * 16),
    arn(queue="q" * 75 + ".fifo"),
    arn(region="ap-southeast-7"),
    arn("aws-cn", "cn-northwest-1"),
    arn("aws-us-gov", "us-gov-east-1"),
    arn("aws-iso-b", "us-isob-east-1"),
    arn("aws-eusc", "eusc-de-east-1"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_a_queue_that_can_exist_is_taken(text: str) -> None:
    assert accepted(text).arn == text


ARABIC_ONE, FULL_WIDTH_ONE = "\u0661", "\uff11"
REFUSED = {
    "an Arabic digit in the region": arn(region=f"eu-west-{ARABIC_ONE}"),
    "a full-width digit in the region": arn(region=f"eu-west-{FULL_WIDTH_ONE}"),
    "Arabic digits for an account": arn(account=ARABIC_ONE * 12),
    "a Cyrillic letter in the region": arn(region="eu-w\u0435st-1"),
    "a Cyrillic letter in the queue": arn(queue="q\u0435"),
    "a region that is not there": arn(region="eu-west-9"),
    "a region of 64 characters": arn(region="eu-" + "w" * 59 + "-1"),
    "a region in capitals": arn(region="EU-WEST-1"),
    "no region": arn(region=""),
    "a place that is no region": arn(region="aws-global"),
    "a region of another partition": arn("aws-cn", "eu-west-1"),
    "a partition that is not there": arn("aws-moon", "eu-west-1"),
    "a partition of many parts": arn("aws-a-b-c", "eu-west-1"),
    "an account of 11 digits": arn(account="1" * 11),
    "an account of 13 digits": arn(account="1" * 13),
    "a queue of 81 characters": arn(queue="q" * 81),
    "a FIFO queue of 81 characters": arn(queue="q" * 76 + ".fifo"),
    "no queue": arn(queue=""),
    "a queue with a dot": arn(queue="a.b"),
    "a line break at the end": arn() + "\n",
    "something behind the queue": arn() + ":x",
    "a topic": arn().replace("sqs", "sns"),
    "a URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_any_other_is_answered_405_naming_field_and_size(text: str) -> None:
    with pytest.raises(Problem) as refused:
        accepted(text)
    assert refused.value.status == 405
    (error,) = refused.value.errors
    assert error["pointer"] == "/destination/arn"
    assert error["size"] == len(text)
    assert text not in json.dumps(refused.value.document(), ensure_ascii=False)


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a name of 129 characters": lambda body: body.update(name="x" * 129),
    "no name": lambda body: body.pop("name"),
    "an unknown member": lambda body: body.update(owner="x"),
    "an enabled that is a text": lambda body: body.update(enabled="true"),
    "a filter of 101 values": lambda body: body.update(filter={"entity_id": ["x"] * 101}),
    "a filter of no values": lambda body: body.update(filter={"entity_id": []}),
    "a description of 1,025 characters": lambda body: body.update(description="x" * 1025),
    "21 labels": lambda body: body.update(labels={str(n): "" for n in range(21)}),
    "a label without a name": lambda body: body.update(labels={"": "x"}),
    "a label with a blank in its name": lambda body: body.update(labels={"a b": "x"}),
    "a label of 257 characters": lambda body: body.update(labels={"a": "x" * 257}),
    "a label that is a number": lambda body: body.update(labels={"a": 1}),
    "an unknown operator": lambda body: body.update(filter={"entity_id": [{"regex": ".*"}]}),
    "a filter that is a list": lambda body: body.update(filter=[]),
    "an unknown field in the filter": lambda body: body.update(filter={"tenant": ["x"]}),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS.keys())
def test_what_else_breaks_the_contract_is_405(change: Callable[[dict[str, Any]], object]) -> None:
    body: dict[str, Any] = {
        "name": "x",
        "filter": {},
        "destination": {"type": "sqs", "arn": arn()},
    }
    read_draft(json.dumps(body).encode())
    change(body)
    with pytest.raises(Problem) as refused:
        read_draft(json.dumps(body).encode())
    assert refused.value.status == 405


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_whose_exponent_nobody_holds_is_400(sign: str) -> None:
    filter_ = f'{{"payload":{{"n":[1e{sign}{"9" * 20}]}}}}'
    body = f'{{"name":"x","filter":{filter_},"destination":{{"type":"sqs","arn":"{arn()}"}}}}'
    with pytest.raises(Problem, match="exponent") as refused:
        read_draft(body.encode())
    assert refused.value.status == 400


def test_every_fault_is_named_those_of_the_filter_too_with_score_and_limit() -> None:
    body = {
        "name": "",
        "filter": {
            "entity_id": [{"wildcard": "*a*a*a*a*a*a*a*a*a*"}],
            "colour": ["red"],
            "payload": {"total": [{"numeric": ["!", 1]}]},
        },
        "destination": {"type": "sqs", "arn": "x"},
    }
    with pytest.raises(Problem) as refused:
        read_draft(json.dumps(body).encode())
    errors = {each["pointer"]: each for each in refused.value.errors}
    assert errors.keys() == {
        "/name",
        "/destination/arn",
        "/filter/entity_id",
        "/filter/colour",
        "/filter/payload/total/0/numeric/0",
    }
    scored = errors["/filter/entity_id"]
    assert scored["score"] > scored["limit"] > 0


def test_numbers_of_a_filter_are_kept_as_they_were_written() -> None:
    filter_ = '{"payload":{"n":[1.10,0.1000000000000000055,12345678901234567890123,1E+400,7]}}'
    body = f'{{"name":"x","filter":{filter_},"destination":{{"type":"sqs","arn":"{arn()}"}}}}'
    stored = create(read_draft(body.encode()), "one").represent()
    assert filter_.encode() in stored
    assert read_stored(json.loads(stored)).id == "one"
