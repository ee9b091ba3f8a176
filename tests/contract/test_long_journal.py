"""What is needed to go back lies with each release: a journal that grew by thousands of failed deployments takes nothing away."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import a_container, a_release, a_service
from lading import context, settings, state
from lading.compose import release as releases
from lading.deploy import rollback
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.plan import planner, steps
from lading.transport import command, recorder

SHOWN = 500  # lines of a journal that a host shows
DEPLOYMENTS = [f"20261101-00000{number}-aaaa" for number in range(7)]
MADE = [a_release(a_service("web", f"r/web:{number}", restart="always"), secrets={"var.P": b"p"}, uses={"web": ("var.P",)},
                  version=str(number)) for number in range(7)]
KEPT = MADE[2:]  # 5 of 7
RAN = {one.id: {"var.P": int(one.version) + 1} for one in MADE}


def journal() -> list[str]:
    """Seven deployments, each with a secret of its own, then 2,000 lines of what failed."""
    lines: list[dict[str, Any]] = []
    for one, deployment in zip(MADE, DEPLOYMENTS, strict=True):
        lines.append({"v": 3, "kind": "begin", "deployment": deployment, "verb": "deploy", "to": one.id, "generations": RAN[one.id]})
        lines.append({"v": 3, "kind": "committed", "deployment": deployment, "to": one.id})
    for number in range(1000):
        failed = f"20261102-000000-{number:04x}"
        lines.append({"v": 3, "kind": "begin", "deployment": failed, "verb": "deploy", "to": "f" * 64, "generations": {"var.P": 99}})
        lines.append({"v": 3, "kind": "ended", "deployment": failed, "result": "failed"})
    return [json.dumps(line) for line in lines]


def host(*, deployed: bool) -> command.Result:
    """A host that runs the last of seven releases and keeps five; *deployed*: it was told with each what it needs."""
    last = KEPT[-1]
    current = state.Current("shop", last.id, last.version, DEPLOYMENTS[-1], generations=RAN[last.id])
    seen = a_container(last.services["web"])
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "lading.app": "shop",
              "lading.content": seen.content, "lading.secrets": "7"}
    inspected = {"id": seen.id, "name": "/shop-web-1", "image": seen.image, "labels": labels, "state": {"Status": "running"},
                 "networks": {name: {"NetworkID": "n"} for name in seen.networks}}
    parts = {"facts": "state=/s\nengine=27.0.1\nid=E\ncompose=2.40.3\narch=x86_64\n", "app:shop": "", "current:shop": json.dumps(current.as_json()),
             "journal:shop": "\n".join(journal()[-SHOWN:]), "containers": json.dumps(inspected),
             "secrets:shop": "".join(f"var.P {number} hash{number}\n" for number in range(1, 8))}
    for number, one in enumerate(MADE):
        if one not in KEPT:
            continue
        parts[f"release:shop:{one.id}"] = one.canonical().decode()
        if deployed:
            behind = [before.id for before in reversed(MADE[:number])]
            parts[f"deployed:shop:{one.id}"] = json.dumps({
                "v": 1, "deployment": DEPLOYMENTS[number], "generations": RAN[one.id], "order": number + 1, "behind": behind})
    return command.Result(0, {**{name: text.encode() for name, text in parts.items()}, "end": b""})


def planned(answer: command.Result, release: str = "") -> steps.Plan:
    fleet = settings.Settings(Path("lading.yaml"), hosts.Inventory({"web1": hosts.Host("web1")}, {}))
    here = context.Context(fleet, {}, recorder.RecorderTransport(lambda _host, _what: answer), None, "ann")
    return asyncio.run(rollback.plan(here, "shop", ["web1"], release=release))


@pytest.mark.parametrize(("release", "target"), [("", MADE[5]), (MADE[3].id, MADE[3]), ("2", MADE[2])])
def test_a_rollback_finds_every_kept_release_with_its_own_secrets(release: str, target: releases.Release) -> None:
    plan = planned(host(deployed=True), release)
    assert (plan.version, plan.hosts["web1"].generations) == (target.version, RAN[target.id])


def test_a_damaged_note_is_named_and_the_journal_counts() -> None:
    answer = host(deployed=True)
    broken = replace(answer, parts={**answer.parts, f"deployed:shop:{MADE[3].id}": b'{"v":1,"generations":{"var.P":"x"}}'})
    app = observe.answered("web1", broken).apps["shop"]
    assert app.damaged == (f"deployed {MADE[3].id}",)
    assert app.ran_with(MADE[3].id) is None
    assert app.ran_with(MADE[4].id) == RAN[MADE[4].id]


def test_what_is_pruned_next_is_the_oldest() -> None:
    app = observe.answered("web1", host(deployed=True)).apps["shop"]
    dropped, _, secrets = planner.prunable(app, a_release(a_service("web", "r/web:8"), version="8"), {})
    assert dropped == (MADE[2].id,)
    assert secrets == (("var.P", 1), ("var.P", 2), ("var.P", 3))
