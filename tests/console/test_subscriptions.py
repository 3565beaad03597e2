"""Subscriptions in the console: made with a back-test, seen failing, redriven, replayed, stopped."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Page, expect

from tests.attempts import NOW_MS, an_attempt, append
from tests.builders import an_event
from tests.console.browser import Looking, numbers
from tests.console.conftest import TENANT, post
from tests.queues import arn
from tests.stack import Stack
from tests.subscribed import create_queue, subscribe

Look = Callable[..., AbstractContextManager[Looking]]
HOSTILE = "<script>alert(1)</script>\u202etxt"


@pytest.fixture(scope="module")
def dead(stack: Stack, console: str) -> str:
    """A subscription to a queue that is not there, and three events that the ledger says are dead."""
    with stack.client(TENANT) as client:
        made = subscribe(client, f"late-{uuid.uuid4().hex[:8]}", entity_id=["nobody"])
    ids = post(stack, [an_event(event_type="WARNING") for _ in range(3)])
    known = {"tenant": TENANT, "subscription_id": made, "state": "dead", "message_id": ""}
    known |= {"code": "QueueDoesNotExist", "message": "There is no such queue."}
    append(stack, *(an_attempt(**known, event_id=each) for each in ids))
    return made


def queue_of(stack: Stack, subscription_id: str) -> str:
    with stack.client(TENANT) as client:
        found = client.get(f"/api/v1/subscriptions/{subscription_id}").json()
    return str(found["destination"]["arn"]).rpartition(":")[2]


def test_a_subscription_is_made_while_its_pattern_is_tried(stack: Stack, look: Look) -> None:
    queue = f"made-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with look() as window:
        page = window.go("/subscriptions/new")
        expect(page.locator("#tried .big")).to_contain_text("events match")
        page.fill("#filter", '{"event_type": ["FAULT"')
        expect(page.locator("#tried")).to_contain_text("line 1")
        page.fill("#filter", '{"event_type": ["FAULT"], "entity_id": ["no such"]}')
        expect(page.locator("#tried .big strong")).to_have_text("0")
        page.fill("#filter", '{"event_type": ["FAULT"]}')
        expect(page.locator("#tried .big strong")).not_to_have_text("0")
        page.locator(".range summary").click()
        page.get_by_role("link", name="Last 7 days").click()
        expect(page.locator("#tried")).to_contain_text("last 7 days")
        assert "FAULT" in page.input_value("#filter")
        window.check()
        page.fill("#name", HOSTILE)
        page.locator(".range summary").click()
        page.locator(".range form button").click()
        expect(page.locator("#tried")).to_contain_text("in the range above")
        assert "from=" in page.url
        page.get_by_role("link", name="Leave it").click()
        expect(page.locator("h1")).to_have_text("Subscriptions")
        page.go_back()
        expect(page.locator("#name")).to_have_value(HOSTILE)
        page.fill("#arn", "arn:of:nothing")
        press(page, "Create")
        expect(page.locator("#arn-wrong")).to_be_visible()
        assert page.input_value("#name") == HOSTILE
        page.fill("#arn", arn(queue))
        press(page, "Create")
        expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>")
        expect(page.locator("h1 .hidden-char")).to_have_text("U+202E")
        press(page, "Send a test message")
        expect(page.locator("#checked")).to_contain_text("may send")
        assert "/check" not in page.url  # which loading again would send again
        window.check()
    assert receive_one(stack, queue)


def press(page: Page, name: str) -> None:
    """The button of this name."""
    page.get_by_role("button", name=name, exact=True).click()


def receive_one(stack: Stack, queue: str) -> bool:
    sqs = stack.sqs()
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return bool(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"))


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(stack: Stack, look: Look) -> None:
    queue = f"edited-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with stack.client(TENANT) as client, look() as window:
        made = subscribe(client, queue, event_type=["FAULT"])
        page = window.go(f"/subscriptions/{made}/edit")
        patch = {"Content-Type": "application/merge-patch+json"}
        path = f"/api/v1/subscriptions/{made}"
        client.patch(path, content='{"description": "theirs"}', headers=patch).raise_for_status()
        page.fill("#description", "mine")
        press(page, "Save")
        expect(page.locator("[role=alert]")).to_contain_text("has changed")
        assert client.get(path).json()["description"] == "theirs"
        page = window.go(f"/subscriptions/{made}/edit")
        page.fill("#description", "mine")
        page.click("text=How it is delivered")
        page.fill("#messages_per_s", "12")
        press(page, "Save")
        expect(page.locator("h1")).to_contain_text(queue)
        found = client.get(path).json()
        assert (found["description"], found["delivery"]["messages_per_s"]) == ("mine", 12)


def test_numbers_of_a_subscription_lead_to_what_they_count(stack: Stack, look: Look) -> None:
    with stack.client(TENANT) as client:
        made = subscribe(client, f"counted-{uuid.uuid4().hex[:8]}", entity_id=["nobody"])
    one, two, three = (str(uuid.uuid4()) for _ in range(3))
    ended = [(one, "failed"), (one, "failed"), (one, "delivered"), (two, "failed"), (three, "dead")]
    ended.append((one, "delivered"))  # once more, by a replay
    known = {"tenant": TENANT, "subscription_id": made}
    attempts = [
        an_attempt(**known, event_id=event, state=state, at=NOW_MS - 30_000 + 1000 * number)
        for number, (event, state) in enumerate(ended)
    ]
    append(stack, *attempts)
    with look() as window:
        page = window.go("/subscriptions")
        row = page.locator("tr", has=page.locator(f"a[href*='{made}']")).first
        listed = numbers(row.locator("td.number a"))
        assert list(listed.values()) == [2, 3, 1, 1]  # delivered, failed, waiting, dead
        page.goto(window.base + str(row.locator("a.row").get_attribute("href")))
        leads = numbers(page.locator("section[aria-labelledby=health] .figures a"))
        assert list(leads.values()) == [2, 3, 1, 1]
        for link, count in (listed | leads).items():
            page = window.go(link)
            expect(page.locator("table.rows tbody tr")).to_have_count(count)
            expect(page.locator(".ended")).to_contain_text(f"{count} shown; that is all")


def test_dead_letters_are_seen_by_reason_counted_and_redriven(
    stack: Stack, look: Look, dead: str
) -> None:
    with look() as window:
        page = window.go("/subscriptions")
        row = page.locator("tr", has_text=queue_of(stack, dead)).first
        expect(row.locator("td.number").last).to_have_text("3")
        row.locator("a.row").click()
        expect(page.locator("#dead")).to_be_visible()
        expect(page.locator("section[aria-labelledby=dead]")).to_contain_text("QueueDoesNotExist")
        window.check()
        create_queue(stack, queue_of(stack, dead))
        [(link, count)] = numbers(page.locator("section[aria-labelledby=dead] td.number a")).items()
        page.click("text=Redrive these")
        expect(page.locator(".big strong")).to_have_text(str(count))
        assert page.url.endswith(link)
        assert set(numbers(page.locator("td.number a")).values()) == {count} == {3}
        window.check()
        press(page, "Redrive 3")
        expect(page.locator("progress")).to_have_attribute("value", "100", timeout=60_000)
        sent = page.locator(".figures a")
        expect(sent).to_have_text("3")
        window.check()
        sent.click()
        expect(page.locator("table.rows tbody tr")).to_have_count(3)
        page = window.go("/jobs")
        expect(page.locator("table.rows")).to_contain_text("redrive")
        page.get_by_role("link", name=queue_of(stack, dead)).first.click()
        expect(page.locator("h1")).to_have_text(queue_of(stack, dead))
        expect(page.locator("section[aria-labelledby=jobs]")).to_contain_text("redrive")
        page = window.go("/jobs")
        window.check()


def test_a_range_is_replayed_after_it_was_counted(stack: Stack, look: Look) -> None:
    queue = f"replayed-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with stack.client(TENANT) as client, look() as window:
        made = subscribe(client, queue, event_source=["CUSTOMER"])
        page = window.go(f"/subscriptions/{made}/replay?range=1h")
        count = page.locator(".big strong").inner_text()
        assert int(count.replace(",", "")) > 0
        page.fill("#filter", "no JSON")
        press(page, "Count")
        expect(page.locator("[role=alert]")).to_contain_text("no JSON")
        page.fill("#filter", "")
        press(page, "Count")
        page.fill("#messages_per_s", "1")
        press(page, "Count")
        page.click("main form[method=post] button.primary")
        press(page, "Pause")
        expect(page.locator(".badge")).to_have_text("paused")
        press(page, "Cancel")
        expect(page.locator(".badge")).to_have_text("cancelled")


def test_a_subscription_is_stopped_goes_on_and_is_deleted_by_name(stack: Stack, look: Look) -> None:
    queue = f"stopped-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with stack.client(TENANT) as client, look() as window:
        made = subscribe(client, queue, entity_id=["nobody"])
        page = window.go(f"/subscriptions/{made}")
        press(page, "Pause it: it keeps its position")
        expect(page.locator(".head .badge")).to_have_text("disabled")
        window.check()
        press(page, "Enable and leave it out")
        expect(page.locator(".head .badge")).not_to_have_text("disabled")
        page.click("text=Delete…")
        page.fill("#typed", "another name")
        page.click("button.danger")
        expect(page.locator("[role=alert]")).to_contain_text("not the subscription's")
        page.click("text=Delete…")
        page.fill("#typed", queue)
        page.click("button.danger")
        expect(page.locator("h1")).to_have_text("Subscriptions")
        assert client.get(f"/api/v1/subscriptions/{made}").status_code == 404


def test_another_tenants_subscription_is_not_there(stack: Stack, look: Look) -> None:
    queue = f"theirs-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with stack.client("somebody-else") as client, look() as window:
        made = subscribe(client, queue, event_type=["FAULT"])
        for path in ("", "/edit", "/deliveries", "/redrive", "/replay"):
            page = window.go(f"/subscriptions/{made}{path}")
            expect(page.locator("[role=alert]")).to_contain_text("no such subscription")
        window.check()


def test_a_form_of_another_session_changes_nothing(stack: Stack, look: Look, dead: str) -> None:
    with look() as window:
        page = window.go(f"/subscriptions/{dead}")
        page.evaluate("document.querySelectorAll('[name=csrf]').forEach((it) => (it.value = 'x'))")
        press(page, "Pause it: it keeps its position")
        expect(page.locator("[role=alert]")).to_contain_text("another session")
    with stack.client(TENANT) as client:
        assert client.get(f"/api/v1/subscriptions/{dead}").json()["enabled"]


def test_pages_of_subscriptions_can_be_read_by_everybody(look: Look, dead: str) -> None:
    with look() as window:
        for path in pages(dead):
            window.go(path)
            window.check_everywhere()


def pages(subscription_id: str) -> Iterator[str]:
    yield from ("/subscriptions", "/subscriptions/new", "/jobs")
    for each in ("", "/edit", "/deliveries?range=1h", "/redrive", "/replay?range=15m"):
        yield f"/subscriptions/{subscription_id}{each}"


def test_a_subscription_is_made_without_scripts(stack: Stack, look: Look) -> None:
    queue = f"plain-{uuid.uuid4().hex[:8]}"
    create_queue(stack, queue)
    with look(scripts=False) as window:
        page: Page = window.go("/subscriptions/new")
        page.fill("#name", "without scripts")
        page.fill("#arn", arn(queue))
        press(page, "Try the pattern")
        expect(page.locator("#tried .big")).to_contain_text("events match")
        page.fill("#description", "typed before the range")
        page.locator(".range summary").click()
        press(page, "Last 7 days")
        expect(page.locator("#tried")).to_contain_text("last 7 days")
        assert "range=7d" in page.url
        page.locator(".range summary").click()
        page.locator(".range noscript [name=from]").fill("2026-01-01T00:00:00")
        page.locator(".range noscript [name=to]").fill("2026-01-02T00:00:00")
        page.locator(".range noscript").get_by_role("button", name="Show").click()
        expect(page.locator(".range summary")).to_contain_text("2026-01-01")
        expect(page.locator("#tried .big strong")).to_have_text("0")
        assert page.input_value("#name") == "without scripts"
        assert page.input_value("#description") == "typed before the range"
        press(page, "Create")
        expect(page.locator("h1")).to_have_text("without scripts")
        press(page, "Check the queue")
        expect(page.locator("#checked")).to_contain_text("may send")
        assert "/check" in page.url
        page.goto(page.url)  # sent to somebody else
        expect(page.locator("h1")).to_have_text("without scripts")
        assert "/check" not in page.url
