"""The form of a subscription: made new or changed, its pattern tried on history while it is typed.

What the API refuses stands beside the field that it is about; nothing that was typed is lost.
"""

import json
from typing import Any

import msgspec
from starlette.responses import Response

from console.api import Refused, Unanswered, path
from console.html.times import read_range
from console.page import PATTERN_CHARACTERS_MAX, Page
from console.pages.subscriptions.pattern import Unfit, raw_json, whole_number
from console.reading.state import Document
from contracts import paths

NEW: dict[str, str] = {
    "name": "",
    "description": "",
    "labels": "",
    "filter": '{"event_type": ["FAULT"]}',
    "arn": "",
    "role_arn": "",
    "fairness": "tenant",
    "messages_per_s": "",
    "retry_for_s": "",
    "retry_pause_max_s": "",
    "dead_letter_arn": "",
    "dead_letter_role_arn": "",
    "enabled": "1",
    "etag": "",
}
FIELDS = {
    "/name": "name",
    "/description": "description",
    "/labels": "labels",
    "/filter": "filter",
    "/destination/role_arn": "role_arn",
    "/destination": "arn",
    "/delivery/messages_per_s": "messages_per_s",
    "/delivery/retry_for_s": "retry_for_s",
    "/delivery/retry_pause_max_s": "retry_pause_max_s",
    "/delivery/dead_letter/role_arn": "dead_letter_role_arn",
    "/delivery/dead_letter": "dead_letter_arn",
    "/delivery/fairness": "fairness",
}
"""Which field a pointer of the API is about, the longest first."""
TRIES = ("test", "range")
"""What the form is sent for without being saved: the pattern is tried, in another range of time."""
NUMBERS = ("messages_per_s", "retry_for_s", "retry_pause_max_s")


async def new(page: Page) -> Response:
    """An empty form, with the pattern that the URL gives."""
    values = NEW | {"filter": page.query.get("filter") or NEW["filter"]}
    return page.render("subscriptions/form.html", **_context(page, values, None))


async def create(page: Page) -> Response:
    """Make it, or show the form again."""
    values = NEW | {"enabled": ""} | await page.form()
    if values.get("does") in TRIES:
        return await _tried(page, values, None)
    try:
        made = await page.api.post(paths.SUBSCRIPTIONS, document_of(values))
    except (Refused, Unfit) as wrong:
        return _again(page, values, None, wrong)
    return page.see(path("/subscriptions/{id}", id=made["id"]))


async def edit(page: Page) -> Response:
    """The form of one that is there."""
    found = await page.api.tagged(_path(page))
    values = values_of(found.document) | {"etag": found.etag or ""}
    return page.render("subscriptions/form.html", **_context(page, values, page.path("id")))


async def replace(page: Page) -> Response:
    """Change it unless somebody else has meanwhile, or show the form again."""
    values = NEW | {"enabled": ""} | await page.form()
    subscription_id = page.path("id")
    if values.get("does") in TRIES:
        return await _tried(page, values, subscription_id)
    seen = {"If_Match": values["etag"]} if values["etag"] else {}
    try:
        await page.api.send("PUT", _path(page), document_of(values), **seen)
    except (Refused, Unfit) as wrong:
        return _again(page, values, subscription_id, wrong)
    return page.see(path("/subscriptions/{id}", id=subscription_id))


async def back_test(page: Page) -> Response:
    """What the pattern would have accepted: a part of the form, asked for while one types."""
    values = await page.form()
    return page.render("subscriptions/tried.html", **await _try(page, values.get("filter", "")))


async def again(page: Page) -> Response:
    """A link to what only forms are sent to: the form."""
    return page.see("/subscriptions/new")


async def _tried(page: Page, values: dict[str, str], subscription_id: str | None) -> Response:
    if values["does"] == "range":
        page.range = read_range(None, values.get("from"), values.get("to"))
    context = _context(page, values, subscription_id) | await _try(page, values["filter"])
    return page.render("subscriptions/form.html", **context)


