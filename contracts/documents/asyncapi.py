"""The AsyncAPI 3.1 document: what consumers of Kafka and SQS receive, built from the models."""

from typing import Any

from pydantic.json_schema import models_json_schema

from contracts.changes import Change
from contracts.documents.json_schema import Published
from contracts.documents.openapi import VERSION
from contracts.encoding.wire import ERASED
from contracts.events import Event
from contracts.pauses import Pause
from contracts.subscriptions import Subscription
from contracts.tenants import TENANT_PATTERN
from contracts.topics import DELIVERIES_DEAD, EVENTS, REJECTED, SUBSCRIPTIONS

SCHEMA = "#/components/schemas/{model}"
MESSAGE = "#/components/messages/{name}"
AGAIN = {
    "attempt": "Of a message that a redrive or a replay sends: which attempt of it this is, from 1.",
    "origin": "Of such a message: `manual` of a redrive, `replay` of a replay.",
    "replay_id": "Of such a message: the job that sends it.",
}
OPTIONAL = {"ce_erasedid", "source_topic_id", "traceparent", *AGAIN}
"""Headers that not every record has: older ones do not have what was introduced later."""
TEXT = {"type": "string"}
CLAIM_CHECK = {
    "type": "object",
    "description": "In place of an event that is too large for its queue.",
    "required": ["url", "size_bytes", "sha256"],
    "properties": {
        "url": TEXT | {"format": "uri-reference", "description": "GET it with the tenant's token."},
        "size_bytes": {"type": "integer", "description": "Of the event's JSON."},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of the same."},
    },
}


def asyncapi() -> dict[str, Any]:
    """The document, members in a stable order."""
    models = (Event, Subscription, Change, Pause)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=SCHEMA,
        schema_generator=Published,
    )
    channels = {
        "events": _channel(
            EVENTS, "event", "Every accepted event, in the order of its entity.", also=("erasure",)
        ),
        "subscriptions": _channel(
            SUBSCRIPTIONS,
            "subscription",
            "Compacted: the present subscriptions, who changed them, and which are paused.",
            also=("subscriptionChange", "subscriptionPause"),
        ),
        "rejected": _channel(REJECTED, "rejected", "Records of `events` that no step could read."),
        "deadDeliveries": _channel(DELIVERIES_DEAD, "deadDelivery", "Deliveries refused for good."),
        "queue": _channel(
            None, "delivery", "The SQS queue that a subscription names.", also=("claimCheck",)
        ),
    }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Events API",
            "version": VERSION,
            "description": "The log in Kafka and the messages in SQS.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            f"send{name[0].upper()}{name[1:]}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in channels
        },
        "components": {"messages": _messages(), "schemas": schemas["$defs"]},
    }


def _channel(
    address: str | None, message: str, description: str, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": MESSAGE.format(name=name)} for name in (message, *also)},
    }


def _messages() -> dict[str, Any]:
    event, subscription, change, pause = (
        {"$ref": SCHEMA.format(model=name)} for name in ("Event", "Subscription", "Change", "Pause")
    )
    tenant = {"type": "string", "pattern": TENANT_PATTERN}
    cloud_events = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The event's id."},
        "ce_source": TEXT | {"description": "/TENANT/EVENT_SOURCE"},
        "ce_type": TEXT | {"description": "events.v1.EVENT_TYPE"},
        "ce_subject": TEXT
        | {"description": "The entity's id; what CloudEvents forbids in it is percent-encoded."},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "Time of receipt, UTC.",
        },
        "ce_tenant": tenant,
        "content-type": {"const": "application/json"},
    }
    about_events = {"ce_subject", "content-type"}
    tombstone = {name: each for name, each in cloud_events.items() if name not in about_events} | {
        "ce_id": cloud_events["ce_id"] | {"description": "The tombstone's own id."},
        "ce_erasedid": cloud_events["ce_id"]
        | {
            "description": "The id of the event to erase, for good. Tombstones from before this header"
            " have it as `ce_id`."
        },
        "ce_type": {"const": ERASED.decode()},
        "ce_time": cloud_events["ce_time"] | {"description": "Time of the erasure, UTC."},
    }
    nothing = {"type": "null", "description": "A tombstone: the record has no value."}
    place = ("source_topic", "source_topic_id", "source_partition", "source_offset")
    origin = dict.fromkeys(("reason", *place), TEXT)
    names = ("event_id", "event_type", "event_source", "subscription_id")
    attributes = {"tenant": tenant} | dict.fromkeys(names, TEXT)
    attributes["traceparent"] = TEXT | {"description": "Of the record, where it has one."}
    attributes |= {name: TEXT | {"description": about} for name, about in AGAIN.items()}
    checked = attributes | {"claim_check": {"const": "true"}}
    refused = dict.fromkeys(("reason", "destination"), TEXT)
    return {
        "event": _message("tenant:entity_id", cloud_events, event),
        "erasure": _message("tenant:entity_id of the event", tombstone, nothing),
        "subscription": _message(
            "tenant:id; without a value it is deleted", {"ce_tenant": tenant}, subscription
        ),
        "subscriptionChange": _message("tenant:id:change:UUID", {"ce_tenant": tenant}, change),
        "subscriptionPause": _message(
            "tenant:id:paused; it holds until the next record of tenant:id",
            {"ce_tenant": tenant},
            pause,
        ),
        "rejected": _message("as in `events`", origin, {"description": "The original bytes."}),
        "deadDelivery": _message("tenant:subscription id", attributes | refused, event),
        "delivery": {"headers": _object(attributes), "payload": event},
        "claimCheck": {"headers": _object(checked), "payload": CLAIM_CHECK},
    }


def _message(key: str, headers: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "headers": _object(headers),
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    required = sorted(properties.keys() - OPTIONAL)
    return {"type": "object", "required": required, "properties": properties}
