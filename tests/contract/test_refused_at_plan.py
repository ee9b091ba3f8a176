"""Whatever a deployment refuses of a host, its plan refuses: nobody approves what cannot be carried out."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from a_machine import FACTS, Machine
from registry_server import Server, manifest, pin, with_config

from lading import context, errors, settings
from lading.deploy import deploy
from lading.deploy.request import Request
from lading.inventory import hosts
from lading.plan import steps
from lading.transport import command, recorder

FILE = 'name: shop\nservices:\n  web: {image: "REGISTRY/team/app:${VERSION}"MORE}\n'


@pytest.fixture
def registry() -> Iterator[Server]:
    server = Server()
    server.images = {"team/app:1": manifest("linux/amd64", "linux/arm64"), "team/app:2": manifest("linux/arm64")}
    yield server
    server.close()


def config(**said: Any) -> bytes:
    """An image's configuration."""
    return json.dumps({"config": {}, **said}).encode()


def planned(registry: Server, folder: Path, version: str, *, more: str = "", facts: str = FACTS, text: str = "",
            more_parts: Mapping[str, bytes] | None = None) -> steps.Plan:
    """`lading plan` of a version, on a host that tells of itself *facts*."""
    (folder / "compose.yaml").write_text(text or FILE.replace("REGISTRY", registry.name).replace("MORE", more))
    machine = Machine("shop")

    def answer(_host: hosts.Host, what: command.Command) -> command.Result:
        return command.Result(0, {**machine.run(what), "facts": facts.encode(), **(more_parts or {})})

    fleet = settings.Settings(folder / "lading.yaml", hosts.Inventory({"web1": hosts.Host("web1")}, {}))
    here = context.Context(fleet, {"PATH": "/usr/bin:/bin"}, recorder.RecorderTransport(answer), None, "ann")
    return asyncio.run(deploy.plan(here, Request(folder, ("web1",), version=version)))


def refused(*arguments: Any, **more: Any) -> str:
    """In what words it is refused, before anything was changed."""
    with pytest.raises(errors.PreflightError) as caught:
        planned(*arguments, **more)
    assert (caught.value.exit_code, caught.value.host) == (4, "web1")
    return caught.value.message


def test_an_image_for_another_processor(registry: Server, tmp_path: Path) -> None:
    assert planned(registry, tmp_path, "1").hosts["web1"].services == ("web",)
    assert "is not there for linux/amd64 (only linux/arm64)" in refused(registry, tmp_path, "2")
    with_config(registry, config(os="linux", architecture="arm64", variant="v8"), "team/app:3", index=False)
    assert "is not there for linux/amd64 (only linux/arm64/v8)" in refused(registry, tmp_path, "3")
    assert planned(registry, tmp_path, "3", facts=FACTS.replace("x86_64", "aarch64")).hosts["web1"].services == ("web",)
    assert planned(registry, tmp_path, "3", more=", platform: linux/arm64").hosts["web1"].services == ("web",)
    for platform in ("linux/s390x", "'${P:-linux/s390x}'"):
        assert "is not there for linux/s390x" in refused(registry, tmp_path, "3", more=f", platform: {platform}")


@pytest.mark.parametrize(("said", "platforms"), [
    ({"os": "linux", "architecture": "arm", "variant": "v7"}, ("linux/arm/v7",)), ({"os": "linux", "architecture": "amd64"}, ("linux/amd64",)),
    ({"architecture": "amd64"}, ()), ({"os": "linux", "architecture": 7}, ()), ({"os": "li\nnux", "architecture": "amd64"}, ()),
])
def test_what_a_configuration_says_of_its_platform(registry: Server, said: dict[str, Any], platforms: tuple[str, ...]) -> None:
    with_config(registry, config(**said), "team/one:1", index=False)
    assert pin(registry, image="team/one:1").platforms == platforms


def test_an_image_whose_configuration_is_not_given_says_no_platform(registry: Server) -> None:
    registry.images["team/one:1"] = manifest()
    assert pin(registry, image="team/one:1").platforms == ()


OLD = FACTS.replace("27.0.1", "24.0.9")


@pytest.mark.parametrize(("more", "said"), [
    ("healthcheck: {test: [CMD, 'true'], start_interval: 1s}", "healthcheck.start_interval needs Docker Engine 25.0, the host has 24.0.9"),
    ("volumes: [{type: image, source: 'REGISTRY/team/app:1', target: /m}]", "volumes: type: image needs Docker Engine 28.0"),
    ("volumes: [{type: volume, source: data, target: /m, volume: {subpath: a}}]", "volumes.volume.subpath needs Docker Engine 26.0"),
    ("networks: {default: {interface_name: eth7}}", "networks.interface_name needs Docker Engine 28.1"),
    ("networks: {default: {mac_address: '02:00:00:00:00:01'}, back: {mac_address: '02:00:00:00:00:02'}}",
     "networks.mac_address on more than one network needs Docker Engine 25.0"),
])
def test_a_key_for_which_the_engine_is_too_old(registry: Server, tmp_path: Path, more: str, said: str) -> None:
    text = FILE.replace("MORE", f", {more}").replace("REGISTRY", registry.name) + "volumes: {data: {}}\nnetworks: {back: {}}\n"
    assert f"service web: {said}" in refused(registry, tmp_path, "1", text=text, facts=OLD)
    new = FACTS.replace("27.0.1", "28.5.2")
    assert planned(registry, tmp_path, "1", text=text, facts=new).hosts["web1"].services == ("web",)


def test_an_external_network_that_is_not_there(registry: Server, tmp_path: Path) -> None:
    text = FILE.replace("MORE", ", networks: [edge]").replace("REGISTRY", registry.name) + "networks: {edge: {external: true, name: proxy}}\n"
    lacks = FACTS + "there=bridge\nthere=host\n"
    assert "the external network proxy does not exist (docker network create proxy)" in refused(registry, tmp_path, "1", text=text, facts=lacks)
    assert planned(registry, tmp_path, "1", text=text, facts=lacks + "there=proxy\n").hosts["web1"].services == ("web",)
    unused = text.replace(", networks: [edge]", "")
    assert planned(registry, tmp_path, "1", text=unused, facts=lacks).hosts["web1"].services == ("web",)


@pytest.mark.parametrize(("old", "new", "said"), [
    ("free=9000\ndocker", "free=1\ndocker", "the disk is full"), ("engine=27.0.1", "engine=19.03.1", "Docker Engine 19.03.1 is too old"),
    ("context=default ", "tool=flock\ncontext=default ", "flock is not installed"),
])
def test_what_else_preflight_refuses(registry: Server, tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(registry, tmp_path, "1", facts=FACTS.replace(old, new))


@pytest.mark.parametrize("source", ["data", "'${VOL:-data}'"])
def test_an_external_volume_that_is_missing(registry: Server, tmp_path: Path, source: str) -> None:  # whatever names it
    text = FILE.replace("MORE", f", volumes: [{{type: volume, source: {source}, target: /data}}]") + "volumes: {data: {external: true, name: rows}}\n"
    with_volumes: dict[str, bytes] = {"volumes": b"other\n"}
    assert refused(registry, tmp_path, "1", text=text.replace("REGISTRY", registry.name), more_parts=with_volumes) == "the external volume rows does not exist"
