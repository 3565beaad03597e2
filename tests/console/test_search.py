"""The search in a browser: the line, a row beside the list, keys, stopping, live."""

import json
import re
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from contracts.criteria import instant_ms
from tests.builders import a_payload, an_event
from tests.console.conftest import post
from tests.console.looks import Look
from tests.stack import Stack


def test_the_line_offers_fields_and_values_and_shows_what_it_asks_for(look: Look) -> None:
    with look() as window:
        page = window.go("/search")
        page.keyboard.press("/")
        page.keyboard.type("ty")
        expect(page.locator(".options li")).to_have_text(["type:what kind of event"])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.type("F")
        expect(page.locator(".options li")).to_have_text([re.compile("FAULT[0-9]+")])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#q")).to_have_value("type:FAULT ")
        window.check()
        page.keyboard.press("Enter")
        page.wait_for_url("**q=type*")
        badges = page.locator("tr[data-id] .badge").all_inner_texts()
        assert set(badges) == {"FAULT"}
        page.locator("details.asked summary").click()
        assert json.loads(page.locator("[aria-label=pattern]").inner_text()) == {
            "event_type": ["FAULT"]
        }
        assert "event_type = 'FAULT'" in page.locator("[aria-label=SQL]").inner_text()
        assert "X-TWC-Tenant: console" in page.locator("[aria-label=curl]").inner_text()
        assert "filter=" in str(page.get_by_text("Subscribe to this").get_attribute("href"))


def test_a_row_opens_beside_the_list_and_the_url_says_which(look: Look) -> None:
    with look() as window:
        page = window.go("/search?q=type:FAULT")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("[data-panel-open]")).to_be_visible()
        second = page.locator("tr[data-id]").nth(1).get_attribute("data-id")
        assert f"event={second}" in page.url
        page.keyboard.press("j")
        third = str(page.locator("tr[data-id]").nth(2).get_attribute("data-id"))
        expect(page.locator(f"[data-panel-open='{third}']")).to_be_visible()
        page.go_back()
        expect(page.locator(f"[data-panel-open='{second}']")).to_be_visible()
        page.reload()
        expect(page.locator(f"[data-panel-open='{second}']")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("[data-panel-open]")).to_have_count(0)
        assert "event=" not in page.url


def test_bars_lead_to_their_time_and_a_stretch_of_them_becomes_the_range(look: Look) -> None:
    with look() as window:
        page = window.go("/search?q=type:FAULT&range=15m")
        bars = page.locator("[data-timeline]")
        expect(bars.locator("a rect.FAULT").first).to_be_attached()
        assert bars.locator(".axis text").count() >= 2
        bars.locator("a").last.focus()
        expect(bars.locator("output")).to_contain_text("FAULT")
        window.check()
        box = bars.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 5, steps=3)
        page.mouse.up()
        expect(page).to_have_url(re.compile("from=.*to="))
        assert "range=" not in page.url
        given = parse_qs(urlsplit(page.url).query)
        length = instant_ms(given["to"][0]) - instant_ms(given["from"][0])
        assert length == pytest.approx(0.4 * 15 * 60_000, rel=0.2)
        assert "q=type" in page.url
        page.go_back()
        bars.locator("a").last.click()
        expect(page).to_have_url(re.compile("from=.*to="))
        expect(page.locator("tr[data-id]").first).to_be_visible()


def test_the_keys_are_listed_and_a_link_is_shared_with_fixed_times(look: Look) -> None:
    with look() as window:
        page = window.go("/search?q=type:FAULT&range=1h")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        window.check()
        page.keyboard.press("Escape")
        page.keyboard.press("y")
        expect(page.locator("#said")).to_contain_text("copied")
        link = page.evaluate("navigator.clipboard.readText()")
        assert "range=" not in link
        assert "from=" in link


def test_times_are_in_the_viewers_zone_with_utc_on_hover(look: Look) -> None:
    with look() as window:
        page = window.go("/search")
        first = page.locator("tr[data-id] time").first
        shown, utc = first.inner_text(), str(first.get_attribute("title"))
        hours = int(utc[11:13]) - int(shown[6:8])
        assert hours % 24 in (22, 23), (shown, utc)  # Berlin is an hour or two ahead
        bar = page.locator("[data-timeline] .bars a").last
        said, title = str(bar.get_attribute("aria-label")), bar.locator("title").text_content()
        assert said == title
        page.reload()  # by the cookie the server knows the zone now
        assert first.inner_text() == shown
        assert str(bar.get_attribute("aria-label"))[:16] == said[:16]


