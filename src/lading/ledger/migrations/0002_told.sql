-- readable from 1
-- What each host told of a deployment, of itself alone; `deployments` is made from events and from these.
CREATE TABLE told (
    host TEXT NOT NULL, deployment TEXT NOT NULL, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL,
    "release" TEXT NOT NULL, destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
    "commit" TEXT NOT NULL, url TEXT NOT NULL, source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL,
    result TEXT NOT NULL, ran_by TEXT NOT NULL,
    PRIMARY KEY (host, deployment));
CREATE INDEX told_deployment ON told (deployment);
INSERT INTO told
    SELECT one.key, deployment, verb, app, version, "release", destination, actor, reason, "commit", url, source,
        started, ended, one.value, ''
    FROM deployments, EACH(hosts) AS one
    WHERE substr(origin, 1, 5) = 'host ' AND (one.key = substr(origin, 6) OR one.value NOT IN ('unknown', 'running'));
-- Which host told of a kept release; one that no host told of was made here or came with another ledger.
CREATE TABLE told_releases (host TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (host, id));
-- Writers of other ledgers that somebody has declared to be elsewhere, or lost.
CREATE TABLE elsewhere (writer TEXT PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL);
CREATE INDEX events_kind ON events (kind, deployment)
    WHERE kind IN ('DeploymentPlanned', 'DeploymentEnded', 'HostCommitted');
CREATE INDEX events_removals ON events (deployment) WHERE kind = 'StepEnded' AND step = 'remove'
