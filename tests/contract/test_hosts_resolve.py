"""`registries.X.resolve: host`: never asked from here; all chosen hosts ask it, and must agree."""

import asyncio
import base64
import json
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from a_machine import Machine
from registry_server import Serve, digest, manifest

from lading import build, context, errors
from lading import settings as fleets
from lading.compose import registry_access, registry_client
from lading.deploy import bundling, credentials, deploy, exporting, preparation
from lading.deploy.request import Request
from lading.drivers.shell import driver
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.ledger import ledger
from lading.queries import check
from lading.transport import command, recorder

pytestmark = pytest.mark.contract
INSIDE = "inside.example:5000"
IMAGE = f"{INSIDE}/team/app:1"
ONE, OTHER = manifest("linux/amd64"), manifest("linux/amd64", "linux/s390x")
FLEET = f"""lading: 1
hosts: {{web1: {{address: 127.0.0.1}}, web2: {{address: 127.0.0.1}}}}
destinations: {{live: {{hosts: [web1, web2]}}}}
registries:
  "{INSIDE}": {{username: ci, password: {{env: SECRET}}, resolve: host}}
"""


@dataclass
class Fleet:
    """Two hosts that reach the registry; nobody here does."""

    folder: Path
    machines: dict[str, Machine] = field(
        default_factory=lambda: {name: Machine("shop") for name in ("web1", "web2")}
    )
    sent: list[tuple[str, command.Command]] = field(default_factory=list)
    book: ledger.Ledger | None = None

    def answer(self, host: hosts.Host, what: command.Command) -> command.Result:
        self.sent.append((host.name, what))
        return command.Result(0, self.machines[host.name].run(what))

    def context(self) -> context.Context:
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "SECRET": "pass-of-ci",
        }
        known = fleets.load(self.folder / "lading.yaml", environment)
        transport = recorder.RecorderTransport(self.answer)
        engine = coordinator.ComposeHosts(driver.connect(transport, "auto"))
        return context.Context(known, environment, transport, self.book, "ann", engine=engine)

    def has(self, image: str, content: bytes | str, *names: str) -> None:
        """What these hosts' engines find, by default all."""
        for name in names or self.machines:
            self.machines[name].reaches[image] = content

    def plan(self, *to: str, **more: Any) -> str:
        """The digest that web is planned with."""
        done = asyncio.run(
            preparation.prepare(
                self.context(), Request(self.folder, to or ("live",), version="1", **more)
            )
        )
        return done.bundle.release.services["web"].image.partition("@")[2]

    def deploy(self, *to: str, **more: Any) -> str:
        done = asyncio.run(
            deploy.deploy(
                self.context(), Request(self.folder, to or ("live",), version="1", **more)
            )
        )
        return done.result


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    looks = socket.getaddrinfo

    def nobody(host: Any, *more: Any, **others: Any) -> Any:
        assert "inside.example" not in str(host), "somebody here looks for the registry"
        return looks(host, *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    (tmp_path / "lading.yaml").write_text(FLEET)
    (tmp_path / "compose.yaml").write_text(
        f'name: shop\nservices: {{web: {{image: "{INSIDE}/team/app:${{VERSION}}", '
        'healthcheck: {test: [CMD, "true"]}}}\n'
    )
    made = Fleet(tmp_path)
    made.has(IMAGE, ONE)
    return made


def by_digest(fleet: Fleet, content: bytes) -> str:
    """The Compose file names the image by this digest."""
    path = fleet.folder / "compose.yaml"
    path.write_text(path.read_text().replace("${VERSION}", f"${{VERSION}}@{digest(content)}"))
    return f"{INSIDE}/team/app@{digest(content)}"


def test_all_hosts_agree(fleet: Fleet) -> None:
    assert fleet.plan() == digest(ONE)
    asked = [(host, what) for host, what in fleet.sent if what.name == "resolve"]
    assert [host for host, _ in asked] == ["web1", "web2"]
    assert not any("pass-of-ci" in what.masked() + what.script for _, what in asked)
    assert b"X-Registry-Auth: " in asked[0][1].wire()
    assert fleet.deploy() == "succeeded"
    assert fleet.deploy() == "unchanged"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (OTHER, digest(OTHER)),
        ("manifest unknown", "manifest unknown"),
        ("dial tcp: pass-of-ci\x1b[2J\nno route", "dial tcp: ***"),
    ],
)
@pytest.mark.parametrize("refresh", [False, True])
def test_one_that_disagrees_refuses_all_and_is_named(
    fleet: Fleet, answer: bytes | str, told: str, refresh: bool
) -> None:
    fleet.has(IMAGE, answer, "web2")
    for act in (fleet.plan, fleet.deploy):
        with pytest.raises(errors.RefusedError) as refused:
            act(refresh=refresh)
        assert (refused.value.exit_code, refused.value.step) == (4, "plan")
        first, *rows = refused.value.message.splitlines()
        assert first.startswith(f"{IMAGE}: only hosts ask its registry")
        assert [row.split()[0] for row in rows] == ["web1", "web2"]
        assert digest(ONE) in rows[0]
        assert told in rows[1]
    assert {what.name for _, what in fleet.sent} == {"observe", "resolve"}


