"""`python -m docs.make.screens --home DIR [--tenant T]`: the pictures of the console in the documents.

From a running stack that has events; looked at by the system's Chromium, signed in by
tests/console/open.py. Where no browser is installed it says so and draws nothing.
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.console.browser import WIDE, Scheme, executable, looking
from tests.processes import free_port, running_module

FOLDER = Path(__file__).parent.parent
PICTURES: dict[str, tuple[str, Scheme]] = {
    "console-search": ("/search?range=24h&q=type:FAULT&event={id}", "light"),
    "console-list": ("/search?range=24h", "dark"),
}
"""By name the path, in which `{id}` is the newest fault, and the scheme."""


def main() -> None:
    """Draw all pictures anew."""
    parser = argparse.ArgumentParser(prog="python -m docs.make.screens", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--tenant", default="acme")
    given = parser.parse_args()
    path = executable()
    if path is None:
        sys.exit("No Chromium is installed.")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["--home", str(given.home), "--port", str(port), "--tenant", given.tenant]
    with (
        running_module("tests.console.open", *arguments, ready=f"{url}/readyz"),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (where, scheme) in PICTURES.items():
            with looking(browser, url, WIDE, scheme) as window:
                page = window.go("/search?q=type:FAULT")
                event_id = page.locator("tr[data-id]").nth(1).get_attribute("data-id")
                window.go(where.format(id=event_id))
                window.shoot(FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
