"""Pages of the console filled in without a server: what is rarely seen, and where their links lead."""

import asyncio
import json
import re
import uuid
from functools import cache
from html import unescape
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.requests import Request

from console.api import Api
from console.app import PAGES
from console.html.assets import Assets
from console.html.course import fewer
from console.html.environment import environment
from console.line.given import given
from console.live.tails import Tails
from console.page import Page, Site
from console.pages import counted, errors, event, faults, search
from console.pages.subscriptions import one
from console.reading.seen import Seen
from console.reading.state import state_of
from console.settings import Console

URL = "http://127.0.0.1:8080"
HEALTH = {
    "breaker": "closed",
    "last_hour": {"delivered": 1, "failed": 2},
    "waiting": 0,
    "dead": 0,
    "behind": {"records": 0, "since": None},
    "oldest_undelivered": None,
    "last_error": None,
}


class Somebody:
    user, tenant, tenants, csrf = "me", "acme", ("acme",), "token"

    async def access_token(self) -> str:
        raise AssertionError("nothing is asked")


@cache
def site() -> Site:
    settings = Console(api_url="http://api.example", url=URL)
    api = Api(settings)
    return Site(settings, api, environment(Assets()), Tails(api, 1, 1))


def page(path: str, query: str = "", method: str = "GET", referer: str = "") -> Page:
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8080"), (b"referer", referer.encode())],
    }
    return Page(Request(scope), Somebody(), site())


def shown(subscription: dict[str, Any], pattern: str | None = "{}", dead: int = 0) -> str:
    health = HEALTH | {"dead": dead}
    return page("/subscriptions/1").text(
        "subscriptions/one.html",
        it=subscription,
        state=state_of(subscription, health),
        pattern=pattern,
        health=health,
        dead={"count": 0, "beyond": 0, "counts": []},
        jobs={"jobs": [], "next": None},
        changes={"items": []},
        changes_shown=1,
        members=one._members,
        checked=None,
        refused=None,
    )


WHOLE = {
    "id": "1",
    "name": "orders",
    "enabled": True,
    "filter": {},
    "destination": {"type": "sqs", "arn": "arn:aws:sqs:eu-west-1:123456789012:orders"},
    "delivery": {"fairness": "tenant", "retry_for_s": 90, "dead_letter": None},
    "ownership": {
        "destination": {"by": "role", "state": "proven", "asked_at": "2026-01-31T12:00:00Z"}
    },
}


@pytest.mark.parametrize("without", ["delivery", "ownership", "name", "destination", "filter"])
def test_a_subscription_of_an_earlier_release_is_shown(without: str) -> None:
    text = shown({name: value for name, value in WHOLE.items() if name != without})
    assert 'id="settings"' in text
    assert ("proven by role" in text) == (without != "ownership")


def test_what_a_form_is_sent_to_can_be_asked_for_too() -> None:
    """A page that answers a form has its URL: it is loaded again, and shared."""
    paths_of = {
        way: {path for method, path, _ in PAGES if method == way} for way in ("GET", "POST")
    }
    assert paths_of["POST"] <= paths_of["GET"]


def test_a_page_that_answers_a_form_stands_for_the_one_that_the_form_is_on() -> None:
    here = page("/subscriptions/1/check", "", "POST", f"{URL}/subscriptions/1?tenant=acme")
    text = bytes(errors.failed(here).body).decode()
    assert 'data-at="/subscriptions/1?tenant=acme"' in text
    assert "data-at" not in bytes(errors.failed(page("/subscriptions/1")).body).decode()


def test_a_subscription_that_cannot_be_read_is_shown_with_its_reason() -> None:
    text = shown({"id": "1", "enabled": False, "inactive": "its record cannot be read"}, None)
    assert "its record cannot be read" in text
    assert "Events that match" not in text


def test_a_change_is_told_by_the_members_that_differ() -> None:
    before = {"delivery": {"fairness": "tenant", "messages_per_s": None}, "labels": {}}
    after = {"delivery": {"fairness": "tenant", "messages_per_s": 5}, "labels": {"team": "x"}}
    told = one._members({"before": before, "after": after})
    assert told == [("delivery.messages_per_s", None, 5), ("labels.team", None, "x")]
    assert one._members({"before": None, "after": after}) == []


