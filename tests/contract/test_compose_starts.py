"""How often a deployment starts Compose on the controller: twice to read the project, whatever its name and source are; ahead, perhaps in vain."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from a_machine import Machine
from registry_server import Serve, Server, with_config

from lading import context, errors, state
from lading import settings as fleets
from lading.deploy import deploy, source_selection
from lading.deploy.request import Request
from lading.inventory import hosts
from lading.plan import steps
from lading.transport import command, recorder

FILE = """services:
  web:
    image: "REGISTRY/team/shop:${VERSION}"
    env_file: [tracked.env]
    environment: {OWN: "${COMPOSE_PROJECT_NAME}-${WORD:-none}"}
    volumes: ["./conf:/conf:ro"]
    healthcheck: {test: [CMD, "true"]}
"""
REMOTE = "git@git.example:team/shop.git"
started: list[list[str]] = []
counting = False


def note(event: str, values: tuple[Any, ...]) -> None:
    """Python's own word of every program that is started; such a hook stays for the life of the process."""
    if counting and event == "subprocess.Popen":
        started.append([str(word) for word in values[1]])


sys.addaudithook(note)


@pytest.fixture(autouse=True)
def count() -> Iterator[None]:
    global counting
    started.clear()
    counting = True
    yield
    counting = False


def readings() -> list[list[str]]:
    """Each `config` of the project's own files."""
    return [argv for argv in configs() if "--project-directory" not in argv]


def bundles() -> list[list[str]]:
    """Each `config` of the bundle that was made of them, which hosts must read alike."""
    return [argv for argv in configs() if "--project-directory" in argv]


def configs() -> list[list[str]]:
    return [argv for argv in started if "config" in argv and any(word.endswith("/docker-compose") for word in argv)]


class Shop:
    """A repository with an app, its registry, and a host."""

    def __init__(self, folder: Path, server: Server, app: str = "shop") -> None:
        self.folder, self.server = folder / "work", server
        self.machine = Machine(app)
        self.others: list[state.Current] = []
        self.project = ""
        self.sent: list[str] = []
        (self.folder / "conf").mkdir(parents=True)
        self.write("compose.yaml", FILE.replace("REGISTRY", server.name))
        self.write("conf/a", "one\n")
        self.write("tracked.env", "A=1\n")
        self.git("init", "-q")
        self.git("remote", "add", "origin", REMOTE)
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def git(self, *words: str) -> str:
        argv = ["git", "-C", str(self.folder), "-c", "user.name=ann", "-c", "user.email=a@b", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> None:
        """Commit what is there; the image says that it was built from that."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        labels = {source_selection.REVISION: self.git("rev-parse", "HEAD"), source_selection.SOURCE: REMOTE}
        with_config(self.server, json.dumps({"config": {"Labels": labels}}).encode(), "team/shop:1.0")

    def answer(self, host: hosts.Host, what: command.Command) -> command.Result:
        self.sent.append(what.name)
        parts = self.machine.run(what)
        parts["others"] = "\n".join(json.dumps(one.as_json()) for one in self.others).encode()
        return command.Result(0, parts)

    def context(self) -> context.Context:
        live = hosts.Destination("live", ("web1",), project=self.project)
        known = fleets.Settings(self.folder / "lading.yaml", hosts.Inventory({"web1": hosts.Host("web1")}, {"live": live}))
        caller = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder.parent)}
        return context.Context(known, caller, recorder.RecorderTransport(self.answer), None, "ann")

    def plan(self, **more: Any) -> steps.Plan:
        return asyncio.run(deploy.plan(self.context(), Request(self.folder, ("live",), version="1.0", **more)))


@pytest.fixture
def shop(tmp_path: Path, serve: Serve) -> Shop:
    return Shop(tmp_path, serve())


def as_it_is(shop: Shop) -> None:
    pass


def another_file(shop: Shop) -> None:
    shop.write("conf/a", "two\n")


def another_env_file(shop: Shop) -> None:
    shop.write("tracked.env", "A=2\n")


def another_compose_file(shop: Shop) -> None:
    shop.write("compose.yaml", FILE.replace("REGISTRY", shop.server.name) + "    labels: {more: here}\n")


def no_compose_file(shop: Shop) -> None:
    """What is here could not even be read."""
    shop.write("compose.yaml", FILE.replace("REGISTRY", shop.server.name) + "    oddity: 1\n")


def a_dotenv(shop: Shop) -> None:
    shop.write(".env", "WORD=own\n")
    shop.commit()


def another_dotenv(shop: Shop) -> None:
    a_dotenv(shop)
    shop.write(".env", "WORD=changed\n")


CHANGES: Mapping[str, Callable[[Shop], None]] = {
    one.__name__: one for one in (as_it_is, another_file, another_env_file, another_compose_file, no_compose_file, a_dotenv, another_dotenv)}


IN_VAIN = {"another_env_file": 1, "another_compose_file": 2, "no_compose_file": 2, "another_dotenv": 1}
"""How often it is asked ahead of files that turn out not to count: of another commit than the image, see docs/decisions/0102."""


@pytest.mark.parametrize("project", ["", "{app}-{dest}"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_project_is_read_once(change: str, project: str, shop: Shop) -> None:
    shop.project = project
    shop.machine.app = "shop-live" if project else "shop"
    CHANGES[change](shop)
    made = shop.plan()
    in_vain = IN_VAIN.get(change, 0)
    if change == "no_compose_file" and not project:
        in_vain *= 2  # refused under the stand-in for its name, and then under its name
    assert (made.app, len(readings()), len(bundles())) == (shop.machine.app, 2 + in_vain, 1)
    assert any("that commit's files count" in one for one in made.warnings) == ("another" in change or "no_" in change)


@pytest.mark.parametrize("change", ["as_it_is", "another_file", "another_compose_file"])
def test_the_name_that_a_host_knows_needs_no_other_reading(change: str, shop: Shop) -> None:
    shop.machine.app = "mailer"
    shop.others = [state.Current("mailer", "a" * 64, "1", "d", source="git.example/team/shop", destination="live")]
    CHANGES[change](shop)
    made = shop.plan()
    assert (made.app, len(readings()), len(bundles())) == ("mailer", 2 + IN_VAIN.get(change, 0), 1)
    assert shop.sent == ["observe", "observe"]


def test_it_is_the_same_release_under_whatever_name_it_was_first_read(shop: Shop) -> None:
    typed = shop.plan(app="mailer").release
    shop.others = [state.Current("mailer", "a" * 64, "1", "d", source="git.example/team/shop", destination="live")]
    assert shop.plan().release == typed
    shop.others = []
    assert shop.plan().release == shop.plan(app="shop").release


def test_what_compose_refuses_is_told_under_the_app_s_own_name(shop: Shop) -> None:
    shop.write("compose.yaml", FILE.replace("REGISTRY", shop.server.name) + "    ports: ['${COMPOSE_PROJECT_NAME}:80']\n")
    shop.commit()
    with pytest.raises(errors.ComposeError) as refused:
        shop.plan()
    assert "shop" in str(refused.value) and "lading-" not in str(refused.value)
    assert shop.sent == []
