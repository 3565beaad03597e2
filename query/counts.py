"""GET /api/v1/events/counts and /api/v1/events/fields: how many events there are, by time and by value."""

from contracts.clickhouse.counts import read_by_time, read_values, select_by_time, select_values
from contracts.counts import (
    CountSearch,
    CountSeries,
    CountsFound,
    FieldSearch,
    FieldValues,
    ValueCount,
)
from contracts.criteria import rfc_3339
from query.bounded import BoundedQueries
from query.counting import counting, span_of
from query.criteria import parse_as, read_pairs
from query.events import JSON_TYPE
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers


class _Counting:
    def __init__(self, verifier: Verifier, ask: BoundedQueries, database: str, days: float) -> None:
        self._verifier = verifier
        self._ask = ask
        self._database = database
        self._days = days


class CountEvents(_Counting):
    """Handler of GET /api/v1/events/counts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read the criteria, count, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        search = parse_as(CountSearch, read_pairs(scope["query_string"]))
        span = span_of(search.begins_ms, search.to, self._days, search.interval)
        query = select_by_time(self._database, tenant, search, span, search.by)
        ask = self._ask.over(span.from_ms, span.to_ms)
        with counting():
            found = read_by_time(await ask(query), span)
        if search.by is None:
            found = found or {"": [0] * span.size}
        series = [
            CountSeries(value=value or None, count=sum(buckets), buckets=buckets)
            for value, buckets in found.items()
        ]
        series.sort(key=lambda each: (-each.count, each.value or ""))
        answer = CountsFound.model_construct(
            from_=rfc_3339(span.from_ms),
            to=rfc_3339(span.to_ms),
            interval=span.interval,
            count=sum(each.count for each in series),
            starts=[rfc_3339(each) for each in span.starts_ms()],
            series=series,
        )
        await respond(send, 200, (JSON_TYPE,), answer.model_dump_json(by_alias=True).encode())


class CountValues(_Counting):
    """Handler of GET /api/v1/events/fields."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read field and criteria, count, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        search = parse_as(FieldSearch, read_pairs(scope["query_string"]))
        span = span_of(search.begins_ms, search.to, self._days, "day")
        query = select_values(self._database, tenant, search, span.from_ms, span.to_ms)
        ask = self._ask.over(span.from_ms, span.to_ms)
        with counting():
            distinct, values = read_values(await ask(query))
        answer = FieldValues.model_construct(
            from_=rfc_3339(span.from_ms),
            to=rfc_3339(span.to_ms),
            field=search.field,
            distinct=distinct,
            values=[ValueCount(value=value, count=count) for value, count in values],
        )
        await respond(send, 200, (JSON_TYPE,), answer.model_dump_json(by_alias=True).encode())