def test_events_that_match_are_searched_for_by_the_pattern() -> None:
    text = shown(WHOLE, '{"event_type": ["FAULT"]}')
    link = text.partition('">Events that match')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert urlsplit(link).path == "/search"
    assert parse_qs(urlsplit(link).query)["filter"] == ['{"event_type": ["FAULT"]}']


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        ("q=type:FAULT", True),
        ("q=type:FAULT+timeout", False),
        ("q=foo:bar", False),
        ("filter={}", True),
        ("filter=nonsense", False),
    ],
)
def test_what_a_subscription_cannot_have_is_not_offered(query: str, offered: bool) -> None:
    here = page("/search", query)
    text = search.around(here, search.asked_of(here), None)
    assert ("Subscribe to this" in text) == offered
    assert ("No subscription:" in text) != offered


def test_a_bookmark_of_a_search_is_named_by_its_line() -> None:
    for query, title in (
        ("q=fault.status%3A502+%22a<b%22", "fault.status:502 &#34;a&lt;b&#34; · "),
        ("", ""),
    ):
        here = page("/search", query)
        text = search.around(here, search.asked_of(here), None)
        assert f"<title>{title}Search · acme · Events</title>" in text
        assert "<h1>Search</h1>" in text


def test_what_is_dead_and_is_not_there_any_more_is_said() -> None:
    assert "Nothing was given up" in shown(WHOLE)
    text = shown(WHOLE, dead=2)
    assert "Nothing was given up" not in text
    assert "2 are dead and cannot be sent again" in text


@pytest.mark.parametrize(
    ("waiting", "told"), [(1, "1 event failed and is"), (1_200, "1,200 events")]
)
def test_what_waits_is_told_in_one_sentence(waiting: int, told: str) -> None:
    assert state_of(WHOLE, HEALTH | {"waiting": waiting}).sentence.startswith(told)


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/\\evil.example/x", "///evil.example", "/\t/evil.example"]
)
def test_a_page_leads_to_itself_and_no_other_host(path: str) -> None:
    link = page(path).here()
    assert not urlsplit(link).netloc
    assert link[1] not in "/\\\t"


@pytest.mark.parametrize(
    ("method", "referer", "again"),
    [
        ("GET", "", "/subscriptions/1/check?tenant=acme"),
        ("POST", f"{URL}/subscriptions/1?tenant=acme", "/subscriptions/1?tenant=acme"),
        ("POST", "http://evil.example/subscriptions/1", "/"),
    ],
)
def test_what_failed_is_tried_again_from_where_it_was_asked(
    method: str, referer: str, again: str
) -> None:
    here = page("/subscriptions/1/check", "", method, referer)
    text = bytes(errors.failed(here).body).decode()
    assert f'href="{again}">Try again' in text


@pytest.mark.parametrize(
    ("name", "text", "of"),
    [
        ("correlationId", "4711", "q"),
        ("a.b", 'with "quotes", and *', "q"),
        ("col:on", "x", "filter"),
        ("a b", "x", "filter"),
        ('a"b', "x", "filter"),
        ("long", "x" * 1_500, "filter"),
        ("longer", "x" * 5_000, None),
    ],
)
def test_the_link_of_an_attribute_finds_that_attribute(
    name: str, text: str, of: str | None
) -> None:
    query = event.query_of(name, text)
    assert set(query) == ({of} if of else set())
    if of:
        assert given(query).pattern == {"key_attributes": {name: [text]}}


class Answers:
    """An API that knows one event, by its id without a time, by a search with one."""

    event: ClassVar[dict[str, Any]] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, "an Idempotency-Key")),
        "event_type": "FAULT",
        "event_source": "ORDER",
        "entity_id": "1",
        "event_payload": {"operation": "READ"},
    }

    async def get(self, path: str, **query: object) -> Any:
        if path.endswith(self.event["id"]):
            return self.event
        assert query["entity_id"] == "1"
        return {"events": [self.event], "received_at": ["2026-01-31T12:00:00.000Z"], "next": None}


def test_when_a_latest_failure_was_received_is_known_whoever_gave_its_id() -> None:
    here = page("/faults/0123456789abcdef")
    here.api = Answers()  # type: ignore[assignment]
    found = asyncio.run(faults.received(here, Answers.event["id"], 0, 1))
    assert found.received_ms == 1_769_860_800_000


