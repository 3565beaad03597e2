"""Live tails without a server: nothing is left out between a list and its tail, and none takes all."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from console.api import Refused, Unanswered
from console.live import group, question, turns, view
from console.live.follower import Follower, Since
from console.live.question import PAGE
from console.live.tails import Tails, TooManyTails
from contracts.criteria import instant_ms, rfc_3339
from tests.unit.test_console_pages import Answers

WAIT_S = 20


class Session:
    tenants, csrf = ("acme",), "token"

    def __init__(self, tenant: str = "acme", user: str = "me") -> None:
        self.tenant, self.user = tenant, user

    async def access_token(self) -> str:
        return "token"


class Log:
    """An API that finds what was received and is visible by now; some become visible late."""

    def __init__(self) -> None:
        self.received: dict[str, int] = {}
        self.asked: list[dict[str, Any]] = []
        self.failing: list[Exception] = []
        self.refused: dict[str, Exception] = {}
        self.behind_s: float | None = None
        self.before_answer: Callable[[], None] = lambda: None

    def of(self, session: "Session") -> "Log":
        if session.user in self.refused:
            raise self.refused[session.user]
        return self

    async def get(self, path: str) -> Any:
        if self.behind_s is None:
            raise Refused(503, {})
        return {
            "measured_at": rfc_3339(now_ms()),
            "view": {"seconds_behind": self.behind_s},
        }

    def receive(self, count: int = 1, ago_ms: int = 0) -> list[str]:
        ids = [f"{len(self.received) + number:08}" for number in range(count)]
        self.received |= dict.fromkeys(ids, time.time_ns() // 1_000_000 - ago_ms)
        return ids

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        self.asked.append(body)
        self.before_answer()
        if self.failing:
            raise self.failing.pop()
        from_ms, to_ms = instant_ms(body["from"]), instant_ms(body["to"])
        found = [
            (at, each)
            for each, at in self.received.items()
            if from_ms <= at < to_ms and (at, each) < tuple(body.get("cursor", (to_ms, "")))
        ]
        page = sorted(found, reverse=True)[: body["limit"]]
        return {
            "events": [Answers.event | {"id": each} for _, each in page],
            "received_at": [rfc_3339(at) for at, _ in page],
            "next": page[-1] if len(page) < len(found) else None,
        }


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "POLL_S", 0.005)


def tails_of(log: Log, most: int = 10, of_tenant: int = 10) -> Tails:
    return Tails(log, most, of_tenant)  # type: ignore[arg-type]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def told(follower: Follower, ids: list[str]) -> list[str]:
    """Ids as they are told until all of `ids` were."""
    found: list[str] = []
    async with asyncio.timeout(WAIT_S):
        while not set(ids) <= set(found):
            if batch := await follower.next(1):
                found += [each.id for each in reversed(batch[0].events)]
    return found


def test_what_came_between_the_list_and_its_tail_is_told() -> None:
    async def scene() -> None:
        log = Log()
        log.receive(ago_ms=60_000)  # the list has it
        since = now_ms()
        between = log.receive(3)
        async with tails_of(log).follow(Session(), "all", {}, Since(since)) as follower:
            assert await told(follower, between) == between
            later = log.receive(2)
            assert await told(follower, later) == later

    asyncio.run(scene())


def test_what_becomes_visible_late_is_told_whenever_it_does() -> None:
    """In particular between the question of the group and that of a follower, and after both."""

    async def scene(visible_before: int) -> None:
        log, since = Log(), now_ms()
        late: list[str] = []

        def become_visible() -> None:
            if len(log.asked) == visible_before:
                late.extend(log.receive(1, ago_ms=1_000))

        log.before_answer = become_visible
        async with tails_of(log).follow(Session(), "all", {}, Since(since)) as follower:
            async with asyncio.timeout(WAIT_S):
                while not late:
                    await asyncio.sleep(0)
            assert set(await told(follower, late)) == set(late)

    for number in (1, 2, 3, 4):
        asyncio.run(scene(number))


@pytest.mark.parametrize("others", [0, 2 * PAGE])
def test_what_becomes_visible_as_late_as_the_view_is_behind_is_told(others: int) -> None:
    """Even when more than a page of what is known is newer."""

    async def scene() -> None:
        log = Log()
        log.behind_s = 60
        async with tails_of(log).follow(Session(), "all", {}, Since(now_ms())) as follower:
            asked = len(log.asked)
            log.receive(1 + others)
            async with asyncio.timeout(WAIT_S):
                while len(log.asked) < asked + 8:  # pages, of more than one question
                    await asyncio.sleep(0)
            late = log.receive(1, ago_ms=45_000)
            assert late[0] in await told(follower, late)

    asyncio.run(scene())


def test_how_far_the_view_is_behind_is_told_until_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view, "AGE_S", 0)

    async def scene() -> None:
        log = Log()
        async with tails_of(log).follow(Session(), "all", {}, Since(now_ms())) as follower:
            for behind_s in (0, 60, 0, 4_000):
                log.behind_s = behind_s
                async with asyncio.timeout(WAIT_S):
                    while True:
                        batch, _ = await follower.next(WAIT_S) or pytest.fail("nothing was told")
                        if batch.behind_ms // 1_000 in (behind_s, behind_s + 1):
                            break
            assert batch.until_ms >= now_ms() - 700_000  # it reaches back no further

    asyncio.run(scene())


def test_a_view_that_is_not_told_is_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        log, seen = Log(), view.View()
        caller: Any = log.of(Session())
        assert await seen.until_ms(caller, 1) == 1  # it was never told
        log.behind_s, began_ms = 60, now_ms()
        assert await seen.until_ms(caller, 2) == 2  # nor asked again at once
        monkeypatch.setattr(view, "AGE_S", -1)
        until_ms = await seen.until_ms(caller, now_ms())
        assert began_ms - 60_000 <= until_ms <= now_ms() - 60_000
        log.behind_s = None
        assert await seen.until_ms(caller, now_ms() + 3_600_000) == until_ms

    asyncio.run(scene())


def test_many_who_come_at_once_are_told_by_one_question() -> None:
    async def scene() -> None:
        log, since = Log(), now_ms()
        ids = log.receive(5)
        tails = tails_of(log, most=100, of_tenant=100)
        async with contextlib.AsyncExitStack() as open_:
            followers = [
                await open_.enter_async_context(
                    tails.follow(Session(), "all", {}, Since(since - ago, since - ago))
                )
                for ago in range(50)
            ]
            for each in followers:
                assert await told(each, ids) == ids
                assert len(log.asked) < 10

    asyncio.run(scene())


def test_whose_token_is_refused_is_told_so_and_another_asks() -> None:
    async def scene() -> None:
        log = Log()
        log.refused["old"] = Refused(401, {"detail": "The token has expired."})
        tails, since = tails_of(log), Since(now_ms())
        async with (
            tails.follow(Session(user="old"), "all", {}, since) as old,
            tails.follow(Session(), "all", {}, since) as other,
        ):
            batch, _ = await old.next(WAIT_S) or pytest.fail("nothing was told")
            assert batch.failure == "The token has expired."
            assert old.over
            event = log.receive()
            assert await told(other, event) == event

    asyncio.run(scene())


def test_a_fault_of_ours_ends_a_tail_which_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        log, since = Log(), Since(now_ms())
        log.failing = [KeyError("events")]
        tails = tails_of(log)
        async with tails.follow(Session(), "all", {}, since) as follower:
            batch, _ = await follower.next(WAIT_S) or pytest.fail("nothing was told")
            assert "its log says why" in batch.failure
            assert await follower.next(0) is None
            assert follower.over
            async with tails.follow(Session(), "all", {}, since) as again:
                event = log.receive()
                assert await told(again, event) == event

    asyncio.run(scene())
    assert "KeyError" in caplog.text


def test_who_looks_too_far_back_is_told_what_is_new() -> None:
    async def scene() -> None:
        log, since = Log(), Since(now_ms())
        log.failing = [Refused(400, {})]
        async with tails_of(log).follow(Session(), "all", {}, since) as follower:
            batch, _ = await follower.next(WAIT_S) or pytest.fail("nothing was told")
            assert batch.or_more
            assert not batch.failure
            event = log.receive()
            assert await told(follower, event) == event

    asyncio.run(scene())


def test_a_question_has_a_deadline_and_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "QUESTION_S", 0.01)

    async def scene() -> None:
        log = Log()
        whole = log.post

        async def never(path: str, body: dict[str, Any]) -> Any:
            if body.get("q") == "slow":
                await asyncio.Event().wait()
            return await whole(path, body)

        log.post = never  # type: ignore[method-assign]
        tails, since = tails_of(log), Since(now_ms())
        async with (
            tails.follow(Session("one"), "slow", {"q": "slow"}, since) as slow,
            tails.follow(Session("two"), "all", {}, since) as other,
        ):
            batch, _ = await slow.next(WAIT_S) or pytest.fail("nothing was told")
            assert "did not answer within" in batch.failure
            event = log.receive()
            assert await told(other, event) == event

    asyncio.run(scene())


def test_who_comes_back_is_told_what_came_meanwhile_and_by_whomever_else_it_was_followed() -> None:
    async def scene() -> None:
        log, since = Log(), now_ms()
        tails = tails_of(log)
        async with tails.follow(Session(), "all", {}, Since(since)) as other:
            first = log.receive()
            await told(other, first)
            async with tails.follow(Session(), "all", {}, Since(since)) as follower:
                assert set(await told(follower, first)) == set(first)
                cut_off_ms = now_ms()
            meanwhile = log.receive(4)
            await told(other, meanwhile)
            again = Since(cut_off_ms, cut_off_ms)
            async with tails.follow(Session(), "all", {}, again) as follower:
                assert await told(follower, meanwhile) == meanwhile

    asyncio.run(scene())


def test_what_the_list_has_already_is_not_counted_as_newer() -> None:
    async def scene() -> None:
        log, since = Log(), now_ms() - 60_000  # so far the view was when the list was made
        log.receive(PAGE - 50, ago_ms=40_000)
        late = log.receive(100, ago_ms=50_000)  # visible before live was switched on
        begins = Since(since, 0, PAGE - 50)
        async with tails_of(log).follow(Session(), "all", {}, begins) as follower:
            assert set(late) <= set(await told(follower, late))

    asyncio.run(scene())


def test_nothing_older_than_the_lists_last_event_is_asked_for() -> None:
    async def scene() -> None:
        log, now = Log(), now_ms()
        begins = Since(now - 3_600_000, now - 5_000, 50)
        async with tails_of(log).follow(Session(), "all", {}, begins) as follower:
            event = log.receive()
            assert await told(follower, event) == event
        assert instant_ms(log.asked[0]["from"]) == now - 5_000

    asyncio.run(scene())


@pytest.mark.parametrize(("count", "more"), [(PAGE + 1, False), (20 * PAGE, True)])
def test_too_much_for_a_list_is_counted_and_not_told(count: int, more: bool) -> None:
    async def scene() -> None:
        log, since = Log(), now_ms() - 1
        log.receive(count)
        async with tails_of(log).follow(Session(), "all", {}, Since(since)) as follower:
            async with asyncio.timeout(WAIT_S):
                batch, missed = await follower.next(WAIT_S) or (None, 0)
            assert batch is not None
            assert not batch.events
            assert missed == (count if not more else 1_000)
            assert batch.or_more == more
            later = log.receive()
            assert await told(follower, later) == later

    asyncio.run(scene())


def test_what_came_while_the_api_was_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "OVERLAP_MS", 0)

    async def scene() -> None:
        log = Log()
        async with tails_of(log).follow(Session(), "all", {}, Since(now_ms())) as follower:
            first = log.receive()
            await told(follower, first)
            log.failing = [Unanswered("away"), Refused(503, {})]
            meanwhile = log.receive()
            assert set(meanwhile) <= set(await told(follower, meanwhile))

    asyncio.run(scene())


def test_a_page_without_events_is_not_the_end_of_what_is_looked_through() -> None:
    async def scene() -> None:
        log, since = Log(), now_ms()
        [event] = log.receive()
        whole = log.post

        async def paused(path: str, body: dict[str, Any]) -> Any:
            if "cursor" in body:
                return await whole(path, {n: v for n, v in body.items() if n != "cursor"})
            return {"events": [], "received_at": [], "next": "further back"}

        log.post = paused  # type: ignore[method-assign]
        async with tails_of(log).follow(Session(), "all", {}, Since(since)) as follower:
            assert await told(follower, [event]) == [event]

    asyncio.run(scene())


def test_neither_a_tenant_nor_all_of_them_have_more_tails_than_they_may() -> None:
    async def scene() -> None:
        tails, since = tails_of(Log(), most=3, of_tenant=2), Since(now_ms())
        one, two = Session("one"), Session("two")
        async with (
            tails.follow(one, "a", {}, since),
            tails.follow(one, "b", {}, since),
        ):
            with pytest.raises(TooManyTails, match="one has 2 live tails") as refused:
                await tails.follow(one, "a", {}, since).__aenter__()
            assert refused.value.of_tenant
            async with tails.follow(two, "a", {}, since):
                with pytest.raises(TooManyTails, match="The console has 3") as refused:
                    await tails.follow(two, "b", {}, since).__aenter__()
                assert not refused.value.of_tenant
        async with tails.follow(one, "a", {}, since):
            pass  # those that were closed count no more

    asyncio.run(scene())


def test_a_tenant_asks_one_question_at_a_time_and_none_waits_for_another_tenants() -> None:
    async def scene() -> None:
        taken, running, most = turns.Turns(), {"one": 0, "two": 0}, {"one": 0, "two": 0}

        async def ask(tenant: str) -> None:
            async with taken.taken(tenant):
                running[tenant] += 1
                most[tenant] = max(most[tenant], running[tenant])
                await asyncio.sleep(0.001)
                running[tenant] -= 1

        many = [asyncio.create_task(ask("one")) for _ in range(200)]
        async with asyncio.timeout(WAIT_S):
            await asyncio.create_task(ask("two"))
        assert sum(task.done() for task in many) < 100
        assert most["one"] == 1
        for task in many:
            task.cancel()

    asyncio.run(scene())


def test_a_question_that_failed_is_paused_after_as_well() -> None:
    async def scene() -> None:
        taken, ended_s = turns.Turns(), 0.0

        async def fail() -> None:
            nonlocal ended_s
            async with taken.taken("one"):
                await asyncio.sleep(0.1)
                ended_s = time.monotonic()
                raise Unanswered("slow")

        with pytest.raises(Unanswered):
            await fail()
        async with taken.taken("one"):
            assert time.monotonic() - ended_s > 0.09

    asyncio.run(scene())
