-- readable from 1
-- A deployment that was refused has a row in the list too: it was requested, and ended.
DROP INDEX events_kind;
CREATE INDEX events_kind ON events (kind, deployment)
    WHERE kind IN ('DeploymentRequested', 'DeploymentPlanned', 'DeploymentEnded', 'HostCommitted')
