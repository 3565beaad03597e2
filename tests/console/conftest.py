"""Fixtures: a browser, and the console of the run's stack with events to look at."""

import base64
import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.builders import a_payload, an_event, many_events
from tests.console.browser import Looking, executable, looking
from tests.processes import free_port, running_module
from tests.stack import Stack, eventually

TENANT = "console"
PICTURED = "acme" if "TESTS_PICTURES" in os.environ else "pictured"  # the documents show its name
EVENTS = 1_000
EXPECTED_MS = 30_000
"""A page has so long to become what is expected: these machines are shared."""
FAULT = an_event(
    event_type="FAULT",
    event_payload=a_payload(
        base64_encoded_fault_json=base64.b64encode(
            b'{"status": 503, "message": "no healthy upstream", "path": {"id": [1, null, true]}}'
        ).decode()
    ),
)
"""The newest, so that the first of all faults has one to show."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    path = executable()
    if path is None:
        pytest.skip("no Chromium is installed")
    expect.set_options(timeout=EXPECTED_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def console(stack: Stack) -> Iterator[str]:
    """The URL of the console, where everybody is the tenant `console`, which has events."""
    post(stack, [json.loads(each) for each in many_events(EVENTS)] + [FAULT])
    port = free_port()
    arguments = ["--home", str(stack.home), "--port", str(port), "--tenant", TENANT]
    arguments += ["--tenant", PICTURED]
    url = f"http://127.0.0.1:{port}"
    with running_module("tests.console.open", *arguments, ready=f"{url}/readyz"):
        yield url


@pytest.fixture
def look(browser: Browser, console: str) -> Callable[..., AbstractContextManager[Looking]]:
    """`look(width, scheme, scripts)`: a window on the console."""
    return functools.partial(looking, browser, console)


def post(stack: Stack, events: list[dict[str, Any]], tenant: str = TENANT) -> list[str]:
    """Post events and wait until all can be found; their ids."""
    with stack.client(tenant) as client:
        answer = client.post("/api/v1/events:batch", json=events)
        assert answer.status_code == 201, answer.text
        ids = [str(item["id"]) for item in answer.json()["items"]]
    named = ", ".join(f"'{each}'" for each in ids)
    found = (
        f"SELECT toUInt32(uniqExact(id)) FROM events WHERE tenant = '{tenant}' AND id IN ({named})"
    )
    eventually(lambda: stack.sql(found)[0][0], until=lambda count: count == len(ids))
    return ids
