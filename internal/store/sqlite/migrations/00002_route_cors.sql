-- A route may carry its own CORS in place of its function's.

-- +goose Up
ALTER TABLE routes ADD COLUMN cors TEXT;    -- JSON; NULL for the function's

-- +goose Down
ALTER TABLE routes DROP COLUMN cors;
