"""A plan whose images are this machine's: what is sent to whom, what no registry is asked for, what is refused before a host is touched."""

import asyncio
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_machine import FACTS, Machine

from lading import allowed, context, errors, settings
from lading import build as builds
from lading.cli import render_plan
from lading.compose import sent
from lading.deploy import adopt, deploy, exporting
from lading.deploy.request import Request
from lading.inventory import hosts
from lading.plan import steps
from lading.transport import command, recorder

FILE = "name: shop\nservices:\n  web: {image: 'shop:${VERSION}'}\n  job: {image: 'tool:1', pull_policy: never}\n"
IDS = {"shop:1": "sha256:" + "1" * 64, "tool:1": "sha256:" + "2" * 64}
NAMES = {image: sent.name(image, id) for image, id in IDS.items()}
FLEET = hosts.Inventory({"web1": hosts.Host("web1"), "web2": hosts.Host("web2")}, {"live": hosts.Destination("live", ("web1", "web2"))})


class Here:
    """This machine with its engine, and two hosts; web2 has the tool."""

    def __init__(self, folder: Path, *, no_registry: bool = True) -> None:
        self.folder, self.asked = folder, list[str]()
        self.fleet = settings.Settings(folder / "lading.yaml", FLEET, no_registry=no_registry)
        (folder / "compose.yaml").write_text(FILE)
        self.has(IDS)

    def has(self, ids: dict[str, str], architecture: str = "amd64") -> None:
        """The engine here has these images."""
        shown = {image: {"Id": id, "Size": 12_345_678, "Os": "linux", "Architecture": architecture} for image, id in ids.items()}
        lines = [f'"image inspect -- {image}") echo {shlex.quote(json.dumps([one]))} ;;' for image, one in shown.items()]
        (self.folder / "bin").mkdir(exist_ok=True)
        program = self.folder / "bin" / "docker"
        program.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *lines, "*) echo 'no such image' >&2; exit 1;;", "esac", ""]))
        program.chmod(0o755)

    def context(self) -> context.Context:
        machine = Machine("shop")

        def answer(host: hosts.Host, what: command.Command) -> command.Result:
            self.asked.append(f"{host.name} {what.name}")
            if what.name == "images":
                lines = f"{IDS['tool:1']} {NAMES['tool:1']}\n" if host.name == "web2" else ""
                return command.Result(0, {"images": lines.encode(), "end": b""})
            return command.Result(0, {**machine.run(what), "facts": FACTS.replace("AB:CD", host.name).encode()})

        environment = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}
        return context.Context(self.fleet, environment, recorder.RecorderTransport(answer), None, "ann")

    def request(self, **more: Any) -> Request:
        return Request(self.folder, ("live",), version="1", **more)

    def plan(self, **more: Any) -> steps.Plan:
        return asyncio.run(deploy.plan(self.context(), self.request(**more)))


@pytest.mark.parametrize("asks", ["fleet", "option"])
def test_the_plan_says_what_is_sent_to_whom(tmp_path: Path, asks: str, capsys: pytest.CaptureFixture[str]) -> None:
    here = Here(tmp_path, no_registry=asks == "fleet")
    made = here.plan(push_images=asks == "option")
    assert made.sent == (
        steps.SentImage("shop:1", IDS["shop:1"], 12_345_678, ("web1", "web2")),
        steps.SentImage("tool:1", IDS["tool:1"], 12_345_678, ("web1",)))
    (pull,) = {tuple(sorted(step.images.items())) for host in made.hosts.values() for step in host.steps if isinstance(step, steps.PullImages)}
    assert dict(pull) == {"web": NAMES["shop:1"], "job": NAMES["tool:1"]}
    assert not any("pull_policy" in note for note in made.warnings)
    render_plan.plan(made)
    shown = capsys.readouterr().err
    assert "image shop:1: sent from this machine (12 MB) to web1, web2" in shown
    assert "image tool:1: sent from this machine (12 MB) to web1" in shown


