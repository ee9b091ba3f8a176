"""`rollback` walks back along what was deployed, and no verb plans over a deployment that was left open."""

import json
import re
import uuid

import pytest
from app_client import App, some
from lab_client import Lab
from test_interrupted import deploying, open_intents

# 2,000 lines of deployments that failed; and what `docker image prune -a` takes beside what runs: the images of kept releases
LONG = """cd /var/lib/lading/apps/APP && i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); d=20991102-000000-$(printf %04x $i)
printf '{"at":"2099-11-02T00:00:00Z","v":3,"kind":"begin","deployment":"%s","verb":"deploy","to":"%064d"}\\n' $d 0
printf '{"at":"2099-11-02T00:00:00Z","v":1,"kind":"ended","deployment":"%s","result":"failed"}\\n' $d; done >>journal"""
PRUNE = "docker images -q --filter reference=lading-keep/APP/web | sort -u | xargs -r docker rmi -f"


def another(app: App) -> None:
    """Change a label of `web`, for another release of whatever version."""
    path = app.folder / "docker-compose.yml"
    text = re.sub(r"    labels: .*\n", "", path.read_text())
    path.write_text(text.replace("  web:\n", f"  web:\n    labels: {{again: {uuid.uuid4().hex}}}\n", 1))


def current(app: App, host: str) -> str:
    """The version that a host declares."""
    [version] = {row["version"] for row in app.where("--to", host) if row["service"] == "web"}
    return str(version)


def test_twice_back_is_two_back(app: App) -> None:
    for version in ("1.0.0", "1.1.0", "1.1.0"):
        another(app)
        done = app.deploy(version, to="web1")
        assert done.returncode == 0, done.stderr
    kept = [row["release"] for row in json.loads(app.lading("history", app.name, "--json").stdout)]
    failed = app.deploy("1.2.0", to="web1")
    assert failed.returncode == 5, failed.stderr
    app.lab.exec("web1", LONG.replace("APP", app.name))
    pruned = app.lab.exec("web1", PRUNE.replace("APP", app.name), check=False)
    assert "Deleted: " in pruned.stdout, pruned.stderr
    for release, said in ((kept[1], "from 1.1.0 to 1.1.0"), (kept[2], "from 1.1.0 to 1.0.0")):
        done = app.lading("rollback", app.name, "--to", "web1", "--yes")
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
        # `migrate` shows where it ran last: with 1.2.0, which failed; a way back runs no job, and `store` it leaves alone
        assert {row["release"] for row in app.where("--to", "web1") if row["service"] == "web"} == {release}
    refused = app.lading("rollback", app.name, "--to", "web1", "--yes")
    assert (refused.returncode, "keeps no release" in refused.stderr) == (2, True), refused.stderr
    assert "--release" in refused.stderr


@pytest.mark.parametrize("verb", some(["rollback", "remove"]))
def test_what_was_left_open_is_ended_first(app: App, lab: Lab, verb: str) -> None:
    assert app.deploy("1.0.0").returncode == 0
    assert app.deploy("1.1.0").returncode == 0
    another(app)
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        process.kill()
    done = app.lading(verb, app.name, "--to", "web1", "--yes")
    assert done.returncode == 0, done.stderr
    assert open_intents(app) == []
    assert current(app, "web2") == "1.1.0"
    assert app.lading("drift", app.name).returncode == 0
    if verb == "remove":
        assert [name for name in app.ids("web1") if not name.startswith("volume:")] == []
    else:
        assert current(app, "web1") == "1.1.0", "what was open went on, and then one step back"
        releases = {row["host"]: row["release"] for row in app.where("--to", "web1,web2") if row["service"] == "web"}
        assert releases["web1"] != releases["web2"]
