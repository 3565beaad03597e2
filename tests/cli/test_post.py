"""`events post` against a server that checks tokens, refuses, stalls and breaks off."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import Response

from contracts.problems import CONTENT_TYPE, Problem, unavailable
from tests.cli.conftest import UNUSED, Api, Events, Posted, an_event
from tests.processes import wait_until

SAMPLE = Path(__file__).parents[2] / "examples" / "event.json"


def problem(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, CONTENT_TYPE)


def ndjson(count: int) -> str:
    return "".join(json.dumps(an_event(entity_id=str(n))) + "\n" for n in range(count))


def test_one_event_prints_the_answer_as_it_came(events: Events, api: Api) -> None:
    result = events("post", str(SAMPLE), "--tenant", "shop")
    assert result.exit_code == 0, result.output
    assert [(post.event, post.tenant) for post in api.posts] == [
        (json.loads(SAMPLE.read_text()), "shop")
    ]
    assert result.stdout.encode() == next(iter(api.stored.values())) + b"\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ndjson(300), id="ndjson"),
        pytest.param(json.dumps([an_event(entity_id=str(n)) for n in range(300)]), id="array"),
        pytest.param(
            json.dumps([an_event(entity_id=str(n)) for n in range(300)], indent=2), id="pretty"
        ),
    ],
)
def test_many_events_arrive_once_each_under_keys_of_their_own(
    events: Events, api: Api, text: str
) -> None:
    result = events("post", "-", stdin=text)
    assert result.exit_code == 0, result.output
    assert sorted(int(post.event["entity_id"]) for post in api.posts) == list(range(300))
    assert len({post.key for post in api.posts}) == 300
    assert "300 accepted, 0 rejected, 0 retried" in result.stderr
    assert result.stdout == ""


def test_as_many_requests_are_under_way_as_asked_for_and_no_more(events: Events, api: Api) -> None:
    api.barrier = asyncio.Barrier(4)
    result = events("post", "-", "--batch-size", "5", "--at-once", "4", stdin=ndjson(40))
    assert "40 accepted" in result.stderr
    assert api.under_way_max == 4


def test_at_once_1_keeps_the_order_of_the_file(events: Events, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(ndjson(20))
    assert events("post", str(file), "--at-once", "1", "--batch-size", "3").exit_code == 0
    assert [post.event["entity_id"] for post in api.posts] == [str(n) for n in range(20)]


def test_a_rejected_event_is_named_by_its_line_and_the_others_go_on(
    events: Events, api: Api, tmp_path: Path
) -> None:
    def refuse_one(posted: Posted) -> Response | None:
        if posted.event["entity_id"] != "2":
            return None
        fields = [{"pointer": "/event_type", "detail": "[bold]is unknown[/]"}]
        return problem(Problem(405, "1 field broke the contract.", errors=fields))

    api.answers = refuse_one
    file = tmp_path / "events.ndjson"
    file.write_text("\n" + ndjson(3).replace("\n", "\n\n"))
    result = events("post", str(file))
    assert result.exit_code == 1
    expected = "line 6: 405 1 field broke the contract. /event_type [bold]is unknown[/]\n"
    assert expected in result.stderr
    assert "2 accepted, 1 rejected, 0 retried" in result.stderr


@pytest.mark.parametrize("first", ['{"entity_id":', "{} {}"])
def test_a_broken_first_line_is_refused_and_the_rest_goes_on(
    events: Events, api: Api, first: str
) -> None:
    result = events("post", "-", stdin=f"{first}\n{ndjson(3)}")
    assert result.exit_code == 1
    assert "line 1: 400 The body is not JSON" in result.stderr
    assert "3 accepted, 1 rejected, 0 retried" in result.stderr
    assert sorted(post.event["entity_id"] for post in api.posts) == ["0", "1", "2"]


def test_a_503_is_repeated_under_the_same_key(events: Events, api: Api) -> None:
    seen: list[Posted] = []

    def unavailable_at_first(posted: Posted) -> Response | None:
        seen.append(posted)
        return problem(unavailable("Kafka is away.", retry_after_s=0)) if len(seen) < 3 else None

    api.answers = unavailable_at_first
    result = events("post", "-", stdin=json.dumps(an_event()))
    assert result.exit_code == 0, result.output
    assert result.stderr.count("503 Kafka is away; trying again, for 60 s at the most") == 2
    assert len(seen) == 3
    assert len({posted.key for posted in seen}) == 1


def test_retry_after_longer_than_the_time_for_retries_ends_them(events: Events, api: Api) -> None:
    api.answers = lambda posted: problem(unavailable("Kafka is away.", retry_after_s=9))
    result = events("post", "-", "--retry-for", "8", stdin=json.dumps(an_event()))
    assert result.exit_code == 1
    assert "Not accepted: 503 Kafka is away. See: events status" in result.stderr
    assert len(api.posts) == 1


def test_a_batch_whose_answer_breaks_off_is_repeated_under_the_same_key(
    events: Events, api: Api
) -> None:
    broken: set[str] = set()

    def break_off_once(key: str) -> Response | None:
        if key in broken:
            return None
        broken.add(key)
        return Response(b"cut", 201, {"Content-Length": "1000"})

    api.answers_whole = break_off_once
    result = events("post", "-", "--batch-size", "2", stdin=ndjson(3))
    assert result.exit_code == 0, result.output
    assert "3 accepted, 0 rejected, 2 retried" in result.stderr
    assert len(api.stored) == 3
    assert len(broken) == 2
    assert sorted(api.requests) == sorted([*broken, *broken])


def test_of_a_batch_only_what_was_not_confirmed_is_sent_again_in_its_place(
    events: Events, api: Api
) -> None:
    tried: list[str] = []

    def first_fails(posted: Posted) -> Response | None:
        tried.append(f"{posted.event['entity_id']} {posted.key.rpartition('-')[2]}")
        if posted.event["entity_id"] == "0":
            return problem(Problem(405, "No."))
        fails = posted.event["entity_id"] == "2" and len(tried) < 5
        return problem(unavailable("Not confirmed.")) if fails else None

    api.answers = first_fails
    result = events("post", "-", stdin=ndjson(4))
    assert result.exit_code == 1
    assert tried == ["0 1#0", "1 1#1", "2 1#2", "3 1#3", "2 1#2"]
    assert "3 accepted, 1 rejected, 1 retried" in result.stderr


@pytest.mark.parametrize("status", [401, 403, 413, 500])
def test_an_answer_that_is_none_to_the_events_stops_the_run(
    events: Events, api: Api, status: int
) -> None:
    api.answers_whole = lambda key: problem(Problem(status, "Not like this."))
    result = events("post", "-", "--at-once", "1", "--batch-size", "2", stdin=ndjson(50))
    assert result.exit_code == 1
    assert f"Stopped at line 1 to 2: {status} Not like this." in result.stderr
    assert len(api.requests) <= 4


def test_a_429_is_waited_for(events: Events, api: Api) -> None:
    def busy_once(key: str) -> Response | None:
        if len(api.requests) > 1:
            return None
        return problem(Problem(429, "Too many events.", headers={"Retry-After": "1"}))

    api.answers_whole = busy_once
    result = events("post", "-", stdin=ndjson(3))
    assert result.exit_code == 0, result.output
    assert "3 accepted, 0 rejected, 1 retried" in result.stderr


def test_an_expired_token_is_renewed_on_the_way(events: Events, api: Api) -> None:
    tenant, refused = api.verifier.tenant, set[bytes]()

    async def expired_once(headers: dict[bytes, bytes]) -> str:
        if len(refused) == 0 or headers[b"authorization"] in refused:
            refused.add(headers[b"authorization"])
            raise Problem(401, "The token has expired.")
        return await tenant(headers)

    api.verifier.tenant = expired_once  # type: ignore[method-assign]
    result = events("post", "-", stdin=ndjson(3))
    assert result.exit_code == 0, result.output
    assert "3 accepted, 0 rejected, 0 retried" in result.stderr
    assert len(refused) == 1


def test_a_file_repeated_under_its_key_counts_once_and_only_what_was_added_is_new(
    events: Events, api: Api
) -> None:
    def run(count: int) -> None:
        key = ("--idempotency-key", "monday", "--batch-size", "3")
        assert events("post", "-", *key, stdin=ndjson(count)).exit_code == 0

    run(7)
    assert len(api.stored) == 7
    run(8)
    assert len(api.stored) == 8
    assert set(api.requests) == {"monday-1", "monday-2", "monday-3"}


def test_a_key_that_no_header_takes_is_refused(events: Events, api: Api) -> None:
    result = events("post", "-", "--idempotency-key", "a b", stdin=ndjson(2))
    assert result.exit_code == 2
    assert api.requests == []


def test_an_array_that_breaks_off_is_posted_up_to_there(events: Events, api: Api) -> None:
    text = json.dumps([an_event(entity_id=str(n)) for n in range(3)])
    result = events("post", "-", stdin=text[:-4])
    assert result.exit_code == 1
    assert "2 accepted" in result.stderr
    assert "Stopped at event 3 of the array: " in result.stderr


def test_help_says_how_to_repeat_and_what_is_sent_at_once(events: Events) -> None:
    shown = events("post", "--help").stdout
    options = ("--tenant", "--idempotency-key", "--batch-size", "--at-once", "--retry-for")
    assert [option for option in options if option not in shown] == []


def test_it_stops_where_the_api_stays_away(events: Events, api: Api) -> None:
    api.answers = lambda posted: problem(unavailable("Kafka is away."))
    result = events(
        "post", "-", "--retry-for", "0", "--at-once", "2", "--batch-size", "3", stdin=ndjson(50)
    )
    assert result.exit_code == 1
    assert "0 accepted, 0 rejected" in result.stderr
    assert "Stopped at line " in result.stderr
    assert "503 Kafka is away. What follows it was not sent" in result.stderr
    assert len(api.requests) <= 4


def test_an_event_of_a_slow_stream_is_posted_before_the_stream_ends(
    events: Events, api: Api
) -> None:
    argv = [sys.executable, "-m", "cli", "post", "-", "--home", str(events.home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(ndjson(3).encode())
        process.stdin.flush()
        wait_until(lambda: len(api.stored) == 3, "three events are stored", 30)
        _, summary = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"3 accepted" in summary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no event"),
        ("\n \n", "holds no event"),
        ("[]", "holds no event"),
        ("{", "neither JSON nor NDJSON: Expecting property name"),
        ("Not JSON", "neither JSON nor NDJSON: Expecting value: line 1 column 1"),
    ],
)
def test_a_file_without_events_is_refused(
    events: Events, api: Api, text: str, message: str
) -> None:
    result = events("post", "-", stdin=text)
    assert result.exit_code == 1
    assert message in result.stderr
    assert api.posts == []


def test_without_an_api_it_says_how_to_start_one(events: Events) -> None:
    events.point(api=UNUSED)
    result = events("post", "--retry-for", "0", str(SAMPLE))
    assert result.exit_code == 1
    assert f"no answer from {UNUSED}/api/v1/events (ConnectError)" in result.stderr
    assert "events up" in result.stderr


def test_on_a_terminal_the_answer_is_indented(events: Events, api: Api) -> None:
    terminal, end = os.openpty()
    argv = [sys.executable, "-m", "cli", "post", str(SAMPLE), "--home", str(events.home)]
    subprocess.run(argv, stdout=end, check=True, timeout=30)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert len(shown.splitlines()) > 15
