"""What goes on only while a script of the host holds the app's lock: it begins after that, and ends with it, whoever ends first."""

import asyncio
import gc
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from a_party import Party, kinds, set_lease
from host_shell import HostShell
from lading import state
from lading.compose import release
from lading.drivers import base
from lading.drivers.shell import bound, guarded, holding, lock, releases, store
from lading.inventory import hosts
from lading.state import journal
from lading.transport import beats, command, local

M = "MARK-401d"
PART = f"part(){{ printf '\\n{M} %s\\n' \"$1\"; }}\n"
HOLD = "part held; part next; cat >/dev/null; touch ended; part end\n"
Work = Callable[[lock.Held], Awaitable[None]]


def a_script(folder: Path, text: str) -> command.Command:
    return command.Command("hold", f"cd {command.quote(str(folder))}\n{PART}{text}", M, changes=True)


def hold(state_dir: Path, what: command.Command, work: Work, word: bytes = b"") -> command.Result:
    """The script's answer, after *work*; nothing is left running, and nobody's exception was forgotten."""
    forgotten: list[object] = []

    async def story() -> command.Result:
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: forgotten.append(about))
        transport = local.LocalTransport()
        try:
            async with asyncio.timeout(60):
                there = bound.Bound(transport, hosts.Host("here"), str(state_dir))
                return await holding.while_held(there, what, work, word)
        finally:
            await transport.close()

    failure = None
    try:
        return asyncio.run(story())
    except base.Refused as refused:
        failure = refused.with_traceback(None)
    gc.collect()
    assert forgotten == []
    raise failure


async def for_ever(held: lock.Held) -> None:
    await asyncio.Event().wait()


async def never(held: lock.Held) -> None:
    pytest.fail("nothing was held")


def test_work_begins_once_the_lock_is_held_and_the_script_ends_after_it(tmp_path: Path) -> None:
    seen: list[bool] = []

    async def work(held: lock.Held) -> None:
        seen.append((tmp_path / "locked").exists())
        held.check()
        await asyncio.sleep(0)
        seen.append((tmp_path / "ended").exists())

    done = hold(tmp_path, a_script(tmp_path, f"part before; part next; touch locked\n{HOLD}"), work)
    assert (seen, "end" in done.parts, (tmp_path / "ended").exists()) == ([True, False], True, True)


@pytest.mark.parametrize(("script", "kind"), [
    ("part refused; echo fence; echo deployment=d2; part end; exit 40", "^fence: deployment=d2"), ("exit 3", "^broken: the command ended before it was done, with exit status 3"),
    ("part hel; exit 0", "^broken"), ("echo held; exit 0", "^broken"),
])
def test_without_the_lock_no_work_is_begun(tmp_path: Path, script: str, kind: str) -> None:
    with pytest.raises(base.Refused, match=kind):
        hold(tmp_path, a_script(tmp_path, script), never)


def test_a_script_that_has_nothing_to_hold_is_no_error(tmp_path: Path) -> None:
    assert hold(tmp_path, a_script(tmp_path, "part containers; echo c1; part end"), never).text("containers") == "c1"


@pytest.mark.parametrize(("script", "kind"), [
    ("part held; part refused; echo silent; part end; exit 40", "^silent"), ("part held; part next; exit 1", "^broken: the command ended before it was done, with exit status 1"),
    ("part held; part next; kill -KILL $$", "^broken"),
])
def test_a_lock_that_is_lost_ends_the_work(tmp_path: Path, script: str, kind: str) -> None:
    ended: list[str] = []

    async def work(held: lock.Held) -> None:
        try:
            await for_ever(held)
        finally:
            ended.append("work")

    with pytest.raises(base.Refused, match=kind):
        hold(tmp_path, a_script(tmp_path, script), work)
    assert ended == ["work"]


def test_work_that_fails_ends_the_script_and_says_why(tmp_path: Path) -> None:
    async def work(held: lock.Held) -> None:
        raise base.Refused("pull", "no such image")

    with pytest.raises(base.Refused, match="^pull: no such image$"):
        hold(tmp_path, a_script(tmp_path, HOLD), work)
    assert (tmp_path / "ended").exists()


def test_a_lease_that_was_lost_is_told_also_where_the_work_has_failed_before(tmp_path: Path) -> None:
    async def work(held: lock.Held) -> None:
        raise base.Refused("pull", "no such image")

    lost = "part held; part next; cat >/dev/null; part refused; echo fence; echo deployment=d2; part end"
    with pytest.raises(base.Refused, match="^fence: deployment=d2"):
        hold(tmp_path, a_script(tmp_path, lost), work)


