-- Every search by time, every count and every comparison of repeats reads these columns row by row: T64 with
-- LZ4 is read faster than DoubleDelta with ZSTD and takes about as many bytes. A search for text is bound by
-- reading its column, which ZSTD's level 3 makes smaller. Rows from before are as they were until a merge,
-- and are read all the same.

ALTER TABLE {database}.events{on_cluster}
    MODIFY COLUMN received_at CODEC(T64, LZ4),
    MODIFY COLUMN precedence CODEC(T64, LZ4),
    MODIFY COLUMN full_text CODEC(ZSTD(3));
