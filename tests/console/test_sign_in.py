"""Signing in and out in a real browser, with and without script, on the local issuer's page."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.attacks.signed_in import Console, running_console
from tests.builders import many_events
from tests.console.browser import Looking
from tests.console.conftest import post
from tests.stack import Stack


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with running_console(tmp_path_factory.mktemp("console")) as running:
        yield running


def checked(page: Page) -> None:
    """axe finds nothing, and nothing sticks out sideways, at both widths and in both schemes."""
    Looking("", page, page.context).check_everywhere()


def sign_in(page: Page, tenant: str) -> None:
    page.get_by_label("Tenant").fill(tenant)
    page.get_by_label("Your name").fill("dana")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_signs_in_looks_and_signs_out(
    browser: Browser, signing: Console, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{signing.url}/nowhere?range=7d")
    assert page.url.startswith(f"{signing.issuer}/authorize?")
    sign_in(page, "no tenant")
    assert "A tenant's name is" in page.get_by_role("alert").inner_text()
    sign_in(page, "acme")
    assert page.url == f"{signing.url}/nowhere?range=7d"
    assert "acme" in page.title()
    assert [each["name"].partition("-")[0] for each in context.cookies()] == ["events"]
    assert all(each["httpOnly"] and each["sameSite"] == "Lax" for each in context.cookies())
    page.goto(f"{signing.url}/nowhere?tenant=other")
    page.get_by_role("link", name="Sign in for other").click()
    assert page.get_by_label("Tenant").input_value() == "other"
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{signing.url}/nowhere?tenant=other")
    assert "other" in page.title()
    page.get_by_title("Tenant and account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{signing.url}/signed-out")
    assert context.cookies() == []
    page.goto(f"{signing.url}/nowhere")
    assert page.url.startswith(f"{signing.issuer}/authorize?")
    context.close()


def test_the_pages_of_signing_in_can_be_used_by_everybody(
    browser: Browser, signing: Console
) -> None:
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(f"{signing.url}/sign-in")
    checked(page)
    sign_in(page, "no tenant")
    checked(page)
    for path in ("/signed-out", "/sign-in/callback"):
        page.goto(signing.url + path)
        checked(page)
    page.goto(f"{signing.issuer}/end-session")
    checked(page)
    page.goto(f"{signing.url}/sign-in")
    sign_in(page, "acme")
    page.goto(f"{signing.url}/nowhere?tenant=other")
    checked(page)
    context.close()


def test_another_name_of_this_machine_ends_at_the_own_one(
    browser: Browser, signing: Console
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{signing.url.replace('127.0.0.1', 'localhost')}/nowhere")
    sign_in(page, "acme")
    assert page.url.startswith(f"{signing.url}/nowhere")
    context.close()


def test_the_stacks_own_console_shows_a_tenants_events_to_nobody_else(
    browser: Browser, stack: Stack
) -> None:
    console, own = stack.status["console"], "signing-in"
    event = json.loads(next(iter(many_events(1))))
    [event_id] = post(stack, [event], own)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console}/events/{event_id}")
    sign_in(page, own)
    assert page.url == f"{console}/events/{event_id}"
    assert event_id in page.content()
    page.goto(f"{console}/sign-in?next=/nowhere")
    sign_in(page, "another")
    answer = page.goto(f"{console}/events/{event_id}")
    assert answer is not None
    assert answer.status in (404, 200)  # a page begins when the API is not soon with its answer
    expect(page.get_by_text("There is no such event.")).to_be_visible()
    answer = page.goto(f"{console}/events/{event_id}?tenant={own}")
    assert answer is not None
    assert answer.status == 403
    assert page.get_by_role("link", name=f"Sign in for {own}").is_visible()
    context.close()
