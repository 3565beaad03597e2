"""The event: what a client may POST, and the one representation of it that GET, Kafka and SQS carry.

`EventDraft` is the request body, `Event` the representation with its id; fields and samples are those
of the specification. `represent` encodes once: the bytes it returns are the 201 body, the Kafka
value, the SQS body and what GET answers.
"""

from json.encoder import encode_basestring as _string  # one JSON string, escaped as RFC 8259 asks
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

EVENT_BYTES_MAX = 1_000_000
"""Upper bound of an event's representation: below Kafka's and SQS's 1 MiB with room for headers."""

EventType = Literal["ENTITY_EVENT", "SYSTEM_EVENT", "FAULT", "WARNING"]
EventSource = Literal[
    "APPLICATION",
    "CUSTOMER",
    "INVENTORY_LEVEL",
    "INVENTORY_LOCATION",
    "ORDER",
    "PRICE",
    "PRODUCT",
    "VARIANT_PRODUCT",
    "WISHLIST",
]
Operation = Literal["BULK_CREATE", "BULK_UPDATE", "CREATE", "DELETE", "READ", "UPDATE"]

# RFC 4648 section 4 with padding, and only the canonical spelling (unused bits zero), so that
# decoding for analysts and encoding again for GET gives back the same text.
CANONICAL_BASE64 = (
    r"^(?:[A-Za-z0-9+/]{4})*"
    r"(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
)

UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Base64Text = Annotated[str, StringConstraints(pattern=CANONICAL_BASE64)]
EntityId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
EntityName = Annotated[str, StringConstraints(max_length=512)]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
AttributeText = Annotated[str, StringConstraints(max_length=8192)]


class EventPayload(BaseModel):
    """What happened to the entity, with the payload and the fault as base64 of any bytes, usually JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    base64_encoded_fault_json: Base64Text | None = Field(
        None, description="Base64 (RFC 4648, padded) of the fault; usually JSON, any bytes allowed."
    )
    base64_encoded_payload_json: Base64Text | None = Field(
        None,
        description="Base64 (RFC 4648, padded) of the payload; usually JSON, any bytes allowed.",
    )
    entity_id: EntityId | None = Field(None, description="The event's entity_id when left out.")
    key_attributes: Annotated[dict[AttributeName, AttributeText], Field(max_length=100)] = Field(
        default_factory=dict,
        description="Free text by name: correlation id, reference id, time of the error.",
    )
    operation: Operation = Field(description="What was being done to the entity.")


class EventDraft(BaseModel):
    """The body of POST /api/v1/events: an event that has no id yet."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entity_id: EntityId = Field(description="The id of the entity that the event is about.")
    entity_name: EntityName | None = Field(None, description="The name of the entity.")
    event_payload: EventPayload
    event_source: EventSource = Field(description="The kind of entity, or APPLICATION.")
    event_type: EventType


class Event(EventDraft):
    """An accepted event: the representation that 201, GET, Kafka and SQS carry."""

    id: str = Field(
        pattern=UUID_PATTERN,
        description="The event's id, a UUID made at the edge; unique within its tenant.",
    )


class RecordedPayload(TypedDict):
    """`EventPayload` as it lies in the log: every member is there."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    base64_encoded_fault_json: str | None
    base64_encoded_payload_json: str | None
    entity_id: str
    key_attributes: dict[str, str]
    operation: Operation


class RecordedEvent(TypedDict):
    """`Event` as readers of the log check it: shape and enumerations, at a third of the model's cost.

    Lengths and base64 were checked at the edge; ClickHouse refuses a base64 text that is none.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    entity_id: str
    entity_name: str | None
    event_payload: RecordedPayload
    event_source: EventSource
    event_type: EventType
    id: Annotated[str, StringConstraints(pattern=UUID_PATTERN)]


def represent(draft: EventDraft, event_id: str) -> bytes:
    """The representation of an accepted event as UTF-8 JSON; fills the payload's entity_id.

    Written out member by member in the order of the specification: the base64 texts, most of an
    event, have been validated and need no escaping. U+FFFE and U+FFFF are escaped because SQS
    refuses them raw (SendMessage, InvalidMessageContents).
    """
    payload = draft.event_payload
    entity_id = _string(draft.entity_id)
    own_id = entity_id if payload.entity_id is None else _string(payload.entity_id)
    name = "null" if draft.entity_name is None else _string(draft.entity_name)
    fault = _base64(payload.base64_encoded_fault_json)
    content = _base64(payload.base64_encoded_payload_json)
    attributes = ",".join([f"{_string(k)}:{_string(v)}" for k, v in payload.key_attributes.items()])
    text = (
        f'{{"entity_id":{entity_id},"entity_name":{name},"event_payload":{{'
        f'"base64_encoded_fault_json":{fault},"base64_encoded_payload_json":{content},'
        f'"entity_id":{own_id},"key_attributes":{{{attributes}}},'
        f'"operation":"{payload.operation}"}},"event_source":"{draft.event_source}",'
        f'"event_type":"{draft.event_type}","id":"{event_id}"}}'
    )
    if not text.isascii():
        text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    return text.encode()


def _base64(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'
