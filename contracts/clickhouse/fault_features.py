"""SQL that compares the events of a group of failures to the tenant's others of that time.

Samples of both are taken as rows lie, by slices of time, and of derived ids by the ids, which are
random; what their events have is counted: values of fields and key attributes, members of the payload. An
event whose row is there twice is taken once.
Every value is bound as a parameter.
"""

import msgspec

from contracts.clickhouse.conditions import of_fields
from contracts.clickhouse.counts import among, standing
from contracts.clickhouse.faults import OF_KIND
from contracts.clickhouse.ledger import Query
from contracts.faults import FaultCriteria
from contracts.intervals import Span

COMPARED = {"group": 1_000, "rest": 4_000}
"""Events that are looked at closely, about."""
SLICE_EVENTS = 60
"""Events of a slice of time, about: samples are whole slices, for such rows lie side by side."""
MILLION = 1_000_000
VALUE_BYTES_MAX, NAME_BYTES_MAX = 100, 300
MEMBERS_MAX = 200
"""Of a payload, that are looked at."""
PAIRS_MAX = 500_000
"""Of fields and values, that are counted: what clients make up must not fill the memory."""
SUPPORT_MIN = 5
"""Events of the group that must have something for it to be told."""
FEATURES_MAX = 2_000

PLACED = """if(derived_id, intDiv(toUInt64(bitShiftRight(toUInt128(id), 64)), 18446744073710),
        cityHash64(intDiv(toUnixTimestamp64Milli(received_at), {slice_ms:Int64})) % 1000000)"""
"""Of a million, where an event lies; neighbours lie alike."""
SELECT_SIZE = """
SELECT count() FROM {database}.events WHERE {among} -- about
FORMAT TSV
"""
SELECT_FEATURES = """
SELECT pair.1 AS field, pair.2 AS value, countIf(grouped) AS in_group, countIf(NOT grouped) AS in_rest
FROM (
    SELECT grouped, arrayJoin(arrayDistinct(arrayConcat(
        [('', ''), ('event_source', toString(event_source)), ('operation', toString(operation)),
            ('entity_id', entity_id), ('entity_name', ifNull(entity_name, ''))],
        arrayMap((name, text) -> (concat('key_attributes.', name), text),
            CAST(mapKeys(key_attributes), 'Array(String)'), mapValues(key_attributes)),
        arrayMap(name -> ('key_attributes', toString(name)), mapKeys(key_attributes)),
        arrayMap(member -> (concat('payload.', member.1), trim(BOTH '"' FROM member.2)),
            arrayFilter(member -> NOT match(member.2, '^[[{{]'), members)),
        arrayMap(member -> ('payload', member.1), members)
    ))) AS pair
    FROM (
        SELECT event_source, operation, entity_id, entity_name, key_attributes, {grouped} AS grouped,
            arraySlice(JSONExtractKeysAndValuesRaw(toValidUTF8(ifNull(payload, ''))), 1, {members_max})
                AS members
        FROM {database}.events
        WHERE tenant = {{tenant:String}} AND toUInt128(id) IN (
            SELECT toUInt128(id) FROM {database}.events
            WHERE {among} AND {placed} < if({grouped}, {{of_group:UInt64}}, {{of_rest:UInt64}})
            LIMIT {compared_max})
        LIMIT 1 BY id
    )
)
WHERE pair.1 = '' OR (pair.2 != '' AND length(pair.2) <= {value_max} AND length(pair.1) <= {name_max})
GROUP BY pair
HAVING in_group >= {support_min} OR field = ''
ORDER BY field = '' DESC, in_group DESC LIMIT {features_max}
SETTINGS max_rows_to_group_by = {pairs_max}, group_by_overflow_mode = 'any'
FORMAT JSONEachRow
"""


class StoredFeature(msgspec.Struct):
    """One line of the answer to `select_features`; of no field: all events that were compared."""

    field: str
    value: str
    in_group: int
    in_rest: int


_feature = msgspec.json.Decoder(StoredFeature)


def select_size(database: str, tenant: str, criteria: FaultCriteria, span: Span) -> Query:
    """The query for how many events the tenant has in the time that meet the criteria, about."""
    where, parameters = among(tenant, span.from_ms, span.to_ms, of_fields(criteria))
    return SELECT_SIZE.format(database=database, among=where), parameters


def select_features(
    database: str,
    tenant: str,
    criteria: FaultCriteria,
    span: Span,
    fingerprint: str,
    group: int,
    rest: int,
) -> Query:
    """The query for what the events of the group have and the `rest`; there are about so many of each."""
    where, parameters = among(
        tenant, span.from_ms, span.to_ms, of_fields(criteria), standing(database)
    )
    parameters |= {
        "fingerprint": fingerprint,
        "slice_ms": max(1, (span.to_ms - span.from_ms) * SLICE_EVENTS // max(1, group + rest)),
        "of_group": MILLION * COMPARED["group"] // max(COMPARED["group"], group),
        "of_rest": MILLION * COMPARED["rest"] // max(COMPARED["rest"], rest),
    }
    sql = SELECT_FEATURES.format(
        database=database,
        placed=PLACED,
        grouped=OF_KIND,
        among=where,
        compared_max=2 * sum(COMPARED.values()),
        value_max=VALUE_BYTES_MAX,
        name_max=NAME_BYTES_MAX,
        members_max=MEMBERS_MAX,
        pairs_max=PAIRS_MAX,
        support_min=SUPPORT_MIN,
        features_max=FEATURES_MAX,
    )
    return sql, parameters


def read_features(lines: bytes) -> list[StoredFeature]:
    """The answer to `Groups.features`."""
    return [_feature.decode(line) for line in lines.splitlines()]
