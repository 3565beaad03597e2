"""The event: what a client may POST, and the one representation of it that GET, Kafka and SQS carry.

`EventDraft` is the request body, `Event` the representation with its id; fields and samples are those
of the specification. They say what the documents publish and what an answer explains; `codec.py`
reads and writes the same on the hot paths.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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

ENTITY_ID_MAX = ENTITY_NAME_MAX = 512
ATTRIBUTES_MAX = 100
ATTRIBUTE_NAME_MAX = 256
ATTRIBUTE_TEXT_MAX = 8192

Base64Text = Annotated[str, StringConstraints(pattern=CANONICAL_BASE64)]
EntityId = Annotated[str, StringConstraints(min_length=1, max_length=ENTITY_ID_MAX)]
EntityName = Annotated[str, StringConstraints(max_length=ENTITY_NAME_MAX)]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=ATTRIBUTE_NAME_MAX)]
AttributeText = Annotated[str, StringConstraints(max_length=ATTRIBUTE_TEXT_MAX)]


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
    key_attributes: Annotated[
        dict[AttributeName, AttributeText], Field(max_length=ATTRIBUTES_MAX)
    ] = Field(
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
