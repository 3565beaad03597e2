"""An attempt: one record of the topic `deliveries`, the ledger of what became of each delivery.

It is there before the router counts the delivery as settled, so a crash repeats an attempt rather than
hiding it. Its key is that of the event's record; ClickHouse keeps the same as rows of `deliveries`.
"""

from typing import Annotated, Literal

import msgspec

from contracts.tenants import TENANT_PATTERN

State = Literal["delivered", "failed", "dead", "cancelled", "opened", "closed"]
"""What the ledger says of a delivery, or of a subscription's lane.

- `delivered`: the queue has it, as `message_id`.
- `failed`: not taken, will be tried again.
- `dead`: given up, kept on `deliveries.dead`; `exhausted` names the bound, if it was one.
- `cancelled`: its subscription was disabled or deleted before.
- `opened`, `closed`: the lane's circuit breaker; no event, `code` and `message` say why.
"""

Origin = Literal["automatic", "manual", "replay"]

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
Tenant = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
SubscriptionId = Annotated[str, msgspec.Meta(pattern=rf"^{UUID_PATTERN}\Z")]
EventId = Annotated[str, msgspec.Meta(pattern=rf"^(?:{UUID_PATTERN})?\Z")]
Instant = Annotated[int, msgspec.Meta(ge=0, lt=7_258_118_400_000)]
"""ms since 1970, before 2200: what a column of the ledger takes; so are the bounds below."""
Partition = Annotated[int, msgspec.Meta(ge=-1, lt=2**31)]
Offset = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Attempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one delivery at one time.

    `at`: ms since 1970; `attempt`: how often it has been sent by now, 1 for the first, 0 when it never was;
    `latency_ms`: of the call that it went with. `partition` and `offset`: of the event on `events`.
    `until`: of a cancelled range, the offset after its last; it has no `event_id` then.
    `job_id`: of the redrive or replay that sent it. `code` and `message`: the destination's own words.
    """

    at: Instant
    tenant: Tenant
    subscription_id: SubscriptionId
    destination: str
    state: State
    event_id: EventId = ""
    partition: Partition = -1
    offset: Offset = -1
    until: Offset = -1
    attempt: Count = 0
    origin: Origin = "automatic"
    latency_ms: Count = 0
    code: str = ""
    message: str = ""
    message_id: str = ""
    job_id: str = ""
    exhausted: str = ""


encode_attempt = msgspec.json.Encoder().encode
decode_attempt = msgspec.json.Decoder(Attempt).decode
"""Raises `msgspec.DecodeError`."""
