"""Hosts start Compose's plug-in themselves, and it is the one that docker's client starts, in the same way.

The client is the real one: whatever it is given here, what it starts is what lading's scripts must start. It needs no engine.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from strace_watch import Seen, watch

from host_shell import by_compose
from lading.drivers.shell import compose_call, scripts

FOLDERS = "/usr/local/bin:/usr/bin:/bin"
CLIENT = shutil.which("docker", path=FOLDERS) or ""
SYSTEM = "/usr/local/lib/docker/cli-plugins/docker-compose"  # where scripts/setup puts it
# A plug-in that tells how it was called
PLUGIN = """#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then
    echo '{"SchemaVersion": "0.1.0", "Vendor": "tests", "Version": "v2.99.0"}'
    exit
fi
echo "$0"
printf '<%s>\\n' "$@"
env | grep -v -e ^DOCKER_CLI_PLUGIN_SOCKET= -e ^OTEL_ -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort
"""

pytestmark = pytest.mark.skipif(not CLIENT or Path(CLIENT).is_symlink(), reason="docker's client is not here as itself")


@dataclass
class Account:
    """A user of a host: a home, and what is set when a script runs."""

    home: Path
    env: dict[str, str]

    def plugin(self, folder: str) -> Path:
        """Put a plug-in into a folder below the home."""
        path = self.home / folder / "docker-compose"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLUGIN)
        path.chmod(0o755)
        return path

    def configure(self, text: str, folder: str = ".docker") -> None:
        """Write the client's configuration."""
        (self.home / folder).mkdir(exist_ok=True)
        (self.home / folder / "config.json").write_text(text)

    def context(self, name: str, folder: str = ".docker") -> Path:
        """Make a context, and give back the socket to which it leads."""
        socket = self.home / f"{name}.sock"
        meta = self.home / folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        meta.parent.mkdir(parents=True)
        meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": f"unix://{socket}"}}}))
        return socket

    def by_client(self, *words: str) -> Seen:
        """`docker compose`, with all that is set here."""
        env = {**self.env, "LADING_DIR": str(self.home / "apps/docker"), "LADING_GEN_0": "docker"}
        argv = ["docker", "compose", "-p", "docker", *words]
        return watch(["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in env.items()), *argv],
                     self.home, {"PATH": self.env["PATH"]}, self.home / "trace")

    def by_script(self, *words: str) -> Seen:
        """Compose as a script of lading calls it for an app; all of them are called docker."""
        call = compose_call.ComposeCall("docker", {"LADING_GEN_0": "docker"}, ("-p", "docker"))
        text = by_compose(call.values(), self.home / "apps/docker", *words)
        return watch(["/bin/sh", "-c", text], self.home, self.env, self.home / "trace")

    def started_by_script(self, *words: str) -> tuple[bool, str]:
        """Whether the client was started, and what came of the words."""
        seen = self.by_script(*words)
        return CLIENT in seen.started, seen.stdout


@pytest.fixture
def account(tmp_path: Path) -> Account:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/apps/docker").mkdir(parents=True)
    return Account(tmp_path / "home", {"PATH": FOLDERS, "HOME": str(tmp_path / "home")})


def nothing_of_the_user(account: Account) -> None:
    pass


def in_the_home(account: Account) -> None:
    account.plugin(".docker/cli-plugins")


def with_a_login(account: Account) -> None:
    in_the_home(account)
    account.configure('{"auths": {"r.example": {"auth": "YTpi"}}, "HttpHeaders": {"User-Agent": "Docker"}}')


def configured_elsewhere(account: Account) -> None:
    in_the_home(account)
    account.plugin("other/cli-plugins")
    account.env["DOCKER_CONFIG"] = str(account.home / "other")


def configured_where_nothing_is(account: Account) -> None:
    in_the_home(account)
    account.env["DOCKER_CONFIG"] = str(account.home / "nowhere")


def by_a_link(account: Account) -> None:
    account.plugin("versions")
    (account.home / ".docker/cli-plugins").mkdir(parents=True)
    (account.home / ".docker/cli-plugins/docker-compose").symlink_to(account.home / "versions/docker-compose")


def the_default_context(account: Account) -> None:
    in_the_home(account)
    account.env["DOCKER_CONTEXT"] = "default"


def a_host_above_the_context(account: Account) -> None:
    in_the_home(account)
    account.context("other")
    account.configure('{"currentContext": "other"}')
    account.env["DOCKER_HOST"] = f"unix://{account.home}/own.sock"


USUAL = (nothing_of_the_user, in_the_home, with_a_login, configured_elsewhere, configured_where_nothing_is, by_a_link,
         the_default_context, a_host_above_the_context)


def not_executable(account: Account) -> None:
    account.plugin(".docker/cli-plugins").chmod(0o644)


def a_folder_of_that_name(account: Account) -> None:
    (account.home / ".docker/cli-plugins/docker-compose").mkdir(parents=True)


def a_link_to_nothing(account: Account) -> None:
    (account.home / ".docker/cli-plugins").mkdir(parents=True)
    (account.home / ".docker/cli-plugins/docker-compose").symlink_to("/nowhere")


def an_extra_folder(account: Account) -> None:
    """The client looks there first."""
    in_the_home(account)
    account.plugin("extra")
    account.configure(json.dumps({"cliPluginsExtraDirs": [str(account.home / "extra")]}))


def an_extra_folder_beside_a_host(account: Account) -> None:
    an_extra_folder(account)
    account.env["DOCKER_HOST"] = f"unix://{account.home}/own.sock"


def an_extra_folder_in_other_letters(account: Account) -> None:
    in_the_home(account)
    account.plugin("extra")
    account.configure(json.dumps({"cliplugin\u017fextradir\u017f": [str(account.home / "extra")]}, ensure_ascii=False))


def an_extra_folder_in_escapes(account: Account) -> None:
    in_the_home(account)
    account.plugin("extra")
    account.configure(f'{{"cliPlugins\\u0045xtraDirs": ["{account.home}/extra"]}}')


def another_context(account: Account) -> None:
    in_the_home(account)
    account.context("other")
    account.configure('{"currentContext": "other"}')


def another_context_in_capitals(account: Account) -> None:
    in_the_home(account)
    account.context("other")
    account.configure('{"CURRENTCONTEXT": "other"}')


def another_context_for_this_call(account: Account) -> None:
    in_the_home(account)
    account.context("other")
    account.env["DOCKER_CONTEXT"] = "other"


def a_configuration_that_is_no_file(account: Account) -> None:
    in_the_home(account)
    (account.home / ".docker/config.json").mkdir()


UNUSUAL = (not_executable, a_folder_of_that_name, a_link_to_nothing, an_extra_folder, an_extra_folder_beside_a_host,
           an_extra_folder_in_other_letters, an_extra_folder_in_escapes, another_context, another_context_in_capitals,
           another_context_for_this_call, a_configuration_that_is_no_file)
WORDS = ("run", "--rm", "two words", "")


@pytest.mark.parametrize("arranged", [*USUAL, *UNUSUAL])
def test_the_plug_in_is_the_client_s_and_is_called_alike(account: Account, arranged: Callable[[Account], None]) -> None:
    arranged(account)
    words = ("version", "--short") if arranged in (nothing_of_the_user, configured_where_nothing_is, a_link_to_nothing) else WORDS
    ours, theirs = account.by_script(*words), account.by_client(*words)
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)
    assert theirs.status != 0 or theirs.stdout.strip()
    assert (CLIENT in ours.started) is (arranged in UNUSUAL)
    assert [one for one in ours.started if "docker-compose" in one] == [one for one in theirs.started if "docker-compose" in one]


