-- readable from 1
-- The last lines of services that failed, by the SHA-256 that their event names; they may be deleted, the chain stays whole.
CREATE TABLE evidence (id TEXT PRIMARY KEY, at TEXT NOT NULL, bytes BYTES NOT NULL)
