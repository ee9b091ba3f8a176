"""A host dies, is excluded, misses what is deployed meanwhile, comes back and is brought up to date; nobody touches it meanwhile (issue 14)."""

import json
from typing import Any

import pytest
from app_client import App
from lab_client import Done, Lab

FLEET = """lading: 1
hosts:
  web1: {{address: 10.88.0.11}}
  web2: {{address: 10.88.0.12}}
ssh: {{user: deploy, known_hosts: {fleet}/known_hosts, connect_timeout: 3}}
destinations: {{production: {{hosts: [web1, web2]}}}}
registries:
  "registry.lab:5000": {{username: ci, password: {{env: REG_PASSWORD}}, ca: {fleet}/ca.pem}}
"""


@pytest.fixture
def pair(app: App) -> App:
    """The app on a fleet of two hosts, and a ledger without a memory."""
    app.forget()
    path = app.folder.parent / "lading.yaml"
    path.write_text(FLEET.format(fleet=app.lab.fleet))
    app.config = ("--config", str(path))
    return app


def read(app: App, *words: str) -> Any:
    return json.loads(app.lading(*words, "--json").stdout)


def deploy(app: App, version: str) -> Done:
    return app.deploy(version, to="production")


def test_a_dead_host_is_left_out_and_brought_up_to_date(pair: App, lab: Lab) -> None:
    assert deploy(pair, "1.0.0").returncode == 0
    lab.off("web2")
    refused = deploy(pair, "1.1.0")
    assert (refused.returncode, "web2" in refused.stderr) == (6, True), "all hosts or none"

    assert read(pair, "hosts", "exclude", "web2", "--reason", "its disk is dead")["changed"]
    twice = pair.lading("hosts", "exclude", "web2", "--reason", "again")
    assert (twice.returncode, "its disk is dead; nothing was changed" in twice.stdout) == (0, True)
    named = pair.deploy("1.1.0", to="web2")
    assert (named.returncode, "its disk is dead" in named.stderr, "hosts include web2" in named.stderr) == (4, True, True)

    plan = read(pair, "plan", "--version", "1.1.0")
    assert (plan["hosts"], [(one["host"], one["reason"]) for one in plan["excluded"]]) == (["web1"], [("web2", "its disk is dead")])
    assert [row["rule"].partition(" since")[0] for row in plan["assignment"] if not row["chosen"]] == ["excluded"]
    done = deploy(pair, "1.1.0")
    assert (done.returncode, "web2 was left out" in done.stderr) == (0, True), done.stderr

    shown = pair.lading("where", pair.name)
    assert shown.returncode == 0, shown.stderr
    assert f"{pair.name} production: 1.1.0 on web1; web2 is excluded" in shown.stdout
    assert f"it misses {pair.name} 1.1.0 of production" in shown.stdout
    [row] = [row for row in pair.where() if row["host"] == "web2"]
    assert (row["state"], row["app_version"], row["excluded"]["reason"]) == ("excluded", "1.1.0", "its disk is dead")
    drift = pair.lading("drift", pair.name, "--json")
    assert (drift.returncode, [(one["host"], one["field"]) for one in json.loads(drift.stdout)]) == (1, [("web2", "excluded")])
    history = pair.lading("history", pair.name, "--json")
    assert history.returncode == 0, history.stderr
    told = [(row["verb"], row.get("excluded")) for row in json.loads(history.stdout) if row["result"] != "refused"]
    assert told == [("deploy", ["web2"]), ("exclude", None), ("deploy", None)]
    [missed] = row["excluded"]["missed"]
    assert missed["deployment"] == json.loads(history.stdout)[0]["deployment"]
    restarted = pair.lading("restart", f"{pair.name}/web", "--to", "production", "--yes", "--json")
    assert [*json.loads(restarted.stdout)["hosts"]] == ["web1"], restarted.stderr

    silent = pair.lading("hosts", "include", "web2", "--yes")
    assert (silent.returncode, "web2 stays excluded" in silent.stderr) == (6, True)
    lab.on("web2")
    looked = {(row["host"], row["version"]) for row in pair.where("--to", "web2") if row["service"] == "web"}
    assert looked == {("web2", "1.0.0")}, "what is named is asked"
    included = pair.lading("hosts", "include", "web2", "--yes", "--json", "--reason", "a new disk")
    assert included.returncode == 0, included.stderr
    result = json.loads(included.stdout)
    assert [(one["verb"], one["version"]) for one in result["missed"]] == [("deploy", "1.1.0"), ("restart", "1.1.0")]
    assert ([one["result"] for one in result["deployments"]], result["next"]) == (["succeeded"], [])
    assert pair.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert pair.lading("drift", pair.name).returncode == 0
    assert [row["verb"] for row in read(pair, "history", pair.name)][:3] == ["deploy", "include", "restart"]
    again = pair.lading("hosts", "include", "web2", "--yes")
    assert (again.returncode, "is not excluded; nothing was changed" in again.stdout) == (0, True)
    assert "unchanged (2 hosts)" in deploy(pair, "1.1.0").stdout


