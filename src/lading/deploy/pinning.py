"""Which digest each image is deployed by: the ledger's, its hosts', the registry's; and who vouches for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lading import context as contexts
from lading import events, state
from lading.compose import release, restore
from lading.deploy import running
from lading.ledger import contradictions
from lading.plan import digests


@dataclass(frozen=True, slots=True)
class Pinned:
    """Image → reference by digest; *vouched*: those that do not rest on what hosts say alone."""

    pins: Mapping[str, str]
    vouched: tuple[str, ...]


async def keep(
    context: contexts.Context, pins: Mapping[str, str], seen: state.FleetState, app: str
) -> Pinned:
    """An image whose text did not change keeps its digest (decision 0019); *pins*: what the registry says now.

    Raises:
        RefusedError: hosts disagree about one, and the ledger does not know it.
    """
    hosts_say = {name: _images(running.kept_release(host.apps.get(app, state.AppState(app))))
                 for name, host in seen.hosts.items()}
    told = digests.Told(pins, hosts_say, await _ledger_says(context, seen, app))
    kept = digests.kept(told)
    return Pinned(kept, digests.vouched(kept, told))


async def local(
    context: contexts.Context, images: Collection[str], seen: state.FleetState, app: str
) -> Mapping[str, str]:
    """The digests of images that nobody pulls, where they have been deployed by one: of the others there is only the name.

    What the ledger knows counts, else what all hosts have in their current release.
    """
    if not images:
        return {}
    ledger = await _ledger_says(context, seen, app)
    said = [_images(running.kept_release(host.apps.get(app, state.AppState(app)))) for host in seen.hosts.values()]
    found: dict[str, str] = {}
    for image in images:
        known = {ledger[image]} if image in ledger else {one.get(image, "") for one in said}
        if len(known) == 1:
            found[image] = known.pop()
    return {image: one for image, one in found.items() if one}


def _images(made: release.Release | None) -> dict[str, str]:
    """The images of a release by their text."""
    if made is None:
        return {}
    return digests.by_image(made.all_images)


async def _ledger_says(context: contexts.Context, seen: state.FleetState, app: str) -> dict[str, str]:
    """The images of the release that this ledger last committed on one of the hosts, unless all went on elsewhere."""
    if context.ledger is None:
        return {}
    known = await context.ledger.commits(app)
    mine = {name: known[name] for name in seen.hosts if name in known}
    if not mine or all(_gone_on(seen.hosts[name], app, one) for name, one in mine.items()):
        return {}
    last = max(mine.values(), key=lambda one: one.at)
    content = await context.ledger.release(last.release)
    planned = await _planned(context, app, last.release)
    if content is None or planned is None:
        return {}
    images = _images(restore.from_bytes(content))
    return {text: one for text, one in images.items() if "*" in planned.vouched or one in planned.vouched}


def _gone_on(seen: state.HostState, app: str, last: contradictions.Committed) -> bool:
    """Whether a host's journal has a commit that this ledger saw, and another one after it."""
    mine = seen.apps.get(app)
    lines = mine.journal if mine is not None else ()
    committed = [str(line["deployment"]) for line in lines if line.get("kind") == "committed"]
    return last.deployment in committed[:-1]


async def _planned(context: contexts.Context, app: str, release: str) -> events.DeploymentPlanned | None:
    """The intent with which a release was made here; None for one that hosts alone told of."""
    assert context.ledger is not None
    for deployment in await context.ledger.made(app, release):
        for stored in await context.ledger.events(deployment):
            what = stored.event
            if isinstance(what, events.DeploymentPlanned) and (what.verb, what.release) == ("deploy", release):
                return what
    return None
