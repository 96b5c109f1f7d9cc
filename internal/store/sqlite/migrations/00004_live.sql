-- Invocations can be sorted and filtered by more, failures are grouped, and
-- what calls were asked and answered can be kept.
--
-- The new columns of invocations are filled for the rows that are there, from
-- their records, except the fingerprint, which no statement can compute: old
-- failures are listed, but belong to no group.

-- +goose Up
ALTER TABLE invocations ADD COLUMN trigger     TEXT NOT NULL DEFAULT '';
ALTER TABLE invocations ADD COLUMN start       TEXT NOT NULL DEFAULT '';
ALTER TABLE invocations ADD COLUMN duration    INTEGER NOT NULL DEFAULT 0;  -- nanoseconds
ALTER TABLE invocations ADD COLUMN memory      INTEGER NOT NULL DEFAULT 0;  -- bytes at its peak
ALTER TABLE invocations ADD COLUMN cost        INTEGER NOT NULL DEFAULT 0;  -- billionths of a GiB-second
ALTER TABLE invocations ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE invocations ADD COLUMN error       TEXT NOT NULL DEFAULT '';    -- type and message, for searches

-- Durations are texts of Go's: 1h2m3.5s, 2m3s, 4.5s, 12.25ms, 9.5µs, 80ns. A
-- cast takes the number at the beginning.
UPDATE invocations SET
    trigger  = COALESCE(json_extract(record, '$.trigger'), ''),
    start    = COALESCE(json_extract(record, '$.start'), ''),
    memory   = COALESCE(json_extract(record, '$.usage.memory_peak'), 0),
    error    = trim(COALESCE(json_extract(record, '$.error.type'), '') || ': ' || COALESCE(json_extract(record, '$.error.message'), ''), ': '),
    duration = (SELECT CAST(CASE
            WHEN d LIKE '%ns' THEN CAST(d AS REAL)
            WHEN d LIKE '%µs' THEN CAST(d AS REAL) * 1e3
            WHEN d LIKE '%ms' THEN CAST(d AS REAL) * 1e6
            WHEN instr(d, 'h') > 0 THEN CAST(d AS REAL) * 3600e9
                + CAST(substr(d, instr(d, 'h') + 1) AS REAL) * 60e9 + CAST(substr(d, instr(d, 'm') + 1) AS REAL) * 1e9
            WHEN instr(d, 'm') > 0 THEN CAST(d AS REAL) * 60e9 + CAST(substr(d, instr(d, 'm') + 1) AS REAL) * 1e9
            ELSE CAST(d AS REAL) * 1e9 END AS INTEGER)
        FROM (SELECT COALESCE(json_extract(record, '$.duration'), '0s') AS d));

-- These hold all that lists sort and filter by, so that a list of the slowest
-- reads one narrow index from end to end and then a page of rows. An index in
-- the order of each column would be faster to read but seven times slower to
-- write: rows come in the order of time and would be put all over it.
DROP INDEX invocations_by_time;
DROP INDEX invocations_by_function;
DROP INDEX invocations_failed;
CREATE INDEX invocations_by_time ON invocations (at, id, outcome, trigger, start, duration, memory, cost);
CREATE INDEX invocations_by_function ON invocations (function, at, id, version, outcome, trigger, start, duration, memory, cost);
CREATE INDEX invocations_failed ON invocations (at, id, function, version, outcome, trigger, start, duration, memory, cost, fingerprint)
    WHERE outcome <> 'ok';

CREATE TABLE failures (                     -- what invocations of one fingerprint have in common
    function      TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    type          TEXT NOT NULL,
    message       TEXT NOT NULL,            -- of the latest
    frame         TEXT NOT NULL,
    first_at      INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    first_version INTEGER NOT NULL,
    last_version  INTEGER NOT NULL,
    PRIMARY KEY (function, fingerprint)
);
CREATE INDEX failures_by_time ON failures (last_at);

CREATE TABLE captures (
    invocation TEXT PRIMARY KEY,
    function   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    record     TEXT NOT NULL                -- JSON
);
CREATE INDEX captures_by_time ON captures (at);
CREATE INDEX captures_by_function ON captures (function, at);

-- +goose Down
DROP TABLE captures;
DROP TABLE failures;
DROP INDEX invocations_by_time;
DROP INDEX invocations_by_function;
DROP INDEX invocations_failed;
CREATE INDEX invocations_by_time ON invocations (at, id);
CREATE INDEX invocations_by_function ON invocations (function, at, id);
CREATE INDEX invocations_failed ON invocations (outcome, at, id) WHERE outcome <> 'ok';
ALTER TABLE invocations DROP COLUMN error;
ALTER TABLE invocations DROP COLUMN fingerprint;
ALTER TABLE invocations DROP COLUMN cost;
ALTER TABLE invocations DROP COLUMN memory;
ALTER TABLE invocations DROP COLUMN duration;
ALTER TABLE invocations DROP COLUMN start;
ALTER TABLE invocations DROP COLUMN trigger;
