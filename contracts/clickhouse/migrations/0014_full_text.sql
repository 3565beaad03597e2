-- All that a search for text looks at, in one column and folded: the payload, the fault, how both read where
-- that is not how they are stored, and the fault's message. A search reads this alone, in large blocks.
-- Rows from before have it when they are read, until a merge, or `ALTER TABLE events MATERIALIZE COLUMN
-- full_text`, stores it.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS full_text String
        MATERIALIZED concat(
            lower(replaceAll(ifNull(payload, ''), '\0', '\xEF\xBF\xBD')), '\0', -- as in search_text
            lower(replaceAll(ifNull(fault, ''), '\0', '\xEF\xBF\xBD')), '\0',
            search_text, '\0', caseFoldUTF8(toString(fault_message)))
        CODEC(ZSTD(1)) COMMENT 'What a search for text looks at: payload, fault, search_text and fault_message'
        SETTINGS (min_compress_block_size = 1048576, max_compress_block_size = 4194304)
        AFTER search_text;
