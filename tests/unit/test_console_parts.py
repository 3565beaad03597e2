"""Pages that begin before all of them is known: parts come in order, fail alone, end with their reader."""

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from console import parts as parts_of_pages
from console.api import Refused, Unanswered
from console.live.question import BEHIND_MAX_MS
from console.live.tails import Tails
from console.page import Page
from console.pages import event, faults, overview, search
from console.parts import Parts, in_order
from console.session import NotSignedIn
from contracts import paths
from contracts.criteria import rfc_3339
from tests.unit.test_console_pages import Answers, Somebody, page

ID = "01a21916-9edd-72db-a79f-6315f0fbf002"
EVENT = Answers.event | {"id": ID}
AROUND = {"events": [EVENT], "received_at": ["2026-01-31T12:00:00.000Z"], "next": None}
COUNTED = {"count": 1, "from": "2026-01-31T12:00:00Z", "to": "2026-01-31T13:00:00Z"}
COUNTED |= {"starts": ["2026-01-31T12:00:00Z"], "interval": "hour"}
COUNTED["series"] = [{"value": "FAULT", "count": 1, "buckets": [1]}]
ANSWERS: dict[str, Any] = {
    f"/api/v1/events/{ID}": EVENT,
    f"/api/v1/events/{ID}/deliveries": {"deliveries": [], "detail": "Nobody was sent it."},
    f"/api/v1/events/{ID}/explain": {"subscriptions": [], "detail": "Nobody wants it."},
    "/api/v1/events": AROUND,
    paths.SEARCH: AROUND
    | {"reached": None, "cost": {"rows_read": 1_234_567, "bytes_read": 35_000_000}},
    paths.COUNTS: COUNTED,
}
WAIT_S = 10
PAYLOAD_OF_A_MEGABYTE = {
    "base64_encoded_payload_json": base64.b64encode(b"\xfe" * 700_000).decode(),
}


class Held:
    """An API whose answers are given when the test says so; what is not held is there at once."""

    url = "http://api.example"

    def __init__(self, *held: str) -> None:
        self.gates = {path: asyncio.Event() for path in held}
        self.failing: dict[str, Exception] = {}
        self.cancelled: list[str] = []

    async def get(self, path: str, **query: object) -> Any:
        try:
            if path in self.gates:
                await self.gates[path].wait()
        except asyncio.CancelledError:
            self.cancelled.append(path)
            raise
        if path in self.failing:
            raise self.failing[path]
        return ANSWERS[path]

    async def post(self, path: str, body: object) -> Any:
        return await self.get(path)


class SignedIn(Somebody):
    async def access_token(self) -> str:
        return "token"


class SignedOut(Somebody):
    async def access_token(self) -> str:
        raise NotSignedIn("/sign-in")


def asked(path: str, api: Held, query: str = "", **parameters: str) -> Page:
    made = page(path, query)
    made.session = SignedIn()
    made.api = api  # type: ignore[assignment]
    made.request.scope["path_params"] = parameters
    return made


async def begun(handler: Awaitable[Any]) -> AsyncIterator[str]:
    answer = await handler
    assert isinstance(answer, StreamingResponse)
    return answer.body_iterator  # type: ignore[return-value]


async def until(pieces: AsyncIterator[str], text: str) -> str:
    """What is sent until `text` is there."""
    sent = ""
    async with asyncio.timeout(WAIT_S):
        while text not in sent:
            sent += await anext(pieces)
    return sent


async def rest(pieces: AsyncIterator[str]) -> str:
    async with asyncio.timeout(WAIT_S):
        return "".join([piece async for piece in pieces])


def test_an_event_is_read_while_its_deliveries_are_looked_for() -> None:
    async def scene() -> None:
        deliveries = f"/api/v1/events/{ID}/deliveries"
        api = Held(deliveries)
        pieces = await begun(event.event(asked(f"/events/{ID}", api, id=ID)))
        sent = await until(pieces, 'data-part="around"')
        assert sent.index("<h1>FAULT of ORDER") < sent.index("<dt>Id</dt>")
        sent += await until(pieces, "Nobody wants it") if "Nobody wants it" not in sent else ""
        assert "Nobody was sent it" not in sent
        api.gates[deliveries].set()
        later = await rest(pieces)
        assert "Nobody was sent it" in later
        assert later.rstrip().endswith("</html>")

    asyncio.run(scene())


def test_an_opened_event_and_the_bars_are_there_while_rows_are_looked_for() -> None:
    async def scene() -> None:
        api = Held(paths.SEARCH)
        pieces = await begun(search.search(asked("/search", api, query=f"event={ID}")))
        sent = await until(pieces, "Nobody wants it")
        assert sent.index("data-timeline") < sent.index("<dt>Id</dt>")
        assert "data-id=" not in sent
        api.gates[paths.SEARCH].set()
        later = await rest(pieces)
        assert f'data-id="{ID}"' in later
        assert "data-timeline" not in later

    asyncio.run(scene())