CLAUSE = {
    "field": "payload.<b>sku",
    "wanted": [{"prefix": "<script>"}, "\u202etxt"],
    "wanted_of": 12,
    "present": True,
    "size": 500,
    "value": "<i>" + "x" * 61,
    "others": 3,
    "apart": False,
}


def why(**clause: Any) -> str:
    """The text of an explanation with one clause that does not hold, as a browser would show it."""
    told = {"id": "1", "name": "orders", "matches": False, "inactive": None}
    told["unmet"] = [[CLAUSE | clause]]
    explained = {"subscriptions": [told], "detail": ""}
    html = page("/events/1").text("event/why.html", explained=explained)
    assert not {"<b>", "<script>", "<i>"} & set(re.findall("<[a-z]+>", html))
    assert "\u202e" not in html
    return " ".join(unescape(re.sub("<[^>]+>", "", html)).split())


@pytest.mark.parametrize(
    ("clause", "told"),
    [
        (
            {},
            f'payload.<b>sku is "<i>{"x" * 61}"… (500 characters) and 3 more;'
            ' wanted is one of {"prefix": "<script>"} "U+202Etxt" and 10 more',
        ),
        (
            {"present": False, "value": None, "size": None, "wanted": ["a"], "wanted_of": 1},
            'payload.<b>sku is missing; wanted is "a"',
        ),
        (
            {"value": None, "size": None, "others": 0, "wanted": [False], "wanted_of": 1},
            "payload.<b>sku is null; wanted is false",
        ),
        (
            {"value": 2, "size": None, "others": 0, "apart": True},
            "payload.<b>sku is 2, in another element of an array than the rest",
        ),
    ],
)
def test_why_a_subscription_does_not_accept_an_event(clause: dict[str, Any], told: str) -> None:
    assert why(**clause).endswith(f"orders {told}")


class Counting:
    """An API that has counted until noon, whatever was asked for."""

    async def get(self, path: str, **query: object) -> Any:
        starts = [f"2026-01-31T{hour:02}:00:00.000Z" for hour in range(12)]
        found = {
            "from": starts[0],
            "to": "2026-01-31T12:00:00.000Z",
            "interval": "hour",
            "count": 12,
        }
        series = [{"value": "FAULT", "count": 12, "buckets": [1] * 12}]
        return found | {"starts": starts, "series": series}


def test_bars_of_a_day_that_is_not_over_end_where_their_axis_does() -> None:
    here = page("/search", "from=2026-01-31T00:00:00Z&to=2026-02-01T00:00:00Z")
    here.api = Counting()  # type: ignore[assignment]
    drawn = str(asyncio.run(counted.timeline(here, given({}))))
    six = 1_769_839_200_000
    assert re.search(rf'<text x="50.00%" y="11" data-at="{six}"', drawn)
    assert '<a href="/search?tenant=acme&amp;from=2026-01-31T06%3A00' in drawn
    bar = drawn.partition(f'data-from="{six}"')[2]
    assert bar.startswith(f' data-to="{six + 3_600_000}"')
    assert 'x="500.00"' in bar.partition("</a>")[0]


def test_no_title_holds_what_is_hidden_or_turns_the_line_around() -> None:
    turned = "gnp.‮exe<b>​"
    seen = Seen(Answers.event | {"entity_id": turned})
    texts = [page("/events/1").text("event/page.html", seen=seen, event_id="1")]
    fault = {
        "status": 500,
        "message": turned,
        "state": {"state": "open", "reopened_at": None, "said": "open"},
    }
    texts.append(page("/faults/1").text("faults/group.html", fault=fault))
    texts.append(shown(WHOLE | {"name": turned}))
    texts.append(
        page("/").text("error.html", title=turned, detail="", errors=(), sign_in=None, again="")
    )
    for text in texts:
        assert not {"‮", "​", "<b>"} & set(re.findall("‮|​|<b>", text))
        assert "⟨U+202E⟩" in text.partition("<title>")[2].partition("</title>")[0]


class Asked:
    """An API that knows one value, and notes what it was asked."""

    def __init__(self) -> None:
        self.query: dict[str, object] = {}

    async def get(self, path: str, **query: object) -> Any:
        self.query = query
        return {"values": [{"value": "FAULT", "count": 7}]}


