-- Times are microseconds since 1970 in UTC, booleans 0 or 1.

-- +goose Up
CREATE TABLE functions (
    name        TEXT PRIMARY KEY,
    active      INTEGER NOT NULL,           -- number of the version with the traffic, 0 for none
    last_number INTEGER NOT NULL,           -- numbers of versions are never given out twice
    public      INTEGER NOT NULL,
    cors        TEXT,                       -- JSON
    revision    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    updated_at  INTEGER NOT NULL
);

CREATE TABLE versions (
    function     TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    runtime      TEXT NOT NULL,
    handler      TEXT NOT NULL,
    sandbox      TEXT NOT NULL,
    code_digest  TEXT NOT NULL,
    code_bytes   INTEGER NOT NULL,
    config       TEXT NOT NULL,             -- JSON
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    activated_at INTEGER,                   -- first time; NULL if never
    PRIMARY KEY (function, number)
);
CREATE INDEX versions_by_code ON versions (code_digest);

CREATE TABLE routes (
    method   TEXT NOT NULL,                 -- '' for any
    path     TEXT NOT NULL,
    function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,              -- in the function's list
    PRIMARY KEY (method, path)
);
CREATE INDEX routes_by_function ON routes (function, position);

CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE keys (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,        -- SHA-256 of the secret
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used  INTEGER
);
CREATE INDEX keys_by_user ON keys (user_id, id);

CREATE TABLE sessions (
    token  TEXT PRIMARY KEY,
    data   BLOB NOT NULL,
    expiry INTEGER NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expiry);

CREATE TABLE invocations (
    id       TEXT PRIMARY KEY,
    function TEXT NOT NULL,
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    outcome  TEXT NOT NULL,
    record   TEXT NOT NULL                  -- JSON of the whole
);
CREATE INDEX invocations_by_time ON invocations (at, id);
CREATE INDEX invocations_by_function ON invocations (function, at, id);
CREATE INDEX invocations_failed ON invocations (outcome, at, id) WHERE outcome <> 'ok';

CREATE TABLE logs (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    function   TEXT NOT NULL,
    version    INTEGER NOT NULL,
    invocation TEXT NOT NULL,               -- '' between invocations
    stream     TEXT NOT NULL,
    level      TEXT NOT NULL,
    text       TEXT NOT NULL
);
CREATE INDEX logs_by_time ON logs (at);
CREATE INDEX logs_by_function ON logs (function, seq);
CREATE INDEX logs_by_invocation ON logs (invocation, seq) WHERE invocation <> '';

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

-- +goose Down
DROP TABLE counters;
DROP TABLE logs;
DROP TABLE invocations;
DROP TABLE sessions;
DROP TABLE keys;
DROP TABLE users;
DROP TABLE routes;
DROP TABLE versions;
DROP TABLE functions;
