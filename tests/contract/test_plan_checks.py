"""The plan is refused wherever the deployment would be: Compose reads the bundle for it too; label files are deployed."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from a_machine import Machine
from registry_server import Serve, manifest

from lading import context, errors
from lading import settings as fleets
from lading.deploy import deploy
from lading.deploy.request import Request
from lading.drivers.shell import driver
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.transport import command, recorder

pytestmark = pytest.mark.contract
WEB = hosts.Host("web1")
REFUSES_BUNDLES = """#!/bin/sh
case "$*" in *compose.overlay.yaml*) echo "services.web additional properties 'odd' not allowed" >&2; exit 15;; esac
exec /usr/local/lib/docker/cli-plugins/docker-compose "$@"
"""

KNOWS_MORE = """#!/bin/sh
exec /usr/bin/python3 -c '
import subprocess, sys
done = subprocess.run(["/usr/local/lib/docker/cli-plugins/docker-compose", *sys.argv[1:]], stdout=subprocess.PIPE, text=True, close_fds=False)
sys.stdout.write(done.stdout.replace("    image:", "    future: {deep: 1}\\n    image:") if "config" in sys.argv else done.stdout)
sys.exit(done.returncode)' "$@"
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
        transport = recorder.RecorderTransport(self.answer)
        engine = coordinator.ComposeHosts(driver.connect(transport, "auto"))
        return context.Context(known, caller, transport, None, "ann", engine=engine)

    def request(self) -> Request:
        return Request(self.folder, ("live",), version="1")


@pytest.fixture
def fleet(tmp_path: Path, serve: Serve) -> Fleet:
    server = serve()
    server.images["team/app:1"] = manifest("linux/amd64")
    (tmp_path / "compose.yaml").write_text(
        f'name: shop\nservices:\n  web:\n    image: "{server.name}/team/app:1"\n    label_file: [web.labels]\n    labels: {{own: "1"}}\n'
        '    healthcheck: {test: [CMD, "true"]}\n')
    (tmp_path / "web.labels").write_text("team=shop\nown=file\n")
    return Fleet(tmp_path)


def with_compose(fleet: Fleet, script: str) -> context.Context:
    """The context of a caller whose Compose is *script*."""
    plugin = fleet.folder / "docker/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(script)
    plugin.chmod(0o755)
    return fleet.context(DOCKER_CONFIG=str(fleet.folder / "docker"))


def test_a_bundle_that_compose_refuses_is_refused_by_the_plan(fleet: Fleet) -> None:
    caller = with_compose(fleet, REFUSES_BUNDLES)
    for verb in (deploy.plan, deploy.deploy):
        with pytest.raises(errors.ComposeError, match="Compose refuses the bundle"):
            asyncio.run(verb(caller, fleet.request()))
    assert set(fleet.sent) == {"observe"}


def test_a_key_that_compose_learned_later_is_named_in_the_plan(fleet: Fleet) -> None:
    made = asyncio.run(deploy.plan(with_compose(fleet, KNOWS_MORE), fleet.request()))
    assert [(one.service, one.key, one.right) for one in made.rights] == [
        ("web", "services.web.future", "refused:lading does not know this key")]


@pytest.mark.parametrize(("more", "key"), [
    ("  db: {provider: {type: awesome}}\n", "services.db.provider"),
    ("    secrets: [s]\nsecrets: {s: {external: true}}\n", "secrets.s.external"),
    ("    configs: [c]\nconfigs: {c: {file: ./web.labels, template_driver: golang}}\n", "configs.c.template_driver"),
])
def test_keys_that_nothing_carries_out_are_refused_by_the_plan(more: str, key: str, fleet: Fleet) -> None:
    file = fleet.folder / "compose.yaml"
    file.write_text(file.read_text() + more)
    with pytest.raises(errors.ComposeError) as refused:
        asyncio.run(deploy.plan(fleet.context(), fleet.request()))
    assert refused.value.message.startswith(f"{key} is refused: ") and refused.value.line > 7
    assert fleet.sent == []


def test_labels_of_files_are_planned_and_deployed(fleet: Fleet) -> None:
    assert asyncio.run(deploy.plan(fleet.context(), fleet.request())).changes
    done = asyncio.run(deploy.deploy(fleet.context(), fleet.request()))
    assert (done.result, "roll" in fleet.sent) == ("succeeded", True)
    assert b'team: "shop"' in next(text for name, text in fleet.machine.files.items() if name.endswith("compose.overlay.yaml"))


