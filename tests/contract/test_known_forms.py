"""A host's Compose is not asked what is known already: by the same program, of the same words, files and variables.

The real docker client finds the plug-in; that is a binary which notes each of its starts, and becomes the real one.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from a_party import Party
from builders import a_reading, a_service
from host_shell import HostShell
from lading import state
from lading.compose import normal, plugin_sum, project
from lading.compose import release as releases
from lading.drivers import base
from lading.drivers.shell import releases as shell_releases
from lading.drivers.shell import scripts

REAL = "/usr/local/lib/docker/cli-plugins/docker-compose"
FILE = "services: {web: {image: 'r/web:1', environment: {WORD: '${WORD}'}}}\n"
SECRETS = {"var.WORD": b"canary"}
# What `env compose …` runs: a plug-in that is a copy of `env` does what this file says
PLUGIN = f'#!/bin/sh\nprintf "%s\\n" "$*" >>"$HOME/starts"\nexec {REAL} compose "$@"\n'
SHA256SUM = """#!/bin/sh
[ "$(readlink /proc/self/fd/0)" != "$HOME/.docker/cli-plugins/docker-compose" ] || echo one >>"$HOME/sums"
exec /usr/bin/sha256sum "$@"
"""


def made(**more: bytes) -> releases.Bundle:
    """A release with one Compose file."""
    reading = a_reading(a_service("web", image="r/web:1"))
    files = (project.ShippedFile("compose.yaml", FILE.encode()),)
    return releases.build(replace(reading, files=files, compose_files=("compose.yaml",), secrets={**SECRETS, **more}), {})


@dataclass
class Machine:
    """A host with docker's real client, and an app of which a deployment has begun."""

    shell: HostShell
    bundle: releases.Bundle = field(default_factory=made)
    app: state.AppState = field(default_factory=lambda: state.AppState("shop"))

    @property
    def plugin(self) -> Path:
        return self.shell.folder / ".docker/cli-plugins/docker-compose"

    @property
    def release(self) -> Path:
        """The release's folder."""
        return self.shell.app() / "releases" / self.bundle.release.id

    @property
    def sum(self) -> str:
        """The sum of the plug-in, as whoever deploys has it."""
        return plugin_sum.of(str(self.plugin), self.shell.folder / "nowhere")

    def upload(self, read_by: str | None = None, fresh: bool = True) -> base.HostForm:
        """Stage the release. *read_by*: the plug-in of whoever deploys, None = the host's; *fresh*: it is uploaded."""
        secrets = self.bundle.secrets
        what = base.Upload(self.bundle.release, self.bundle if fresh else None, (), dict.fromkeys(secrets, 1), list(secrets) if fresh else (),
                           self.app, self.sum if read_by is None else read_by)
        return self.shell.ask(lambda ports: ports.store.upload(self.shell.hold(), what))

    def starts(self) -> list[str]:
        """What the plug-in was asked since the last time: `config`, `version`."""
        path = self.shell.folder / "starts"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [next(word for word in line.split() if word in ("config", "version")) for line in found]

    def sums(self) -> int:
        """How often the plug-in's sum was worked out."""
        path = self.shell.folder / "sums"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    shell = HostShell(tmp_path, monkeypatch)
    Party(shell).come_to("begun")
    shell.docker({})
    (shell.bin / "docker").unlink()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    shell.program("compose", PLUGIN)
    shell.program("sha256sum", SHA256SUM)
    one = Machine(shell)
    one.plugin.parent.mkdir(parents=True)
    shutil.copy("/usr/bin/env", one.plugin)
    return one


def test_what_the_same_plug_in_has_read_here_is_not_read_there(machine: Machine) -> None:
    assert machine.upload() == base.HostForm("", "here")
    assert machine.starts() == ["version"]  # asked with the sum, once
    assert machine.upload() == base.HostForm("", "here")
    assert (machine.starts(), machine.sums()) == ([], 1)


