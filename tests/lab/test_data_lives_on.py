"""Nobody's data is lost by a deployment: a marker in each kind of mount, carried through all that lading does (D8, D27)."""

import pytest
from app_client import App
from lab_client import Lab
from playbook import Playbook, adopt, commit_all
from test_interrupted import deploying

PLACES = ("named", "anonymous", "external", "bind", "data")
COMPOSE = """name: NAME
services:
  web:
    image: registry.lab:5000/hello:${VERSION}
    restart: unless-stopped
    depends_on: [db]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 2s, retries: 5}
    stop_grace_period: 2s
  db:
    image: registry.lab:5000/store:1
    command: [store]
    restart: unless-stopped
    stop_grace_period: 2s
    environment: {N: "0"}
    volumes: ["named:/named", "/anonymous", "kept:/external", "/srv/NAME:/bind", "./state:/data"]
    deploy: {update_config: {monitor: 1s}}
networks: {default: {labels: {n: "0"}}}
volumes: {named: {}, kept: {name: NAME-kept, external: true}}
"""


@pytest.fixture
def data(app: App, lab: Lab) -> App:
    """An app with every kind of mount, tracked by Git but for its host data; what it needs of the host is there."""
    (app.folder / "docker-compose.yml").write_text(COMPOSE.replace("NAME", app.name))
    (app.folder / "docker-compose.override.yml").unlink()
    (app.folder / ".gitignore").write_text("state/*\n")
    commit_all(app)
    lab.exec("web1", f"mkdir -p /srv/{app.name} && docker volume create {app.name}-kept")
    return app


def db(app: App) -> str:
    return app.ids("web1")["db"]


def write(app: App) -> None:
    """A marker in each mount, of the app's own making."""
    for place in PLACES:
        app.lab.exec("web1", f"docker exec {db(app)} sh -c 'echo kept {place} >/{place}/marker'")


def lost(app: App) -> list[str]:
    """The mounts of the container that runs now in which the marker is not."""
    found = {place: app.lab.exec("web1", f"docker exec {db(app)} cat /{place}/marker", check=False).stdout for place in PLACES}
    return [place for place in PLACES if found[place] != f"kept {place}\n"]


def recreated(app: App, before: str) -> str:
    """The id of the container that took the other's place."""
    now = db(app)
    assert now != before
    assert lost(app) == []
    return now


def network(app: App, number: int) -> None:
    path = app.folder / "docker-compose.yml"
    lines = [f'networks: {{default: {{labels: {{n: "{number}"}}}}}}' if line.startswith("networks:") else line
             for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")


def test_data_goes_through_every_deployment(data: App, lab: Lab) -> None:
    app = data
    lab.exec("web1", f"docker volume rm {app.name}-kept")
    absent = app.deploy("1.0.0", to="web1")
    assert (absent.returncode, f"ssh web1 docker volume create {app.name}-kept" in absent.stderr) == (4, True), absent.stderr
    lab.exec("web1", f"docker volume create {app.name}-kept")
    first = app.deploy("1.0.0", to="web1")
    assert (first.returncode, f"volume {app.name}_named" in first.stderr, "new, empty" in first.stderr) == (0, True, True), first.stderr
    write(app)
    now = db(app)

    app.edit('N: "0"', 'N: "1"')  # an upgrade
    assert app.deploy("1.1.0", to="web1").returncode == 0
    now = recreated(app, now)

    network(app, 1)
    assert app.deploy("1.1.0", to="web1").returncode == 0
    now = recreated(app, now)

    network(app, 2)  # an undo, with a network that changes on the way there and back, of a version without the anonymous volume
    app.edit('"/anonymous", ', "")
    broken = app.deploy("1.2.0", to="web1")
    assert (broken.returncode, "rolled_back" in broken.stdout) == (5, True), broken.stderr
    now = recreated(app, now)
    app.edit('"named:/named", ', '"named:/named", "/anonymous", ')

    back = app.lading("rollback", app.name, "--to", "web1", "--yes")
    assert back.returncode == 0, back.stderr
    now = recreated(app, now)

    network(app, 3)  # a controller that is gone for ever, in the middle of a network that changes
    with deploying(app, "1.0.0", "web1       roll begins", to="web1") as process:
        process.kill()
    resumed = app.lading("resume", app.name)
    assert resumed.returncode == 0, resumed.stderr
    assert lost(app) == []
    refused_for_its_sake(app)
    assert app.lading("drift", app.name, "--to", "web1").returncode == 0


def refused_for_its_sake(app: App) -> None:
    """What would hide data, or be recorded and never happen, is refused before anything is changed."""
    before = app.ids("web1")
    app.edit("named: {}", "named: {labels: {team: a}}")
    for words in (("plan", "--version", "1.1.0", "--to", "web1"), ("deploy", "--version", "1.1.0", "--to", "web1", "--yes")):
        done = app.lading(*words)
        assert (done.returncode, "label team: (none) → a" in done.stderr) == (4, True), done.stderr
        assert f"docker volume rm {app.name}_named" in " ".join(done.stderr.split())
    app.edit("named: {labels: {team: a}}", "named: {}")
    (app.folder / "state").mkdir()
    (app.folder / "state" / "README.md").write_text("what lies here\n")
    app.lab.run("git", "add", "-f", "state/README.md", cwd=app.folder)
    done = app.deploy("1.1.0", to="web1")
    assert (done.returncode, f"/apps/{app.name}/project/state on web1 holds data" in " ".join(done.stderr.split())) == (4, True), done.stderr
    app.lab.run("git", "rm", "-q", "--cached", "state/README.md", cwd=app.folder)
    app.edit("named:/named", "other:/named")
    app.edit("named: {}", "other: {}")
    shown = app.lading("plan", "--version", "1.1.0", "--to", "web1", "--json").stdout
    assert f"volume {app.name}_other (new, empty; {app.name}_named stays)" in shown
    assert app.ids("web1") == before
    assert lost(app) == []


def test_data_goes_in_and_out(data: App, playbook: Playbook, lab: Lab) -> None:
    app, folder = data, f"/var/lib/lading/apps/{data.name}"
    playbook.up("web1", "1.0.0")
    write(app)
    now = db(app)
    lab.ssh("web1", f"mkdir -p {folder}/project && ln -s {playbook.folder}/state {folder}/project/state")
    taken = adopt(app, "--yes", to="web1")
    assert taken.returncode == 0, taken.stderr
    assert (db(app), lost(app)) == (now, [])
    network(app, 1)
    app.edit('N: "0"', 'N: "1"')
    assert app.deploy("1.1.0", to="web1").returncode == 0
    now = recreated(app, now)
    assert app.lading("remove", app.name, "--to", "web1", "--keep-running", "--yes").returncode == 0
    assert (db(app), lost(app)) == (now, [])
    lab.ssh("web1", f"{folder}/compose up -d --no-deps --force-recreate db")
    recreated(app, now)
