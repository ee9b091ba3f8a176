"""Moving out: an app is given back as it runs, plain Compose goes on with it, and lading can take it again."""

import json

from app_client import App
from lab_client import Lab
from playbook import Playbook, adopt, commit_all, drift, lives

ENV = {"GREETING": "hello"}


def deployed(app: App, playbook: Playbook) -> dict[str, tuple[str, str, str]]:
    """The app on web1 with a shipped file and a secret: adopted at 1.0.0, web at 1.1.0, store as the playbook left it."""
    app.pass_env("GREETING")
    app.edit('["/etc/hostname:/host-name:ro"]', '["/etc/hostname:/host-name:ro", "./conf:/conf:ro"]\n    environment: {GREETING: "${GREETING}"}')
    (app.folder / "conf").mkdir()
    (app.folder / "conf" / "a.conf").write_text("one\n")
    commit_all(app)
    playbook.up("web1", "1.0.0", more="GREETING=hello")
    assert adopt(app, "--yes", to="web1", env=ENV).returncode == 0
    assert app.deploy("1.1.0", to="web1", env=ENV).returncode == 0
    return lives(app, "web1")


def test_an_app_is_given_back_as_it_runs(app: App, playbook: Playbook, lab: Lab) -> None:
    before, folder = deployed(app, playbook), f"/var/lib/lading/apps/{app.name}"
    both = app.lading("remove", app.name, "--to", "web1", "--keep-running", "--volumes", "--yes")
    assert both.returncode == 2
    done = app.lading("remove", app.name, "--to", "web1", "--keep-running", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], f"go on with {folder}/compose" in told["note"]) == ("succeeded", True)
    assert f"still belongs to {playbook.folder}" in told["note"]
    assert lives(app, "web1") == before
    assert drift(app) == set()
    assert {(r["service"], r["app_version"], r["release"]) for r in app.where()} == {
        ("web", None, None), ("migrate", None, None), ("store", None, None)}
    listing = lab.exec("web1", f"cd {folder} && find . -type f").stdout
    assert [name for name in ("current", "release.json") if name in listing] == []
    assert lab.exec("web1", f"docker images -q --filter 'reference=lading-keep/{app.name}/*'").stdout == ""
    again = app.lading("remove", app.name, "--to", "web1", "--keep-running", "--yes")
    assert (again.returncode, "is not deployed on web1" in again.stderr) == (2, True)


def test_plain_compose_goes_on_and_lading_takes_it_again(app: App, playbook: Playbook, lab: Lab) -> None:
    before, folder = deployed(app, playbook), f"/var/lib/lading/apps/{app.name}"
    assert app.lading("remove", app.name, "--to", "web1", "--keep-running", "--yes").returncode == 0
    lab.exec("web1", f"docker restart -t 1 {before['web'][0]}")  # what it mounts is there (FACTS 12)
    assert "web" in lab.ssh("web1", f"docker compose -p {app.name} ps --services").stdout
    lab.ssh("web1", f"docker compose -p {app.name} stop -t 1 web && docker compose -p {app.name} start web")
    lab.ssh("web1", f"{folder}/compose logs web")
    lab.ssh("web1", f"{folder}/compose up -d --no-deps web")
    assert lives(app, "web1")["web"][0] == before["web"][0]
    lab.ssh("web1", f"cd {playbook.folder} && env VERSION=1.1.0 GREETING=hello docker compose -f docker-compose.yml up -d --no-deps store")
    assert lives(app, "web1")["store"] == before["store"]  # never recreated, so that the playbook knows it as its own
    refused = app.deploy("1.1.0", to="web1", env=ENV)
    assert (refused.returncode, "lading adopt" in refused.stderr) == (4, True)

    before = lives(app, "web1")
    again = adopt(app, "--yes", to="web1", version="1.1.0", env=ENV)
    assert (again.returncode, "differ" in again.stderr) == (0, False), again.stderr
    assert (lives(app, "web1"), drift(app)) == (before, set())
    rows = {r["service"]: (r["app_version"], r.get("adopted", False)) for r in app.where()}
    assert rows == {"web": ("1.1.0", False), "migrate": ("1.1.0", False), "store": ("1.1.0", True)}
    unchanged = app.deploy("1.1.0", "--json", to="web1", env=ENV)
    assert json.loads(unchanged.stdout)["result"] == "unchanged"


def test_a_killed_giving_back_leaves_the_app_as_it_was(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    folder = f"/var/lib/lading/apps/{app.name}"
    current = lab.exec("web1", f"cat {folder}/current").stdout
    begin = {"v": 1, "kind": "begin", "deployment": "20261125-010203-aaaa", "verb": "remove", "app": app.name, "version": "1.0.0", "to": "",
             "destination": "web1", "participants": ["web1"], "keeps_containers": True, "from": json.loads(current), "generations": {}}
    lab.exec("web1", f"docker stop -t 1 {app.ids('web1')['web']} && echo '{json.dumps(begin)}' >>{folder}/journal")  # killed after its lease
    before = lives(app, "web1")
    assert ("", "deployment") in drift(app)
    ended = app.lading("resume", app.name)
    assert ended.returncode == 0, ended.stderr
    assert lives(app, "web1") == before  # an undo of anything else would have started web
    assert lab.exec("web1", f"cat {folder}/current").stdout == current
    assert drift(app) == {("web", "state")}