@pytest.mark.parametrize(("behind_s", "held"), [(0.0, False), (75.0, False), (0.0, True)])
def test_live_goes_on_where_the_view_was_when_the_list_was_asked_for(
    behind_s: float, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SOON_S", 0.05)

    async def scene() -> None:
        api, now_ms = Held(*([paths.STATUS] if held else [])), time.time_ns() // 1_000_000
        status = {"measured_at": rfc_3339(now_ms), "view": {"seconds_behind": behind_s}}
        monkeypatch.setitem(ANSWERS, paths.STATUS, status)
        here = asked("/search", api)
        here.site = here.site._replace(tails=Tails(api, 1, 1))  # type: ignore[arg-type]
        pieces = await begun(search.search(here))
        await until(pieces, "Looking for events")  # whatever is waited for
        [since] = map(int, re.findall('data-until="([0-9]+)"', await rest(pieces)))
        back_ms = BEHIND_MAX_MS if held else behind_s * 1000
        assert since == pytest.approx(now_ms - back_ms, abs=2_000)

    asyncio.run(scene())


def test_rows_wait_for_the_opened_event_for_a_while_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BESIDE_S", 0.05)

    async def scene() -> None:
        api = Held(f"/api/v1/events/{ID}/deliveries")
        text = await rest(
            await begun(search.search(asked("/search", api, query=f"event={ID}", id=ID)))
        )
        assert "There was no answer within 0.05 s." in text
        assert text.index("Nobody wants it") < text.index(f'data-id="{ID}"')

    asyncio.run(scene())


def test_rows_do_not_wait_for_bars_that_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SOON_S", 0.0)

    async def scene() -> None:
        api = Held(paths.COUNTS)
        pieces = await begun(search.search(asked("/search", api)))
        sent = await until(pieces, "that is all in this range")
        assert "1.2 million rows, 35 MB read" in sent
        assert f'data-id="{ID}"' in sent
        assert "data-timeline" not in sent
        api.gates[paths.COUNTS].set()
        assert "data-timeline" in await rest(pieces)

    asyncio.run(scene())


def test_a_page_begins_without_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_of_pages, "SOON_S", 0.0)

    async def scene() -> None:
        api = Held(f"/api/v1/events/{ID}")
        pieces = await begun(event.event(asked(f"/events/{ID}", api, id=ID)))
        sent = await until(pieces, 'class="loading"')
        assert "<title>Event 01a21916" in sent
        api.gates[f"/api/v1/events/{ID}"].set()
        later = await rest(pieces)
        assert (
            later.index("<span>FAULT of ORDER") < later.index("</h1>") < later.index("<dt>Id</dt>")
        )

    asyncio.run(scene())


def test_all_of_a_large_event_is_written_beside_what_others_read() -> None:
    large = EVENT | {"event_payload": EVENT["event_payload"] | PAYLOAD_OF_A_MEGABYTE}

    async def scene() -> None:
        turns, reading = 0, True

        async def another() -> None:
            nonlocal turns
            while reading:
                await asyncio.sleep(0)
                turns += 1

        beside = asyncio.create_task(another())
        api = Held()
        api.failing["/api/v1/events"] = Unanswered("Not asked for here.")
        pieces = await begun(event.event(asked(f"/events/{ID}", api, "all=payload", id=ID)))
        before = await until(pieces, "</h1>")
        turns = 0
        shown = await rest(pieces)
        reading = False
        await beside
        assert len(before) + len(shown) > 1_000_000
        assert turns > 20

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ANSWERS, f"/api/v1/events/{ID}", large)
        asyncio.run(scene())


def test_what_is_not_answered_says_so_in_its_place_alone() -> None:
    async def scene() -> None:
        api = Held()
        api.failing[f"/api/v1/events/{ID}/deliveries"] = Unanswered("It is away.")
        api.failing["/api/v1/events"] = ValueError("a fault of ours")
        text = await rest(await begun(event.event(asked(f"/events/{ID}", api, id=ID))))
        assert "It is away." in text.partition('data-part="deliveries"')[2]
        around = text.partition('data-part="around"')[2].partition("</section>")[0]
        assert "could not be made" in around
        assert "Nobody wants it" in text

    asyncio.run(scene())


def test_an_event_that_is_late_and_not_there_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts_of_pages, "SOON_S", 0.0)

    async def scene() -> None:
        api = Held(f"/api/v1/events/{ID}")
        missing = Refused(404, {"title": "Not found", "detail": "There is no such event."})
        api.failing = dict.fromkeys(ANSWERS, missing)
        pieces = await begun(event.event(asked(f"/events/{ID}", api, id=ID)))
        api.gates[f"/api/v1/events/{ID}"].set()
        text = await rest(pieces)
        assert text.count('data-state="error"') == 1
        assert "There is no such event." in text

    asyncio.run(scene())