def test_where_both_fail_the_host_s_word_counts_and_none_is_forgotten(tmp_path: Path) -> None:
    async def work(held: lock.Held) -> None:
        try:
            await for_ever(held)
        finally:
            raise base.Refused("pull", "cut off")

    with pytest.raises(base.Refused, match="^silent"):
        hold(tmp_path, a_script(tmp_path, "part held; part refused; echo silent; part end"), work)


def test_whoever_is_cancelled_leaves_neither_work_nor_script(tmp_path: Path) -> None:
    ended: list[str] = []

    async def story() -> None:
        transport = local.LocalTransport()
        begun = asyncio.Event()

        async def work(held: lock.Held) -> None:
            begun.set()
            try:
                await for_ever(held)
            finally:
                ended.append("work")

        there = bound.Bound(transport, hosts.Host("here"), str(tmp_path))
        one = asyncio.create_task(holding.while_held(there, a_script(tmp_path, HOLD), work))
        async with asyncio.timeout(60):
            await begun.wait()
            one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await one
            assert ended == ["work"]
            while not (tmp_path / "ended").exists():
                await asyncio.sleep(0.01)
        await transport.close()

    asyncio.run(story())


# A controller that was stopped for a while


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def silent() -> "pytest.RaisesExc[base.Refused]":
    return pytest.raises(base.Refused, match="^silent: the host was not heard for half a minute$")


def test_nothing_is_changed_before_the_host_is_heard_or_after_it_was_silent() -> None:
    clock = Clock()
    held = lock.Held(clock)
    with silent():
        held.check()
    held.part("held", b"")
    for _ in range(5):
        clock.now += lock.FRESH - 1
        held.check()
        held.part("beat", b"")
    clock.now += lock.FRESH + 1
    with silent():
        held.check()


def test_what_was_said_before_the_controller_was_frozen_is_no_news_after_it() -> None:
    """The answer to its last beat has waited in its own buffer meanwhile, and the lock may be another's long since."""
    clock = Clock()
    held = lock.Held(clock)
    held.part("held", b"")
    clock.now += 600
    held.part("beat", b"")
    held.part("beat", b"")
    with silent():
        held.check()


# The scripts themselves


def command_of(host: HostShell, one: Party, name: str, doing: str, values: guarded.Values, *, ends: bool) -> command.Command:
    return guarded.guarded(name, doing, one.hold, {"STATE_DIR": str(host.state), "KNOWN_STATE_DIR": ""}, values, marker=M, timeout=60, ends=ends)


def is_locked(host: HostShell) -> bool:
    return subprocess.run(["flock", "-n", str(host.app() / "op.lock"), "true"], check=False).returncode != 0


def test_the_lock_is_held_and_the_lease_renewed_as_long_as_the_controller_works(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "BEAT", 0.1)
    one = Party(host).come_to("begun")
    before = int(host.lease()["beat"])

    async def work(held: lock.Held) -> None:
        assert is_locked(host)
        async with asyncio.timeout(30):
            while int(host.lease()["beat"]) < before + 3:
                await asyncio.sleep(0.02)
        held.check()

    done = hold(host.state, command_of(host, one, "hold", "pull", {}, ends=True), work)
    assert ("refused" in done.parts, "end" in done.parts, is_locked(host), host.lease()["state"]) == (False, True, False, "held")
    assert one.confirm() == "begun"


def test_a_lease_that_is_lost_ends_what_was_held(host: HostShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "BEAT", 0.1)
    one = Party(host).come_to("begun")

    async def work(held: lock.Held) -> None:
        set_lease(host, {"fence": 7})
        await for_ever(held)

    with pytest.raises(base.Refused, match="^silent: the controller was not heard"):
        hold(host.state, command_of(host, one, "hold", "pull", {}, ends=True), work)
    assert (host.lease()["fence"], is_locked(host)) == ("7", False)


@pytest.mark.parametrize("lease", [{"fence": 7}, {"state": "free"}])
def test_without_the_lease_nothing_is_held(host: HostShell, lease: dict[str, object]) -> None:
    one = Party(host).come_to("begun")
    set_lease(host, lease)
    with pytest.raises(base.Refused, match="^fence"):
        hold(host.state, command_of(host, one, "hold", "pull", {}, ends=True), never)