def test_what_has_other_content_is_another_plan(tmp_path: Path) -> None:
    here = Here(tmp_path)
    before = here.plan()
    assert here.plan().hash == before.hash
    here.has({**IDS, "shop:1": "sha256:" + "3" * 64})
    assert here.plan().hash != before.hash
    here.has({**IDS})
    assert here.plan().hash == before.hash


def test_one_that_is_missing_touches_no_host(tmp_path: Path) -> None:
    here = Here(tmp_path)
    here.has({"tool:1": IDS["tool:1"]})
    with pytest.raises(errors.InputError, match="this machine's engine does not have shop:1"):
        here.plan()
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x.' >&2\nexit 1\n")
    with pytest.raises(errors.InputError, match="Cannot connect to the Docker daemon") as caught:
        here.plan()
    assert "start Docker here" in caught.value.hint
    assert here.asked == []


def test_one_for_another_processor_is_refused_at_plan(tmp_path: Path) -> None:
    here = Here(tmp_path)
    here.has(IDS, "arm64")
    with pytest.raises(errors.PreflightError, match=r"shop:1 is not there for linux/amd64 \(only linux/arm64\)"):
        here.plan()


def test_a_host_that_no_stream_leads_to_is_refused_at_plan(tmp_path: Path) -> None:
    here = Here(tmp_path)
    known = {"web1": hosts.Host("web1"), "web2": hosts.Host("web2", transport="ansible")}
    here.fleet = replace(here.fleet, inventory=replace(FLEET, hosts=known))
    with pytest.raises(errors.PreflightError, match="shop:1 cannot be sent to web2, which Ansible reaches"):
        here.plan()


def test_what_cannot_send_refuses(tmp_path: Path) -> None:
    here = Here(tmp_path)
    with pytest.raises(errors.InputError, match=r"shop:1, tool:1: no playbook of built-in modules sends images"):
        asyncio.run(exporting.write(here.context(), here.request(), tmp_path / "out"))
    with pytest.raises(errors.InputError, match=r"shop:1, tool:1: what runs is compared with what a registry has"):
        asyncio.run(adopt.plan(here.context(), here.request()))


def test_nothing_is_built_to_be_pushed_nowhere(tmp_path: Path) -> None:
    here = Here(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'shop:${VERSION}', build: .}}\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    async def build() -> None:
        job = builds.Job(here.request(), {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, here.fleet, True, print, asyncio.Event())
        await builds.build(job)

    with pytest.raises(errors.InputError, match="cannot be pushed: lading.yaml says that there is no registry"):
        asyncio.run(build())


def test_a_fleet_file_that_was_found_sends_nothing_before_its_user_allows_it(tmp_path: Path) -> None:
    path = tmp_path / "lading.yaml"
    path.write_text("lading: 1\nregistries: none\n")
    assert [str(one) for one in allowed.entries(path, settings.parse_file(path))] == [
        'line 2: registries: "none" (sends images of this machine\'s engine to hosts)']
    path.write_text("lading: 1\nregistries: {}\n")
    assert allowed.entries(path, settings.parse_file(path)) == ()


@pytest.mark.parametrize(("text", "is_none"), [("registries: none\n", True), ("", False), ("registries: {}\n", False)])
def test_a_fleet_without_a_registry(tmp_path: Path, text: str, is_none: bool) -> None:
    (tmp_path / "lading.yaml").write_text(f"lading: 1\nhosts: {{web1: {{}}}}\ndestinations: {{live: {{hosts: [web1]}}}}\n{text}")
    assert settings.load(tmp_path / "lading.yaml", {}).no_registry == is_none


def test_another_word_is_no_registry_either(tmp_path: Path) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts: {web1: {}}\ndestinations: {live: {hosts: [web1]}}\nregistries: nobody\n")
    with pytest.raises(errors.SettingsError) as caught:
        settings.load(tmp_path / "lading.yaml", {})
    assert (caught.value.line, "registries" in caught.value.message) == (4, True)
