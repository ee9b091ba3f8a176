-- readable from 1
-- The ledger of the first ladings, which did not number their schema; their first files lack `merged` or `releases`.
-- So what is there stays. `migrations`: what was carried out, and from which schema on its ladings can work beside it.
CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, readable_from INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS merged (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    writer TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, step TEXT NOT NULL, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (writer, seq));
CREATE INDEX IF NOT EXISTS events_deployment ON events (deployment);
CREATE TABLE IF NOT EXISTS deployments (
    deployment TEXT PRIMARY KEY, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL,
    "release" TEXT NOT NULL, destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
    "commit" TEXT NOT NULL, url TEXT NOT NULL, source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL,
    result TEXT NOT NULL, hosts TEXT NOT NULL, origin TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, bytes BYTES NOT NULL)
