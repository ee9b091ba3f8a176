"""The ten stories of the protocol, over the real scripts: what broke before its rules were made does not any more."""

import asyncio
import json
import re
import subprocess
import time
from typing import Any

import pytest

from a_party import C1, DOCKER, MADE, Enough, Party, kinds, set_lease, uptime
from host_shell import HostShell
from lading import state
from lading.drivers import base
from lading.drivers.shell import guarded
from lading.inventory import hosts
from lading.plan import steps
from lading.state import journal
from lading.transport import command, wire


def refused(kind: str, text: str = ".*") -> "pytest.RaisesExc[base.Refused]":
    return pytest.raises(base.Refused, match=f"^{kind}: {text}")


def test_a_deployment_from_begin_to_end(host: HostShell) -> None:
    one = Party(host).come_to("ended")
    assert kinds(host) == ["begin", "staged", "rolling", "rolled", "prepared", "committed", "ended"]
    current = json.loads((host.app() / "current").read_text())
    assert state.current_from_json(current) == state.Current("shop", MADE.id, "1", "d1")
    assert host.lease() | {"expires": "", "boot": ""} == {
        "deployment": "d1", "fence": "1", "boot": "", "expires": "", "state": "free", "holder": "ann@laptop",
        "since": "2026-11-24T10:00:00Z", "url": "https://ci/1", "process": "p1", "length": "30", "beat": "0", "from": "0"}
    assert (one.take().hold, one.take().phase) == (None, "ended")
    assert Party(host, "d2").begin().hold is not None


def test_1_whoever_was_overtaken_on_one_host_is_told_when_he_confirms(host: HostShell) -> None:
    here, there = Party(host), Party(HostShell.second(host))
    here.begin()
    there.begin()
    Party(there.host, process="p2").take(override=True)
    assert here.confirm() == "begun"
    with refused("fence", "deployment=d1\nfence=2"):
        there.confirm()


def test_2_a_fence_is_not_given_twice_when_the_power_brings_an_old_lease_back(host: HostShell) -> None:
    Party(host).begin()
    old = (host.app() / "lease").read_text()
    assert Party(host).take().hold == host.hold(fence=2)
    (host.app() / "lease").write_text(old)
    assert Party(host).take().hold == host.hold(fence=3)
    (host.app() / "lease").write_text("")
    assert Party(host).take().hold == host.hold(fence=4)
    (host.app() / "lease").unlink()
    assert Party(host).take().hold == host.hold(fence=5)


def test_3_what_the_engine_does_late_is_waited_for_also_by_the_same_process(host: HostShell) -> None:
    one = Party(host).come_to("staged")
    host.docker({"compose*up*": "$KILLED"}, DOCKER)
    killing = 'case "$*" in compose*up*) kill -KILL $(sed "s/.*pid //;1q" ' + f'{host.app()}/op.info);; esac\n'
    host.program("docker", (host.bin / "docker").read_text().replace("case", killing + "case", 1))
    with refused("broken"):
        one.roll()
    assert kinds(host)[-1] == "rolling"
    host.docker({"ps*{{.State}}": "c1 shop-web-1 running\n"}, DOCKER)
    host.lines()
    assert one.take().phase == "rolling"
    assert len([line for line in host.lines() if line.endswith("{{.State}}")]) == 2  # two looks, which are equal
    one.take()
    assert not [line for line in host.lines() if line.endswith("{{.State}}")]  # it was waited for


def test_4_a_roll_that_comes_after_its_undo_is_not_carried_out(host: HostShell) -> None:
    one = Party(host).come_to("staged")
    late = one.hold
    one.take()
    one.undo()
    host.lines()
    with refused("fence", "deployment=d1\nfence=2"):
        Party(host, held=late).roll()
    with refused("phase", "undoing"):
        one.roll()
    assert not [line for line in host.lines() if line.startswith("compose")]
    one.close()
    with refused("fence"):
        one.undo()


