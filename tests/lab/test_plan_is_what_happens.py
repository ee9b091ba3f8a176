"""What a plan names is what a real engine does: the containers that it recreates, and those that it takes away."""

import json
from typing import Any

from app_client import App
from lab_client import Lab

LOOP = '[/bin/sh, -c, "trap \'exit 0\' TERM; while :; do sleep 0.2; done"]'
COMPOSE = """name: NAME
x-one: &one
  image: registry.lab:5000/hello:1.0.0
  entrypoint: LOOP
  environment: {A: a}
  stop_grace_period: 2s
  deploy: {update_config: {monitor: 1s}}
services:
  vpn: {<<: *one, networks: [front]}
  side: {<<: *one, network_mode: "service:vpn"}
  reader: {<<: *one, networks: [back], volumes_from: ["side:ro"]}
  db: {<<: *one, networks: [back], configs: [conf]}
  web: {<<: *one, networks: [back], depends_on: {db: {condition: service_started, restart: true}}}
  alone: {<<: *one, environment: {TOKEN: "${TOKEN}"}, networks: [own]}
networks: {front: {}, back: {}, own: {}}
configs: {conf: {file: ./app.conf}}
"""
PAIRS: list[tuple[str, list[tuple[str, str]], dict[str, str], set[str]]] = [
    ("image and secret", [("alone: {<<: *one,", "alone: {<<: *one, image: \"registry.lab:5000/hello:1.1.0\",")], {"TOKEN": "two"},
     {"alone"}),
    ("variable and network", [("environment: {A: a}", "environment: {A: b}"),
                              ("networks: {front: {},", "networks: {front: {labels: {l: \"1\"}},")], {},
     {"vpn", "side", "reader", "db", "web"}),
    ("network alone", [("labels: {l: \"1\"}", "labels: {l: \"2\"}")], {}, {"vpn", "side", "reader"}),
    ("replicas and a field", [("db: {<<: *one, networks: [back],", "db: {<<: *one, networks: [back], user: \"0\", scale: 2,")], {},
     {"db"}),
    ("fewer replicas and another service", [("scale: 2,", ""), ("alone: {<<: *one,", "alone: {<<: *one, user: \"0\",")], {},
     {"alone"}),
]


def containers(app: App, host: str = "web1") -> dict[str, tuple[str, str]]:
    """Container id → service and when it was started."""
    label = f"label=com.docker.compose.project={app.name}"
    form = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
    said = app.lab.exec(host, f"docker inspect -f '{form}' $(docker ps -aq --filter {label})").stdout.split("\n")
    lines = [line.split(" ") for line in said if line]
    return {id_: (service, started) for service, id_, started in lines}


def planned(app: App, token: str) -> dict[str, Any]:
    done = app.lading("plan", "--version", "1.0.0", "--to", "web1", "-e", f"TOKEN={token}", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def deploy(app: App, token: str) -> None:
    done = app.deploy("1.0.0", "-e", f"TOKEN={token}", to="web1")
    assert done.returncode == 0, done.stdout + done.stderr


def recreated(plan: dict[str, Any]) -> set[str]:
    """The services of which a plan says that their containers become others."""
    kept = ("containers", "state", "restarted", "removed")
    return {change["service"] for change in plan["changes"] if change["field"] not in kept} - {""}


def test_the_containers_that_change_are_those_that_the_plan_names(app: App) -> None:  # D2
    text = COMPOSE.replace("NAME", app.name).replace("LOOP", LOOP)
    (app.folder / "docker-compose.yml").write_text(text)
    (app.folder / "app.conf").write_text("one\n")
    token = "one"
    deploy(app, token)
    for what, edits, variables, expected in PAIRS:
        for old, new in edits:
            app.edit(old, new)
        token = variables.get("TOKEN", token)
        happens(app, token, what, expected)
    (app.folder / "app.conf").write_text("two\n")  # a config's content, and who depends on its service
    plan = happens(app, token, "config and restart", {"db"})
    assert {c["service"] for c in plan["changes"] if c["field"] == "restarted"} == {"web"}
    assert ("db", "config conf") in {(c["service"], c["field"]) for c in plan["changes"]}


def happens(app: App, token: str, what: str, expected: set[str]) -> dict[str, Any]:
    """Plan and deploy; the containers that are gone are those of the services that the plan names, and its surplus."""
    before, plan = containers(app), planned(app, token)
    deploy(app, token)
    after = containers(app)
    gone = set(before) - set(after)
    surplus = {one for step in plan["steps"] for one in step.get("containers", ())}
    assert recreated(plan) == expected, what
    assert gone == {id_ for id_, (service, _) in before.items() if service in expected} | surplus, what
    again = {c["service"] for c in plan["changes"] if c["field"] == "restarted"}
    restarted = {service for id_, (service, started) in before.items() if id_ in after and after[id_][1] != started}
    assert restarted == again, what
    return plan


def test_a_secret_is_shown_beside_a_new_image(app: App) -> None:  # D2, as whoever approves sees it
    app.edit("    ports:", "    environment: {TOKEN: \"${TOKEN}\"}\n    ports:")
    assert app.deploy("1.0.0", "-e", "TOKEN=one", to="web1").returncode == 0
    shown = app.lading("plan", "--version", "1.1.0", "--to", "web1", "-e", "TOKEN=two").stderr
    assert "secret TOKEN" in shown and "image" in shown


def test_the_only_container_stays_whatever_its_number(app: App, lab: Lab) -> None:  # D4
    assert app.deploy("1.0.0", to="web1").returncode == 0
    app.edit("8080:8080", "8080")
    app.edit("restart: unless-stopped\n    volumes: [\"/etc", "restart: unless-stopped\n    deploy: {replicas: 2}\n    volumes: [\"/etc")
    assert app.deploy("1.0.0", to="web1").returncode == 0
    first, second = webs(app)
    lab.exec("web1", f"docker rm -f {first}")
    app.edit("    deploy: {replicas: 2}\n", "")
    app.edit("store]\n    restart: unless-stopped", "store]\n    user: \"0\"\n    restart: unless-stopped")
    done = app.deploy("1.0.0", to="web1")
    assert done.returncode == 0, done.stderr
    assert webs(app) == [second]
    assert app.lading("drift", app.name, "--to", "web1").returncode == 0


def test_the_healthy_container_stays(app: App, lab: Lab) -> None:  # D4
    app.edit("8080:8080", "8080")
    app.edit("restart: unless-stopped\n    volumes: [\"/etc", "restart: unless-stopped\n    deploy: {replicas: 2}\n    volumes: [\"/etc")
    app.edit('test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"]', 'test: [CMD, test, "!", -e, /bad]')
    assert app.deploy("1.0.0", to="web1").returncode == 0
    first, second = webs(app)
    lab.exec("web1", f"docker exec {first} touch /bad; until docker inspect {first} | grep -q '\"unhealthy\"'; do sleep 0.2; done")
    app.edit("    deploy: {replicas: 2}\n", "")
    done = app.deploy("1.0.0", to="web1")
    assert done.returncode == 0, done.stderr
    assert webs(app) == [second]


def webs(app: App) -> list[str]:
    """The ids of web's containers, by their names."""
    label = f"label=com.docker.compose.project={app.name}"
    said = app.lab.exec("web1", f"docker ps -a --no-trunc --filter {label} --filter label=com.docker.compose.service=web "
                        "--format '{{.Names}} {{.ID}}' | sort").stdout
    return [line.split(" ")[1] for line in said.splitlines()]
