"""A search that takes long says how far it is, can be stopped, and ends with whoever looked at it."""

import re
import socket

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.console.browser import looking
from tests.console.endless import ID, EndlessApi, console_of
from tests.stack import eventually

WAIT_S = 30


def test_a_search_says_how_far_it_looked_and_is_stopped(browser: Browser) -> None:
    api = EndlessApi()
    with console_of(api) as url, looking(browser, url) as window:
        window.page.goto(f"{url}/search?range=30d", wait_until="commit")
        progress = window.page.locator("tr.progress").last
        expect(progress).to_contain_text(
            re.compile(r"1 found, looked back to \d{4}-.*, read ([\d.]+ million|500,000) rows, \d+")
        )
        expect(progress.locator("progress")).to_be_visible()
        seen = float(str(progress.locator("progress").get_attribute("value")))
        eventually(
            lambda: float(str(progress.locator("progress").get_attribute("value"))),
            until=lambda value: value > seen,
        )
        window.page.keyboard.press("?")  # while the page still comes
        expect(window.page.locator("#keys")).to_be_visible()
        window.page.keyboard.press("Escape")
        window.page.get_by_role("button", name="Stop").click()
        stopped = window.page.locator("tr.end")
        expect(stopped).to_contain_text(
            re.compile("Stopped: 1 found, looked back to .* million rows")
        )
        asked = eventually(lambda: api.asked, until=lambda count: count == api.asked)
        window.page.keyboard.press("?")
        expect(window.page.locator("#keys")).to_be_visible()
        window.page.keyboard.press("Escape")
        window.page.keyboard.press("j")
        window.page.keyboard.press("o")  # what was found is read as ever
        expect(window.page.locator(f"[data-panel-open='{ID}']")).to_be_visible()
        assert api.asked <= asked + 1, "it went on asking"
        window.page.keyboard.press("Escape")
        stopped.get_by_role("link", name="Look on").click()
        expect(window.page.locator("tr.progress").last).to_contain_text("looked back to")
        window.page.close()


def test_stop_is_shown_once_it_stops_and_loads_what_it_broke_off(browser: Browser) -> None:
    held: list[Route] = []
    with console_of(EndlessApi()) as url, looking(browser, url, own=True) as window:
        page = window.page
        page.route("**/stop.*.js", lambda route: held.insert(0, route))
        page.route("**/keys.*.js", lambda route: None, times=1)  # is on its way when all is stopped
        page.goto(f"{url}/search?range=30d", wait_until="commit")
        expect(page.locator("tr.progress").last).to_contain_text("looked back to")
        assert page.locator("[data-does=stop]").is_hidden()
        # what came in between is handed over while something is asked
        eventually(lambda: (page.title(), held), until=lambda asked: bool(asked[1]))
        held[0].continue_()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("tr.end")).to_contain_text("Stopped: 1 found")
        expect(page.locator("[data-does=share]")).to_be_visible()
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        page.close()


def test_a_row_opens_while_the_search_looks_on(browser: Browser) -> None:
    api = EndlessApi()
    with console_of(api) as url, looking(browser, url) as window:
        window.page.goto(f"{url}/search?range=30d", wait_until="commit")
        expect(window.page.locator("tr.progress").nth(2)).to_be_attached()
        window.page.locator("tr[data-id] a.row").click()
        expect(window.page.locator(f"[data-panel-open='{ID}'] dt").first).to_be_visible()
        expect(window.page).to_have_url(re.compile(f"event={ID}"))
        assert window.page.evaluate("document.readyState") == "loading", "the search began anew"
        seen = api.asked
        eventually(lambda: api.asked, until=lambda count: count > seen)
        window.page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_page_says_what_it_waits_for_and_then_why_there_is_none(
    browser: Browser, scripts: bool
) -> None:
    api = EndlessApi()
    with console_of(api) as url, looking(browser, url, scripts=scripts) as window:
        window.page.goto(f"{url}/faults", wait_until="commit")
        expect(window.page.locator("h1")).to_have_text("Faults")
        loading = window.page.get_by_text("Looking for what failed")
        expect(loading).to_be_visible()
        api.counts.set()
        expect(window.page.locator("[data-state=error]")).to_contain_text("at the moment")
        expect(loading).to_be_hidden()


def test_a_page_that_is_cut_on_its_way_says_so(browser: Browser) -> None:
    with console_of(EndlessApi()) as url, looking(browser, url) as window:
        whole = window.go("/no-such-page").content()
        told = window.page.locator("main > .notice[role=alert]")
        expect(told).to_have_count(0)
        cut = (
            whole.partition("</main>")[0]
            + '<p class="loading"><span class="spinner"></span>Deliveries</p>'
        )
        window.page.route(
            "**/no-such-page", lambda route: route.fulfill(body=cut, content_type="text/html")
        )
        window.go("/no-such-page")
        expect(told).to_contain_text("cut before its end")
        expect(window.page.locator(".spinner")).to_have_count(0)


@pytest.mark.parametrize("how", ["Stop", "another page", "the tab is closed"])
def test_whoever_goes_ends_what_was_asked_for_them(browser: Browser, how: str) -> None:
    api = EndlessApi(holds_after=2)
    with console_of(api) as url, looking(browser, url) as window:
        window.page.goto(f"{url}/search?range=30d", wait_until="commit")
        expect(window.page.locator("tr.progress").last).to_contain_text("looked back to")
        assert api.holding.wait(WAIT_S)
        if how == "Stop":
            window.page.get_by_role("button", name="Stop").click()
        elif how == "another page":
            window.page.goto(f"{url}/no-such-page")
        else:
            window.page.close()
        assert api.ended.wait(WAIT_S), "the API goes on with what nobody waits for"


def test_a_connection_that_breaks_ends_it_too() -> None:
    api = EndlessApi(holds_after=1)
    with console_of(api) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 0), timeout=WAIT_S) as client:
            client.sendall(b"GET /search?range=30d HTTP/1.1\r\nHost: %s\r\n\r\n" % address.netloc)
            assert api.holding.wait(WAIT_S)
        assert api.ended.wait(WAIT_S)


def test_a_tail_too_many_is_told_so_and_one_that_is_closed_makes_room(browser: Browser) -> None:
    with console_of(EndlessApi(), tails=2) as url, httpx.Client(base_url=url, timeout=30) as client:
        with client.stream("GET", "/search/tail"), client.stream("GET", "/search/tail"):
            refused = client.get("/search/tail")
            assert refused.status_code == 429
            assert "acme has 2 live tails open, which is the limit" in refused.text
            with looking(browser, url) as window:
                window.page.goto(f"{url}/search?range=30d&live=1", wait_until="commit")
                window.page.get_by_role("button", name="Stop").click()
                expect(window.page.locator("#said")).to_contain_text("acme has 2 live tails open")
                expect(window.page.locator("[data-does=tail]")).to_have_attribute(
                    "aria-pressed", "false"
                )
                window.page.close()

        def status() -> int:
            with client.stream("GET", "/search/tail") as answer:
                return answer.status_code

        eventually(status, until=lambda status: status == 200)
