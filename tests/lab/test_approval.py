"""What was approved is what is carried out: a plan by its hash, a person where the destination wants one (C7, C8)."""

import json
from pathlib import Path
from typing import Any

import pytest
from app_client import App
from lab_client import Lab
from test_cli import Terminal, terminals

__all__ = ["terminals"]
DEPLOY = ("deploy", "--version", "1.0.0", "--to", "web1,web2")


def planned(app: App, *words: str, verb: tuple[str, ...] = ("plan", "--version", "1.0.0", "--to", "web1,web2")) -> dict[str, Any]:
    """The document of a plan."""
    done = app.lading(*verb, *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_hash_is_the_plan(app: App) -> None:  # C7
    plan = planned(app)
    shown = app.lading("plan", "--version", "1.0.0", "--to", "web1,web2")
    assert len(plan["hash"]) == 64
    assert shown.stdout.strip() == plan["hash"]
    assert f"plan {plan['hash'][:12]}: --plan {plan['hash'][:12]}" in shown.stderr
    assert "secrets are bound by name, not by value" in shown.stderr
    short = app.lading(*DEPLOY, "--plan", plan["hash"][:11])
    assert (short.returncode, "at least 12" in short.stderr) == (2, True), short.stderr
    done = app.lading(*DEPLOY, "--plan", plan["hash"][:12], "--json")  # no --yes, no terminal, no question
    assert done.returncode == 0, done.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    told = json.loads(app.lading("show", json.loads(done.stdout)["deployment"], "--json").stdout)
    assert told["result"] == "succeeded"
    again = app.lading(*DEPLOY, "--plan", plan["hash"])
    assert (again.returncode, "was carried out already, as " in again.stderr) == (4, True), again.stderr


@pytest.mark.parametrize(("change", "said"), [
    ("file", "web environment"), ("host", "hosts: web1, web2 → web1"), ("order", "batches: "), ("there", "another release runs there than before (web2)"),
    ("secret", "secret TOKEN"),
])
def test_what_is_not_the_approved_plan_is_refused_with_the_difference(app: App, change: str, said: str) -> None:  # C7
    app.edit("    ports:", "    environment: {A: \"1\", TOKEN: \"${TOKEN:-none}\"}\n    ports:")
    assert app.deploy("1.0.0", "-e", "TOKEN=one").returncode == 0
    words = ["-e", "TOKEN=one"]
    approved = planned(app, *words, verb=("plan", "--version", "1.1.0", "--to", "web1,web2"))["hash"]
    to = "web1,web2"
    if change == "file":
        app.edit('A: "1"', 'A: "2"')
    elif change == "host":
        to = "web1"
    elif change == "order":
        app.edit("    stop_grace_period: 2s\n  migrate", "    deploy: {update_config: {parallelism: 1, monitor: 0s}}\n    stop_grace_period: 2s\n  migrate")
    elif change == "there":
        app.edit('A: "1"', 'A: "3"')
        assert app.deploy("1.0.0", *words, to="web2").returncode == 0
        app.edit('A: "3"', 'A: "1"')
    else:
        words = ["-e", "TOKEN=two"]
    before = [app.ids(host) for host in ("web1", "web2")]
    done = app.lading("deploy", "--version", "1.1.0", "--to", to, *words, "--plan", approved)
    assert (done.returncode, said in done.stderr) == (4, True), done.stderr
    assert [app.ids(host) for host in ("web1", "web2")] == before


def test_a_moved_tag_is_another_plan(app: App, lab: Lab, tmp_path: Path) -> None:  # C7
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text("FROM registry.lab:5000/hello:1.0.0\nARG N\nLABEL n=$N\n")
    lab.build(tmp_path / "image", "registry.lab:5000/moving:1", N="1")
    app.edit("image: registry.lab:5000/hello:${VERSION}\n    ports", "image: registry.lab:5000/moving:1\n    ports")
    approved = planned(app)["hash"]
    assert planned(app)["hash"] == approved
    lab.build(tmp_path / "image", "registry.lab:5000/moving:1", N="2")
    done = app.lading(*DEPLOY, "--plan", approved)
    assert (done.returncode, f"the plan is not {approved[:12]} any more" in done.stderr, "has to pull registry.lab:5000/moving:1" in done.stderr) == (4, True, True)
    assert app.ids("web1") == {}


def test_what_was_approved_elsewhere_is_told_as_it_is_now(app: App) -> None:  # C7: another machine, no plan kept
    done = app.lading(*DEPLOY, "--plan", "0123456789ab")
    assert (done.returncode, "what it was is not known here" in done.stderr) == (4, True), done.stderr
    assert "deploy" in done.stderr and app.ids("web1") == {}


def confirming(app: App, lab: Lab) -> None:
    """A fleet file of the app's own, in which production wants a person."""
    head, _, rest = (lab.fleet / "lading.yaml").read_text().partition("destinations:\n")
    rest = rest[rest.index("registries:"):]
    (app.folder / "lading.yaml").write_text(f"{head}destinations:\n  production: {{hosts: [web1], confirm: true}}\n{rest}")
    for name in ("known_hosts", "ca.pem"):
        (app.folder / name).write_bytes((lab.fleet / name).read_bytes())
    app.config = ("--config", "lading.yaml")


def test_a_destination_that_wants_a_person_takes_no_yes(app: App, lab: Lab, terminals: list[Terminal]) -> None:  # C8
    confirming(app, lab)
    plan = planned(app, verb=("plan", "--version", "1.0.0", "--to", "production"))
    refused = app.deploy("1.0.0", to="production")
    assert (refused.returncode, f"--plan {plan['hash'][:12]}" in refused.stderr, plan["confirm"]) == (4, True, True), refused.stderr
    assert app.lading("deploy", "--version", "1.0.0", "--to", "production").returncode == 4
    assert app.ids("web1") == {}
    terminals.append(person := Terminal(app, *app.config, "deploy", "--version", "1.0.0", "--to", "production"))
    person.until("[y/N]")
    person.answer("y")
    assert person.end() == 0
    terminals.append(hasty := Terminal(app, *app.config, "deploy", "--version", "1.1.0", "--to", "production", "--yes"))
    assert (hasty.end(), "confirm: true" in hasty.said) == (4, True)
    approved = planned(app, verb=("plan", "--version", "1.1.0", "--to", "production"))["hash"]
    assert app.lading("deploy", "--version", "1.1.0", "--to", "production", "--plan", approved).returncode == 0