def test_in_another_phase_nothing_is_held(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    with pytest.raises(base.Refused, match="^phase: rolled"):
        hold(host.state, command_of(host, one, "hold", "pull", {}, ends=True), never)


def uploading(host: HostShell, one: Party, payload: bytes = b"") -> command.Command:
    """An upload of nothing, for a release that lies there; its images are tagged meanwhile."""
    (host.app() / "releases/cafe").mkdir(parents=True)
    host.docker({"compose*config*": "services: {}\n"})
    staged = guarded.line(journal.Reached(one.deployment, phase="staged"))
    values: guarded.Values = {
        "COMPOSE": "docker\ncompose", "RELEASE": "cafe", "SIZE": len(payload), "STAGED": staged, "READ_BY": "",
        "SUM_SIZE": 0, "SECRETS": "", "HOLDS": 1,
    }
    made = command_of(host, one, "upload", "upload", values, ends=True)
    return replace(made, payload=(payload,))


def test_an_upload_holds_the_lock_while_images_are_tagged_and_is_staged_after_that(
    host: HostShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats, "BEAT", 0.1)
    one = Party(host).come_to("begun")
    before, seen = int(host.lease()["beat"]), list[object]()

    async def work(held: lock.Held) -> None:
        async with asyncio.timeout(30):
            while int(host.lease()["beat"]) < before + 3:
                await asyncio.sleep(0.02)
        held.check()
        seen.extend([is_locked(host), kinds(host)[-1]])

    done = hold(host.state, uploading(host, one), work, store.DONE)
    assert (seen, "end" in done.parts, "refused" in done.parts) == ([True, "begin"], True, False)
    assert (kinds(host)[-1], is_locked(host)) == ("staged", False)


def test_nothing_is_staged_where_an_image_is_not_tagged(host: HostShell) -> None:
    one = Party(host).come_to("begun")

    async def work(held: lock.Held) -> None:
        raise base.Refused("pull", "an image cannot be tagged")

    with pytest.raises(base.Refused, match="^pull: an image cannot be tagged$"):
        hold(host.state, uploading(host, one), work, store.DONE)
    assert (kinds(host)[-1], is_locked(host)) == ("begin", False)


def test_nothing_is_staged_where_the_controller_goes_before_all_is_tagged(host: HostShell) -> None:
    """The end of its stdin is all that the script hears of it."""
    one = Party(host).come_to("begun")

    async def work(held: lock.Held) -> None:
        held.check()

    with pytest.raises(base.Refused, match="^silent"):
        hold(host.state, uploading(host, one), work)
    assert (kinds(host)[-1], is_locked(host)) == ("begin", False)


def is_outlasting(host: HostShell) -> bool:
    """Whether a script that holds the lock only waits for its stdin to end."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[-2:-1] == [b"cat"] and (process / "fd/9").readlink() == host.app() / "op.lock":
                return True
        except OSError:
            continue
    return False


def test_an_upload_that_is_refused_keeps_the_lock_until_the_tags_are_there(host: HostShell) -> None:
    one = Party(host).come_to("begun")
    seen: list[bool] = []

    async def work(held: lock.Held) -> None:
        async with asyncio.timeout(30):
            while not is_outlasting(host):
                await asyncio.sleep(0.02)
        seen.append(is_locked(host))

    with pytest.raises(base.Refused, match="^upload"):
        hold(host.state, uploading(host, one, b"no archive"), work, store.DONE)
    assert (seen, is_locked(host), kinds(host)[-1]) == ([True], False, "begin")


def finishing(one: Party, expected: str) -> guarded.Values:
    made = release.empty("shop")
    gone = releases.dropped(base.Pruned(releases=(), objects=(), secrets=(), app=state.AppState("shop"), release=made))
    ended = journal.Reached(one.deployment, phase="ended", result="well")
    return {**gone.values(), "DROP_RELEASES": "", "ENDED": guarded.line(ended), "EXPECTED": expected, "HOLDS": 1}


def test_tags_go_after_the_deployment_has_ended_and_before_its_lease_is_free(host: HostShell) -> None:
    one = Party(host).come_to("committed")
    seen: list[object] = []

    async def work(held: lock.Held) -> None:
        held.check()
        seen.extend([kinds(host)[-1], host.lease()["state"], is_locked(host)])

    done = hold(host.state, command_of(host, one, "finish", "finish", finishing(one, "any"), ends=False), work)
    assert (seen, "ended" in done.parts) == (["ended", "held", True], True)
    assert (host.lease()["state"], is_locked(host)) == ("free", False)


def test_no_tag_goes_where_the_deployment_does_not_end(host: HostShell) -> None:
    one = Party(host).come_to("committed")
    done = hold(host.state, command_of(host, one, "finish", "finish", finishing(one, "another"), ends=False), never)
    assert ("ended" in done.parts, "c1" in done.text("containers")) == (False, True)
    assert (kinds(host)[-1], host.lease()["state"]) == ("committed", "held")