async def _try(page: Page, pattern: str) -> dict[str, Any]:
    """`tried`: the answer, `untried`: what refused it; `pattern` when a link can take it along."""
    try:
        body = {
            "filter": raw_json("filter", pattern),
            "from": page.range.absolute["from"],
            "to": page.range.absolute["to"],
        }
        return {
            "tried": await page.api.post(paths.BACK_TEST, msgspec.json.encode(body)),
            "untried": None,
            "pattern": pattern if len(pattern) <= PATTERN_CHARACTERS_MAX else None,
        }
    except Unfit as wrong:
        refused = {"title": "This is no JSON yet", "detail": str(wrong)}
        return {"tried": None, "untried": Refused(400, refused)}
    except (Refused, Unanswered) as wrong:
        return {"tried": None, "untried": wrong}


def _again(
    page: Page, values: dict[str, str], subscription_id: str | None, wrong: Refused | Unfit
) -> Response:
    if isinstance(wrong, Unfit):
        context = _context(page, values, subscription_id, {wrong.field: [str(wrong)]})
        return page.render("subscriptions/form.html", 400, **context)
    by_field: dict[str, list[str]] = {}
    others = []
    for each in wrong.errors:
        field = _field(str(each.get("pointer", "")))
        if field is None:
            others.append(each)
        else:
            by_field.setdefault(field, []).append(str(each.get("detail", "is not accepted")))
    told = Refused(wrong.status, {"title": wrong.title, "detail": wrong.detail, "errors": others})
    context = _context(page, values, subscription_id, by_field, told)
    return page.render(
        "subscriptions/form.html", 400 if wrong.status == 405 else wrong.status, **context
    )


def _field(pointer: str) -> str | None:
    matching = [each for each in FIELDS if pointer == each or pointer.startswith(f"{each}/")]
    return FIELDS[max(matching, key=len)] if matching else None


def _context(
    page: Page,
    values: dict[str, str],
    subscription_id: str | None,
    wrong: dict[str, list[str]] | None = None,
    refused: Refused | None = None,
) -> dict[str, Any]:
    return {
        "values": values,
        "id": subscription_id,
        "wrong": wrong or {},
        "refused": refused,
        "tried": None,
        "untried": None,
    }


def document_of(values: dict[str, str]) -> bytes:
    """The JSON that POST and PUT take. Raises `Unfit`."""
    delivery: dict[str, Any] = {"fairness": values["fairness"]}
    for name in NUMBERS:
        if text := values[name].strip():
            delivery[name] = whole_number(name, text)
    if values["dead_letter_arn"].strip():
        delivery["dead_letter"] = _queue(values, "dead_letter_arn", "dead_letter_role_arn")
    document = {
        "name": values["name"].strip(),
        "labels": _labels(values["labels"]),
        "filter": raw_json("filter", values["filter"]),
        "destination": _queue(values, "arn", "role_arn"),
        "delivery": delivery,
        "enabled": values["enabled"] == "1",
    }
    if values["description"].strip():
        document["description"] = values["description"].strip()
    return msgspec.json.encode(document)


def values_of(subscription: Document) -> dict[str, str]:
    """What the form shows of one that is there."""
    delivery = subscription.get("delivery", {})
    destination, dead = subscription.get("destination", {}), delivery.get("dead_letter") or {}
    labels = subscription.get("labels", {})
    given = {
        "name": subscription.get("name"),
        "description": subscription.get("description"),
        "labels": "\n".join(f"{name}={text}" for name, text in labels.items()),
        "filter": json.dumps(subscription.get("filter", {}), ensure_ascii=False, indent=2),
        "arn": destination.get("arn"),
        "role_arn": destination.get("role_arn"),
        "dead_letter_arn": dead.get("arn"),
        "dead_letter_role_arn": dead.get("role_arn"),
        "enabled": "1" if subscription.get("enabled") else "",
    } | {name: delivery.get(name) for name in ("fairness", *NUMBERS)}
    return NEW | {name: "" if value is None else str(value) for name, value in given.items()}


def _queue(values: dict[str, str], arn: str, role: str) -> Document:
    queue = {"type": "sqs", "arn": values[arn].strip()}
    return queue | ({"role_arn": values[role].strip()} if values[role].strip() else {})


def _labels(text: str) -> dict[str, str]:
    labels = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals:
            raise Unfit("labels", f"a line is name=text; {line[:40]!r} has no =")
        labels[name.strip()] = value.strip()
    return labels


def _path(page: Page) -> str:
    return path(paths.SUBSCRIPTION, id=page.path("id"))