def test_an_image_that_nobody_pulls_is_asked_of_no_registry(fleet: Fleet) -> None:
    file = fleet.folder / "compose.yaml"
    file.write_text(file.read_text() + "  own: {image: 'nowhere.example:9/own:1', pull_policy: never, healthcheck: {test: [CMD, 'true']}}\n")
    made = asyncio.run(deploy.plan(fleet.context(), fleet.request()))
    assert [one for one in made.warnings if "own" in one] == [
        "service own: pull_policy: never: each host must have nowhere.example:9/own:1; no registry is asked for it, and another image that "
        "gets this name later is not noticed"]
    assert asyncio.run(deploy.deploy(fleet.context(), fleet.request())).result == "succeeded"
    kept = json.loads(next(iter(fleet.machine.releases.values())))
    assert kept["services"]["own"]["image"] == "nowhere.example:9/own:1"


def test_an_image_that_was_deployed_by_its_digest_keeps_it(fleet: Fleet) -> None:
    """Who has `pull_policy: never` and an older lading has the digest in the release: nothing is recreated."""
    file = fleet.folder / "compose.yaml"
    before = file.read_text()
    assert asyncio.run(deploy.deploy(fleet.context(), fleet.request())).result == "succeeded"
    (image,) = [one["image"] for one in json.loads(next(iter(fleet.machine.releases.values())))["services"].values()]
    file.write_text(before + "    pull_policy: never\n")
    made = asyncio.run(deploy.plan(fleet.context(), fleet.request()))
    assert "@sha256:" in image and not [one for one in made.changes if one.service]


def test_other_policies_are_told(fleet: Fleet) -> None:
    file = fleet.folder / "compose.yaml"
    file.write_text(file.read_text() + "    pull_policy: build\n    build: .\n")
    made = asyncio.run(deploy.plan(fleet.context(), fleet.request()))
    assert any(one.startswith("service web: pull_policy: build is not carried out: hosts pull ") for one in made.warnings)


@pytest.mark.parametrize("idle", ["profiles: [tools]", "scale: 0"])
def test_nothing_of_a_service_that_is_left_out_is_asked_for(idle: str, fleet: Fleet) -> None:
    file = fleet.folder / "compose.yaml"
    whole = file.read_text()
    registry = whole.partition('image: "')[2].partition("/")[0]
    file.write_text(f"{whole}  tool: {{image: '{registry}/team/gone:1', volumes: ['/opt/tools:/t'], {idle}}}\n")
    asyncio.run(deploy.plan(fleet.context(), fleet.request()))
    assert fleet.machine.binds == []
    assert asyncio.run(deploy.deploy(fleet.context(), fleet.request())).result == "succeeded"
    assert fleet.machine.binds == []
    file.write_text(whole + f"  tool: {{image: '{registry}/team/gone:1', volumes: ['/opt/tools:/t']}}\n")
    with pytest.raises(errors.RegistryError, match="team/gone"):
        asyncio.run(deploy.plan(fleet.context(), fleet.request()))


def test_the_plan_says_of_each_host_whether_and_why(fleet: Fleet) -> None:
    caller = fleet.context()
    live = hosts.Destination("live", ("web1",), written=("web*:!web2",), left_out={"web2": "!web2"})
    inventory = hosts.Inventory({"web1": WEB, "web2": hosts.Host("web2")}, {"live": live})
    known = replace(caller, settings=replace(caller.settings, inventory=inventory))
    made, plain = (asyncio.run(deploy.plan(one, fleet.request())) for one in (known, caller))
    assert made.as_json()["assignment"] == [
        {"host": "web1", "chosen": True, "rule": "destination live, hosts: [web*:!web2]", "services": {"web": 1}},
        {"host": "web2", "chosen": False, "rule": "!web2 in hosts: of destination live", "services": {}}]
    assert (made.hash, made.hosts["web1"].placed) == (plain.hash, {"web": 1})


def test_a_deployment_with_nothing_to_do_says_what_is_not_well(fleet: Fleet) -> None:
    assert asyncio.run(deploy.deploy(fleet.context(), fleet.request())).result == "succeeded"
    again = asyncio.run(deploy.deploy(fleet.context(), fleet.request()))
    assert (again.result, again.note) == ("unchanged", "")
    web = fleet.machine.containers["web"]
    web["state"]["Health"], web["restarts"] = {"Status": "unhealthy"}, 3
    again = asyncio.run(deploy.deploy(fleet.context(), fleet.request()))
    assert (again.result, again.note) == (
        "unchanged", "web on web1 is unhealthy; web on web1: Docker restarted it 3 times; lading logs shop")