def own_host(account: Account) -> None:
    account.env["DOCKER_HOST"] = f"unix://{account.home}/own.sock"


@pytest.mark.parametrize("arranged", [nothing_of_the_user, own_host, a_host_above_the_context, another_context,
                                      another_context_for_this_call, configured_elsewhere])
def test_the_engine_that_is_asked_is_the_client_s(account: Account, arranged: Callable[[Account], None]) -> None:
    arranged(account)
    for plugin in account.home.rglob("docker-compose"):
        plugin.unlink()
    ours, theirs = account.by_script("ps"), account.by_client("ps")
    engines = [{one for one in seen.called if one.endswith(".sock")} for seen in (ours, theirs)]
    assert engines[0] == engines[1] and len(engines[0]) == 1, ours.stderr


def a_script(account: Account, to: Path) -> None:
    to.write_text(f'#!/bin/sh\nDOCKER_CONFIG={account.home}/other exec {CLIENT} "$@"\n')
    to.chmod(0o755)


def a_link(account: Account, to: Path) -> None:
    to.symlink_to(CLIENT)


@pytest.mark.parametrize("put", [a_script, a_link])
def test_what_only_is_called_docker_is_started(account: Account, put: Callable[[Account, Path], None]) -> None:
    account.plugin("other/cli-plugins")
    (account.home / "bin").mkdir()
    put(account, account.home / "bin/docker")
    account.env["PATH"] = f"{account.home}/bin:{FOLDERS}"
    ours = account.by_script("version")
    assert str(account.home / "bin/docker") in ours.started
    assert (str(account.home / "other/cli-plugins/docker-compose") in ours.started) is (put is a_script)


def test_a_plug_in_that_was_replaced_is_the_one_that_is_started(account: Account) -> None:
    path = account.plugin(".docker/cli-plugins")
    assert account.started_by_script("version")[0] is False
    path.unlink()
    path.write_text(PLUGIN.replace('echo "$0"', "echo another"))
    path.chmod(0o755)
    client, said = account.started_by_script("version")
    assert (client, said.splitlines()[0]) == (False, "another")
    path.unlink()
    assert SYSTEM in account.by_script("version").started


@pytest.mark.parametrize(("name", "words"), [("probe", {"PROBE": "services: {a: {image: a}}\n", "PROBE_OPTIONS": "-p a -f -"})])
def test_a_look_starts_it_alike(account: Account, name: str, words: Mapping[str, str]) -> None:
    given = "".join(f"{key}='{value}'\n" for key, value in {"MARKER": "M", **words}.items())
    seen = watch(["/bin/sh", "-c", f"{given}{scripts.parts(name)}tell_{name}\n"], account.home, account.env, account.home / "trace")
    assert "image: a" in seen.stdout
    assert CLIENT not in seen.started and SYSTEM in seen.started