@pytest.mark.parametrize(
    ("line", "used", "is_all"),
    [
        ("source:ORDER", {"event_source": "ORDER"}, True),
        ("source:ORDER fault.status:>=500", {"event_source": "ORDER"}, False),
        ("source:ORDER,PRICE operation:READ", {"operation": "READ"}, False),
        ("source:ORDER -operation:READ entity:1*", {"event_source": "ORDER"}, False),
    ],
)
def test_values_are_offered_whatever_the_line_says(
    line: str, used: dict[str, str], is_all: bool
) -> None:
    here = page("/search/values", urlencode({"field": "type", "q": line}))
    here.api = api = Asked()  # type: ignore[assignment]
    told = json.loads(bytes(asyncio.run(counted.values(here)).body))
    assert told == [{"value": "FAULT", "count": 7} if is_all else {"value": "FAULT"}]
    known = {"event_source", "operation", "entity_id", "fault.status", "q"}
    assert {name: value for name, value in api.query.items() if name in known} == used


def links(text: str) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Path and query of each link that is a number, by that number."""
    found = re.findall(r'<a href="([^"]+)">([0-9,]+)</a>', text)
    parts = {number: urlsplit(unescape(link)) for link, number in found}
    return {number: (each.path, parse_qs(each.query)) for number, each in parts.items()}


def test_the_numbers_of_a_job_lead_to_its_own_deliveries() -> None:
    told = {"id": "j1", "subscription_id": "s1", "state": "done", "per_cent": 100, "count": 9}
    told |= {"created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:01:00.000Z"}
    told |= {"reason": "", "sent": 5, "dead": 3, "missing": 1, "beyond": 0}
    found = links(page("/jobs/j1").text("subscriptions/progress.html", job=told))
    assert found.keys() == {"5", "3"}  # what is not there has no deliveries
    for number, state in (("5", "delivered"), ("3", "dead")):
        path, query = found[number]
        assert path == "/subscriptions/s1/deliveries"
        asked = {"attempts": [state], "job": ["j1"], "from": [told["created_at"]]}
        assert query == {"tenant": ["acme"], **asked}


GROUP = {"fingerprint": "0123456789abcdef", "status": 502, "message": "no upstream", "count": 12}
GROUP |= {"before": 5, "entities": 7, "buckets": [4, 8], "last_seen": "2026-01-31T12:00:00.000Z"}
GROUP["state"] = {"state": "open", "said": "open", "reopened_at": None}
SHOWN = {"faults": [GROUP], "groups": 1, "count": 12, "next": None}


def test_the_numbers_of_groups_lead_to_what_they_count_under_the_lists_conditions() -> None:
    overview = links(page("/").text("overview/faults.html", groups=SHOWN, fewer=fewer))
    assert overview["12"][1]["q"] == ["fault:0123456789abcdef"]
    assert overview["7"] == (
        "/faults/0123456789abcdef/entities",
        {"tenant": ["acme"], "range": ["24h"]},
    )
    given = {"q": "", "status": "502", "event_source": "ORDER", "operation": "READ"}
    known = {"found": SHOWN, "given": given, "next": None, "fewer": fewer, "is_narrowed": True}
    found = links(page("/faults").text("faults/found.html", **known))
    assert found["12"][1]["q"] == ["fault:0123456789abcdef source:ORDER operation:READ"]
    asked = {"event_source": ["ORDER"], "operation": ["READ"]}
    assert found["7"][1] == {"tenant": ["acme"], "range": ["24h"], **asked}


def test_how_many_match_leads_to_them_by_the_pattern() -> None:
    tried = {"matched": 7, "of": 1_000, "samples": [], "cost": {"rows_read": 1, "seconds": 0.1}}
    pattern = '{"event_type": ["FAULT"]}'
    found = links(page("/").text("subscriptions/tried.html", tried=tried, pattern=pattern))
    assert found["7"] == ("/search", {"tenant": ["acme"], "range": ["24h"], "filter": [pattern]})
    assert found["1,000"] == ("/search", {"tenant": ["acme"], "range": ["24h"]})
    assert not links(page("/").text("subscriptions/tried.html", tried=tried, pattern=None)).get("7")