def test_a_deployment_that_is_open_on_an_excluded_host_is_not_lost(pair: App, lab: Lab) -> None:
    assert deploy(pair, "1.0.0").returncode == 0
    process = pair.start("deploy", "--version", "1.1.0", "--to", "production", "--yes")
    assert process.stderr is not None
    said = ""
    while "web1       roll begins" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.kill()
    process.communicate()

    def journal() -> str:
        return lab.exec("web2", f"cat /home/deploy/.lading/*/apps/{pair.name}/journal").stdout

    begun = journal()
    assert begun.count('"kind":"begin"') == 2
    excluded = pair.lading("hosts", "exclude", "web2", "--reason", "no power")
    assert (excluded.returncode, f"lading resume {pair.name} --undo | --continue --lost web2" in excluded.stderr) == (0, True)
    done = deploy(pair, "1.1.0")
    assert done.returncode == 0, done.stderr
    assert pair.versions() == {("web1", "1.1.0", "healthy")}
    assert journal() == begun, "it lives, and nobody has touched it"

    elsewhere = pair.lading("hosts", "include", "web2", "-C", str(pair.folder.parent), "--yes", "--json")
    assert elsewhere.returncode == 0, elsewhere.stderr
    [resume, command] = json.loads(elsewhere.stdout)["next"]
    assert (resume, "is open there" in elsewhere.stderr) == (f"lading resume {pair.name}", True), "it is open, whatever runs"
    assert command == f"lading deploy {pair.name} --version 1.1.0 --to web2"
    pair.lading("hosts", "exclude", "web2", "--reason", "no power again")
    assert f"it misses {pair.name} 1.1.0 of production" in pair.lading("where", pair.name).stdout, "nobody has made it good"
    again = pair.lading("hosts", "include", "web2", "-C", str(pair.folder.parent), "--yes", "--json")
    assert json.loads(again.stdout)["next"] == [resume, command]
    brought = pair.lading(*command.split()[1:], "--yes")
    assert brought.returncode == 0, brought.stderr
    assert pair.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert pair.lading("resume", pair.name, "--to", "production").stdout.startswith("nothing is open on web1, web2")

    pair.lading("hosts", "exclude", "web2", "--reason", "once more")
    assert pair.lading("stop", f"{pair.name}/web", "--to", "production", "--yes").returncode == 0
    assert f"it misses that web of {pair.name} was stopped in production" in pair.lading("where", pair.name).stdout
    returned = pair.lading("hosts", "include", "web2", "--yes", "--json")
    assert json.loads(returned.stdout)["next"] == [f"lading stop {pair.name}/web --to web2"], returned.stderr
    assert pair.lading("stop", f"{pair.name}/web", "--to", "web2", "--yes").returncode == 0
    assert {row["state"] for row in pair.where() if row["service"] == "web"} == {"stopped"}