def test_engines_that_differ_in_the_platforms_do_not_agree_but_one_that_says_none_does(
    fleet: Fleet,
) -> None:
    real = fleet.machines["web2"].distribution

    def platforms(*words: str) -> None:
        listed = [{"os": "linux", "architecture": word} for word in words]
        told = json.dumps({"Descriptor": {"digest": digest(ONE)}, "Platforms": listed}).encode()
        fleet.machines["web2"].distribution = (  # type: ignore[method-assign]
            lambda name: real(name).partition(b"{")[0] + told
        )

    platforms()
    assert fleet.plan() == digest(ONE)
    platforms("s390x")
    with pytest.raises(errors.RefusedError, match=r"\(linux/s390x\)"):
        fleet.plan()


def test_an_image_for_another_architecture_is_refused_in_the_plan(fleet: Fleet) -> None:
    fleet.has(IMAGE, manifest("linux/s390x"))
    with pytest.raises(errors.PreflightError, match="is not there for linux/amd64"):
        fleet.plan()


def test_a_tag_that_moved_restarts_nothing_until_it_is_asked_for(fleet: Fleet) -> None:
    assert fleet.deploy() == "succeeded"
    fleet.has(IMAGE, OTHER)
    assert fleet.plan() == digest(ONE)
    assert fleet.plan(refresh=True) == digest(OTHER)
    fleet.has(
        IMAGE, "no route to host"
    )  # what runs needs nobody's word but that of the hosts that run it
    assert fleet.deploy() == "unchanged"


def test_a_new_host_gets_no_digest_that_it_did_not_find_itself(fleet: Fleet) -> None:
    assert fleet.deploy("web1") == "succeeded"
    assert fleet.plan() == digest(ONE)
    fleet.has(IMAGE, OTHER, "web2")
    with pytest.raises(errors.RefusedError, match="does not know it"):
        fleet.plan()
    fleet.has(IMAGE, OTHER)
    with pytest.raises(errors.RefusedError, match=r"\(registry, by web2\)"):
        fleet.plan()


def test_what_one_host_said_does_not_come_back_as_the_ledgers_word(fleet: Fleet) -> None:
    fleet.book = asyncio.run(ledger.open_ledger(fleet.folder / "ledger.db"))
    fleet.has(IMAGE, OTHER, "web1")
    assert fleet.deploy("web1") == "succeeded"
    assert fleet.deploy("web1", refresh=True) == "unchanged"
    with pytest.raises(errors.RefusedError) as refused:
        fleet.plan()
    assert [line.split()[0] for line in refused.value.message.splitlines()[1:]] == [
        "web1",
        "web2",
        "(ledger)",
        "(registry,",
        "(registry,",
    ]
    assert "(ledger)             does not know it" in refused.value.message
    by_digest(fleet, ONE)
    fleet.has(f"{INSIDE}/team/app@{digest(ONE)}", ONE)
    named = asyncio.run(
        preparation.prepare(fleet.context(), Request(fleet.folder, ("live",), version="1"))
    )
    assert named.vouched == (f"{IMAGE}@{digest(ONE)}",)


def test_the_ledgers_word_counts_more_than_the_hosts(fleet: Fleet, serve: Serve) -> None:
    server = serve()
    server.images["team/app:1"] = ONE
    for name in ("lading.yaml", "compose.yaml"):
        path = fleet.folder / name
        path.write_text(
            path.read_text().replace(INSIDE, server.name).replace("resolve: host", "insecure: true")
        )
    fleet.book = asyncio.run(ledger.open_ledger(fleet.folder / "ledger.db"))
    assert fleet.deploy() == "succeeded"  # asked from here
    asked = len(server.seen)
    path = fleet.folder / "lading.yaml"
    path.write_text(path.read_text().replace("insecure: true", "resolve: host"))
    fleet.has(f"{server.name}/team/app:1", OTHER, "web1")
    assert fleet.plan() == digest(ONE)
    assert len(server.seen) == asked


