"""Hosts that contradict the ledger: what changes them is refused, until a person accepts what is there."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lading import context as contexts
from lading import errors, state
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.ledger import contradictions

Wrong = Mapping[str, contradictions.Contradiction]
"""Host → in what it contradicts the ledger."""


async def look(
    context: contexts.Context, chosen: Sequence[hosts.Host], app: str, **more: Any
) -> tuple[state.FleetState, Wrong]:
    """What is seen of an app on hosts, and which of them contradict the ledger; *more*: see `observe.fleet`."""
    seen, wrong = await look_at_all(context, chosen, app, **more)
    return seen, next(iter(wrong), {})


async def look_at_all(
    context: contexts.Context, chosen: Sequence[hosts.Host], app: str, **more: Any
) -> tuple[state.FleetState, list[Wrong]]:
    """The same; without *app* of all apps, one after the other.

    The ledger is asked first: what is committed while the hosts are asked is news.
    """
    known = await context.commits(app)
    seen = await observe.fleet(
        context.transport, chosen, state_dir=context.settings.state_dir, engines=context.engines, app=app, since=contradictions.reach(known), **more)
    return seen, [contradictions.found(name, seen, known[name]) for name in known]


def check(wrong: Wrong, accepted: Collection[str] = ()) -> None:
    """Refuse hosts that contradict, but for those that a person has *accepted*.

    Raises:
        ContradictionError: there are such hosts; nothing was changed.
    """
    refused = {name: one for name, one in wrong.items() if name not in accepted}
    if not refused:
        return
    told = "; ".join(f"{name}: {one.why}" for name, one in refused.items())
    words = " ".join(f"--accept-host {name}" for name in refused)
    raise errors.ContradictionError(
        told, f"find out what happened there; lading plan shows the repair, lading deploy … {words} carries it out",
        host=next(iter(refused)), step="observe")


def check_names(accepted: Collection[str], chosen: Sequence[hosts.Host]) -> None:
    """Refuse a name in *accepted* that is none of the hosts.

    Raises:
        InputError: there is one.
    """
    names = [host.name for host in chosen]
    for name in accepted:
        if name not in names:
            raise errors.InputError(f"--accept-host {name}: that is none of the hosts of this deployment",
                                    f"one of: {', '.join(names)}")


def notes(wrong: Wrong) -> tuple[str, ...]:
    """What a plan says of hosts that contradict."""
    return tuple(f"{name} contradicts the ledger and is put right: --accept-host {name}, or approve this plan" for name in wrong)
