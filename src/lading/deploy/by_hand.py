"""Services stopped, started, or run in another number by hand, until the next deployment says otherwise."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from lading import context as contexts
from lading import errors, state
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.deploy import ended, execution, placing, restart, rollback, takeover, unwell, waiting
from lading.placement import assignment
from lading.plan import planner, steps

Verb = Literal["stop", "start", "scale"]
MOST = 1000  # containers of a service on a host


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of an app; *services*: of which, () = of all that go on running; *count*: of `scale`."""

    verb: Verb
    app: str
    services: tuple[str, ...] = ()
    count: int = 0


def read_scale(target: str) -> Wish:
    """The wish that `scale APP/SERVICE=N` says.

    Raises:
        InputError: it is none.
    """
    name, _, number = target.partition("=")
    app, _, service = name.partition("/")
    if not (app and service and number):
        raise errors.InputError(f"{target!r} says no number of containers", "lading scale APP/SERVICE=N, such as shop/web=3")
    if not (number.isascii() and number.isdigit()) or len(number) > len(str(MOST)) or int(number) > MOST:
        raise errors.InputError(f"{number!r} is no number of containers from 0 to {MOST}", f"lading scale {name}=3")
    return Wish("scale", app, (service,), int(number))


async def plan(context: contexts.Context, wish: Wish, to: Sequence[str]) -> steps.Plan:
    """What the wish would do; nothing is changed anywhere.

    Raises:
        InputError, UnknownReleaseError, RefusedError, TransportError: as `carry_out`.
    """
    placed = await placing.place(context, to, lambda _: wish.app)
    seen = await rollback.look_whole(context, placed.chosen, wish.app)
    return _prepare(placed, seen, wish).plan


async def carry_out(
    context: contexts.Context, wish: Wish, to: Sequence[str], *, reason: str = "", take_lease: bool = False
) -> ended.Ended:
    """Let services run in the number that is wished for, as a deployment of the release that runs.

    Each host declares it from then on. Where one does not get well, all are as before.

    Raises:
        InputError: there is no such service, or it cannot run in that number.
        UnknownReleaseError: a host has not deployed the app, or hosts run different releases of it.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    placed = await placing.place(context, to, lambda _: wish.app)
    chosen = placed.chosen
    seen = await rollback.look_whole(context, chosen, wish.app)
    if await waiting.for_others(context, wish.app, seen):
        seen = await rollback.look_whole(context, chosen, wish.app)
    first = await takeover.end_open(context, wish.app, seen, take_lease=take_lease, before=f"the {wish.verb}")
    if first:
        seen = await rollback.look_whole(context, chosen, wish.app)
    prepared = _prepare(placed, seen, wish)
    wanted = rollback.order_of(context, prepared, placed, reason=reason, take_lease=take_lease)
    done = await execution.carry_out(context, wanted, first=first)
    what = prepared.target, prepared.plan.hosts, prepared.apps
    sick = unwell.note(*what) if done.result == "unchanged" else ""
    over = unwell.finished(*what) if wish.verb == "start" else ""
    return replace(done, note="; ".join(filter(None, [done.note, sick, over])))


def _prepare(where: placing.Placed, seen: state.FleetState, wish: Wish) -> rollback.Prepared:
    """The plan, out of what each host keeps of the release that it runs."""

    def plan_one(
        host: str, release: releases.Release, there: state.AppState, placed: assignment.Placed
    ) -> steps.HostPlan:
        numbers = there.current.generations if there.current is not None else {}
        down = planner.startable(release, placed, there)
        return planner.by_hand_host(host, release, numbers, there, wanted(release, placed, wish, down), placed)

    until = "kept until the next deploy or rollback says otherwise"
    return restart.of_running(
        where, seen, wish.app, wish.verb, plan_one, () if wish.verb == "start" else (until,))


def wanted(
    release: releases.Release, placed: assignment.Placed, wish: Wish, down: Collection[str] = ()
) -> dict[str, int]:
    """Service → containers, of those that a wish is about; *placed*: what a host is to run until then (pure).

    *down*: services that are to run, and of which containers are gone or have ended by themselves: they are started
    again in the number that they are to have.

    Raises:
        InputError: there is no such service, or it cannot run in that number.
    """
    restart.check_services(release, placed, wish.services)
    for name in wish.services:
        if release.endings.get(name) == "must":
            raise errors.InputError(f"{name} ends by itself: it is run by each deployment, and then done",
                                    f"lading run {release.app}/{name} runs a command of its own")
    found = {name: _count(release, name, wish) for name in wish.services or _meant(release, placed, wish)}
    if wish.verb == "start" and not wish.services:
        found |= {name: placed[name] for name in down}
    _check_shared(release, found)
    _check_tied(release, {**placed, **found}, found)
    return found


def _meant(release: releases.Release, placed: assignment.Placed, wish: Wish) -> list[str]:
    """The services that are meant without a name: all that run, or all that were stopped."""
    lasting = [name for name in placed if release.endings.get(name) != "must" and release.services[name].replicas]
    if wish.verb == "start":
        return [name for name in lasting if not placed[name]]
    return [name for name in lasting if placed[name]]


def _count(release: releases.Release, name: str, wish: Wish) -> int:
    if wish.verb == "start":
        return release.services[name].replicas
    return wish.count if wish.verb == "scale" else 0


def _check_shared(release: releases.Release, found: Mapping[str, int]) -> None:
    """Several containers on a host can have neither one port of it nor one name."""
    for name, count in found.items():
        definition = release.services[name].definition
        ports = [str(one.get("published") or "") for one in definition.get("ports") or () if isinstance(one, Mapping)]
        fixed = [port for port in ports if port.isdigit() and port != "0"]
        shared = f"the host port {fixed[0]}" if fixed else "one container_name" if definition.get("container_name") else ""
        if count > 1 and shared:
            raise errors.InputError(
                f"{name}: {count} containers on a host cannot share {shared}",
                "more hosts, or a release without it")


def _check_tied(release: releases.Release, placed: assignment.Placed, found: Mapping[str, int]) -> None:
    """What runs in the containers of another service cannot run without them."""
    for name, count in placed.items():
        for under in release.services[name].tied_to:
            if not count or placed.get(under, 1) or not {name, under} & set(found):
                continue
            hint = f"lading stop {release.app}/{name} before" if under in found else f"lading start {release.app}/{under} before"
            raise errors.InputError(f"{name} runs in the containers of {under}, which would be stopped", hint)
