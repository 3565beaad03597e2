-- What the texts of an event say to a reader where their bytes say it otherwise: letters beyond ASCII with
-- their case folded, and what escapes of JSON stand for. It is written by the materializer, and empty where
-- payload and fault can be searched as they are. Rows from before have their case folded, no more, when
-- they are read; a merge or `ALTER TABLE events MATERIALIZE COLUMN search_text` stores that, and a rebuild
-- what the materializer would have written.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS search_text String
        DEFAULT if(isASCII(ifNull(payload, '')) AND isASCII(ifNull(fault, '')), '', caseFoldUTF8(toValidUTF8(
            concat(ifNull(payload, ''), '\0', ifNull(fault, '')))))
        CODEC(ZSTD(1)) COMMENT 'Payload and fault as a search for text sees them, empty where as they are' AFTER fault;

-- What is asked for most: one entity, one key attribute. A filter for each thousand rows says where a value
-- is not. Rows from before are searched as before until a merge, or until their indexes are made:
-- docs/operate/upgrade.md.

ALTER TABLE {database}.events{on_cluster}
    ADD INDEX IF NOT EXISTS by_entity entity_id TYPE bloom_filter(0.01) GRANULARITY 4,
    ADD INDEX IF NOT EXISTS by_attribute mapValues(key_attributes) TYPE bloom_filter(0.01) GRANULARITY 4;
