"""An attempt: one record of the topic `deliveries`, the ledger of what became of each delivery.

It is there before the router counts the delivery as settled, so a crash repeats an attempt rather than
hiding it. Its key is that of the event's record; ClickHouse keeps the same as rows of `deliveries`.
"""

from typing import Literal

import msgspec

State = Literal["delivered", "failed", "dead", "cancelled", "opened", "closed", "behind"]
"""What the ledger says of a delivery, or of a subscription's lane.

- `delivered`: the queue has it, as `message_id`.
- `failed`: not taken, will be tried again.
- `dead`: given up, kept on `deliveries.dead`; `exhausted` names the bound, if it was one.
- `cancelled`: its subscription was deleted before, skipped it when it was enabled, or no longer accepts it.
- `opened`, `closed`: the lane's circuit breaker; no event, `code` and `message` say why.
- `behind`: the lane is served apart: what it accepts of [`offset`, `until`) it may lack, `since` then. Told
  each ten seconds at the most; an empty range when it has caught up.
"""

Origin = Literal["automatic", "manual", "replay"]


class Attempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one delivery at one time.

    `at`: ms since 1970; `attempt`: how often it has been sent by now, 1 for the first, 0 when it never was;
    `latency_ms`: of the call that it went with. `partition` and `offset`: of the event on `events`.
    `until`: of a range, the offset after its last; it has no `event_id` then. `since`: ms since 1970.
    `job_id`: of the redrive or replay that sent it. `code` and `message`: the destination's own words.
    """

    at: int
    tenant: str
    subscription_id: str
    destination: str
    state: State
    event_id: str = ""
    partition: int = -1
    offset: int = -1
    until: int = -1
    since: int = 0
    attempt: int = 0
    origin: Origin = "automatic"
    latency_ms: int = 0
    code: str = ""
    message: str = ""
    message_id: str = ""
    job_id: str = ""
    exhausted: str = ""


encode_attempt = msgspec.json.Encoder().encode
decode_attempt = msgspec.json.Decoder(Attempt).decode
"""Raises `msgspec.DecodeError`."""
