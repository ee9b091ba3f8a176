PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE deployments (
    deployment TEXT PRIMARY KEY, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL, "release" TEXT NOT NULL,
    destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, "commit" TEXT NOT NULL, url TEXT NOT NULL,
    source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL, result TEXT NOT NULL, hosts TEXT NOT NULL,
    origin TEXT NOT NULL);
INSERT INTO "deployments" VALUES('20261124-100000-aaaa','deploy','shop','1','0bb71001b37e','','ann@laptop','','','','','2026-11-28T21:24:28Z','2026-11-28T21:24:28Z','succeeded','{"web1":"succeeded","web2":"succeeded"}','');
INSERT INTO "deployments" VALUES('20261125-100000-bbbb','deploy','shop','2','c0186b515193','','ann@laptop','','','','','2026-11-28T21:24:28Z','','running','{"web1":"running"}','');
INSERT INTO "deployments" VALUES('20261126-100000-cccc','deploy','shop','3','dfa3a5086413','web','ben@desk','why','','','','2026-11-26T10:00:00Z','2026-11-26T10:01:00Z','partial','{"web1":"succeeded","web2":"rolled_back","web3":"unknown"}','host web1');
CREATE TABLE events (
    writer TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, step TEXT NOT NULL, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (writer, seq));
INSERT INTO "events" VALUES('4a883a89200732fe',1,'2026-11-28T21:24:28.494720Z','20261124-100000-aaaa','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1","web2"],"plan":"","reason":"","release":"0bb71001b37e","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"1"}','0000000000000000000000000000000000000000000000000000000000000000','68567835aece02ac5e13ec8a02d6b1174524681367f8f1978f5513d77f25f5dc');
INSERT INTO "events" VALUES('4a883a89200732fe',2,'2026-11-28T21:24:28.593785Z','20261124-100000-aaaa','StepStarted','web1','roll','{"v":1}','68567835aece02ac5e13ec8a02d6b1174524681367f8f1978f5513d77f25f5dc','ced2ef115ebf3e7fa8b8b9eb679ca1b76086bd592be003141ead78acc4dfbd6d');
INSERT INTO "events" VALUES('4a883a89200732fe',3,'2026-11-28T21:24:28.634903Z','20261124-100000-aaaa','StepStarted','web2','roll','{"v":1}','ced2ef115ebf3e7fa8b8b9eb679ca1b76086bd592be003141ead78acc4dfbd6d','1acd65995edf92ac9972a4ef8949014dcd9e3ed4aaccc24e607f4974fb8e4d38');
INSERT INTO "events" VALUES('4a883a89200732fe',4,'2026-11-28T21:24:28.677000Z','20261124-100000-aaaa','StepStarted','','commit','{"v":1}','1acd65995edf92ac9972a4ef8949014dcd9e3ed4aaccc24e607f4974fb8e4d38','fdb9e0c5cfb073f19f84710d7483767621b9a3586e82afdb18dd797225801cd6');
INSERT INTO "events" VALUES('4a883a89200732fe',5,'2026-11-28T21:24:28.758814Z','20261124-100000-aaaa','HostCommitted','web1','commit','{"release":"0bb71001b37e","v":1}','fdb9e0c5cfb073f19f84710d7483767621b9a3586e82afdb18dd797225801cd6','0ed587ac80528ae11df07a06f80ee73a8254f04516add074242202e0cf1b6875');
INSERT INTO "events" VALUES('4a883a89200732fe',6,'2026-11-28T21:24:28.767708Z','20261124-100000-aaaa','HostCommitted','web2','commit','{"release":"0bb71001b37e","v":1}','0ed587ac80528ae11df07a06f80ee73a8254f04516add074242202e0cf1b6875','a3942cf4f50ce7d79331805b8b9a092196c1a9cb8d41ee7b9ad243f18daa3fda');
INSERT INTO "events" VALUES('4a883a89200732fe',7,'2026-11-28T21:24:28.806737Z','20261124-100000-aaaa','DeploymentEnded','','','{"error":"","hosts":{"web1":"succeeded","web2":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}','a3942cf4f50ce7d79331805b8b9a092196c1a9cb8d41ee7b9ad243f18daa3fda','357ee9063cf285640a019a9d0313feb166b4ded2ce0d622d2562f8aabf51e0fb');
INSERT INTO "events" VALUES('4a883a89200732fe',8,'2026-11-28T21:24:28.827416Z','20261125-100000-bbbb','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1"],"plan":"","reason":"","release":"c0186b515193","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"2"}','357ee9063cf285640a019a9d0313feb166b4ded2ce0d622d2562f8aabf51e0fb','9235bdbe9d28df9373b1a15418664126b09fdace4dbaf2f78c421560e16f99b5');
CREATE TABLE head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO "head" VALUES('4a883a89200732fe',8,'9235bdbe9d28df9373b1a15418664126b09fdace4dbaf2f78c421560e16f99b5');
CREATE TABLE releases (id TEXT PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "releases" VALUES('a7f901de2e34',X'7B22617070223A2273686F70222C2276223A317D');
CREATE INDEX events_deployment ON events (deployment);
COMMIT;
