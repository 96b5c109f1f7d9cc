-- +goose Up
ALTER TABLE versions ADD COLUMN message TEXT NOT NULL DEFAULT '';

-- The history outlives functions. It is never deleted: there is a row for each
-- deploy, which is little beside the code of its version.
CREATE TABLE deploys (
    id           TEXT PRIMARY KEY,
    at           INTEGER NOT NULL,
    function     TEXT NOT NULL,
    version      INTEGER NOT NULL,          -- 0 if the function was deleted
    kind         TEXT NOT NULL,
    from_version INTEGER NOT NULL,          -- 0 if none served before
    by           TEXT NOT NULL,
    message      TEXT NOT NULL
);
CREATE INDEX deploys_by_time ON deploys (at, id);
CREATE INDEX deploys_by_function ON deploys (function, at, id);

-- What is known of the time before: when each version served for the first time.
INSERT INTO deploys
SELECT '0' || substr(hex(randomblob(13)), 1, 25), activated_at, function, number, 'deployed',
       COALESCE((SELECT MAX(p.number) FROM versions p
                 WHERE p.function = v.function AND p.number < v.number AND p.activated_at IS NOT NULL), 0),
       created_by, ''
FROM versions v
WHERE activated_at IS NOT NULL;

CREATE TABLE test_events (
    function   TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    event      TEXT NOT NULL,               -- JSON of the rest
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (function, name)
);

-- +goose Down
DROP TABLE test_events;
DROP TABLE deploys;
ALTER TABLE versions DROP COLUMN message;
