PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE deployments (
    deployment TEXT PRIMARY KEY, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL, "release" TEXT NOT NULL,
    destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, "commit" TEXT NOT NULL, url TEXT NOT NULL,
    source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL, result TEXT NOT NULL, hosts TEXT NOT NULL,
    origin TEXT NOT NULL);
INSERT INTO "deployments" VALUES('20261124-100000-aaaa','deploy','shop','1','0bb71001b37e','','ann@laptop','','','','','2026-11-28T21:24:24Z','2026-11-28T21:24:25Z','succeeded','{"web1":"succeeded","web2":"succeeded"}','');
INSERT INTO "deployments" VALUES('20261125-100000-bbbb','deploy','shop','2','c0186b515193','','ann@laptop','','','','','2026-11-28T21:24:25Z','','running','{"web1":"running"}','');
CREATE TABLE events (
    writer TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, step TEXT NOT NULL, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (writer, seq));
INSERT INTO "events" VALUES('5ba7052c2611af7b',1,'2026-11-28T21:24:24.955854Z','20261124-100000-aaaa','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1","web2"],"plan":"","reason":"","release":"0bb71001b37e","source":"","url":"","v":1,"verb":"deploy","version":"1"}','0000000000000000000000000000000000000000000000000000000000000000','253156e7a96e978430fb375e4594946f37b964430d8d75ada12cc8a9acfb2a53');
INSERT INTO "events" VALUES('5ba7052c2611af7b',2,'2026-11-28T21:24:25.000898Z','20261124-100000-aaaa','StepStarted','web1','roll','{"v":1}','253156e7a96e978430fb375e4594946f37b964430d8d75ada12cc8a9acfb2a53','198e73d1810dd586d7357591d45d24454feec6ad5b982f7c50d7e12b3e9aa668');
INSERT INTO "events" VALUES('5ba7052c2611af7b',3,'2026-11-28T21:24:25.034946Z','20261124-100000-aaaa','StepStarted','web2','roll','{"v":1}','198e73d1810dd586d7357591d45d24454feec6ad5b982f7c50d7e12b3e9aa668','7789b7191b0a9459a1fa329b69042e8ddb6d880acb69e05badf383241c881046');
INSERT INTO "events" VALUES('5ba7052c2611af7b',4,'2026-11-28T21:24:25.080680Z','20261124-100000-aaaa','StepStarted','','commit','{"v":1}','7789b7191b0a9459a1fa329b69042e8ddb6d880acb69e05badf383241c881046','84bb07c778d98bdf803f8dbc7657913e39853f5f0afd5ccc8bf67ec70e2577be');
INSERT INTO "events" VALUES('5ba7052c2611af7b',5,'2026-11-28T21:24:25.167074Z','20261124-100000-aaaa','HostCommitted','web1','commit','{"release":"0bb71001b37e","v":1}','84bb07c778d98bdf803f8dbc7657913e39853f5f0afd5ccc8bf67ec70e2577be','b9334ae584fcd4bfe347586199e13284fbdc1ac2b017f625b5896744a911fc7f');
INSERT INTO "events" VALUES('5ba7052c2611af7b',6,'2026-11-28T21:24:25.186923Z','20261124-100000-aaaa','HostCommitted','web2','commit','{"release":"0bb71001b37e","v":1}','b9334ae584fcd4bfe347586199e13284fbdc1ac2b017f625b5896744a911fc7f','ba4b2a922fb635e5825b091aa9f09d51461b6f49b4af37de799716010c160ba8');
INSERT INTO "events" VALUES('5ba7052c2611af7b',7,'2026-11-28T21:24:25.287982Z','20261124-100000-aaaa','DeploymentEnded','','','{"error":"","hosts":{"web1":"succeeded","web2":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}','ba4b2a922fb635e5825b091aa9f09d51461b6f49b4af37de799716010c160ba8','016f28bf7a7f66db0b2eb09d84c1b43b365fecedb97ddcce6226af619369d0c1');
INSERT INTO "events" VALUES('5ba7052c2611af7b',8,'2026-11-28T21:24:25.313804Z','20261125-100000-bbbb','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1"],"plan":"","reason":"","release":"c0186b515193","source":"","url":"","v":1,"verb":"deploy","version":"2"}','016f28bf7a7f66db0b2eb09d84c1b43b365fecedb97ddcce6226af619369d0c1','e05afc772a0199a831ae2c5925d68fc7f1a1bc68c7e2357fbb2523b8b1e3ee24');
CREATE TABLE head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO "head" VALUES('5ba7052c2611af7b',8,'e05afc772a0199a831ae2c5925d68fc7f1a1bc68c7e2357fbb2523b8b1e3ee24');
CREATE INDEX events_deployment ON events (deployment);
COMMIT;
