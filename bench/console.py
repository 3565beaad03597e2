"""What the console costs: CPU and bytes of a view, when a cold browser shows it, what many tails take.

    python -m bench.console --home DIR [--views 40] [--tails 1000]

Beside a running stack that has events (`events post`, `python -m bench.fill`); the console that is
measured is a process of its own, signed in as one tenant by tests/console/open.py.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import psutil

from tests.console.browser import HEIGHTS, WIDE, executable
from tests.processes import free_port, running_module

PAGES = {
    "search": "/search?range=30d",
    "search, one opened": "/search?range=30d&event={id}",
    "search of faults": "/search?range=30d&q=type:FAULT",
    "an event": "/events/{id}",
}
COLD = 8
TAILS_SECONDS = 20.0


@contextlib.contextmanager
def console(home: Path, tenant: str) -> Iterator[tuple[str, psutil.Process]]:
    """Its URL and its process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = ["--home", str(home), "--port", str(port), "--tenant", tenant]
    with running_module("tests.console.open", *given, ready=f"{url}/readyz") as process:
        yield url, psutil.Process(process.pid)


def cpu_s(process: psutil.Process) -> float:
    """User and system seconds until now."""
    used = process.cpu_times()
    return float(used.user + used.system)


def views(url: str, process: psutil.Process, path: str, count: int) -> tuple[float, float, int]:
    """Ms of CPU and of waiting for a view, and the bytes of it, compressed."""
    with httpx.Client(timeout=60, headers={"Accept-Encoding": "gzip"}) as client:
        for _ in range(3):
            client.get(url + path).raise_for_status()
        before, took, size = cpu_s(process), [], 0
        for _ in range(count):
            began = time.perf_counter()
            with client.stream("GET", url + path) as answer:
                size = sum(len(part) for part in answer.iter_raw())
            took.append(time.perf_counter() - began)
    return 1000 * (cpu_s(process) - before) / count, 1000 * statistics.median(took), size


def cold(url: str, path: str) -> tuple[float, float, int, int]:
    """Ms until a browser that has seen nothing paints: median, least; requests; bytes."""
    from playwright.sync_api import sync_playwright

    shown: list[float] = []
    requests = size = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        for _ in range(COLD):
            viewport = {"width": WIDE, "height": HEIGHTS[WIDE]}
            context = browser.new_context(viewport=viewport)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(url + path, wait_until="load")
            page.locator("main tr[data-id], main section.first").first.wait_for()
            told = json.loads(page.evaluate(TOLD))
            shown.append(told["shown"])
            requests, size = told["requests"], told["bytes"]
            context.close()
        browser.close()
    return statistics.median(shown), min(shown), requests, size


TOLD = """JSON.stringify({
  shown: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now(),
  requests: 1 + performance.getEntriesByType("resource").length,
  bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((sum, each) => sum + each.transferSize, 0),
})"""


async def tails(url: str, process: psutil.Process, count: int, kinds: int) -> dict[str, float]:
    """So many tails of so many kinds open for a while: bytes of memory of each, per cent of a core."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    connector = aiohttp.TCPConnector(limit=0)
    before = process.memory_info().rss
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        lines = [f"entity:{number}" for number in range(kinds)]
        open_ = [
            await client.get(f"{url}/search/tail", params={"q": lines[number % kinds]})
            for number in range(count)
        ]
        began_s, used_s = time.monotonic(), cpu_s(process)
        await asyncio.sleep(TAILS_SECONDS)
        per_cent = 100 * (cpu_s(process) - used_s) / (time.monotonic() - began_s)
        after = process.memory_info().rss
        assert all(answer.status == 200 for answer in open_)
        for answer in open_:
            answer.close()
    return {"KiB each": (after - before) / count / 1024, "per cent of a core": per_cent}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--tenant", default="acme")
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--tails", type=int, default=1000)
    parser.add_argument("--kinds", type=int, default=10, help="different searches among the tails")
    given = parser.parse_args()
    with console(given.home, given.tenant) as (url, process):
        found = httpx.get(f"{url}/search?range=30d&q=type:FAULT", timeout=60).text
        event_id = found.partition('data-id="')[2][:36]
        print(f"{'':22} CPU ms  answered ms  KiB   cold ms (least)  requests  KiB in all")
        for name, path in PAGES.items():
            path = path.format(id=event_id)
            cpu, took, size = views(url, process, path, given.views)
            shown, least, requests, whole = cold(url, path)
            print(
                f"{name:22} {cpu:6.1f} {took:12.1f} {size / 1024:5.1f}"
                f" {shown:9.0f} ({least:.0f}) {requests:9} {whole / 1024:11.1f}"
            )
        if given.tails:
            print(given.tails, "tails:", asyncio.run(tails(url, process, given.tails, given.kinds)))


if __name__ == "__main__":
    main()
