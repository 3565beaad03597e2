"""`events get|find` as a person and as a program see them."""

import base64
import json

import pytest

from cli.terminal import laid_out, local_time
from tests.cli.conftest import Api, Events, an_event
from tests.cli.terminal import Terminal

ID = "01932c50-71db-7000-8a5b-2f6c9d0e1a2b"  # made 2024-11-14T20:14:49.819Z
DERIVED = "0193a2b4-7c1e-8d3f-8a5b-2f6c9d0e1a2b"


def stored(event_id: str, entity_id: str = "7", **payload: str) -> bytes:
    event = an_event(entity_id=entity_id, id=event_id, entity_name="Björn\x1b[31m")
    event["event_payload"] |= {"entity_id": "7", **payload}
    return json.dumps(event, ensure_ascii=False).encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_piped_both_are_the_json_of_the_api(events: Events, api: Api) -> None:
    api.stored = {ID: stored(ID), DERIVED: stored(DERIVED)}
    lines = events("find").stdout.splitlines()
    assert [json.loads(line) for line in lines] == list(map(json.loads, api.stored.values()))
    assert events("get", ID).stdout_bytes == api.stored[ID] + b"\n"


def test_a_terminal_gets_the_event_decoded_with_its_time_in_both_zones(
    events: Events, api: Api
) -> None:
    fault = encoded(b'{"message":"no \\u001b[31mstock","details":[1]}')
    api.stored = {
        ID: stored(
            ID, base64_encoded_fault_json=fault, base64_encoded_payload_json=encoded(b"\xff\0")
        )
    }
    with Terminal("get", ID, "--home", str(events.home), TZ="Europe/Paris") as shown:
        assert shown.end() == 0, shown.seen
    lines = {line.split("  ")[0]: line.rstrip() for line in shown.seen.splitlines()}
    assert lines["posted"].endswith("2024-11-14 21:14:49.819 CET (20:14:49.819 UTC)"), shown.seen
    assert lines["id"].endswith(ID)
    assert "Björn\ufffd[31m" in lines["entity name"]
    assert lines["referenceId"].endswith("Ä-1")
    assert "2 bytes that are no text" in shown.seen
    assert '\n  "message": "no \\u001b[31mstock",\n  "details": [\n' in shown.seen
    with Terminal("get", ID, "--json", "--home", str(events.home)) as raw:
        assert raw.end() == 0
    assert json.loads(raw.seen) == json.loads(api.stored[ID])


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_gets_a_table_with_ids_whole(events: Events, api: Api, columns: int) -> None:
    entity = "an entity that has a long id " * 3
    api.stored = {ID: stored(ID, entity), DERIVED: stored(DERIVED)}
    arguments = ("find", "event_type=FAULT", "--home", str(events.home))
    with Terminal(*arguments, columns=columns, TZ="Europe/Paris") as shown:
        assert shown.end() == 0, shown.seen
    lines = shown.seen.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[-1] for line in lines if ID in line or DERIVED in line] == [ID, DERIVED]
    assert "2024-11-14" in shown.seen
    assert "21:14:49+01:00" in shown.seen
    assert "2 found. All of one: events get ID" in shown.seen
    api.stored = {}
    with Terminal(*arguments) as nothing:
        assert nothing.end() == 0
    assert nothing.seen == "No event meets all of this.\n"


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ("entityid=7", "No field entityid. Did you mean entity_id? There are from, to, event_type"),
        ("key_attribute.a=7", "Did you mean key_attributes.a?"),
        ("colour=red", "No field colour. There are from, "),
        ("limit=7", "No field limit. Write --limit N."),
        ("FAULT", "FAULT: write NAME=VALUE; names are from, to"),
        ("key_attributes.=7", "No field key_attributes.."),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(
    events: Events, criterion: str, said: str
) -> None:
    result = events("find", criterion)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.endswith(
        "q, fault_fingerprint, occurred_from, occurred_to, key_attributes.NAME.\n"
    )


def test_a_wrong_value_is_the_apis_to_refuse(events: Events) -> None:
    result = events("find", "from=today", "key_attributes.a=b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No events: 400 1 parameter cannot be used. /from must be a time" in result.stderr


def test_texts_that_are_no_json_are_left_as_they_are() -> None:
    assert laid_out("{broken\x1b").plain == "{broken\ufffd"
    assert laid_out("12").plain == "12"
    assert laid_out('{"a":1}').plain == '{\n  "a": 1\n}'


def test_a_time_in_the_zone_utc_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert local_time(1_700_000_000_123) == "2023-11-14 22:13:20.123 UTC"


def test_post_says_what_it_waits_for(events: Events, api: Api) -> None:
    with Terminal("post", "--home", str(events.home)) as shown:
        shown.until("Waiting for events, JSON or NDJSON. Ctrl-D")
        shown.type(json.dumps(an_event()) + "\n\x04")
        assert shown.end() == 0, shown.seen
    assert [posted.event for posted in api.posts] == [an_event()]
