"""What the shell offers at Tab, as files of this machine tell it; for a version the registry is asked, for no more than two seconds."""

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading import disk, errors, loading
from lading import found as finding

if TYPE_CHECKING:  # loaded in `_deployments`
    from lading.ledger import deployments

RECENT = 200  # deployments that are looked through
SHORT = 12  # digits of a release's id
PATIENCE = 2.0  # seconds that a registry may take: somebody waits at the prompt
KEPT = 60.0  # seconds for which its answer is good, also that there was none
LIMIT = 4 << 20  # bytes of a kept answer
MARK = "0lading-version0"  # stands for the version in an image's tag


def destinations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names for `--to`, also behind a comma."""
    begun, comma, word = incomplete.rpartition(",")
    return _fitting(_names(ctx), word, begun + comma)


def hosts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of single hosts."""
    return _fitting(_names(ctx, hosts_only=True), incomplete)


def apps(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The apps that were deployed from here."""
    return _fitting((row.app for row in _recent(ctx)), incomplete)


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The apps that were deployed from here; behind a slash the services of the one that is named."""
    app, slash, word = incomplete.partition("/")
    if not slash:
        return apps(ctx, param, incomplete)
    return _fitting(_services_of(ctx, app), word, app + slash)


def recent(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of deployments, newest first."""
    return _fitting((row.deployment for row in _recent(ctx)), incomplete)


def releases(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The releases of the app that is named, newest first: by version, or once digits are typed by id."""
    app = _app(ctx)
    rows = [row for row in _recent(ctx) if row.release and app in ("", row.app)]
    ids = [row.release[:SHORT] for row in rows] if incomplete else []
    return _fitting([*(row.version for row in rows), *ids], incomplete)


def services(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The services of the app that is named."""
    return _fitting(_services_of(ctx, _app(ctx)), incomplete)


def versions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The tags that the registry has for the images of the files here; where it tells none, the versions that were deployed."""
    try:
        offered = _tags(ctx)
    except (errors.LadingError, OSError):
        offered = []
    return _fitting(offered or (row.version for row in _recent(ctx)), incomplete)


def _fitting(names: Iterable[str], word: str, lead: str = "") -> list[str]:
    return [lead + name for name in dict.fromkeys(names) if name.startswith(word) and name.isprintable() and " " not in name]


def _app(ctx: click.Context) -> str:
    """The app that is named before the option whose value is wanted: click leaves it among the words."""
    return str(ctx.params.get("app") or next(iter(ctx.args), ""))


def _names(ctx: click.Context, *, hosts_only: bool = False) -> list[str]:
    try:
        found = _fleet_file(ctx)
        return finding.names(found, os.environ, hosts_only=hosts_only) if found else []
    except errors.LadingError:
        return []


def _fleet_file(ctx: click.Context) -> finding.Found | None:
    directory = ctx.params.get("project_directory") or Path()
    return finding.find(directory, os.environ, str(ctx.find_root().params.get("config") or ""))


def _ledger_file(ctx: click.Context) -> Path | None:
    """The ledger, if it is a file of this user's and there."""
    place = finding.own_ledger(_fleet_file(ctx), os.environ)
    return place if place is not None and place.exists() else None


def _recent(ctx: click.Context) -> "tuple[deployments.Deployment, ...]":
    try:
        place = _ledger_file(ctx)
        return _deployments(place) if place is not None else ()
    except errors.LadingError:
        return ()


def _deployments(place: Path) -> "tuple[deployments.Deployment, ...]":
    with loading.later():  # every verb has its completion at hand, and only Tab behind it looks into the ledger
        import asyncio

        from lading.ledger import ledger

    async def look() -> "tuple[deployments.Deployment, ...]":
        kept = await ledger.open_ledger(place)
        try:
            return tuple(await kept.history(limit=RECENT))
        finally:
            await kept.close()

    return asyncio.run(look())


def _services_of(ctx: click.Context, app: str) -> list[str]:
    """The services of an app, in its newest release that was made here."""
    row = next((row for row in _recent(ctx) if row.release and row.app == app), None)
    return _services(ctx, row.release) if row else []


def _services(ctx: click.Context, release: str) -> list[str]:
    """The names of a release's services; [] if its bytes are not here."""
    with loading.later():  # as in `_deployments`
        import asyncio

        from lading.ledger import ledger

    async def look(place: Path) -> bytes | None:
        kept = await ledger.open_ledger(place)
        try:
            return await kept.release(release)
        finally:
            await kept.close()

    try:
        place = _ledger_file(ctx)
        content = asyncio.run(look(place)) if place is not None else None
        return list(json.loads(content)["services"]) if content else []
    except (errors.LadingError, ValueError, TypeError, KeyError):
        return []


def _tags(ctx: click.Context) -> list[str]:
    """The versions that every image here has in its registry.

    Raises:
        LadingError: there are no files, or they are wrong.
        OSError: they cannot be read.
    """
    with loading.later():  # as in `_deployments`
        from lading.deploy import resolution
        from lading.deploy.request import Request
        from lading.inventory import hosts as inventory

    directory, files = ctx.params.get("project_directory") or Path(), ctx.params.get("files") or ()
    request = Request(directory, (), tuple(files), str(ctx.params.get("app") or ""), MARK, {})
    found = resolution.find_files(os.environ, request, inventory.Destination("", ()))
    images = {image for image in found.images.values() if image.count(MARK) == 1}
    return _kept_or_asked(ctx, sorted(images))


def _kept_or_asked(ctx: click.Context, images: Sequence[str]) -> list[str]:
    """What registries have said of *images* within the last minute, else what they say now.

    Raises:
        SettingsError: the fleet file is wrong.
    """
    if not images:
        return []
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/") / ".cache")
    place = home / "lading" / "tags.json"
    try:
        kept = json.loads(disk.read(place, limit=LIMIT))
        if kept["images"] == list(images) and 0 <= time.time() - kept["at"] < KEPT:
            return [str(tag) for tag in kept["versions"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass  # none is kept, or it cannot be read: it is made anew
    versions = _asked(ctx, images)
    _keep(place, json.dumps({"images": images, "at": time.time(), "versions": versions}))
    return versions


def _asked(ctx: click.Context, images: Sequence[str]) -> list[str]:
    """The versions that every one of *images* has; [] where a registry does not answer in time.

    Raises:
        SettingsError: the fleet file is wrong.
    """
    with loading.later():  # as in `_deployments`
        import asyncio

        from lading import settings
        from lading.compose import registry
        from lading.deploy import credentials
        from lading.inventory import hosts as inventory

    found = _fleet_file(ctx)
    fleet = settings.Settings(Path(), inventory.Inventory({}, {}), registries=finding.registries(found, os.environ))
    access = credentials.access(fleet, os.environ, programs=False)

    async def ask() -> Mapping[str, Sequence[str]]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await registry.tags(images, access)
        except TimeoutError:
            _leave_soon()
            raise

    try:
        told = asyncio.run(ask())
    except (errors.LadingError, TimeoutError):
        return []
    every = [list(_of_tags(image, tags)) for image, tags in told.items()]
    return [version for version in every[0] if all(version in others for others in every[1:])]


def _leave_soon() -> None:
    """End this call within a second: a name that is being looked up cannot be interrupted, and would be waited for."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.alarm(1)


def _of_tags(image: str, tags: Iterable[str]) -> Iterator[str]:
    """The versions in *tags*, as the tag of *image* has its mark in it."""
    before, _, after = image.rpartition(":")[2].partition(MARK)
    for tag in tags:
        if tag.startswith(before) and tag.endswith(after) and len(tag) > len(before) + len(after):
            yield tag[len(before):len(tag) - len(after)]


def _keep(place: Path, text: str) -> None:
    """Keep an answer, whole or not at all; where it cannot be kept, it is asked for again."""
    new = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(place)
    except OSError:
        return