def test_what_is_not_read_there_would_be_read_alike(machine: Machine) -> None:
    """The host's own words, files and variables give the form that this machine compares with."""
    asked = machine.upload(read_by="another")
    assert asked.known == "" and "canary" in asked.text
    assert asked.text.strip() == normal.form(machine.bundle, {"var.WORD": 1}, {**os.environ, "HOME": "/nowhere"}).strip()


@pytest.mark.parametrize(("word", "everywhere"), [("${WORD}", True), ("${HOME}", False), ("${PATH}", False), ("~", True)])
def test_a_form_that_shows_where_it_was_made_is_none_for_hosts(word: str, everywhere: bool) -> None:
    bundle = made()
    files = (project.ShippedFile("compose.yaml", FILE.replace("${WORD}", word).encode()),)
    assert normal.is_everywhere(normal.form(replace(bundle, files=files), {"var.WORD": 1}, dict(os.environ))) is everywhere


def another_plug_in(machine: Machine) -> None:
    """One file in the place of another."""
    new = machine.plugin.with_name("new")
    new.write_bytes(machine.plugin.read_bytes() + b"\0")
    new.chmod(0o755)
    new.rename(machine.plugin)


def another_content_of_the_same_size_and_time(machine: Machine) -> None:
    before = machine.plugin.stat()
    content = machine.plugin.read_bytes()
    at = content.rindex(b"GNU coreutils") if b"GNU coreutils" in content else len(content) - 1
    with machine.plugin.open("r+b") as file:
        file.seek(at)
        file.write(b"g")
    os.utime(machine.plugin, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert machine.plugin.stat().st_size == before.st_size


@pytest.mark.parametrize("change", [another_plug_in, another_content_of_the_same_size_and_time])
def test_a_plug_in_that_was_replaced_is_asked(machine: Machine, change: Callable[[Machine], None]) -> None:
    here = machine.sum
    assert machine.upload().known == "here"
    change(machine)
    machine.starts()
    assert machine.upload(read_by=here).known == ""
    assert (machine.starts(), machine.sums()) == (["version", "config"], 2)


def test_users_with_plug_ins_of_their_own_do_not_forget_each_other_s(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine.plugin
    machine.upload()
    other = machine.shell.folder / "other/.docker/cli-plugins/docker-compose"
    other.parent.mkdir(parents=True)
    shutil.copy(here, other)
    monkeypatch.setenv("HOME", str(machine.shell.folder / "other"))
    assert machine.upload().known == "here"
    monkeypatch.setenv("HOME", str(machine.shell.folder))
    assert machine.upload().known == "here"
    assert machine.sums() == 1
    assert [line.split()[-1] for line in (machine.shell.state / "compose-plugins").read_text().splitlines()] == [str(other), str(here)]


def a_host(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")


def a_configuration(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(machine.shell.folder / ".docker"))


def a_context(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "default")


def a_link_on_the_way(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    machine.shell.state.rename(machine.shell.folder / "elsewhere")
    machine.shell.state.symlink_to(machine.shell.folder / "elsewhere")


def a_script_as_plug_in(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    machine.plugin.unlink()
    machine.plugin.write_text(f'#!/bin/sh\nshift\nexec {machine.shell.bin}/compose "$@"\n')
    machine.plugin.chmod(0o755)


@pytest.mark.parametrize("arrange", [a_host, a_configuration, a_context, a_link_on_the_way, a_script_as_plug_in])
def test_where_the_form_may_rest_on_more_it_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, arrange: Callable[[pytest.MonkeyPatch, Machine], None],
) -> None:
    arrange(monkeypatch, machine)
    sum = machine.sum or hashlib.sha256(machine.plugin.read_bytes()).hexdigest()
    for fresh in (True, False, False):
        assert machine.upload(read_by=sum, fresh=fresh).known == ""
        assert machine.starts() == ["config"]


def test_going_back_to_what_was_read_there_reads_nothing(machine: Machine) -> None:
    assert machine.upload(read_by="another").known == ""
    assert machine.starts() == ["version", "config"]
    assert machine.upload(fresh=False) == base.HostForm("", "before")
    assert machine.starts() == []


def a_changed_file(machine: Machine) -> None:
    path = machine.release / "files/compose.yaml"
    path.write_text(path.read_text() + "# by hand\n")


def a_file_more(machine: Machine) -> None:
    (machine.release / "files/.env").write_text("A=1\n")


def a_link_more(machine: Machine) -> None:
    (machine.release / "files/compose.override.yaml").symlink_to("/etc/hostname")


def a_file_that_is_a_link(machine: Machine) -> None:
    path = machine.release / "files/compose.yaml"
    path.rename(machine.shell.folder / "compose.yaml")
    path.symlink_to(machine.shell.folder / "compose.yaml")


def another_secret(machine: Machine) -> None:
    (machine.shell.app() / "secrets/var.WORD/1").write_text("WORD='another'\n")


CHANGES = (a_changed_file, a_file_more, a_link_more, a_file_that_is_a_link, another_secret, another_plug_in)


@pytest.mark.parametrize("change", CHANGES)
def test_a_way_back_to_what_was_changed_is_read(machine: Machine, change: Callable[[Machine], None]) -> None:
    machine.upload()
    change(machine)
    machine.starts()
    assert machine.upload(fresh=False).known == ""
    assert machine.starts()[-1] == "config"


def test_what_compose_refuses_is_refused_as_before(machine: Machine) -> None:
    machine.upload()
    (machine.release / "files/compose.yaml").write_text("services: {web: {image: 'r/web:1', oddity: 1}}\n")
    with pytest.raises(base.Refused, match="(?s)config.*oddity"):
        machine.upload(fresh=False)
    with pytest.raises(base.Refused, match="(?s)config.*oddity"):  # nor is it remembered as read
        machine.upload(fresh=False)


@pytest.mark.parametrize("change", [a_changed_file, another_secret])
def test_files_that_differ_from_what_was_read_here_are_read_there(machine: Machine, change: Callable[[Machine], None]) -> None:
    """What arrived otherwise than it was sent: here, what the host keeps of it and is not sent again."""
    machine.upload()
    change(machine)
    machine.starts()
    secrets = machine.bundle.secrets
    what = base.Upload(machine.bundle.release, machine.bundle, (), dict.fromkeys(secrets, 1), (), machine.app, machine.sum)
    form = machine.shell.ask(lambda ports: ports.store.upload(machine.shell.hold(), what))
    fresh = change is a_changed_file  # the release's own files are sent each time
    assert (form.known, machine.starts()) == (("here", []) if fresh else ("", ["config"]))
    assert fresh or "another" in form.text


@pytest.mark.parametrize("said", ["", "PLUGIN", "PLUGIN cafe", "cafe SUM", "SUM PLUGIN", "PLUGIN SUM more"])
@pytest.mark.parametrize("read_by", ["PLUGIN", ""])
def test_a_host_that_gives_no_reason_is_not_believed(read_by: str, said: str) -> None:
    """It is told what it has to find, and says it; where Compose is to be asked, no word spares that."""
    bundle = made()
    what = base.Upload(bundle.release, bundle, (), {"var.WORD": 1}, ("var.WORD",), state.AppState("shop"), read_by)
    known = shell_releases.known_form(what)
    with pytest.raises(base.Refused, match="does not ask its Compose"):
        known.checked(said.replace("SUM", known.sum or "babe"))


def version(machine: Machine, **more: str) -> str:
    """What a look says of the plug-in's version."""
    given: Mapping[str, str] = {"MARKER": "M", "STATE_DIR": str(machine.shell.state), "APP": "shop", **more}
    values = "".join(f"{key}='{value}'\n" for key, value in given.items())
    text = f"{values}{scripts.parts('plugin')}find_state_dir\nprint_compose_version\n"
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True).stdout.strip()


def test_the_version_is_asked_once_of_each_plug_in(machine: Machine) -> None:
    assert version(machine) == version(machine) == "2.40.3"
    assert machine.starts() == ["version", "version"]  # a look writes nothing
    machine.upload()
    machine.starts()
    assert (version(machine), machine.starts()) == ("2.40.3", [])
    another_plug_in(machine)
    assert (version(machine), machine.starts()) == ("2.40.3", ["version"])
