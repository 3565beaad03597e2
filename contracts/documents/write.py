"""The generated documents: file name below this folder to text. `python -m contracts` writes them."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.documents.asyncapi import asyncapi
from contracts.documents.json_schema import Published
from contracts.documents.openapi import ProblemDocument, openapi
from contracts.events import Event, EventDraft
from contracts.subscriptions import Subscription, SubscriptionDraft

HERE = Path(__file__).parent.parent
MODELS: dict[str, type[BaseModel]] = {
    "event-draft": EventDraft,
    "event": Event,
    "subscription-draft": SubscriptionDraft,
    "subscription": Subscription,
    "problem": ProblemDocument,
}


def documents() -> dict[str, str]:
    """Every generated file's text by its name."""
    found = {"openapi.json": openapi(), "asyncapi.json": asyncapi()}
    for name, model in MODELS.items():
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:events-api:schema:{name}",
        }
        found[f"schemas/{name}.schema.json"] = head | model.model_json_schema(
            schema_generator=Published
        )
    return {name: _text(document) for name, document in found.items()}


def write() -> None:
    """Write every document to its file."""
    for name, text in documents().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
