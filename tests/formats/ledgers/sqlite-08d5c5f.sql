PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE deployments (
    deployment TEXT PRIMARY KEY, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL, "release" TEXT NOT NULL,
    destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, "commit" TEXT NOT NULL, url TEXT NOT NULL,
    source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL, result TEXT NOT NULL, hosts TEXT NOT NULL,
    origin TEXT NOT NULL);
INSERT INTO "deployments" VALUES('20261124-100000-aaaa','deploy','shop','1','0bb71001b37e','','ann@laptop','','','','','2026-11-28T21:24:30Z','2026-11-28T21:24:30Z','succeeded','{"web1":"succeeded","web2":"succeeded"}','');
INSERT INTO "deployments" VALUES('20261125-100000-bbbb','deploy','shop','2','c0186b515193','','ann@laptop','','','','','2026-11-28T21:24:30Z','','running','{"web1":"running"}','');
INSERT INTO "deployments" VALUES('20261126-100000-cccc','deploy','shop','3','dfa3a5086413','web','ben@desk','why','','','','2026-11-26T10:00:00Z','2026-11-26T10:01:00Z','partial','{"web1":"succeeded","web2":"rolled_back","web3":"unknown"}','host web1');
INSERT INTO "deployments" VALUES('20261123-100000-dddd','deploy','blog','1','0bb71001b37e','','ann@laptop','','','','','2026-11-28T21:24:31Z','2026-11-28T21:24:31Z','succeeded','{"web3":"succeeded"}','');
CREATE TABLE events (
    writer TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, step TEXT NOT NULL, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (writer, seq));
INSERT INTO "events" VALUES('2a2ff447db314e1f',1,'2026-11-28T21:24:30.825023Z','20261124-100000-aaaa','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1","web2"],"plan":"","reason":"","release":"0bb71001b37e","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"1"}','0000000000000000000000000000000000000000000000000000000000000000','f6a24c61345a17407efa672f98f0c6175693cdb84da866fce7fd87402877f702');
INSERT INTO "events" VALUES('2a2ff447db314e1f',2,'2026-11-28T21:24:30.860531Z','20261124-100000-aaaa','StepStarted','web1','roll','{"v":1}','f6a24c61345a17407efa672f98f0c6175693cdb84da866fce7fd87402877f702','fdbf23e731ef7ee091181399b05f484fd9b65d8ba2bebbcce3963c7301dd80f9');
INSERT INTO "events" VALUES('2a2ff447db314e1f',3,'2026-11-28T21:24:30.878532Z','20261124-100000-aaaa','StepStarted','web2','roll','{"v":1}','fdbf23e731ef7ee091181399b05f484fd9b65d8ba2bebbcce3963c7301dd80f9','dbff7f198cbab731ae0f345444e204cce391817cfc8136c2aaa7d0802aca23c3');
INSERT INTO "events" VALUES('2a2ff447db314e1f',4,'2026-11-28T21:24:30.915328Z','20261124-100000-aaaa','StepStarted','','commit','{"v":1}','dbff7f198cbab731ae0f345444e204cce391817cfc8136c2aaa7d0802aca23c3','dfcb63a67e31f1316054f6792bb840275fde21ef54531dacd83c40d153a1ff7e');
INSERT INTO "events" VALUES('2a2ff447db314e1f',5,'2026-11-28T21:24:30.936557Z','20261124-100000-aaaa','HostCommitted','web1','commit','{"release":"0bb71001b37e","v":1}','dfcb63a67e31f1316054f6792bb840275fde21ef54531dacd83c40d153a1ff7e','189eca66d3d25aaa5a8eb73b0877c1fd4224c4c7bd44e6103a13132d12c7f022');
INSERT INTO "events" VALUES('2a2ff447db314e1f',6,'2026-11-28T21:24:30.963606Z','20261124-100000-aaaa','HostCommitted','web2','commit','{"release":"0bb71001b37e","v":1}','189eca66d3d25aaa5a8eb73b0877c1fd4224c4c7bd44e6103a13132d12c7f022','effc98c1b17df9ac6cb9e5ef42fdb51aaf58fccce15f01e976e40d785b59804c');
INSERT INTO "events" VALUES('2a2ff447db314e1f',7,'2026-11-28T21:24:30.979425Z','20261124-100000-aaaa','DeploymentEnded','','','{"error":"","hosts":{"web1":"succeeded","web2":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}','effc98c1b17df9ac6cb9e5ef42fdb51aaf58fccce15f01e976e40d785b59804c','ebe751d3c7c6ccc191aa1df40a37f31ce7daacba2e54fceab0ee9cdca60b546b');
INSERT INTO "events" VALUES('2a2ff447db314e1f',8,'2026-11-28T21:24:30.994951Z','20261125-100000-bbbb','DeploymentPlanned','','','{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1"],"plan":"","reason":"","release":"c0186b515193","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"2"}','ebe751d3c7c6ccc191aa1df40a37f31ce7daacba2e54fceab0ee9cdca60b546b','7ca52f0f4e01b2ed7dd176a23a3e858bc125d0a19f6d39e612a5d8f8897ab3c3');
INSERT INTO "events" VALUES('36cbb1e1ddb7142e',1,'2026-11-28T21:24:31.105547Z','20261123-100000-dddd','DeploymentPlanned','','','{"actor":"ann@laptop","app":"blog","changes":[],"commit":"","destination":"","hosts":["web3"],"plan":"","reason":"","release":"0bb71001b37e","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"1"}','0000000000000000000000000000000000000000000000000000000000000000','c12aa6447904834a9b579e8c64a8315b91a38ebd93a8bf9417cfa32a214234bd');
INSERT INTO "events" VALUES('36cbb1e1ddb7142e',2,'2026-11-28T21:24:31.105547Z','20261123-100000-dddd','HostCommitted','web3','commit','{"release":"dfa3a5086413","v":1}','c12aa6447904834a9b579e8c64a8315b91a38ebd93a8bf9417cfa32a214234bd','9152a1c943a0e2049efe4ea21724a21fa99fc3d01b0c30c1bb33e605f519957c');
INSERT INTO "events" VALUES('36cbb1e1ddb7142e',3,'2026-11-28T21:24:31.105547Z','20261123-100000-dddd','DeploymentEnded','','','{"error":"","hosts":{"web3":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}','9152a1c943a0e2049efe4ea21724a21fa99fc3d01b0c30c1bb33e605f519957c','85b38aaa3d92b5d9a036fc11d67a37343224ff12c7e30a198d4a55bfc12ba018');
CREATE TABLE head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO "head" VALUES('2a2ff447db314e1f',8,'7ca52f0f4e01b2ed7dd176a23a3e858bc125d0a19f6d39e612a5d8f8897ab3c3');
CREATE TABLE merged (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO "merged" VALUES('36cbb1e1ddb7142e',3,'85b38aaa3d92b5d9a036fc11d67a37343224ff12c7e30a198d4a55bfc12ba018');
CREATE TABLE releases (id TEXT PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO "releases" VALUES('a7f901de2e34',X'7B22617070223A2273686F70222C2276223A317D');
CREATE INDEX events_deployment ON events (deployment);
COMMIT;
