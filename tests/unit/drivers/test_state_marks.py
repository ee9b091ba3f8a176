"""One engine, several state folders: the engine remembers in which of them lading keeps an app (D9)."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from a_party import MADE, Party
from host_shell import HostShell
from lading import errors, state
from lading.compose import release as releases
from lading.deploy import host_checks
from lading.drivers import base, refusals
from lading.drivers.shell import observation, parsers
from lading.plan import steps
from lading.queries import differences
from lading.state import journal

MARK = "lading-state-shop"
ENGINE = r"""#!/bin/sh
# An engine's volumes: made once, whoever asks first, and kept with their labels.
volumes=FOLDER/volumes
printf '%s\n' "$*" >>FOLDER/lines
field() { sed -n "s/^$1=//p" "$volumes/$name"; }
for name; do :; done
case "$*" in
"volume create"*) (set -C; printf '%s\n' "${4#lading.}" "${6#lading.}" >"$volumes/$name") 2>/dev/null; echo "$name" ;;
"volume inspect"*) [ -f "$volumes/$name" ] || exit 1; echo "$(field user) $(field folder)" ;;
"volume rm"*) rm "$volumes/$name" ;;
"volume ls"*) for one in "$volumes"/*; do name=${one##*/}; [ ! -f "$one" ] || echo "$name $(field user) $(field folder)"; done ;;
"container inspect"*) echo '{"id": "c1", "labels": {"com.docker.compose.project": "shop", "lading.app": "shop"}, "state": {}}' ;;
"ps -aq"*) echo c1 ;;
ps* | network* | rm* | images*) ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def engine(host: HostShell) -> Iterator[Path]:
    """The volumes that the host's engine has."""
    volumes = host.folder / "volumes"
    volumes.mkdir()
    host.program("docker", ENGINE.replace("FOLDER", str(host.folder)))
    yield volumes
    assert "volume rm" not in " ".join(line for line in host.lines() if MARK not in line)


def test_of_two_state_folders_of_one_engine_one_has_the_app(host: HostShell, engine: Path) -> None:
    Party(host).begin()
    other = HostShell.second(host)
    with pytest.raises(base.Refused) as refused:
        Party(other, "d2", "p2").begin()
    folder, user = refused.value.text.splitlines()
    assert (refused.value.kind, folder, bool(user)) == ("elsewhere", str(host.app()), True)
    assert (other.app() / "journal").read_text() == ""  # nothing has begun there
    wrong = refusals.lease_error("web1", "shop", refused.value.kind, refused.value.text)
    assert isinstance(wrong, errors.ForeignError)
    assert str(host.app()) in wrong.message and user in wrong.message
    assert f"docker volume rm {MARK}" in wrong.hint and "/var/lib/lading" in wrong.hint


def test_of_two_at_once_one_has_the_app(host: HostShell, engine: Path) -> None:
    parties = (Party(host), Party(HostShell.second(host), "d2", "p2"))

    async def begin(one: Party) -> str:
        async with one.host.ports() as ports:
            try:
                await ports.store.acquire(one.claim(journal.Begun(one.deployment, process=one.process)))
            except base.Refused as refused:
                return refused.kind
        return "held"

    async def both() -> list[str]:
        return list(await asyncio.gather(*map(begin, parties)))

    assert sorted(asyncio.run(both())) == ["elsewhere", "held"]


def test_the_same_folder_by_another_path_is_the_same(host: HostShell, engine: Path) -> None:
    first = Party(host)
    first.begin()
    first.close()
    other = HostShell.second(host)
    other.state.rmdir()
    other.state.symlink_to(host.state)
    (engine / MARK).write_text(f"folder={host.app()}\nuser=ann\n")
    assert Party(other, "d2", "p2").begin().hold is not None


def test_a_folder_that_is_gone_hinders_nobody(host: HostShell, engine: Path) -> None:
    Party(host).begin()
    shutil.rmtree(host.state)
    other = HostShell.second(host)
    assert Party(other, "d2", "p2").begin().hold is not None
    assert f"folder={other.app()}" in (engine / MARK).read_text()


def test_an_engine_that_makes_no_volume_hinders_nobody(host: HostShell) -> None:
    assert Party(host).begin().hold is not None  # `docker` refuses all
    assert Party(HostShell.second(host), "d2", "p2").begin().hold is not None


@pytest.mark.parametrize("end", ["undone", "removed"])
def test_who_has_nothing_of_the_app_any_more_leaves_it_to_others(host: HostShell, engine: Path, end: str) -> None:
    first = Party(host)
    first.begin()
    if end == "undone":
        first.close()
    else:
        what = base.Departure(steps.RemoveApp(("c1",)), MADE, {}, state.AppState("shop"))
        host.ask(lambda ports: ports.runtime.remove_app(first.hold, what))
    assert not (engine / MARK).exists()
    assert Party(HostShell.second(host), "d2", "p2").begin().hold is not None


def test_an_undone_deployment_of_what_is_deployed_keeps_the_app(host: HostShell, engine: Path) -> None:
    first = Party(host)
    first.begin()
    (host.app() / "current").write_text("{}")
    first.close()
    assert (engine / MARK).exists()


def test_nobody_removes_the_mark_of_another(host: HostShell, engine: Path) -> None:
    Party(host).begin()
    written = f"folder={host.folder}\nuser=bob\n"
    (engine / MARK).write_text(written)
    Party(host, held=host.hold()).close()
    assert (engine / MARK).read_text() == written


def test_a_look_from_another_folder_says_where_the_app_is_kept(host: HostShell, engine: Path) -> None:
    Party(host).begin()
    other = HostShell.second(host)
    seen = {one: parsers.from_result("web1", one.run(observation.observe("M", state_dir=str(one.state), app="shop", facts=False)))
            for one in (host, other)}
    assert seen[host].apps["shop"].elsewhere == ""
    kept = seen[other].apps["shop"].elsewhere
    assert kept.startswith(f"{host.app()}, of user ")
    with pytest.raises(errors.ForeignError) as refused:
        host_checks.check_owner(releases.Bundle(MADE, (), {}, {}), "live", seen[other], take_over=False, lost=False)
    assert refused.value.message == f"shop was deployed with another state folder: {kept} (another SSH user, or state_dir)"
    assert f"move {host.app()} to {other.state}/apps" in refused.value.hint
    [found] = differences.differences("web1", seen[other].apps["shop"])
    assert found.observed == f"runs without a record: lading keeps it in {kept}"
