"""GET /api/v1/status: how far view and delivery are behind the log. Any tenant may ask."""

import math

from contracts.criteria import rfc_3339
from contracts.problems import unavailable
from contracts.status import LagShown, Status, rounded_up
from query.events import JSON_TYPE
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers
from service.kafka.kept import NotTold
from service.kafka.lags import Lag, Lags


class GetStatus:
    """Handler of GET /api/v1/status; `lags` are those of the materializer and the router."""

    def __init__(self, verifier: Verifier, lags: Lags) -> None:
        self._verifier = verifier
        self._lags = lags

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read, answer."""
        await self._verifier.tenant(single_headers(scope))
        try:
            found = await self._lags.now()
        except NotTold as error:
            raise unavailable(
                f"How far view and delivery are is not known: {error}. Try again."
            ) from None
        view, delivery = (behind(each, found.seen_ms) for each in found.lags)
        answer = Status(measured_at=rfc_3339(found.seen_ms), view=view, delivery=delivery)
        await respond(send, 200, (JSON_TYPE,), answer.model_dump_json().encode())


def behind(lag: Lag, seen_ms: int) -> LagShown:
    """A lag as it was seen then, as the API tells it."""
    waits_s: float | None = 0.0
    if lag.since_ms is not None:
        waits_s = max(0.0, (seen_ms - lag.since_ms) / 1000) if lag.since_ms else None
    return LagShown(
        records_behind=rounded_up(lag.records),
        seconds_behind=waits_s,
        seconds_until_loss=None if math.isinf(lag.loss_s) else lag.loss_s,
    )
