"""`lading repair` over the real shell and a real ledger: each damage of D14 is named, planned, mended; no container is touched."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from builders import PIN, a_reading, a_service
from host_shell import HostShell
from lading import context, errors, events, settings, state
from lading.compose import bundle, project
from lading.compose import release as releases
from lading.deploy import contradicting, host_checks, remove, repair, takeover
from lading.drivers.shell import driver, observe
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.ledger import ledger
from lading.plan import steps
from lading.queries import differences, look
from lading.state import damage, journal
from lading.transport import local

HERE = hosts.Host("here")
LIVE = hosts.Destination("live", ("here",), confirm=True)
OLD, NEW = "20261127-090000-aaaa", "20261128-100000-bbbb"


def made_of(version: str) -> releases.Bundle:
    one = a_service("web", f"r.example/app:{version}", health=project.Health())
    reading = a_reading(one, version=version, plain={"VERSION": version})
    return releases.build(reading, {one.image: one.image + PIN})


SHIPPED = (made_of("1.0.0"), made_of("1.1.0"))
BEFORE, MADE = (one.release for one in SHIPPED)
CONTAINER = {
    "id": "c1", "name": "/shop-web-1", "image": MADE.services["web"].image, "state": {"Status": "running", "Health": {"Status": "healthy"}},
    "labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "lading.app": "shop",
               "lading.content": MADE.services["web"].content},
    "networks": {"shop_default": {"NetworkID": "n1"}},
}
CHANGES = {"rm", "stop", "start", "kill", "restart", "compose", "create", "connect", "disconnect", "pull", "tag", "prune"}


@dataclass
class Place:
    """A host on which `MADE` was deployed after `BEFORE`, and the ledger that saw it."""

    host: HostShell
    path: Path
    knows: bool = True
    shown: list[steps.Plan] = field(default_factory=list)

    def __post_init__(self) -> None:
        app = self.host.app()
        (app / "project").mkdir(parents=True)
        (self.host.state / "format").write_text("1\n")
        lines: list[journal.Record] = []
        for number, (deployment, shipped) in enumerate(zip((OLD, NEW), SHIPPED, strict=True), 1):
            made = shipped.release
            folder = app / "releases" / made.id
            for file in bundle.release_files(shipped):
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / file.path).write_bytes(file.content)
            (folder / "deployed.json").write_text(json.dumps(
                state.Deployed(deployment, order=number, behind=(BEFORE.id,) if number == 2 else ()).as_json()))
            lines += [journal.Begun(deployment, app="shop", version=made.version, destination="here", source="src", actor="ann",
                                    host="here", engine="E:1", fence=number, to=made.id, participants=("here",)),
                      journal.Reached(deployment, phase="committed", to=made.id, version=made.version),
                      journal.Reached(deployment, phase="ended", result="well")]
        self.write("journal", "".join(json.dumps({"at": "2026-11-28T10:00:00Z", **one.as_json()}, separators=(",", ":")) + "\n" for one in lines))
        self.write("current", json.dumps(self.current.as_json(), separators=(",", ":")) + "\n")
        self.write("lease", "deployment=x\nfence=2\nboot=b\nexpires=0\nstate=free\n")
        labels = f"c1 {CONTAINER['labels']['com.docker.compose.project']} shop\n"  # type: ignore[index]
        self.host.docker({
            "info*": "engine=26.1.0\nid=E:1\narch=x86_64\nctx=default\nplugin=2.40.3\nruntimes=runc \nroot=/\n",
            "ps -a --no-trunc --format c=*": "c=" + labels, "ps -aq*": "c1\n", "ps*": "", "network ls*": "there=bridge\n",
            "volume*": "", "container inspect*oneoff*": f"= c1 running 0 0 healthy\n{json.dumps(CONTAINER)}\n",
            "container inspect*": json.dumps(CONTAINER),
        })
        if self.knows:
            self.work(self._remember)

    @property
    def current(self) -> state.Current:
        return state.Current("shop", MADE.id, "1.1.0", NEW, "ann", "2026-11-28T10:00:00Z", "src", "here")

    async def _remember(self, context: context.Context) -> None:
        assert context.ledger is not None
        for deployment, made in ((OLD, BEFORE), (NEW, MADE)):
            await context.ledger.keep(made.canonical())
            await context.ledger.append(
                events.DeploymentPlanned(deployment, app="shop", version=made.version, release=made.id, destination="here",
                                         hosts=("here",), source="src", actor="ann"),
                events.HostCommitted(deployment, "here", "commit", release=made.id))

    def write(self, name: str, text: str) -> None:
        (self.host.app() / name).write_text(text)

    def work(self, what: Callable[[context.Context], Any]) -> Any:
        """Do something as a call of lading does."""

        async def done() -> Any:
            kept = await ledger.open_ledger(self.path)
            transport = local.LocalTransport()
            fleet = settings.Settings(Path("lading.yaml"), hosts.Inventory({"here": HERE}, {"live": LIVE}), state_dir=str(self.host.state))
            engine = coordinator.ComposeHosts(driver.connect(transport, str(self.host.state)))
            given = context.Context(fleet, {}, transport, kept, "bob", engine=engine, confirm=self._confirm)
            try:
                return await what(given)
            finally:
                await transport.close()
                await kept.close()

        return asyncio.run(done())

    def _confirm(self, plan: steps.Plan) -> bool:
        self.shown.append(plan)
        return True

    def seen(self) -> state.HostState:
        return self.work(lambda c: observe.host(c.transport, HERE, observe.Question(str(self.host.state), "shop")))  # type: ignore[no-any-return]

    def app(self) -> state.AppState:
        return self.seen().apps["shop"]

    def refuses(self) -> errors.ForeignError | None:
        """How a verb that changes something refuses this host."""
        try:
            host_checks.check_reachable(state.FleetState({"here": self.seen()}))
        except errors.ForeignError as refused:
            return refused
        return None


@pytest.fixture
def place(host: HostShell, tmp_path: Path) -> Place:
    return Place(host, tmp_path / "ledger.db")


def gone(name: str) -> Callable[[Place], object]:
    return lambda place: (place.host.app() / name).unlink()


def garbage(name: str) -> Callable[[Place], object]:
    return lambda place: (place.host.app() / name).write_bytes(b"\x00\xffgarbage{\n" * 3)


def of_another_host(place: Place) -> None:
    text = (place.host.app() / "journal").read_text()
    place.write("journal", text.replace('"host":"here","engine":"E:1"', '"host":"web2","engine":"E:2"'))


BLOCKS: dict[str, tuple[Callable[[Place], object], str, str]] = {
    "current is gone": (gone("current"), "current", f"it is gone, though the journal says that the app is deployed: 1.1.0, release {MADE.id[:12]}"),
    "current cannot be read": (garbage("current"), "current", "it cannot be read"),
    "journal is gone": (gone("journal"), "journal", f"it is gone, though {NEW} was deployed"),
    "journal cannot be read": (garbage("journal"), "journal", "it cannot be read"),
    "journal of another host": (of_another_host, "journal", "it is another host's: it was written on web2, for the engine E:2"),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_each_damage_is_named_and_mended(place: Place, case: str) -> None:
    does, what, why = BLOCKS[case]
    assert place.refuses() is None and differences.differences("here", place.app()) == ()
    does(place)
    refused = place.refuses()
    assert refused is not None
    assert (f"/apps/shop/{what} is damaged" in refused.message, why in refused.message) == (True, True)
    assert "lading repair here shop" in refused.hint
    assert any(one.field == what and "damaged" in one.observed for one in differences.differences("here", place.app()))
    assert look.repairs(state.FleetState({"here": place.seen()})) == [
        f"shop on here: its {what} is damaged: {why}; lading repair here shop writes it anew"]

    plan = place.work(lambda c: repair.plan(c, "here", "shop"))
    before = {path.name: path.read_bytes() for path in place.host.app().glob("[cj]*") if path.is_file()}
    assert [change.field for change in plan.changes] == ["journal", "current"]
    assert (plan.verb, plan.confirm) == ("repair", True)  # a host has the rules of its destination
    assert {path.name: path.read_bytes() for path in place.host.app().glob("[cj]*") if path.is_file()} == before  # only shown
    place.host.lines()
    done = place.work(lambda c: repair.repair(c, "here", "shop"))
    assert (done.result, [one.hash for one in place.shown]) == ("succeeded", [plan.hash])
    calls = [line.split() for line in place.host.lines()]
    assert [words for words in calls if CHANGES & set(words[:2]) and words[:2] != ["volume", "create"]] == []

    app = place.app()
    assert (place.refuses(), damage.found(app), differences.differences("here", app)) == (None, (), ())
    assert app.current is not None
    assert (app.current.release, app.current.version, app.current.source, app.current.destination) == (MADE.id, "1.1.0", "src", "here")
    assert [one.deployment for one in app.current.changed.values()] == [NEW]
    assert next(iter(app.current.changed.values())).actor == "ann"
    assert app.behind == (BEFORE.id,)
    begun = next(one for one in app.journal if isinstance(one, journal.Begun) and one.verb == "repair")
    assert (begun.host, begun.engine, begun.fence, begun.plan) == ("here", "E:1", 3, plan.hash)
    aside = case in ("journal cannot be read", "journal of another host")
    assert (place.host.app() / f"journal.until-{done.deployment}").exists() is aside
    again = place.work(lambda c: repair.repair(c, "here", "shop"))
    assert again.result == "unchanged"
    assert place.work(lambda c: contradicting.look(c, [HERE], "shop"))[1] == {}
    assert place.work(lambda c: c.commits("shop"))["shop"]["here"].deployment == done.deployment


@pytest.mark.parametrize("left", ["nothing", "the folder", "another release"])
def test_releases_come_from_the_ledger_by_their_hash(place: Place, left: str) -> None:
    kept = place.host.app() / "releases"
    [path] = (kept / MADE.id / "files").iterdir()
    written = path.read_bytes()
    if left == "nothing":
        shutil.rmtree(kept)
    else:
        hurt = BEFORE if left == "another release" else MADE
        (kept / hurt.id / "release.json").write_text("{")
    assert place.refuses() is None  # a deployment stores its own
    assert any(one.field.startswith("release") for one in differences.differences("here", place.app()))
    plan = place.work(lambda c: repair.plan(c, "here", "shop"))
    assert any("by its hash" in change.new for change in plan.changes)
    assert any("the project's files of 1.1.0" in one for one in plan.warnings) is (left == "nothing")
    done = place.work(lambda c: repair.repair(c, "here", "shop"))
    assert (done.result, done.report.why) == ("succeeded", "")
    app = place.app()
    assert (MADE.id in app.releases, app.damaged) == (True, ())
    assert (kept / MADE.id / "release.json").read_bytes() == MADE.canonical()
    if left != "nothing":
        assert sorted(app.releases) == sorted([MADE.id, BEFORE.id])
        assert path.read_bytes() == written  # it is kept nowhere else


def test_all_is_gone_but_the_containers(place: Place) -> None:
    shutil.rmtree(place.host.app())
    assert place.work(lambda c: repair.repair(c, "here", "shop")).result == "succeeded"
    app = place.app()
    assert app.current is not None and (app.current.release, app.current.source) == (MADE.id, "src")
    assert [(one.deployment, one.actor) for one in app.current.changed.values()] == [(NEW, "ann")]


def test_without_a_ledger_the_containers_tell_their_release(host: HostShell, tmp_path: Path) -> None:
    place = Place(host, tmp_path / "ledger.db", knows=False)
    for name in ("current", "journal"):
        gone(name)(place)
    plan = place.work(lambda c: repair.plan(c, "here", "shop"))
    assert plan.changes[-1].new == f"1.1.0, release {MADE.id[:12]}, as told by its containers"
    assert any("--take-over" in one for one in plan.warnings)
    assert place.work(lambda c: repair.repair(c, "here", "shop")).result == "succeeded"
    current = place.app().current
    assert current is not None and current.release == MADE.id
    shutil.rmtree(host.app())
    place.path = tmp_path / "another.db"
    with pytest.raises(errors.UnknownReleaseError, match="nobody tells what is deployed of shop on here"):
        place.work(lambda c: repair.plan(c, "here", "shop"))


def test_a_release_that_nobody_keeps_is_not_made_up(host: HostShell, tmp_path: Path) -> None:
    place = Place(host, tmp_path / "ledger.db", knows=False)
    shutil.rmtree(host.app() / "releases")
    gone("current")(place)
    with pytest.raises(errors.UnknownReleaseError, match="neither the host nor this ledger keeps its record") as refused:
        place.work(lambda c: repair.plan(c, "here", "shop"))
    assert "--accept-host here" in refused.value.hint
    host_checks.check_reachable(state.FleetState({"here": place.seen()}), accepted=["here"])  # so it can be deployed


def test_what_needs_no_repair_hinders_nobody(place: Place) -> None:
    journal_file = place.host.app() / "journal"
    journal_file.write_text(journal_file.read_text() + '{"at":"2026-11-28T11:00:00Z","v":4,"kind":"be')
    assert (place.refuses(), damage.found(place.app())) == (None, ())  # a torn last line
    for text, why in (("", "it is gone"), ("garbage=\n", "it cannot be read"), ("fence=x\n", "it cannot be read")):
        place.write("lease", text)
        [found] = damage.found(place.app())
        assert (found.what, found.blocks, why in found.why, place.refuses()) == ("lease", False, True, None)
    assert place.work(lambda c: repair.repair(c, "here", "shop")).result == "succeeded"
    assert (damage.found(place.app()), place.host.lease()["fence"]) == ((), "3")  # above all that the journal tells of


def test_what_is_open_in_a_journal_of_another_host_is_not_open_here(place: Place) -> None:
    begun = journal.Begun("20261128-110000-cccc", app="shop", host="web2", engine="E:2", fence=9, to="cafe", participants=("web2",))
    path = place.host.app() / "journal"
    path.write_text(path.read_text() + json.dumps({"at": "2026-11-28T11:00:00Z", **begun.as_json()}, separators=(",", ":")) + "\n")
    with pytest.raises(errors.ForeignError, match="it is another host's: it was written on web2") as refused:
        place.work(lambda c: remove.remove(c, "shop", ["here"]))
    assert "lading repair here shop" in refused.value.hint
    seen = state.FleetState({"here": place.seen()})
    assert takeover._open(seen) == ()
    done = place.work(lambda c: repair.repair(c, "here", "shop"))
    assert (done.result, place.host.lease()["fence"], place.refuses()) == ("succeeded", "10", None)


def test_a_host_is_named_and_nothing_else(place: Place) -> None:
    with pytest.raises(errors.LadingError):
        place.work(lambda c: repair.plan(c, "nowhere", "shop"))
    with pytest.raises(errors.UnknownReleaseError, match="there is nothing of blog on here"):
        place.work(lambda c: repair.plan(c, "here", "blog"))
