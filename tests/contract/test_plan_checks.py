"""The plan is refused wherever the deployment would be: Compose reads the bundle for it too; label files are deployed."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from a_machine import Machine
from registry_server import Serve, manifest

from lading import context, errors
from lading import settings as fleets
from lading.commands import command
from lading.deploy import start
from lading.inventory import hosts
from lading.transport import recorder

pytestmark = pytest.mark.contract
WEB = hosts.Host("web1")
REFUSES_BUNDLES = """#!/bin/sh
case "$*" in *compose.overlay.yaml*) echo "services.web additional properties 'odd' not allowed" >&2; exit 15;; esac
exec /usr/local/lib/docker/cli-plugins/docker-compose "$@"
"""


@dataclass
class Fleet:
    """One host, and what it was sent."""

    folder: Path
    machine: Machine = field(default_factory=lambda: Machine("shop"))
    sent: list[str] = field(default_factory=list)

    def answer(self, host: hosts.Host, what: command.Command) -> command.Result:
        self.sent.append(what.name)
        return command.Result(0, self.machine.run(what))

    def context(self, **environment: str) -> context.Context:
        inventory = hosts.Inventory({"web1": WEB}, {"live": hosts.Destination("live", ("web1",))})
        known = fleets.Settings(self.folder / "lading.yaml", inventory)
        caller = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), **environment}
        return context.Context(known, caller, recorder.RecorderTransport(self.answer), None, "ann")

    def request(self) -> start.Request:
        return start.Request(self.folder, ("live",), version="1")


@pytest.fixture
def fleet(tmp_path: Path, serve: Serve) -> Fleet:
    server = serve()
    server.images["team/app:1"] = manifest("linux/amd64")
    (tmp_path / "compose.yaml").write_text(
        f'name: shop\nservices:\n  web:\n    image: "{server.name}/team/app:1"\n    label_file: [web.labels]\n    labels: {{own: "1"}}\n'
        '    healthcheck: {test: [CMD, "true"]}\n')
    (tmp_path / "web.labels").write_text("team=shop\nown=file\n")
    return Fleet(tmp_path)


def test_a_bundle_that_compose_refuses_is_refused_by_the_plan(fleet: Fleet) -> None:
    plugin = fleet.folder / "docker/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(REFUSES_BUNDLES)
    plugin.chmod(0o755)
    for verb in (start.plan, start.deploy):
        with pytest.raises(errors.ComposeError, match="Compose refuses the bundle"):
            asyncio.run(verb(fleet.context(DOCKER_CONFIG=str(fleet.folder / "docker")), fleet.request()))
    assert set(fleet.sent) == {"observe"}


def test_labels_of_files_are_planned_and_deployed(fleet: Fleet) -> None:
    assert asyncio.run(start.plan(fleet.context(), fleet.request())).changes
    done = asyncio.run(start.deploy(fleet.context(), fleet.request()))
    assert (done.result, "roll" in fleet.sent) == ("succeeded", True)
    assert b'team: "shop"' in next(text for name, text in fleet.machine.files.items() if name.endswith("compose.overlay.yaml"))
