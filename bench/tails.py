"""Many live tails of one tenant on one process: what they take, and what a neighbour feels of them."""

import asyncio
import statistics
import time
from typing import NamedTuple

import aiohttp
import psutil

from bench.servers import cpu_s

SECONDS = 15.0
NEIGHBOURS = 8
OPENED_AT_ONCE = 50


class Taken(NamedTuple):
    """Of open tails: KiB of memory of each, per cent of a core of the console and of the API.

    `alone_ms` and `beside_ms` is what a neighbour's page takes, median, without and beside them; `beyond`
    is what one more is answered.
    """

    opened: int
    kib_each: float
    console_per_cent: float
    api_per_cent: float
    alone_ms: float
    beside_ms: float
    beyond: str


async def tails(
    url: str, neighbour: str, watched: tuple[psutil.Process, psutil.Process], count: int, kinds: int
) -> Taken:
    """So many of so many kinds, open for a while. `url` is a tail's, `neighbour` another tenant's page."""
    console = watched[0]
    timeout = aiohttp.ClientTimeout(total=None, sock_read=120)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        alone_ms = await _loads(client, neighbour)
        before = console.memory_info().rss
        opening = asyncio.Semaphore(OPENED_AT_ONCE)

        async def opened(number: int) -> aiohttp.ClientResponse:
            async with opening:
                return await client.get(url, params={"q": f"entity:{number % kinds}"})

        open_ = await asyncio.gather(*(opened(number) for number in range(count)))
        await asyncio.sleep(SECONDS / 3)  # each has asked what came since
        began_s, used = time.monotonic(), [cpu_s(each) for each in watched]
        beside_ms = await _loads(client, neighbour)
        await asyncio.sleep(max(0.0, began_s + SECONDS - time.monotonic()))
        took_s = time.monotonic() - began_s
        shares = [
            100 * (cpu_s(each) - start) / took_s for each, start in zip(watched, used, strict=True)
        ]
        grown = console.memory_info().rss - before
        async with client.get(url) as one_more:
            text = "" if one_more.status == 200 else (await one_more.text()).strip()
            beyond = f"{one_more.status} {text}"
        wrong = [answer.status for answer in open_ if answer.status != 200]
        if wrong:
            raise RuntimeError(f"{len(wrong)} tails were not opened: {wrong[0]}")
        for answer in open_:
            answer.close()
    return Taken(count, grown / count / 1024, shares[0], shares[1], alone_ms, beside_ms, beyond)


async def _loads(client: aiohttp.ClientSession, url: str) -> float:
    took: list[float] = []
    for _ in range(NEIGHBOURS):
        began = time.perf_counter()
        async with client.get(url) as answer:
            await answer.read()
            answer.raise_for_status()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)
