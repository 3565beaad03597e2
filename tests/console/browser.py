"""A browser that looks at the console: what it must not see is an error of the test that made it look."""

import functools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request

Scheme = Literal["light", "dark"]
WIDE, NARROW = 1280, 390
HEIGHTS = {WIDE: 800, NARROW: 844}
ALL: dict[str, Any] = {"resultTypes": ["violations"]}
COLOURS = ALL | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""Rules of axe."""
AXE = Axe()
VIOLATIONS = """async ([rules, all]) => {
    const where = all ? document : { exclude: [["[data-alike]"]] };
    return (await axe.run(where, rules)).violations.map(
        each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.target).join(", ")}`);
}"""
"""What axe finds, and no more: all that it passed takes as long to tell as to find out."""
ALIKE = """() => {
    const shape = (of) => `${of.tagName} ${of.getAttribute("class")} ${[...of.children].map(shape)}`;
    for (const parent of document.querySelectorAll("tbody, svg, ol, ul")) {
        const seen = new Map();
        for (const each of parent.children) {
            const number = (seen.get(shape(each)) ?? 0) + 1;
            seen.set(shape(each), number);
            if (number > 2) each.dataset.alike = "";
        }
    }
}"""
"""Marks rows and bars that are made as two before them: one look at all of them is enough."""
ZONE = "Europe/Berlin"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def executable() -> str | None:
    """The browser of the system, None when none is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def numbers(links: Locator) -> dict[str, int]:
    """Where each leads, and its number."""
    return {
        str(each.get_attribute("href")): int(each.inner_text().replace(",", ""))
        for each in links.all()
    }


@dataclass
class Looking:
    """One window; `wrong` holds errors of scripts, what the policy refused, and requests elsewhere."""

    base: str
    page: Page
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path of the console; on return it is loaded."""
        self.page.goto(self.base + path, wait_until="load")
        return self.page

    def check(self, rules: dict[str, Any] = ALL, *, repeats: bool = True) -> None:
        """axe finds nothing on the page that is shown, and nothing sticks out sideways."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.axe_script)
        found = self.page.evaluate(VIOLATIONS, [rules, repeats])
        assert not found, f"{self.page.url}\n" + "\n".join(found)
        sideways = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0, f"{self.page.url} is {sideways} px too wide"

    def check_everywhere(self) -> None:
        """The same at both widths and in both schemes, of which the dark one changes colours alone.

        All rows of a list are looked at once; those that are made alike not in each of the four.
        """
        self.check()
        self.page.evaluate(ALIKE)
        for width in (NARROW, WIDE):
            self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            if width == NARROW:
                self.check(repeats=False)
            self.page.emulate_media(color_scheme="dark")
            self.check(COLOURS, repeats=False)
            self.page.emulate_media(color_scheme="light")

    def shoot(self, path: Path) -> None:
        """A picture of what the window shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def _noted(self, message: ConsoleMessage) -> None:
        expected = "Failed to load resource" in message.text  # its status is the test's to judge
        if message.type in ("error", "warning") and not expected:
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {request.url}")


def own_profile(browser: Browser, scripts: bool) -> BrowserContext:
    """A new one."""
    return browser.new_context(
        timezone_id=ZONE,
        java_script_enabled=scripts,
        bypass_csp=False,
        permissions=["clipboard-read", "clipboard-write"],
    )


@functools.cache
def profile(browser: Browser, scripts: bool) -> BrowserContext:
    """One for all windows, in which the console stores nothing: its start costs as much as a test.

    A window stays: with the last one much of the browser ends, and begins again for the next.
    """
    made = own_profile(browser, scripts)
    made.new_page()
    return made


@contextmanager
def looking(
    browser: Browser,
    base: str,
    width: int = WIDE,
    scheme: Scheme = "light",
    scripts: bool = True,
    own: bool = False,
) -> Iterator[Looking]:
    """A window of its own; when it closes nothing may have gone wrong in it.

    It has its `own` profile where what is done to it, such as to its clock, would be done to all.
    """
    context = (own_profile if own else profile)(browser, scripts)
    stays = context.pages
    try:
        window = Looking(base, context.new_page(), context)
        window.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        window.page.emulate_media(color_scheme=scheme)
        window.page.on("console", window._noted)
        window.page.on("pageerror", lambda error: window.wrong.append(f"script: {error}"))
        window.page.on("request", window._asked)
        window.page.set_default_timeout(30_000)
        yield window
        assert not window.wrong, window.wrong
    finally:
        for page in context.pages:
            if page not in stays:
                page.close()
        if own:
            context.close()
