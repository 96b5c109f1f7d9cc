-- +goose Up
-- What was counted, by function and version and for the whole server (function
-- ''), in steps of a second, a minute and an hour. Rows are only added, and
-- those of one thing and time add up. A row that is rolled up is held by one of
-- the next step too.
CREATE TABLE metrics (
    id       INTEGER PRIMARY KEY,           -- grows with each row
    step     INTEGER NOT NULL,              -- seconds
    at       INTEGER NOT NULL,              -- seconds since 1970
    function TEXT NOT NULL,
    version  INTEGER NOT NULL,
    rolled   INTEGER NOT NULL,
    data     BLOB NOT NULL
);
CREATE INDEX metrics_by_time ON metrics (step, at);
CREATE INDEX metrics_by_function ON metrics (function, step, at) WHERE step > 1;
CREATE INDEX metrics_not_rolled ON metrics (step, at) WHERE step > 1 AND rolled = 0;

-- The windows that were open when the last rows were written.
CREATE TABLE metrics_open (
    id   INTEGER PRIMARY KEY,               -- 1
    last INTEGER NOT NULL,                  -- id of the last row of metrics
    data BLOB NOT NULL
);

-- +goose Down
DROP TABLE metrics_open;
DROP TABLE metrics;
