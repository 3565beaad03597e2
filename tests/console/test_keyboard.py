"""Everything is done by keyboard alone: each control is reached, is seen to be, and is left again."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.console.browser import HEIGHTS, NARROW, WIDE
from tests.console.looks import Look

KEYS = Path(__file__).parent.parent.parent / "console" / "static" / "keys.js"
CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
REACHABLE = """controls => [...document.querySelectorAll(controls)].filter(
    (each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled
      && each.tabIndex >= 0).length"""
"""What a person could press; what is in a menu that is shut is not shown."""
FOCUSED = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    at.dataset.reached = "1";
    const box = at.getBoundingClientRect();
    const styles = [getComputedStyle(at), getComputedStyle(at, "::after")];
    return {
        what: at.outerHTML.slice(0, 120),
        inside: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
        seen: box.width > 0 && box.height > 0,
        marked: styles.some((style) => style.outlineStyle !== "none"),
    };
}"""
FROM_THE_START = """() => {
    document.querySelectorAll("[data-reached]").forEach((each) => delete each.dataset.reached);
    document.body.tabIndex = -1;
    document.body.focus();
}"""
PATHS = [
    "/search?q=type:FAULT+entity:1000144",  # few rows: each is reached alike
    "/no-such-page",
    "/subscriptions",
    "/subscriptions/new",
    "/jobs",
]


def tabbed(page: Page, most: int) -> int:
    """How many controls Tab reaches until the page is left; each is seen and marked."""
    page.evaluate(FROM_THE_START)
    for _ in range(most):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None:
            break
        assert at["inside"], f"focused outside of the window: {at['what']}"
        assert at["seen"], f"focused and not shown: {at['what']}"
        assert at["marked"], f"nothing shows that this is focused: {at['what']}"
    return int(page.evaluate("document.querySelectorAll('[data-reached]').length"))


def test_tab_reaches_every_control_and_leaves_the_page(look: Look) -> None:
    with look() as window:
        page = window.go(PATHS[0])
        event = page.locator("tr[data-id]").first.get_attribute("data-id")
        for path in (*PATHS, f"/events/{event}"):
            window.go(path)
            for width in (WIDE, NARROW):
                page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
                there = page.evaluate(REACHABLE, CONTROLS)
                assert tabbed(page, there + 20) >= there


def test_the_first_tab_offers_to_skip_what_is_on_every_page(look: Look) -> None:
    with look() as window:
        page = window.go("/search")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_menu_is_opened_walked_and_shut(look: Look) -> None:
    with look() as window:
        page = window.go("/search")
        summary = page.get_by_title("Tenant and account")
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('.menu-body') !== null")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(summary).to_be_focused()


def test_the_list_of_keys_names_those_that_there_are(look: Look) -> None:
    source = KEYS.read_text()
    handled = set(re.findall(r'^    "?([^\s":]+)"?: ', source, re.MULTILINE))
    with look() as window:
        page = window.go("/search")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        told = set(page.locator("#keys kbd").all_inner_texts())
        chords = page.locator("[data-key]").evaluate_all(
            "all => all.map((each) => each.dataset.key)"
        )
        for chord in chords:
            assert set(chord.split(" ")) <= told
        names = {"Escape": "Esc"}
        assert {names.get(each, each) for each in handled} <= told
        page.keyboard.press("Escape")
        expect(page.locator("#keys")).to_be_hidden()


def test_keys_of_one_letter_are_switched_off_and_on_for_good(look: Look) -> None:
    """As WCAG 2.1.4 asks: who speaks to the computer, or hits a key by chance, is not led away."""
    with look() as window:
        page = window.go("/search?q=type:FAULT")
        page.keyboard.press("?")
        switch = page.get_by_label("Keys of one letter or sign do this")
        expect(switch).to_be_checked()
        window.check()
        switch.uncheck()
        page.keyboard.press("Escape")
        window.go("/search?q=type:FAULT")
        for key in ("?", "j", "/"):
            page.keyboard.press(key)
        expect(page.locator("#keys")).to_be_hidden()
        expect(page.locator("tr.cursor")).to_have_count(0)
        expect(page.locator("#q")).not_to_be_focused()
        page.get_by_title("Tenant and account").click()
        page.get_by_role("button", name="Keyboard").click()
        expect(switch).not_to_be_checked()
        switch.check()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        expect(page.locator("tr.cursor")).to_have_count(1)


def test_keys_lead_to_pages_and_not_while_one_types(look: Look) -> None:
    with look() as window:
        page = window.go("/no-such-page")
        page.keyboard.press("g")
        page.keyboard.press("s")
        page.wait_for_url("**/search*")
        page.keyboard.press("/")
        page.keyboard.type("g s ? j")
        expect(page.locator("#q")).to_have_value(re.compile(r"g s \? j"))
        expect(page.locator("#keys")).to_be_hidden()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(page.locator("#q")).not_to_be_focused()


def test_the_browsers_own_keys_are_left_to_it(look: Look) -> None:
    with look() as window:
        page = window.go("/search")
        page.evaluate("""addEventListener("keydown", (event) => {
            if (event.key === "j") document.title = `${document.title} ${event.defaultPrevented}`;
        })""")
        page.evaluate("document.title = ''")
        for modifier in ("Control", "Alt", "Meta"):
            page.keyboard.press(f"{modifier}+j")
        expect(page).to_have_title("false false false")


def test_closing_what_was_opened_gives_the_focus_back(look: Look) -> None:
    with look() as window:
        page = window.go("/search?q=type:FAULT")
        page.keyboard.press("j")
        page.keyboard.press("o")
        expect(page.locator("[data-panel-open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("[data-panel-open]")).to_have_count(0)
        expect(page.locator("tr[data-id] a.row").first).to_be_focused()