@pytest.mark.parametrize("soon_s", [0.0, WAIT_S])
def test_a_kind_of_failure_is_named_once_also_when_it_is_late(
    soon_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_of_pages, "SOON_S", soon_s)
    at = "2026-01-31T12:00:00.000Z"
    fault = {
        "status": 504,
        "message": "timeout of * exceeded",
        "count": 1,
        "before": 0,
        "entities": 1,
    }
    fault |= {
        "first_seen": at,
        "last_seen": at,
        "buckets": [1],
        "operations": [],
        "state": {"state": "open", "said": "open", "reopened_at": None, "at": None},
    }
    found = {"from": at, "to": "2026-01-31T13:00:00.000Z", "interval": "hour", "fault": fault}
    found |= {"compared": {"group": 1, "rest": 0}, "differences": [], "entities": [], "events": []}
    monkeypatch.setitem(ANSWERS, "/api/v1/faults/f1", found)

    async def scene() -> None:
        answer = await begun(faults.group(asked("/faults/f1", Held(), fingerprint="f1")))
        main = (await rest(answer)).partition("<main")[2]
        assert main.count("timeout of * exceeded") == 1

    asyncio.run(scene())


@pytest.mark.parametrize("handler", [overview.overview, faults.groups])
def test_a_page_of_counts_has_its_head_before_any_of_them(
    handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_of_pages, "SOON_S", 0.0)

    async def scene() -> None:
        api = Held("/api/v1/counts", "/api/v1/faults", "/api/v1/subscriptions")
        pieces = await begun(handler(asked("/", api)))
        assert "</h1>" in await until(pieces, 'data-state="loading"')
        api.failing = dict.fromkeys(api.gates, Unanswered("It is away."))
        for gate in api.gates.values():
            gate.set()
        later = await rest(pieces)
        assert "It is away." in later
        assert later.rstrip().endswith("</html>")

    asyncio.run(scene())


@pytest.mark.parametrize(
    "handler", [overview.overview, faults.groups, faults.group, event.event, search.search]
)
def test_who_is_no_longer_signed_in_is_led_there_before_a_page_begins(handler: Any) -> None:
    async def scene() -> None:
        made = asked("/", Held(), id=ID, fingerprint="0123456789abcdef")
        made.session = SignedOut()
        with pytest.raises(NotSignedIn):
            await handler(made)

    asyncio.run(scene())


def test_a_part_that_is_slow_keeps_no_other_from_the_overview() -> None:
    async def scene() -> None:
        api = Held(paths.COUNTS)
        api.failing = dict.fromkeys(
            (paths.STATUS, paths.FAULTS, paths.SUBSCRIPTIONS), Unanswered("Away.")
        )
        pieces = await begun(overview.overview(asked("/", api)))
        sent = ""
        while sent.count('class="came"') < 3:
            sent += await until(pieces, 'class="came"')
        assert 'class="came" data-place="1"' not in sent
        api.gates[paths.COUNTS].set()
        assert 'class="came" data-place="1"' in await rest(pieces)

    asyncio.run(scene())


def test_a_part_that_fails_says_so_and_those_after_it_come() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "begun"
        raise KeyError("a fault of ours")

    async def whole() -> AsyncIterator[str]:
        yield "whole"

    text = "<main><!-- part a --><!-- part b --></main>"
    sent = asyncio.run(rest(in_order(text, {"a": broken(), "b": whole()})))
    assert sent.index("begun") < sent.index("This part failed") < sent.index("whole</main>")


def test_a_question_ends_at_its_deadline_and_with_its_page() -> None:
    async def scene() -> None:
        api, parts = Held("/api/v1/events"), Parts(0.01)
        late = await parts.ask(api.get("/api/v1/events"))
        assert isinstance(late, Unanswered)
        parts = Parts(60)
        gone = parts.ask(api.get("/api/v1/events"))
        await asyncio.sleep(0)
        parts.end()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        assert api.cancelled == ["/api/v1/events"] * 2

    asyncio.run(scene())


def test_a_page_that_breaks_off_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def pieces() -> AsyncIterator[str]:
        yield "<main>"
        raise KeyError("a fault of ours")

    async def scene() -> str:
        answer = page("/").stream(pieces(), Parts(1))
        assert isinstance(answer, StreamingResponse)
        return await rest(answer.body_iterator)  # type: ignore[arg-type]

    assert "This part failed" in asyncio.run(scene())
    assert "broke off" in caplog.text
