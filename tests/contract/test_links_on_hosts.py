"""Under `allow:`, what a path of the host really is counts: a link that a container left leads nowhere else."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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

FILE = """name: shop
services:
  web: {image: "REGISTRY/team/app:1", volumes: ["./data/x:/host", "/srv/shop/y:/y"], healthcheck: {test: [CMD, "true"]}}
"""
HOSTS = {name: hosts.Host(name) for name in ("web1", "web2")}


@dataclass
class Fleet:
    """Two hosts; *links*: what web2 answers of them, by the command's name."""

    folder: Path
    links: Mapping[str, bytes]
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machines = {name: Machine("shop") for name in HOSTS}

    def answer(self, host: hosts.Host, what: command.Command) -> command.Result:
        self.sent.append(what.name)
        found = self.machines[host.name].run(what)
        said = self.links.get(what.name) if host.name == "web2" else None
        return command.Result(0, found if said is None else {**found, "links": said})

    def context(self, *rights: str) -> context.Context:
        allowed = (hosts.Allowed("live", rights),) if rights else ()
        live = hosts.Destination("live", tuple(HOSTS), allowed=allowed)
        known = fleets.Settings(self.folder / "lading.yaml", hosts.Inventory(HOSTS, {"live": live}))
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        transport = recorder.RecorderTransport(self.answer)
        engine = coordinator.ComposeHosts(driver.connect(transport, "auto"))
        return context.Context(known, environment, transport, None, "ann", engine=engine)

    def request(self) -> Request:
        return Request(self.folder, ("live",), version="1")


@pytest.fixture
def folder(tmp_path: Path, serve: Serve) -> Path:
    server = serve()
    server.images["team/app:1"] = manifest("linux/amd64")
    (tmp_path / "compose.yaml").write_text(FILE.replace("REGISTRY", server.name))
    return tmp_path


@pytest.mark.parametrize(("links", "told", "word"), [
    (b"1 /etc\n", "web: data/x on web2 leads to /etc: host-path:/etc", "allow: [host-path:/srv/shop, host-path:/etc]"),
    (b"0 /etc\n", "web: /srv/shop/y on web2 leads to /etc: host-path:/etc", "allow: [host-path:/srv/shop, host-path:/etc]"),
    (b"1 \n", "web: data/x on web2 leads to where nobody can see: host-path", "allow: [host-path:/srv/shop, host-path]"),
    (b"1 /run/docker.sock\n", "leads to /run/docker.sock: docker-socket", "docker-socket]"),
])
@pytest.mark.parametrize("when", ["observe", "lease"])
def test_a_link_needs_the_right_for_where_it_leads(folder: Path, links: bytes, told: str, word: str, when: str) -> None:
    fleet = Fleet(folder, {when: links})
    with pytest.raises(errors.RightsError) as refused:
        asyncio.run(deploy.deploy(fleet.context("host-path:/srv/shop"), fleet.request()))
    assert told in refused.value.message and word in refused.value.hint and refused.value.exit_code == 4
    assert set(fleet.sent) <= {"observe", when, "release-lease"}


def test_what_is_allowed_goes_on_and_is_told(folder: Path) -> None:
    fleet = Fleet(folder, dict.fromkeys(("observe", "lease"), b"1 /srv/shop/z\n"))
    asyncio.run(deploy.deploy(fleet.context("host-path:/srv/shop"), fleet.request()))
    assert fleet.sent[:4] == ["observe", "observe", "lease", "lease"] and "roll" in fleet.sent
    fleet = Fleet(folder, {"observe": b"1 /etc\n"})
    assert "web: data/x on web2 leads to /etc: host-path:/etc" in asyncio.run(deploy.plan(fleet.context(), fleet.request())).warnings


@pytest.mark.parametrize(("mounts", "told"), [
    (["./data:/data", "./data/x:/x"], "data/x lies in data, where a container of web1 may leave a link: host-path"),
    (["/srv/shop:/srv", "/srv/shop/x:/x"], "/srv/shop/x lies in /srv/shop, where a container of web1 may leave a link"),
])
def test_what_lies_in_a_folder_that_a_container_writes(folder: Path, mounts: list[str], told: str) -> None:
    """A look that finds no link proves nothing while a container may make one."""
    file = folder / "compose.yaml"
    file.write_text(file.read_text().replace('["./data/x:/host", "/srv/shop/y:/y"]', json.dumps(mounts)))
    with pytest.raises(errors.RightsError) as refused:
        asyncio.run(deploy.deploy(Fleet(folder, {}).context("host-path:/srv/shop"), Fleet(folder, {}).request()))
    assert told in refused.value.message
    asyncio.run(deploy.deploy(Fleet(folder, {}).context("host-path"), Fleet(folder, {}).request()))
    assert "may leave a link" not in str(asyncio.run(deploy.plan(Fleet(folder, {}).context(), Fleet(folder, {}).request())))
    file.write_text(file.read_text().replace(mounts[0], f"{mounts[0]}:ro"))
    asyncio.run(deploy.deploy(Fleet(folder, {}).context("host-path:/srv/shop"), Fleet(folder, {}).request()))


def test_what_still_runs_may_leave_a_link_too(folder: Path) -> None:
    file = folder / "compose.yaml"
    fleet, after = Fleet(folder, {}), file.read_text()
    file.write_text(after.replace("./data/x:/host", "./data:/data"))
    first = asyncio.run(deploy.deploy(fleet.context("host-path:/srv/shop"), fleet.request()))
    assert first.result == "succeeded"
    file.write_text(after)
    with pytest.raises(errors.RightsError, match="data/x lies in data, where a container of web1 may leave a link"):
        asyncio.run(deploy.deploy(fleet.context("host-path:/srv/shop"), fleet.request()))
