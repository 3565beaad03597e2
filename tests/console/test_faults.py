"""Overview and faults in the console: a kind of failure is found, opened, spoken of; numbers lead on."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from tests.console.browser import Looking, numbers
from tests.console.conftest import TENANT
from tests.stack import Stack, eventually

Look = Callable[..., AbstractContextManager[Looking]]


@pytest.fixture(scope="module")
def fingerprint(stack: Stack, console: str) -> str:
    """The kind of failure that there is most of."""
    with stack.client(TENANT) as client:
        found = eventually(
            lambda: client.get("/api/v1/faults").json()["faults"], until=lambda some: bool(some)
        )
    return str(found[0]["fingerprint"])


def test_a_kind_of_failure_is_found_from_the_first_page_and_leads_to_an_event(look: Look) -> None:
    with look() as window:
        page = window.go("/?range=1h")
        expect(page.locator("figure svg.bars rect.FAULT").first).to_be_attached()
        expect(page.locator("dl.figures dd:not(:has(a))")).to_have_count(0)
        for told in page.locator(".current dd").all():
            expect(told).to_have_text(re.compile("up to date|behind"))
        page.locator("section[aria-labelledby=faults] a.row").first.click()
        expect(page.locator("#apart")).to_be_visible()
        page.locator("section[aria-labelledby=latest] a.row").first.click()
        expect(page.locator("h1")).to_contain_text("FAULT")
        page.go_back()
        expect(page.locator("#apart")).to_be_visible()
        page.locator("section[aria-labelledby=entities] td a").first.click()
        expect(page.locator("table.events tbody tr[data-id]").first).to_be_visible()


def test_the_numbers_of_a_kind_lead_to_what_they_count(look: Look) -> None:
    with look() as window:
        page = window.go("/faults?range=1h&event_source=ORDER")
        rarest = page.locator("table.rows tbody tr").last  # all of it is in one page
        leads = numbers(rarest.locator("td.over a"))
        assert len(leads) == 2
        rarest.locator("a.row").click()
        expect(page.locator("section[aria-labelledby=entities] td.number a").first).to_be_visible()
        leads |= numbers(page.locator("section[aria-labelledby=operations] td.number a"))
        leads |= numbers(page.locator("section[aria-labelledby=entities] td.number a").first)
        leads |= numbers(page.locator("dl.figures a"))
        for link, count in leads.items():
            window.go(link)
            if "/search" in link:
                expect(page.locator("tr.end")).to_be_visible()
                expect(page.locator("table.events tbody tr[data-id]")).to_have_count(count)
            elif "/entities" in link:
                expect(page.locator("table.rows tbody tr")).to_have_count(count)
        page.get_by_role("link", name="This kind of failure").click()
        expect(page.locator("#apart")).to_be_visible()


def test_whom_a_kind_concerns_is_found_by_how_it_begins(look: Look, fingerprint: str) -> None:
    with look() as window:
        page = window.go(f"/faults/{fingerprint}/entities?range=1h")
        rows = page.locator("table.rows tbody tr")
        told = page.locator("main p.muted").first
        expect(told).to_contain_text(re.compile(f"^{rows.count():,} entit|200 with the most"))
        name = rows.first.locator("a.row").inner_text()
        window.check_everywhere()
        page.fill("#prefix", name)
        page.get_by_role("button", name="Show", exact=True).click()
        expect(rows.first.locator("a.row")).to_have_text(name)
        assert all(text.startswith(name) for text in rows.locator("a.row").all_inner_texts())
        page.fill("#prefix", "no such entity")
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_role("link", name="All entities").click()
        expect(rows.first.locator("a.row")).to_have_text(name)


def test_a_bar_leads_to_the_events_of_its_time(look: Look) -> None:
    with look() as window:
        page = window.go("/?range=1h")
        page.locator("figure svg.bars a").last.click()
        expect(page.locator("table.events tbody tr[data-id]").first).to_be_visible()
        assert "from=" in page.url


def test_groups_are_narrowed_and_ordered_and_the_url_says_so(look: Look) -> None:
    with look() as window:
        page = window.go("/faults?range=1h")
        all_of_them = page.locator("table.rows tbody tr").count()
        page.fill("#q", "no such message anywhere")
        page.locator("form.filters button").click()
        expect(page.locator("[data-state=empty]")).to_be_visible()
        window.check()
        page.go_back()
        page.fill("#q", "no such message either")
        page.locator(".range summary").click()
        page.get_by_role("link", name="Last 7 days").click()
        expect(page).to_have_url(re.compile("range=7d.*no.such.message.either"))
        expect(page.locator("#q")).to_have_value("no such message either")
        page.fill("#q", "")
        page.locator(".range summary").click()
        page.locator(".range form button").click()
        expect(page).to_have_url(re.compile(r"\?from="))
        page.select_option("#order", "last_seen")
        page.get_by_role("button", name="Show", exact=True).click()
        assert "order=last_seen" in page.url
        expect(page.locator("table.rows tbody tr")).to_have_count(all_of_them)


def test_what_is_said_of_a_group_is_seen_by_everybody(look: Look, fingerprint: str) -> None:
    with look() as window:
        page = window.go(f"/faults/{fingerprint}?range=1h")
        page.fill("#note", "<b>the shop's certificate</b>")
        page.get_by_role("button", name="Known", exact=True).click()
        said = page.locator("section[aria-labelledby=done]")

        def told() -> str:  # the view is a moment behind the log
            page.reload()
            return said.inner_text()

        eventually(told, until=lambda text: "said known" in text)
        expect(said).to_contain_text("<b>the shop's certificate</b>")
        window.check()
        page = window.go("/faults?range=1h")
        expect(page.locator("tr.faint .badge.state-known")).to_have_text("known")
        window.check()


def test_overview_and_faults_can_be_read_by_everybody(look: Look, fingerprint: str) -> None:
    empty = "from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z"
    with look() as window:
        for path in ("/", f"/?{empty}", "/faults", f"/faults?{empty}", f"/faults/{fingerprint}"):
            window.go(path)
            window.check_everywhere()


def test_a_group_that_is_not_there_says_so(look: Look) -> None:
    with look() as window:
        page = window.go("/faults/0123456789abcdef?range=1h")
        expect(page.locator("[role=alert]")).to_be_visible()
        page.get_by_role("link", name="Last 30 days").last.click()
        assert "range=30d" in page.url
        expect(page.locator(".range summary")).to_have_text("Last 30 days")


def test_faults_are_read_without_scripts(look: Look, fingerprint: str) -> None:
    with look(scripts=False) as window:
        page = window.go("/faults?range=1h")
        page.locator("table.rows a.row").first.click()
        expect(page.locator("#apart")).to_be_visible()
