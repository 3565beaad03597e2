-- What is asked for most: one entity, one key attribute. A filter for each thousand rows says where a value
-- is not. Rows from before are searched as before until a merge, or until their indexes are made:
-- docs/operate/upgrade.md.

ALTER TABLE {database}.events{on_cluster}
    ADD INDEX IF NOT EXISTS by_entity entity_id TYPE bloom_filter(0.01) GRANULARITY 4,
    ADD INDEX IF NOT EXISTS by_attribute mapValues(key_attributes) TYPE bloom_filter(0.01) GRANULARITY 4;