def test_by_digest_each_host_must_have_it(fleet: Fleet) -> None:
    name = by_digest(fleet, ONE)
    fleet.has(IMAGE, "no tag is asked for")
    fleet.has(name, ONE, "web1")
    with pytest.raises(errors.RefusedError, match="not every host can have it") as refused:
        fleet.plan()
    assert refused.value.message.splitlines()[2].split() == ["web2", "manifest", "unknown"]
    fleet.has(name, ONE)
    assert fleet.plan() == digest(ONE)
    assert fleet.deploy() == "succeeded"


def test_the_commit_of_an_image_is_not_looked_up_from_here(fleet: Fleet) -> None:
    for words in (["init", "-q"], ["add", "compose.yaml"]):
        subprocess.run(["git", *words], cwd=fleet.folder, check=True)
    assert fleet.plan() == digest(ONE)
    with pytest.raises(errors.RegistryError, match="asked by the hosts only"):
        fleet.plan(require_matching_source=True)


@pytest.mark.parametrize(
    ("identity", "kind"), [(False, "password"), (True, "identitytoken")]
)
def test_a_login_as_dockers_api_takes_it(identity: bool, kind: str) -> None:
    known = registry_access.Credentials("ci", "pass-of-ci?>", identity=identity)
    told = json.loads(base64.urlsafe_b64decode(known.as_api_header("docker.io")))
    assert told == {
        "username": "ci",
        kind: "pass-of-ci?>",
        "serveraddress": "https://index.docker.io/v1/",
    }


def test_check_asks_it_only_on_hosts(fleet: Fleet) -> None:
    rows = asyncio.run(check.check(fleet.context(), ["live"]))
    assert rows[0].columns["registry"] == (True, "none named")
    assert all(f"REGISTRIES={INSIDE}" in what.script for _, what in fleet.sent)


def test_a_host_that_cannot_be_asked_ends_it(fleet: Fleet) -> None:
    def lost(what: command.Command, words: Mapping[str, str]) -> dict[str, bytes]:
        raise errors.UnreachableError("the line is dead", host="web2")

    fleet.machines["web2"].do_resolve = lost  # type: ignore[method-assign]
    with pytest.raises(errors.UnreachableError, match="the line is dead"):
        fleet.plan()


def test_where_no_host_is_asked_it_is_refused_with_a_next_step(fleet: Fleet) -> None:
    here = fleet.context()
    request = Request(fleet.folder, ("live",), version="1")

    def bundle(name: str, *, digests: bool = True) -> None:
        asyncio.run(
            bundling.write(
                request, here.environment, here.settings, fleet.folder / name, digests=digests
            )
        )

    with pytest.raises(errors.InputError, match="only hosts ask its registry") as refused:
        bundle("one")
    assert "--no-digests" in refused.value.hint
    bundle("two", digests=False)
    by_digest(fleet, ONE)
    bundle("three")
    assert digest(ONE) in (fleet.folder / "three" / "compose.overlay.yaml").read_text()
    with pytest.raises(errors.RegistryError, match="asked by the hosts only"):
        registry_client.Registry(INSIDE, credentials.access(here.settings, here.environment)(INSIDE))


def test_a_playbook_has_the_digest_on_which_the_hosts_agree(fleet: Fleet) -> None:
    request = Request(fleet.folder, ("live",), version="1")
    asyncio.run(exporting.write(fleet.context(), request, fleet.folder / "out"))
    told = (fleet.folder / "out" / "playbook.yml").read_text()
    assert digest(ONE) in told
    assert "pass-of-ci" not in told


def test_nothing_is_built_that_cannot_be_pushed_from_here(fleet: Fleet) -> None:
    (fleet.folder / "Dockerfile").write_text("FROM scratch\n")
    path = fleet.folder / "compose.yaml"
    path.write_text(path.read_text().replace("web: {", "web: {build: ., "))
    here = fleet.context()
    job = build.Job(
        Request(fleet.folder, (), version="1"),
        here.environment,
        here.settings,
        True,
        print,
        here.stop,
    )
    with pytest.raises(errors.InputError, match="cannot be pushed from here") as refused:
        asyncio.run(build.build(job))
    assert "lading deploy" in refused.value.hint


def test_who_asks_is_one_of_two(fleet: Fleet) -> None:
    path = fleet.folder / "lading.yaml"
    path.write_text(FLEET.replace("resolve: host", "resolve: hosts"))
    with pytest.raises(
        errors.SettingsError, match="must be controller or host, not 'hosts'"
    ) as refused:
        fleet.context()
    assert refused.value.line == 5
    path.write_text(FLEET.replace("resolve: host", "resolve: controller"))
    assert not fleet.context().settings.by_hosts(INSIDE)
