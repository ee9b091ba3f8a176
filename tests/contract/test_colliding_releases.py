"""Two releases whose SHA-256 begin with the same 12 digits are two: in a ledger, on a host, for rollback.

They differ in their version alone, and took half a minute to find; so would a harmless one and one that mounts `/`.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from a_ledger import Book, Place

from lading import context, errors, settings, state
from lading.compose import release as releases
from lading.compose import restore
from lading.deploy import on_host, rollback
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.plan import planner
from lading.transport import command, recorder

FOLDER = Path(__file__).parents[1] / "formats" / "colliding"
ONE, OTHER = ((FOLDER / f"{name}.json").read_bytes() for name in ("one", "other"))
ONE_ID, OTHER_ID = (hashlib.sha256(content).hexdigest() for content in (ONE, OTHER))
SHORT = ONE_ID[:12]
WEB1 = hosts.Host("web1")


def test_they_collide() -> None:
    assert OTHER_ID.startswith(SHORT)
    assert ONE_ID != OTHER_ID


def kept(book: Book, id: str) -> bytes | None:
    return asyncio.run(book.kept.release(id))


def test_a_ledger_keeps_both(book: Book) -> None:
    book.keep(ONE)
    book.keep(OTHER)
    assert (kept(book, ONE_ID), kept(book, OTHER_ID)) == (ONE, OTHER)
    assert kept(book, SHORT) is None  # nobody knows which of them is meant
    assert (book.count_releases(), book.verify()) == (2, ())


def test_a_ledger_of_an_older_lading_keeps_the_second_too(make: Callable[[], Place], books: Callable[[Place], Book]) -> None:
    book = books(make())
    book.keep(ONE)
    book.place.execute(f"UPDATE releases SET id='{SHORT}'")
    assert (kept(book, ONE_ID), kept(book, SHORT), kept(book, OTHER_ID)) == (ONE, ONE, None)
    book.keep(ONE)
    assert book.count_releases() == 1
    book.keep(OTHER)
    assert (kept(book, ONE_ID), kept(book, SHORT), kept(book, OTHER_ID)) == (ONE, None, OTHER)
    assert book.verify() == ()


def current(release: str, version: str) -> bytes:
    said = {"v": 1, "app": "shop", "release": release, "version": version, "deployment": "20261128-100000-aaaa"}
    return json.dumps(said).encode()


def answer(current: bytes, releases: dict[str, bytes]) -> command.Result:
    parts = {"facts": b"state=/s\n", "app:shop": b"", "current:shop": current}
    parts |= {f"release:shop:{name}": content for name, content in releases.items()}
    return command.Result(0, {**parts, "end": b""})


def test_the_other_release_is_no_unchanged_one() -> None:
    """The host has ONE under its first 12 digits, as older ladings named it; OTHER is deployed now."""
    seen = observe.answered("web1", answer(current(SHORT, restore.from_bytes(ONE).version), {SHORT: ONE})).apps["shop"]
    wanted = restore.from_bytes(OTHER)
    old = on_host.current_release(seen)
    assert old is not None and old.canonical() == ONE
    running_now = [
        state.ContainerState("shop", name, f"id-{name}", f"shop-{name}-1", spec.image, "i", "running", content=spec.content,
                             owned=True, networks=dict.fromkeys(spec.networks, "n"), mounts=dict.fromkeys(spec.mounts, "m"),
                             ports=spec.ports, secrets=releases.generation_label(spec, {}))
        for name, spec in wanted.active.items()
    ]
    whole = state.AppState("shop", seen.current, seen.releases, containers=tuple(running_now))
    plan = planner.plan_host("web1", wanted, {}, (), whole, old)
    assert plan.steps, "what is there was taken for the other release"


def test_rollback_to_the_digits_that_both_begin_with_is_refused() -> None:
    kept = {ONE_ID: ONE, OTHER_ID: OTHER}
    transport = recorder.RecorderTransport(lambda _host, _what: answer(current(OTHER_ID, "2"), kept))
    fleet = settings.Settings(Path("lading.yaml"), hosts.Inventory({"web1": WEB1}, {}))
    here = context.Context(fleet, {}, transport, None, "ann")
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(rollback.rollback(here, "shop", ["web1"], release=SHORT))
    assert "more than one release" in caught.value.message
    assert ONE_ID in caught.value.hint and OTHER_ID in caught.value.hint


def test_two_hosts_that_kept_each_another_one_do_not_go_back_together() -> None:
    """What one host keeps under 12 digits is nothing to another host that has the other one under them."""
    told = {"web1": {SHORT: ONE}, "web2": {SHORT: OTHER}}
    before = json.dumps({"v": 1, "kind": "committed", "deployment": "20261127-100000-aaaa", "to": SHORT}).encode()

    def said(host: hosts.Host, _what: command.Command) -> command.Result:
        result = answer(current("0123456789ab", "3"), told[host.name])
        return command.Result(0, {**result.parts, "journal:shop": before + b"\n", "end": b""})

    fleet = settings.Settings(Path("lading.yaml"), hosts.Inventory({"web1": WEB1, "web2": hosts.Host("web2")}, {}))
    here = context.Context(fleet, {}, recorder.RecorderTransport(said), None, "ann")
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(rollback.rollback(here, "shop", ["web1,web2"], release=SHORT))
    assert "different releases" in caught.value.message
    assert ONE_ID in caught.value.message and OTHER_ID in caught.value.message
