-- Failures by kind. FINAL: a repeat that is not merged away yet counts once.
-- Without the exact mode FINAL reads only what the time filter needs; the price: of an
-- event posted twice, before and within the time asked for, the later one counts until they are merged.

CREATE VIEW IF NOT EXISTS {database}.faults{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    fingerprint String COMMENT 'The same for failures of one kind: hash of status, message, source and operation',
    status UInt16 COMMENT 'HTTP status that the fault names, 0 for none',
    message LowCardinality(String) COMMENT 'What the fault says, numbers, ids, hosts and quoted values as *; empty for a FAULT that says nothing',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) COMMENT 'What was being done',
    count UInt64 COMMENT 'Failures of this kind',
    first_seen DateTime64(3, 'UTC') COMMENT 'When the first was accepted',
    last_seen DateTime64(3, 'UTC') COMMENT 'When the latest was accepted',
    entities UInt64 COMMENT 'Entities that are affected; an estimate (about 1 % off) above 65,536',
    sample_id UUID COMMENT 'Id of the latest, to look at one'
)
AS SELECT
    tenant,
    lower(hex(cityHash64(fault_status, fault_message, event_source, operation))) AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    event_source,
    operation,
    count() AS count,
    min(received_at) AS first_seen,
    max(received_at) AS last_seen,
    uniq(entity_id) AS entities,
    argMax(id, received_at) AS sample_id
FROM {database}.events FINAL
WHERE event_type = 'FAULT' OR isNotNull(fault)
GROUP BY tenant, fault_status, fault_message, event_source, operation
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'Failures by kind, over all that is kept: every FAULT, and every other event with a fault';

CREATE VIEW IF NOT EXISTS {database}.faults_since{on_cluster}
AS SELECT
    tenant,
    lower(hex(cityHash64(fault_status, fault_message, event_source, operation))) AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    event_source,
    operation,
    count() AS count,
    min(received_at) AS first_seen,
    max(received_at) AS last_seen,
    uniq(entity_id) AS entities,
    argMax(id, received_at) AS sample_id
FROM {database}.events FINAL
WHERE (event_type = 'FAULT' OR isNotNull(fault)) AND received_at >= {since:DateTime64(3)}
GROUP BY tenant, fault_status, fault_message, event_source, operation
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'The view faults of what was accepted since: SELECT * FROM faults_since(since = now() - INTERVAL 1 HOUR)';
