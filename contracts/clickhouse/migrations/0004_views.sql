-- What else analysts ask for. FINAL: a repeat that is not merged away yet counts once.
-- Without the exact mode FINAL reads only what the time filter needs; the price: of an
-- event posted twice, before and within the time asked for, the later one counts until they are merged.

CREATE VIEW IF NOT EXISTS {database}.fault_rate{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    hour DateTime('UTC') COMMENT 'Hour of acceptance, its beginning',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    events UInt64 COMMENT 'Events of that hour and source',
    faults UInt64 COMMENT 'Those that are a FAULT or carry a fault',
    rate Float64 COMMENT 'faults / events, 0 to 1'
)
AS SELECT
    tenant,
    toStartOfHour(received_at) AS hour,
    event_source,
    count() AS events,
    countIf(event_type = 'FAULT' OR isNotNull(fault)) AS faults,
    faults / events AS rate
FROM {database}.events FINAL
GROUP BY tenant, hour, event_source
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'How much fails, by tenant, hour and source';

CREATE VIEW IF NOT EXISTS {database}.event_counts{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    hour DateTime('UTC') COMMENT 'Hour of acceptance, its beginning',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) COMMENT 'What was being done',
    count UInt64 COMMENT 'Events',
    entities UInt64 COMMENT 'Entities that they are about; an estimate (about 1 % off) above 65,536'
)
AS SELECT
    tenant,
    toStartOfHour(received_at) AS hour,
    event_type,
    event_source,
    operation,
    count() AS count,
    uniq(entity_id) AS entities
FROM {database}.events FINAL
GROUP BY tenant, hour, event_type, event_source, operation
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'How much happens, by tenant, hour, type, source and operation';

CREATE VIEW IF NOT EXISTS {database}.entity_timeline{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the event',
    entity_id String COMMENT 'Entity that the event is about',
    entity_name Nullable(String) COMMENT 'Name of the entity, if given',
    time DateTime64(3, 'UTC') COMMENT 'When the edge accepted it',
    what String COMMENT 'What happened, in words: UPDATE of ORDER failed with 502: ...',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) COMMENT 'What was being done',
    id UUID COMMENT 'Event id, for GET /api/v1/events/{eventId}',
    correlation_id String COMMENT 'key_attributes[''correlationId''], empty if not given',
    fingerprint String COMMENT 'Kind of failure, as in the view faults; empty for no failure'
)
AS SELECT
    tenant,
    entity_id,
    entity_name,
    received_at AS time,
    concat(
        operation, ' of ', event_source,
        multiIf(
            event_type = 'FAULT', ' failed',
            event_type = 'WARNING', ' with a warning',
            event_type = 'SYSTEM_EVENT', ' (system)',
            ''),
        if(fault_status > 0, concat(' with ', toString(fault_status)), ''),
        if(notEmpty(fault_message), concat(': ', fault_message), '')
    ) AS what,
    event_type,
    event_source,
    operation,
    id,
    key_attributes['correlationId'] AS correlation_id,
    fault_fingerprint AS fingerprint
FROM {database}.events FINAL
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'What happened to an entity: filter by tenant and entity_id, order by time';