def entities(page: Page) -> list[str]:
    """Of the rows that are shown, the newest first."""
    return page.locator("tr[data-id] a.row").all_inner_texts()


def test_live_rows_come_in_and_wait_while_one_reads(look: Look, stack: Stack) -> None:
    one, two = uuid.uuid4().hex, uuid.uuid4().hex
    with look() as window:
        page = window.go("/search")
        page.mouse.move(5, 5)
        post(stack, [an_event(entity_id=one)])  # before its tail has begun
        page.locator("[data-does=tail]").click()
        page.locator("[data-does=tail]").evaluate("button => button.blur()")
        expect(page.locator("tr[data-id]").first).to_contain_text(one, timeout=60_000)
        page.locator("tr[data-id]").nth(3).hover()
        post(stack, [an_event(entity_id=two)])
        expect(page.locator("[data-waiting]")).to_contain_text("1 new event", timeout=60_000)
        assert page.get_by_text(two).count() == 0
        window.check()
        page.locator("[data-waiting] button").click()
        expect(page.locator("tr[data-id]").first).to_contain_text(two)
        assert entities(page)[:2] == [two, one]


def test_what_comes_while_live_is_off_comes_in_once_and_in_order(look: Look, stack: Stack) -> None:
    names = [uuid.uuid4().hex for _ in range(4)]
    with look() as window:
        page = window.go("/search")
        page.mouse.move(5, 5)
        live = page.locator("[data-does=tail]")
        for name in names[:2]:
            post(stack, [an_event(entity_id=name)])
        for name, before in zip(names[1:], names, strict=False):
            live.click()  # on
            live.evaluate("button => button.blur()")
            expect(page.get_by_text(before).first).to_be_visible(timeout=60_000)
            live.click()  # off
            post(stack, [an_event(entity_id=f"{name}-later")])
        live.click()
        live.evaluate("button => button.blur()")
        expect(page.get_by_text(f"{names[3]}-later")).to_be_visible(timeout=60_000)
        later = [f"{name}-later" for name in names[1:]]
        assert entities(page)[:5] == [*reversed(later), names[1], names[0]]


def test_a_stream_that_was_cut_off_goes_on_where_it_was(console: str, stack: Stack) -> None:
    query = {"since": str(time.time_ns() // 1_000_000), "q": f"attr.run:{uuid.uuid4().hex}"}
    payload = a_payload(key_attributes={"run": query["q"].partition(":")[2]})
    [first] = post(stack, [an_event(event_payload=payload)])
    last, told = told_by(console, query, {}, {first})
    meanwhile = post(stack, [an_event(event_payload=payload) for _ in range(3)])
    _, again = told_by(console, query, {"Last-Event-ID": last}, set(meanwhile))
    assert set(told) == {first}
    assert set(again) - {first} == set(meanwhile)
    assert len(again) == len(set(again))


def told_by(
    console: str, query: dict[str, str], headers: dict[str, str], ids: set[str]
) -> tuple[str, list[str]]:
    """The last id of a stream that has told all of `ids`, and what it has told."""
    found: list[str] = []
    last = ""
    with httpx.stream(
        "GET", f"{console}/search/tail", params=query, headers=headers, timeout=60
    ) as stream:
        for line in stream.iter_lines():
            last = line.removeprefix("id: ") if line.startswith("id: ") else last
            if line.startswith("data: "):
                rows = json.loads(line.removeprefix("data: ")).get("rows", "")
                found += re.findall('data-id="([^"]+)"', rows)
                if ids <= set(found):
                    break
    return last, found


def test_live_is_of_the_newest_events(look: Look, console: str) -> None:
    with look() as window:
        page = window.go("/search?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z")
        page.get_by_role("link", name="Live").click()
        expect(page.locator("button[data-does=tail]")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("tr[data-id]").first).to_be_visible()
    answer = httpx.get(f"{console}/search/tail?since=yesterday", headers={"X-Part": "1"})
    assert answer.status_code == 400
    assert "yesterday" in answer.text


def test_a_page_that_is_not_asked_for_by_get_is_refused(console: str) -> None:
    assert httpx.post(f"{console}/search").status_code in (403, 405)
    assert httpx.get(f"{console}/static/nothing.js").status_code == 404