def test_5_who_gives_the_lease_back_leaves_the_deployment_open(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    one.leave()
    assert (kinds(host)[-1], host.lease()["state"]) == ("left", "free")
    assert Party(host, process="p2").take().phase == "rolled"


def test_6_nothing_begins_over_a_deployment_that_is_open(host: HostShell) -> None:
    Party(host).come_to("begun").leave()
    with refused("open", "d1"):
        Party(host, "d2").begin()
    assert (kinds(host), host.lease()["state"]) == (["begin", "left"], "free")


def test_7_a_commit_that_was_cut_off_is_open_and_done_again(host: HostShell) -> None:
    Party(host).come_to("committed")
    (host.app() / "current").unlink()
    set_lease(host, {"expires": 0})
    with refused("open", "d1"):
        Party(host, "d2").begin()
    other = Party(host, process="p2")
    assert other.take().phase == "committed"
    other.commit()
    other.finish()
    assert (host.app() / "current").exists()
    assert kinds(host)[-3:] == ["committed", "taken", "ended"]


def test_8_and_9_nobody_undoes_what_was_committed(host: HostShell) -> None:
    one = Party(host).come_to("prepared")
    one.commit()
    host.lines()
    with refused("phase", "committed"):
        one.undo()
    with refused("phase", "committed"):
        one.close()
    with refused("phase", "committed"):
        one.close(untouched=True)
    assert host.lines() == []


def test_10_nobody_commits_what_was_not_prepared_here(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    with refused("phase", "rolled"):
        one.commit()
    with refused("phase", "rolled"):
        one.finish()
    assert not (host.app() / "current").exists()


def test_what_is_allowed_in_which_phase_is_what_the_model_allows() -> None:
    model = {
        "upload": {"begun", "staged"}, "roll": {"staged", "rolling", "rolled", "failed"}, "prepare": {"rolled", "prepared"},
        "commit": {"prepared", "committed"}, "finish": {"committed"}, "close": {"begun", "staged", "undoing"},
        "undo": {"begun", "staged", "rolling", "rolled", "failed", "prepared", "undoing"},
    }
    model["leave"] = model["confirm"] = model["undo"] | {"committed"}
    allowed = {doing: set(guarded.ALLOWED[doing]) for doing in model}
    assert allowed == {**model, "prepare": model["prepare"] | {"staged"}}  # where there is nothing to roll
    assert all("committed" not in guarded.ALLOWED[doing] for doing in ("pull", "hook", "tidy", "remove", "close untouched"))


# The lease


def test_a_lease_whose_holder_lives_is_refused_and_says_who(host: HostShell) -> None:
    """The holder renews it while it is waited for."""
    one = Party(host).come_to("begun")

    async def story() -> None:
        async with host.ports() as ports:
            other = Party(host, process="p2")
            claim = other.claim(journal.Taken("d1", process="p2"))
            asked = asyncio.create_task(ports.store.acquire(claim, other.told.append))
            while not other.told:
                await asyncio.sleep(0.05)
            [said] = other.told
            assert re.fullmatch(r"deployment d1 of ann@laptop, which may be dead \(its lease ends within (2\d|3[012]) s\)", said)
            async with host.ports() as mine:
                await mine.store.confirm(one.hold)
            with refused("held", "(.*\n)*holder=ann@laptop\nsince=.*\nurl=https://ci/1\n"):
                await asked

    asyncio.run(asyncio.wait_for(story(), 60))
    assert one.confirm() == "begun"


def test_a_lease_whose_holder_is_dead_is_taken_once_it_has_ended(host: HostShell) -> None:
    Party(host).come_to("begun")
    set_lease(host, {"expires": int(uptime()) + 2})
    other = Party(host, process="p2")
    begun = time.monotonic()
    assert other.take().hold == host.hold(fence=2, process="p2")
    assert time.monotonic() - begun > 1
    [said] = other.told
    assert re.search(r"\(its lease ends within [34] s\)", said)  # 1 or 2 s are left, and it is looked at once a second


def test_a_command_that_outlives_its_controller_is_waited_for_before_its_lease_is(host: HostShell) -> None:
    """It renews the lease until its end, so that no number of seconds would be true."""
    Party(host).come_to("begun")
    (host.app() / "op.info").write_text("d1 roll since then, pid 7\n")
    other = Party(host, process="p2")
    script = "echo locked; while [ ! -e go ]; do /bin/sleep 0.05; done"
    with subprocess.Popen(["flock", str(host.app() / "op.lock"), "sh", "-c", script], stdout=subprocess.PIPE,
                          cwd=host.folder) as last:
        assert last.stdout is not None and last.stdout.readline() == b"locked\n"

        async def story() -> None:
            async with host.ports() as ports:
                asked = asyncio.create_task(
                    ports.store.acquire(other.claim(journal.Taken("d1", process="p2")), other.told.append))
                while not other.told:
                    await asyncio.sleep(0.05)
                set_lease(host, {"expires": int(uptime()) + 4})
                (host.folder / "go").touch()
                await asked

        asyncio.run(asyncio.wait_for(story(), 60))
    first, then = other.told
    assert first == "a command that still runs there: d1 roll since then, pid 7"
    assert re.search(r"^deployment d1 of ann@laptop, .* within [3456] s\)", then)


@pytest.mark.parametrize("void", [
    {"boot": "another"}, {"state": "free"}, {"expires": 0},
    {"expires": 10**9},  # the machine's clock has begun anew, and its boot id with it was given to two
])
def test_a_lease_that_does_not_live_is_taken_at_once(host: HostShell, void: dict[str, object]) -> None:
    Party(host).come_to("begun")
    set_lease(host, void)
    other = Party(host, process="p2")
    assert (other.take().phase, other.told) == ("begun", [])


def test_a_lease_of_an_older_lading_lives_until_it_ends(host: HostShell) -> None:
    """It does not say which process has it, how long it is, or whether that lives."""
    Party(host).come_to("begun")
    kept = ("deployment", "fence", "boot", "state", "holder", "since", "url")
    old = {**{key: value for key, value in host.lease().items() if key in kept}, "expires": int(uptime()) + 900}
    (host.app() / "lease").write_text("".join(f"{key}={value}\n" for key, value in old.items()))
    with refused("held"):
        Party(host).take()
    set_lease(host, {"expires": 1})
    assert Party(host).take().hold == host.hold(fence=2)


def test_two_processes_of_one_deployment_are_two(host: HostShell) -> None:
    Party(host).come_to("begun")
    set_lease(host, {"expires": int(uptime()) + 3})
    other = Party(host, process="p2")
    other.take()
    assert other.told  # the first one was waited for
    assert Party(host, process="p2").take().hold == host.hold(fence=3, process="p2")  # its own is taken at once


def test_what_runs_is_waited_for_and_named(host: HostShell) -> None:
    one = Party(host).come_to("begun")
    (host.app() / "op.info").write_text("d1 roll since then, pid 7\n")
    script = "echo locked; while [ ! -e go ]; do /bin/sleep 0.05; done"
    with subprocess.Popen(["flock", str(host.app() / "op.lock"), "sh", "-c", script], stdout=subprocess.PIPE,
                          cwd=host.folder) as last:
        assert last.stdout is not None and last.stdout.readline() == b"locked\n"

        async def story() -> None:
            async with host.ports() as ports:
                asked = asyncio.create_task(ports.store.acquire(one.claim(journal.Taken("d1", process="p1")), one.told.append))
                while not one.told:
                    await asyncio.sleep(0.05)
                assert (await ports.runtime.look("shop")).apps["shop"].busy == "d1 roll since then, pid 7"
                (host.folder / "go").touch()
                await asked

        asyncio.run(asyncio.wait_for(story(), 60))
    assert one.told == ["a command that still runs there: d1 roll since then, pid 7"]


def test_nothing_is_held_of_what_never_began_or_has_ended(host: HostShell) -> None:
    host.docker(DOCKER)
    never = Party(host).take()
    assert (never.hold, never.phase, host.journal(), (host.app() / "lease").exists()) == (None, None, [], False)
    one = Party(host)
    one.begin()
    one.close()
    assert (one.take().hold, one.take().phase) == (None, "undone")
    with refused("closed", "undone"):
        one.begin()


# The journal


TORN = '{"at":"2026-11-29T10:00:00Z","v":4,"kind":"rolled","deploy'


def test_a_line_that_was_cut_off_is_ended_before_the_next(host: HostShell) -> None:
    one = Party(host).come_to("staged")
    with (host.app() / "journal").open("a") as file:
        file.write(TORN)
    assert one.confirm() == "staged"
    one.roll()
    lines = (host.app() / "journal").read_text().splitlines()
    assert lines[2] == TORN and '"kind":"rolling"' in lines[3]


def old(kind: str, more: str = "", version: int = 3) -> str:
    return f'{{"at":"2026-01-01T10:00:00Z","kind": "{kind}", "v": {version}, "deployment": "d0"{more}}}\n'


WORDS = ', "reason": "\\"kind\\": \\"ended\\", \\"deployment\\": \\"d0\\"", "ledger": {"deployment": "d0", "kind": "undone"}'


@pytest.mark.parametrize(("lines", "phase"), [
    (old("begin", WORDS), "begun"),
    (old("begin") + old("intent", ', "step": "roll"'), "rolling"),
    (old("begin") + old("intent", ', "step": "roll"') + old("result", ', "step": "roll","rc":0'), "rolling"),
    (old("begin") + old("intent", ', "step": "roll"') + old("intent", ', "step": "tidy"'), "rolled"),
    (old("begin") + old("intent", ', "step": "undo"') + old("left"), "undoing"),
    (old("begin") + old("committed", version=1), "ended"),
    (old("begin") + old("ended", ', "result": "failed"'), "ended"),
    (old("begin") + old("resumed") + old("undone"), "undone"),
    (old("begin") + old("begin").replace("d0", "d9"), None),
])
def test_the_journals_of_older_ladings_are_read(host: HostShell, lines: str, phase: str | None) -> None:
    host.docker(DOCKER)
    host.app().mkdir(parents=True)
    (host.app() / "journal").write_text(lines)
    taken = Party(host, "d0").take()
    if phase in ("ended", "undone"):
        assert (taken.hold, taken.phase) == (None, phase)
        return
    if phase is None:  # another one began over it, as once was possible: it is not the open one
        assert taken.hold is None
        return
    assert (taken.hold, taken.phase) == (host.hold("d0"), phase)
    known = taken.seen.apps["shop"].open
    assert known is not None and known.phase == phase  # as Python reads it


def test_after_what_was_interrupted_the_engine_is_waited_for_before_anything_else(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    with (host.app() / "journal").open("a") as file:
        file.write(f'{{"at":"x",{guarded.line(journal.Intent("d1", doing="tidy"))[1:]}\n')
    host.docker({"ps*{{.State}}": "c1 shop-web-1 running\n"}, DOCKER)
    host.lines()
    one.prepare()
    assert len([line for line in host.lines() if line.endswith("{{.State}}")]) == 2


# Prepare, finish


C2 = state.ContainerState("", "", "c1", "", "", "", "exited", exit_code=1)


def test_prepared_is_only_what_still_is_as_it_was_judged(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    assert [found.id for found in one.prepare((C2,)) or ()] == ["c1"]
    assert [found.status for found in one.prepare(None) or ()] == ["running"]
    assert [found.status for found in one.prepare(()) or ()] == ["running"]
    assert kinds(host)[-1] == "rolled"
    assert one.prepare((C1,)) is None
    assert one.prepare((C1,)) is None
    assert kinds(host)[-2:] == ["rolled", "prepared"]


def test_an_engine_that_is_away_is_not_one_without_containers(host: HostShell) -> None:
    one = Party(host).come_to("rolled")
    host.docker({"ps*": 1})
    with refused("engine", "refused"):
        one.prepare(())
    host.docker({"ps*": ""})
    assert one.prepare(()) is None


def test_a_deployment_ends_unwell_however_its_containers_are(host: HostShell) -> None:
    one = Party(host).come_to("committed")
    assert [found.id for found in one.finish("well", (C2,)) or ()] == ["c1"]
    assert (kinds(host)[-1], host.lease()["state"]) == ("committed", "held")
    host.docker({"start*": ""}, DOCKER)
    host.ask(lambda ports: ports.runtime.start(one.hold, ["c1"]))
    assert "start c1" in host.lines()
    assert one.finish("unwell", None) is None
    assert (host.journal()[-1]["result"], host.lease()["state"]) == ("unwell", "free")


# A roll


def test_a_roll_does_its_steps_in_their_order(host: HostShell) -> None:
    done: list[list[str]] = []
    one = Party(host).come_to("staged")
    todo = (steps.ScaleDown("web", ("c8", "c9")), steps.StartServices(("db",), anew=True), steps.StartServices(("web", "job")))
    for order in (todo, todo[::-1]):
        host.docker({"rm*": ""}, DOCKER)
        assert one.roll(steps=order).status == 0
        lines = [line for line in host.lines() if line.startswith(("rm", "compose"))]
        done.append([" ".join(word for word in line.split() if word in ("rm", "c8", "c9", "db", "web", "job", "--force-recreate"))
                     for line in lines])
    assert done[0] == ["rm c8", "rm c9", "--force-recreate db", "web job"]
    assert done[1] == ["web job", "--force-recreate db", "rm c8", "rm c9"]


def test_a_roll_stops_in_grace_and_starts_in_numbers(host: HostShell) -> None:
    one = Party(host).come_to("staged")
    todo = (steps.StopServices(("web", "db")), steps.ScaleDown("web", ("c8",)), steps.StartServices(("side", "job"), scale={"side": 3}))
    host.docker({"rm*": "", "stop*": "", "compose* stop web db": 1}, DOCKER)  # a hook that fails keeps nobody
    assert one.roll(steps=todo).status == 0
    lines = [line for line in host.lines() if line.startswith(("rm", "stop", "compose"))]
    assert lines[0].endswith(" stop web db")
    assert lines[1:3] == ["stop c8", "rm -f c8"]
    assert lines[3].endswith(" up -d --no-deps --no-build --pull never --quiet-pull --scale side=3 side job")


def test_a_number_by_hand_is_on_the_host_for_whoever_looks(host: HostShell) -> None:
    one = Party(host)
    host.docker(DOCKER)
    one.acquire(journal.Begun("d1", process="p1", app="shop", verb="scale", to=MADE.id, by_hand={"web": 3, "db": 0}))
    one.upload()
    one.roll()
    one.prepare()
    one.commit(by_hand={"web": 3, "db": 0})
    one.finish()
    found = host.ask(lambda ports: ports.runtime.look("shop")).apps["shop"]
    assert found.current is not None
    assert (found.current.by_hand, found.open, found.damaged) == ({"web": 3, "db": 0}, None, ())
    assert found.committed is not None
    assert found.committed.by_hand == found.current.by_hand, "should `current` be lost, the journal tells it"
    assert [line["v"] for line in host.journal() if line["kind"] == "begin"] == [5], "no older lading ends it without"


def test_what_compose_says_is_no_verdict_and_a_refusal_in_the_middle_is(host: HostShell) -> None:
    one = Party(host).come_to("staged")
    host.docker({"compose*up*": 17, "rm*": 1}, DOCKER)
    assert (one.roll().status, host.journal()[-1]) == (17, {"v": 4, "kind": "rolled", "deployment": "d1", "rc": 17})
    with refused("remove", "container c1 stays"):
        one.roll(steps=(steps.ScaleDown("web", ("c1",)),))
    assert kinds(host)[-2:] == ["rolling", "failed"]
    with refused("remove", "container c1 stays"):
        one.undo(steps=(steps.ScaleDown("web", ("c1",)),))
    assert host.journal()[-1] == {"v": 4, "kind": "result", "deployment": "d1", "step": "undo", "rc": 40}
    one.undo()
    one.close()
    assert kinds(host)[-3:] == ["undoing", "result", "undone"]


def test_whoever_watches_holds_no_command_up(host: HostShell) -> None:
    """Containers are only looked at by then: another command may run."""
    one = Party(host).come_to("staged")
    watched = Enough(snapshots=1000)

    async def story() -> None:
        async with host.ports() as ports:
            what = base.Roll(MADE, {}, state.AppState("shop"), (steps.StartServices(("web",)),), 60)
            rolling = asyncio.create_task(ports.runtime.roll(one.hold, what, watched, one.told.append))
            while not watched.seen:
                await asyncio.sleep(0.05)
            assert await ports.store.prepare(one.hold, (C1,)) is None
            rolling.cancel()
            await asyncio.wait({rolling})

    asyncio.run(asyncio.wait_for(story(), 60))
    assert kinds(host)[-1] == "prepared"


# While a command runs


class Driven:
    """A command with its stdin in our hands."""

    def __init__(self, what: command.Command) -> None:
        self.marker, whole = what.marker, wire.outgoing(what)
        self.process = subprocess.Popen(["/bin/sh", "-c", wire.line(hosts.Host("here"), what)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.send(whole[1])

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def part(self) -> str:
        """The name of the next part that comes; "" at the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, name = line.decode().strip().partition(" ")
            if word == self.marker:
                return name
        return ""

    def until(self, name: str) -> None:
        """Read on to this part."""
        while (found := self.part()) != name:
            assert found, f"it ended without {name}"

    def end(self) -> list[str]:
        """End its stdin; the rest of the parts."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        rest = []
        while name := self.part():
            rest.append(name)
        self.process.wait(30)
        self.process.stdout.close()
        return rest


def command_of(host: HostShell, name: str, doing: str, values: dict[str, str | int], **more: Any) -> command.Command:
    common = {"STATE_DIR": str(host.state), "KNOWN_STATE_DIR": ""}
    return guarded.guarded(name, doing, host.hold(), common, values, marker="M", timeout=60, **more)


HOOK: dict[str, str | int] = {"COMPOSE": "docker\ncompose", "SERVICE": "tool", "OVERLAY": "", "NEEDED": "", "LIMIT": 30,
                              "INTENT": '{"v":4,"kind":"intent","deployment":"d1","step":"hook"}',
                              "RESULT": '{"v":4,"kind":"result","deployment":"d1","step":"hook"}'}


def slow(host: HostShell, pattern: str) -> None:
    """From now on such a call of docker takes until the file `go` is there."""
    waiting = f'case "$*" in {pattern}) until [ -e {host.folder}/go ]; do /bin/sleep 0.05; done;; esac\n'
    host.program("docker", (host.bin / "docker").read_text().replace("case", waiting + "case", 1))


def test_a_lease_that_was_extended_just_now_stays_as_it_is(host: HostShell) -> None:
    """Commands follow each other at once, and each time the lease would be synced."""
    held = Party(host).come_to("begun")
    for left, written in ((28, False), (20, True), (40, True)):
        set_lease(host, {"expires": int(uptime()) + left})
        before = (host.app() / "lease").stat().st_ino
        held.upload()
        assert ((host.app() / "lease").stat().st_ino != before) is written, left
        assert 25 < int(host.lease()["expires"]) - uptime() <= 30
    set_lease(host, {"length": 60})  # of another lading
    before = (host.app() / "lease").stat().st_ino
    held.upload()
    assert (host.app() / "lease").stat().st_ino != before


def test_each_byte_of_the_controller_is_answered_at_once_and_renews_the_lease(host: HostShell) -> None:
    Party(host).come_to("staged")
    host.docker({"compose*": "done\n", "network*": "", "ps*": ""})
    slow(host, "compose*run*")
    set_lease(host, {"expires": int(uptime()) + 3})
    driven = Driven(command_of(host, "hook", "hook", HOOK))
    for beats in ("1", "2"):
        driven.send(b".")
        assert driven.part() == "beat"
        assert (host.lease()["beat"], int(host.lease()["expires"]) > uptime() + 25) == (beats, True)
    set_lease(host, {"expires": int(uptime()) + 3})
    assert driven.process.stdin is not None
    driven.process.stdin.close()  # the controller is gone, the hook goes on, and its lease with it
    while int(host.lease()["expires"]) < uptime() + 20:
        time.sleep(0.1)
    (host.folder / "go").touch()
    assert driven.part() == "hook"
    assert driven.process.wait(30) == 0
    driven.process.stdout.close()  # type: ignore[union-attr]
    assert (kinds(host)[-2:], host.lease()["beat"]) == (["intent", "result"], "2")


def test_a_pull_ends_with_its_controller(host: HostShell) -> None:
    Party(host).come_to("begun")
    host.docker({"image inspect*": 1, "--config*": ""})
    slow(host, "--config*pull*")
    values: dict[str, str | int] = {"LACKS": "pull", "LOCAL": "", "PULLED": "r/web@sha256:0", "KEPT": "", "ENTRIES": 0,
                                    "PASSWORDS": "", "LOGINS": ""}
    driven = Driven(command_of(host, "pull", "pull", values, ends=True))
    driven.send(b".")
    assert driven.part() == "beat"
    begun = time.monotonic()
    assert driven.end() == []
    assert (driven.process.returncode != 0, time.monotonic() - begun < 20) == (True, True)


def test_a_watch_lives_on_bytes_alone(host: HostShell) -> None:
    Party(host).come_to("staged")
    lines = {"ROLLING": "rolling", "RESULT": "rolled", "REFUSED": "failed"}
    values: dict[str, str | int] = {name: guarded.line(journal.Reached("d1", phase=phase))  # type: ignore[arg-type]
                                    for name, phase in lines.items()}
    values |= {"COMPOSE": "docker\ncompose", "STEPS": "up web", "SPARE": "", "WHOLE": 0, "HAD": "", "AGAIN": "", "WATCH": 1}
    driven = Driven(command_of(host, "roll", "roll", values))
    driven.until("tick")
    set_lease(host, {"expires": int(uptime()) + 20})
    assert driven.part() == "next"
    driven.until("tick")  # nobody renews it but the controller
    assert int(host.lease()["expires"]) < uptime() + 21
    driven.send(b"..")  # the first may be lost on who listened while services were brought up
    driven.until("beat")
    assert int(host.lease()["expires"]) > uptime() + 25
    set_lease(host, {"fence": 2})
    driven.send(b"..")  # somebody else has it now
    while driven.part():
        pass
    assert driven.process.wait(30) == 0
    driven.end()
    assert host.lease()["fence"] == "2"


def test_an_upload_whose_controller_is_gone_is_ended_by_who_takes_over(host: HostShell) -> None:
    """A half-open connection: the rest never comes, nor does the end."""
    one = Party(host).come_to("begun")
    values: dict[str, str | int] = {"COMPOSE": "docker\ncompose", "RELEASE": "cafe", "SIZE": 10, "STAGED": "{}",
                                    "READ_BY": "", "SUM_SIZE": 0, "SECRETS": "", "HOLDS": 0}
    driven = Driven(command_of(host, "upload", "upload", values, ends=True, payload=(b"xxx",)))
    while not (host.app() / "op.info").exists() or "ends " not in (host.app() / "op.info").read_text():
        time.sleep(0.02)
    assert one.take().hold == host.hold(fence=2)
    assert driven.end() == []
    assert driven.process.returncode != 0
    one.close()
    assert not [path.name for path in host.app().iterdir() if path.name.startswith(("incoming", "op.info"))]


def test_whoever_takes_over_removes_what_hooks_and_compose_left_half_done(host: HostShell) -> None:
    Party(host).come_to("begun")
    leftover = "0123456789ab_shop-web-1"
    others = "a3 shop \na4 other \nh2 other-hook-d0 True\nh3 shop-hook-d1 \nn1  \n"
    alone = "b" * 12 + "_shop-db-1"  # what it was made from is gone: it has its volumes, and gets its name
    host.docker({"ps*oneoff*": f"a1 shop \na2 shop \nh1 shop-hook-d0 True\n{others}",
                 "ps*project=shop --filter status=created*": f"a1 {leftover}\na2 shop-web-1\na5 {alone}\n",
                 f"container inspect {leftover[:12]}": "[]", "ps*": "", "rm*": "", "rename*": "", "network prune*": ""})
    Party(host).take()
    assert [line for line in host.lines() if line.startswith(("rm", "network", "rename"))] == [
        "rm -f h1", "network prune -f --filter label=com.docker.compose.project=shop-hook-d0", "rm a1", "rename a5 shop-db-1"]
