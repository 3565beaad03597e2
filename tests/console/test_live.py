"""Live in a browser, told by the test: where the list ends, and what becomes of it when it cannot go on."""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.sync_api import Browser, Page, Route, expect

from console.html.assets import Assets
from contracts.criteria import instant_ms
from tests.console.browser import looking
from tests.console.endless import EndlessApi, console_of

TAIL = re.compile("/search/tail")
ROW = """<tr data-id="{0}" data-at="{1}"><td><a class="row" href="/events/{0}">{0}</a></td></tr>"""


def batch(**told: Any) -> str:
    """One batch of a tail."""
    whole = {"count": 0, "missed": 0, "more": False, "failure": "", "behind": ""} | told
    return f"id: 1\nevent: batch\ndata: {json.dumps(whole)}\n\n"


def fulfil(**answer: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**answer)


def go(page: Page, url: str) -> None:
    """To a search that is live as soon as it was stopped."""
    page.goto(f"{url}/search?range=30d&live=1", wait_until="commit")
    page.get_by_role("button", name="Stop").click()


def test_what_was_cut_from_the_list_is_older_than_its_last_row(browser: Browser) -> None:
    now_ms = time.time_ns() // 1_000_000
    rows = [ROW.format(f"{number:04}", now_ms + number) for number in range(800)]
    batches = [batch(rows="".join(rows[start : start + 400])) for start in (0, 400)]
    with console_of(EndlessApi()) as url, looking(browser, url) as window:
        stream = fulfil(body="".join(batches), content_type="text/event-stream")
        window.page.route(TAIL, stream)
        go(window.page, url)
        expect(window.page.locator("tr[data-id]")).to_have_count(500)
        last = window.page.locator("tr[data-id]").last.get_attribute("data-at")
        end = window.page.locator("tr.end")
        expect(end).to_contain_text("500 shown, newest first.")
        older = end.locator("[rel=next]").get_attribute("href")
        asked = {name: text for name, [text] in parse_qs(urlsplit(older or "").query).items()}
        assert asked.keys() == {"from", "to"}
        assert instant_ms(asked["to"]) == int(last or 0) + 1
        assert now_ms - 31 * 86_400_000 < instant_ms(asked["from"]) < now_ms - 29 * 86_400_000
        window.page.close()


def test_links_of_live_rows_keep_the_range() -> None:
    since = {"since": str(time.time_ns() // 1_000_000 - 120_000), "range": "1h"}
    with (
        console_of(EndlessApi()) as url,
        httpx.stream("GET", f"{url}/search/tail", params=since, timeout=60) as answer,
    ):
        line = next(each for each in answer.iter_lines() if each.startswith("data: "))
    links = re.findall('(?:href|data-part)="([^"]+)"', json.loads(line[6:])["rows"])
    assert len(links) == 2
    assert all("range=1h" in each and "since" not in each for each in links)


def test_how_far_the_view_is_behind_is_shown(browser: Browser) -> None:
    with console_of(EndlessApi()) as url, looking(browser, url) as window:
        stream = fulfil(body=batch(behind="It is 1 min behind."), content_type="text/event-stream")
        window.page.route(TAIL, stream)
        go(window.page, url)
        expect(window.page.locator("[data-behind]")).to_have_text("It is 1 min behind.")
        window.page.locator("[data-does=tail]").click()
        expect(window.page.locator("[data-behind]")).to_be_hidden()
        window.page.close()


def test_whose_session_ended_is_led_from_live_to_the_sign_in(browser: Browser) -> None:
    with console_of(EndlessApi()) as url, looking(browser, url) as window:
        ended = json.dumps({"sign_in": "/sign-in?next=%2Fsearch"})
        refused = fulfil(status=401, body=ended, content_type="application/json")
        window.page.route(TAIL, refused)
        go(window.page, url)
        window.page.wait_for_url("**/sign-in?next=%2Fsearch")
        window.page.close()


def test_how_far_a_job_is_is_asked_again_when_it_was_not_answered(browser: Browser) -> None:
    part = "<p data-moving>{} %</p>"
    job = f"""<!doctype html><html lang="en"><title>Job</title><p id="said"></p>
        <main><div data-refresh="/progress">{part.format(50)}</div></main>
        <script type="module" src="{Assets().url("console.js")}"></script>"""
    answers = [fulfil(status=503), fulfil(body=part.format(60)), fulfil(body="<p>Done</p>")]
    with console_of(EndlessApi()) as url, looking(browser, url, own=True) as window:
        window.page.route("**/job", fulfil(body=job, content_type="text/html"))
        window.page.route("**/progress", lambda route: answers.pop(0)(route))
        window.page.clock.install()
        window.page.goto(f"{url}/job")
        for where, text in (("#said", "It is asked again"), ("main", "60 %"), ("main", "Done")):
            window.page.clock.run_for(5_000)
            expect(window.page.locator(where)).to_contain_text(text)
        window.page.close()


def test_a_link_has_the_times_that_are_shown(browser: Browser) -> None:
    with console_of(EndlessApi()) as url, looking(browser, url) as window:
        window.page.goto(f"{url}/search?range=1h", wait_until="commit")
        window.page.get_by_role("button", name="Stop").click()
        expect(window.page.locator("[data-does=share]")).to_be_visible()  # the keys are known
        shown = window.page.locator("main")
        window.page.keyboard.press("y")
        expect(window.page.locator("#said")).to_contain_text("Link copied")
        link = parse_qs(urlsplit(window.page.evaluate("navigator.clipboard.readText()")).query)
        assert link["from"] == [shown.get_attribute("data-from")]
        assert link["to"] == [shown.get_attribute("data-to")]
        window.page.close()
