"""One event in a browser: decoded, compared with the one before, and harmless whatever it holds."""

import base64
import json
import time
import uuid

import httpx
from playwright.sync_api import expect

from tests.builders import a_payload, an_event
from tests.console.conftest import post
from tests.console.looks import Look
from tests.stack import Stack, eventually

LONG_AGO = "0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b"  # so that nobody waits for the view to have it
SCRIPT = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
MARKS = "abc\u202edcba\u202c\u2066\u0000\u001b[31mred\u200b"
LINE = "x" * 740_000  # as long as an event may be


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def test_what_changed_since_the_entitys_event_before_is_shown(look: Look, stack: Stack) -> None:
    entity = uuid.uuid4().hex
    for price, more in (("1.00", {}), ("2.50", {"note": "sale"})):
        payload = encoded(json.dumps({"price": price, "same": [1, 2]} | more))
        [event_id] = post(
            stack,
            [
                an_event(
                    entity_id=entity,
                    event_payload=a_payload(base64_encoded_payload_json=payload),
                )
            ],
        )
        time.sleep(0.01)  # another millisecond
    with look() as window:
        page = window.go(f"/events/{event_id}")
        changed = page.locator("[data-part=changes] tbody tr").all_inner_texts()
        assert [line.split() for line in changed] == [
            ["price", '"1.00"', '"2.50"'],
            ["note", '"sale"'],
        ]
        assert page.locator(".timeline li").count() == 2
        expect(page.locator("[data-part=why]")).to_be_visible()


def test_json_folds_and_numbers_keep_their_spelling(look: Look, stack: Stack) -> None:
    text = '{"a":{"b":[1.10,12345678901234567890]},"c":"d"}'
    payload = a_payload(base64_encoded_payload_json=encoded(text))
    [event_id] = post(stack, [an_event(event_payload=payload)])
    with look(scripts=False) as window:  # it folds without them
        page = window.go(f"/events/{event_id}")
        json_ = page.locator("[data-part=payload] .json")
        assert "1.10" in json_.inner_text()
        assert "12345678901234567890" in json_.inner_text()
        json_.locator("summary").nth(1).click()
        expect(json_.get_by_text("1.10")).to_be_hidden()


def test_hostile_texts_are_shown_for_what_they_are(look: Look, stack: Stack) -> None:
    payload = a_payload(
        base64_encoded_payload_json=encoded(json.dumps({SCRIPT: MARKS, "deep": SCRIPT})),
        base64_encoded_fault_json=encoded(f"{SCRIPT}\n{MARKS}\n{LINE}"),
        key_attributes={"<b>name": SCRIPT + "\u202e"},
    )
    [event_id] = post(
        stack,
        [an_event(entity_id=SCRIPT, entity_name="\u202e" + SCRIPT, event_payload=payload)],
    )
    with look() as window:
        for path in (
            f"/events/{event_id}",
            f"/search?event={event_id}",
            f"/events/{event_id}?all=fault",
        ):
            page = window.go(path)
            assert "hacked" not in page.title() or SCRIPT[:8] in page.title()
            assert page.locator("main script, main img").count() == 0
            assert page.locator(".hidden-char", has_text="U+202E").count() > 0
            body = page.locator("body").inner_text()
            assert not set("\u202e\u2066\u0000\u001b\u200b") & set(body)
            window.check()
        assert LINE in page.locator("[data-part=fault]").inner_text()
        page = window.go(f"/events/{event_id}")
        assert len(page.content()) < 400_000
        page.get_by_role("link", name="Show all").click()
        eventually(lambda: LINE in page.locator("[data-part=fault]").inner_text())


def test_bytes_that_are_no_text_are_shown_in_hexadecimal(
    look: Look, stack: Stack, console: str
) -> None:
    data = bytes(range(256))
    payload = a_payload(base64_encoded_payload_json=encoded(data))
    [event_id] = post(stack, [an_event(event_payload=payload)])
    with look() as window:
        page = window.go(f"/events/{event_id}")
        assert "00000010  10 11 12" in page.locator("[data-part=payload]").inner_text()
    answer = httpx.get(f"{console}/events/{event_id}/payload")
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_an_event_that_is_not_there_is_said_to_be_missing(look: Look) -> None:
    with look() as window:
        page = window.go(f"/events/{LONG_AGO}")
        assert "Not found" in page.locator("[data-state=error]").inner_text()
