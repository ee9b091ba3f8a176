CREATE SCHEMA lading;
CREATE TABLE lading.deployments (
    deployment text NOT NULL,
    verb text NOT NULL,
    app text NOT NULL,
    version text NOT NULL,
    release text NOT NULL,
    destination text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    commit text NOT NULL,
    url text NOT NULL,
    source text NOT NULL,
    started text NOT NULL,
    ended text NOT NULL,
    result text NOT NULL,
    hosts text NOT NULL,
    origin text NOT NULL
);
CREATE TABLE lading.events (
    writer text NOT NULL,
    seq integer NOT NULL,
    at text NOT NULL,
    deployment text NOT NULL,
    kind text NOT NULL,
    host text NOT NULL,
    step text NOT NULL,
    data text NOT NULL,
    prev text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE lading.format (
    number integer NOT NULL
);
CREATE TABLE lading.head (
    writer text NOT NULL,
    seq integer NOT NULL,
    hash text NOT NULL
);
CREATE TABLE lading.merged (
    writer text NOT NULL,
    seq integer NOT NULL,
    hash text NOT NULL
);
CREATE TABLE lading.releases (
    id text NOT NULL,
    bytes bytea NOT NULL
);
INSERT INTO lading.deployments VALUES ('20261124-100000-aaaa', 'deploy', 'shop', '1', '0bb71001b37e', '', 'ann@laptop', '', '', '', '', '2026-11-28T21:24:57Z', '2026-11-28T21:24:57Z', 'succeeded', '{"web1":"succeeded","web2":"succeeded"}', '');
INSERT INTO lading.deployments VALUES ('20261125-100000-bbbb', 'deploy', 'shop', '2', 'c0186b515193', '', 'ann@laptop', '', '', '', '', '2026-11-28T21:24:57Z', '', 'running', '{"web1":"running"}', '');
INSERT INTO lading.deployments VALUES ('20261126-100000-cccc', 'deploy', 'shop', '3', 'dfa3a5086413', 'web', 'ben@desk', 'why', '', '', '', '2026-11-26T10:00:00Z', '2026-11-26T10:01:00Z', 'partial', '{"web1":"succeeded","web2":"rolled_back","web3":"unknown"}', 'host web1');
INSERT INTO lading.deployments VALUES ('20261123-100000-dddd', 'deploy', 'blog', '1', '0bb71001b37e', '', 'ann@laptop', '', '', '', '', '2026-11-28T21:24:57Z', '2026-11-28T21:24:57Z', 'succeeded', '{"web3":"succeeded"}', '');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 1, '2026-11-28T21:24:57.366781Z', '20261124-100000-aaaa', 'DeploymentPlanned', '', '', '{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1","web2"],"plan":"","reason":"","release":"0bb71001b37e","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"1"}', '0000000000000000000000000000000000000000000000000000000000000000', '2e121832087ed1e34826afb99199c835682975321386c408bc802a15e40c8677');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 2, '2026-11-28T21:24:57.389230Z', '20261124-100000-aaaa', 'StepStarted', 'web1', 'roll', '{"v":1}', '2e121832087ed1e34826afb99199c835682975321386c408bc802a15e40c8677', 'aaed8a79f90725641227f14503abf13901504435152decfff4963fae4a069584');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 3, '2026-11-28T21:24:57.411865Z', '20261124-100000-aaaa', 'StepStarted', 'web2', 'roll', '{"v":1}', 'aaed8a79f90725641227f14503abf13901504435152decfff4963fae4a069584', '77b7c6d86869e2a6aca469baf8dab343c3ec032dd356793148ac3831fe211591');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 4, '2026-11-28T21:24:57.427330Z', '20261124-100000-aaaa', 'StepStarted', '', 'commit', '{"v":1}', '77b7c6d86869e2a6aca469baf8dab343c3ec032dd356793148ac3831fe211591', '6e2472f175462d122aa4f547bb185056f3d531bbfdbfcab68012687cc13b74ea');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 5, '2026-11-28T21:24:57.442857Z', '20261124-100000-aaaa', 'HostCommitted', 'web1', 'commit', '{"release":"0bb71001b37e","v":1}', '6e2472f175462d122aa4f547bb185056f3d531bbfdbfcab68012687cc13b74ea', '9b8c7e9a3a31330a5aa5282305fe00d90f224874f32b734d6dd8a16eefca1a9b');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 6, '2026-11-28T21:24:57.447862Z', '20261124-100000-aaaa', 'HostCommitted', 'web2', 'commit', '{"release":"0bb71001b37e","v":1}', '9b8c7e9a3a31330a5aa5282305fe00d90f224874f32b734d6dd8a16eefca1a9b', '57b3d1470329f38c64617d40f475f9b0f330094d9e23de3ded1f37e296afd7e0');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 7, '2026-11-28T21:24:57.450153Z', '20261124-100000-aaaa', 'DeploymentEnded', '', '', '{"error":"","hosts":{"web1":"succeeded","web2":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}', '57b3d1470329f38c64617d40f475f9b0f330094d9e23de3ded1f37e296afd7e0', '28a0311f8c6d332aa03514b8f955394b8d8b01777cbba8d9553ae6847cb809d3');
INSERT INTO lading.events VALUES ('96776e58c3d81363', 8, '2026-11-28T21:24:57.453162Z', '20261125-100000-bbbb', 'DeploymentPlanned', '', '', '{"actor":"ann@laptop","app":"shop","changes":[],"commit":"","destination":"","hosts":["web1"],"plan":"","reason":"","release":"c0186b515193","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"2"}', '28a0311f8c6d332aa03514b8f955394b8d8b01777cbba8d9553ae6847cb809d3', '1f213adde17e616de711c9a12b3c317d0e2bebb8894e4d8c54d240df10e2499b');
INSERT INTO lading.events VALUES ('3469cfb333645820', 1, '2026-11-28T21:24:57.519844Z', '20261123-100000-dddd', 'DeploymentPlanned', '', '', '{"actor":"ann@laptop","app":"blog","changes":[],"commit":"","destination":"","hosts":["web3"],"plan":"","reason":"","release":"0bb71001b37e","seconds":0.0,"source":"","url":"","v":1,"verb":"deploy","version":"1"}', '0000000000000000000000000000000000000000000000000000000000000000', '9d1494ac631bc89098deb826b8d79f792e54dc93258f1fcfe81de22aec1257d4');
INSERT INTO lading.events VALUES ('3469cfb333645820', 2, '2026-11-28T21:24:57.519844Z', '20261123-100000-dddd', 'HostCommitted', 'web3', 'commit', '{"release":"dfa3a5086413","v":1}', '9d1494ac631bc89098deb826b8d79f792e54dc93258f1fcfe81de22aec1257d4', '9942ad899c39064b0029e26de352fead08237acbf4bda1cf5084822f298e7163');
INSERT INTO lading.events VALUES ('3469cfb333645820', 3, '2026-11-28T21:24:57.519844Z', '20261123-100000-dddd', 'DeploymentEnded', '', '', '{"error":"","hosts":{"web3":"succeeded"},"result":"succeeded","seconds":0.0,"v":1}', '9942ad899c39064b0029e26de352fead08237acbf4bda1cf5084822f298e7163', '2b6dfc6b7ab003930185009cde8b4c46bddfb04880b78ba9230970e40486fa88');
INSERT INTO lading.format VALUES (1);
INSERT INTO lading.head VALUES ('96776e58c3d81363', 8, '1f213adde17e616de711c9a12b3c317d0e2bebb8894e4d8c54d240df10e2499b');
INSERT INTO lading.merged VALUES ('3469cfb333645820', 3, '2b6dfc6b7ab003930185009cde8b4c46bddfb04880b78ba9230970e40486fa88');
INSERT INTO lading.releases VALUES ('a7f901de2e34', '\x7b22617070223a2273686f70222c2276223a317d');
ALTER TABLE ONLY lading.deployments
    ADD CONSTRAINT deployments_pkey PRIMARY KEY (deployment);
ALTER TABLE ONLY lading.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (writer, seq);
ALTER TABLE ONLY lading.merged
    ADD CONSTRAINT merged_pkey PRIMARY KEY (writer);
ALTER TABLE ONLY lading.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (id);
CREATE INDEX events_deployment ON lading.events USING btree (deployment);
