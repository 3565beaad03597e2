-- What questions about failures ask first is stored: which kind of failure a row is, always in sixteen
-- digits, and whether its id may have rows that differ. Both together take a fifth of a byte. Rows that are
-- there already get them by a mutation in the background; until then they are computed when they are read.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS derived_id Bool
        MATERIALIZED bitAnd(bitShiftRight(toUInt128(id), 76), 15) = 8
        CODEC(ZSTD(1)) COMMENT 'Whether an Idempotency-Key gave the id: of no other id two rows differ',
    MODIFY COLUMN fault_fingerprint LowCardinality(String)
        MATERIALIZED if(event_type = 'FAULT' OR isNotNull(fault),
            leftPad(lower(hex(cityHash64(fault_status, fault_message))), 16, '0'), '')
        CODEC(ZSTD(1)) COMMENT 'The same for failures of one kind, as in the view faults; empty for no failure';

ALTER TABLE {database}.events{on_cluster}
    MATERIALIZE COLUMN derived_id, MATERIALIZE COLUMN fault_fingerprint;

-- PREWHERE: FINAL compares what is left of it, so not what is no failure, where all rows of an id say the
-- same. Of a derived id it has to see every row, or one that gives way would count.

CREATE OR REPLACE VIEW {database}.faults{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    fingerprint String COMMENT 'The same for failures of one kind: hash of status and message',
    status UInt16 COMMENT 'HTTP status that the fault names, 0 for none',
    message LowCardinality(String) COMMENT 'What the fault says in a line, numbers, ids, hosts and quoted values as *; empty for a FAULT that says nothing',
    count UInt64 COMMENT 'Failures of this kind',
    first_seen DateTime64(3, 'UTC') COMMENT 'When the first was accepted',
    last_seen DateTime64(3, 'UTC') COMMENT 'When the latest was accepted',
    entities UInt64 COMMENT 'Entities that are affected; an estimate (about 1 % off) above 65,536',
    sample_id UUID COMMENT 'Id of the latest, to look at one',
    by_operation Map(String, UInt64) COMMENT 'How many of them by source and operation, as in ORDER UPDATE, most first'
)
AS SELECT
    tenant,
    leftPad(lower(hex(cityHash64(fault_status, fault_message))), 16, '0') AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    sum(failures) AS count,
    min(first) AS first_seen,
    max(latest) AS last_seen,
    uniqMerge(affected) AS entities,
    argMax(sample, latest) AS sample_id,
    CAST(arrayReverseSort(each -> each.2, groupArray((concat(event_source, ' ', operation), failures))),
        'Map(String, UInt64)') AS by_operation
FROM (
    SELECT tenant, fault_status, fault_message, event_source, operation,
        count() AS failures, min(received_at) AS first, max(received_at) AS latest,
        uniqState(entity_id) AS affected, argMax(id, received_at) AS sample
    FROM {database}.events FINAL
    PREWHERE derived_id OR fault_fingerprint != ''
    WHERE fault_fingerprint != ''
    GROUP BY tenant, fault_status, fault_message, event_source, operation
)
GROUP BY tenant, fault_status, fault_message
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'Failures by kind, over all that is kept: every FAULT, and every other event with a fault';

CREATE OR REPLACE VIEW {database}.faults_since{on_cluster}
AS SELECT
    tenant,
    leftPad(lower(hex(cityHash64(fault_status, fault_message))), 16, '0') AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    sum(failures) AS count,
    min(first) AS first_seen,
    max(latest) AS last_seen,
    uniqMerge(affected) AS entities,
    argMax(sample, latest) AS sample_id,
    CAST(arrayReverseSort(each -> each.2, groupArray((concat(event_source, ' ', operation), failures))),
        'Map(String, UInt64)') AS by_operation
FROM (
    SELECT tenant, fault_status, fault_message, event_source, operation,
        count() AS failures, min(received_at) AS first, max(received_at) AS latest,
        uniqState(entity_id) AS affected, argMax(id, received_at) AS sample
    FROM {database}.events FINAL
    PREWHERE derived_id OR fault_fingerprint != ''
    WHERE fault_fingerprint != '' AND received_at >= {since:DateTime64(3)}
    GROUP BY tenant, fault_status, fault_message, event_source, operation
)
GROUP BY tenant, fault_status, fault_message
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'The view faults of what was accepted since: SELECT * FROM faults_since(since = now() - INTERVAL 1 HOUR)';
