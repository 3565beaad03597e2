"""The event's JSON as the hot paths read and write it: once in, once out.

`DraftJson` and `EventJson` are `EventDraft` and `Event` of `events.py` in the form of msgspec, which takes
a fraction of the time; what is refused here pydantic explains (`parse.py`). The two are held together by the
constants that both are made of and by property tests. `represent` is the only writer: its bytes are
the 201 body, the Kafka value, the SQS body and what GET answers.
"""

import re
from typing import Annotated

import msgspec
import pybase64
from msgspec import UNSET, Meta, UnsetType

from contracts import events
from contracts.events import EventSource, EventType, Operation

EntityId = Annotated[str, Meta(min_length=1, max_length=events.ENTITY_ID_MAX)]
EntityName = Annotated[str, Meta(max_length=events.ENTITY_NAME_MAX)]
AttributeName = Annotated[str, Meta(min_length=1, max_length=events.ATTRIBUTE_NAME_MAX)]
AttributeText = Annotated[str, Meta(max_length=events.ATTRIBUTE_TEXT_MAX)]
Attributes = Annotated[dict[AttributeName, AttributeText], Meta(max_length=events.ATTRIBUTES_MAX)]

# The last symbol before the padding holds bits that no byte has; canonical base64 leaves them zero.
ONE_BYTE, TWO_BYTES = frozenset("AQgw"), frozenset("AEIMQUYcgkosw048")


class PayloadJson(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`event_payload`: see `events.EventPayload`. Members in the order of the specification."""

    base64_encoded_fault_json: str | UnsetType | None = UNSET
    base64_encoded_payload_json: str | UnsetType | None = UNSET
    entity_id: EntityId | UnsetType | None = UNSET
    key_attributes: Attributes | UnsetType = UNSET
    operation: Operation


class DraftJson(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An event that has no id yet. What was left out is UNSET until `fill_defaults`."""

    entity_id: EntityId
    entity_name: EntityName | UnsetType | None = UNSET
    event_payload: PayloadJson
    event_source: EventSource
    event_type: EventType


class EventJson(DraftJson, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An event: a draft and its id."""

    id: str


def named(draft: DraftJson, event_id: str) -> EventJson:
    """The event that `draft` becomes under this id."""
    return EventJson(
        entity_id=draft.entity_id,
        entity_name=draft.entity_name,
        event_payload=draft.event_payload,
        event_source=draft.event_source,
        event_type=draft.event_type,
        id=event_id,
    )


decode_draft = msgspec.json.Decoder(DraftJson).decode
"""A draft from JSON bytes. Raises `msgspec.DecodeError` or `UnicodeDecodeError`."""
decode = msgspec.json.Decoder(EventJson).decode
"""An event from JSON bytes; raises the same."""

_encode = msgspec.json.Encoder().encode


def base64_is_canonical(payload: PayloadJson) -> bool:
    """Whether payload and fault are base64 as `events.CANONICAL_BASE64` describes it."""
    fault, content = payload.base64_encoded_fault_json, payload.base64_encoded_payload_json
    return (not content or decode_base64(content) is not None) and (
        not fault or decode_base64(fault) is not None
    )


is_event_id = re.compile(events.UUID_PATTERN.replace("$", r"\Z")).match
"""Whether a text is an event id as the edge writes it."""


def decode_base64(text: str) -> bytes | None:
    """The bytes of a base64 text; None when it is not what encoding them gives.

    That is RFC 4648 section 4, padded, no bit to spare, no line break.
    """
    try:
        found: bytes = pybase64.b64decode(text, None, True)
    except ValueError:  # binascii.Error, and UnicodeEncodeError of a text that is not ASCII
        return None
    if text.endswith("="):
        one_byte_left = text[-2] == "="
        if text[-3 if one_byte_left else -2] not in (ONE_BYTE if one_byte_left else TWO_BYTES):
            return None
    return found


def count_strings(draft: DraftJson) -> int:
    """How many JSON strings, keys and values, the text held that `draft` was decoded from.

    Only before `fill_defaults`.
    """
    payload = draft.event_payload
    strings = 9  # the keys that must be there, and the values of four of them
    if (name := draft.entity_name) is not UNSET:
        strings += 1 if name is None else 2
    if (fault := payload.base64_encoded_fault_json) is not UNSET:
        strings += 1 if fault is None else 2
    if (content := payload.base64_encoded_payload_json) is not UNSET:
        strings += 1 if content is None else 2
    if (own_id := payload.entity_id) is not UNSET:
        strings += 1 if own_id is None else 2
    if (attributes := payload.key_attributes) is not UNSET:
        strings += 1 + 2 * len(attributes)
    return strings


def fill_defaults(event: DraftJson) -> None:
    """Give every member that was left out its default; the payload's entity_id is the event's."""
    payload = event.event_payload
    if event.entity_name is UNSET:
        event.entity_name = None
    if payload.base64_encoded_fault_json is UNSET:
        payload.base64_encoded_fault_json = None
    if payload.base64_encoded_payload_json is UNSET:
        payload.base64_encoded_payload_json = None
    if not payload.entity_id:
        payload.entity_id = event.entity_id
    if payload.key_attributes is UNSET:
        payload.key_attributes = {}


def represent(event: EventJson) -> bytes:
    """The representation of `event`, which has its defaults, as UTF-8 JSON.

    U+FFFE and U+FFFF are escaped because SQS refuses them raw (SendMessage, InvalidMessageContents).
    """
    text = _encode(event)
    if b"\xef" in text:  # seldom, and looked for by the processor's widest instructions
        text = text.replace(b"\xef\xbf\xbe", b"\\ufffe").replace(b"\xef\xbf\xbf", b"\\uffff")
    return text
