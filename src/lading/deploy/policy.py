"""What a project may do with its hosts: refused where its destination does not allow it, shown and marked as new elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading import errors, state
from lading.compose import dialects, overlay, parse, release, rights, variables
from lading.deploy import on_host
from lading.inventory import hosts
from lading.plan import steps

MOST = 12  # rights that one message names


def check(app: str, asked: Sequence[rights.Right], allowed: Sequence[hosts.Allowed]) -> None:
    """Refuse what is not in every list that counts; no list means that all is allowed.

    Raises:
        RightsError: it names each key with its file and line, the right, and the line to add.
    """
    for one in allowed:
        lacking = rights.lacking(asked, one.rights)
        if lacking:
            raise _refusal(app, lacking, one)


def _refusal(app: str, lacking: Sequence[rights.Right], allowed: hosts.Allowed) -> errors.RightsError:
    told = [_told(right) for right in lacking[:MOST]]
    if len(lacking) > MOST:
        told.append(f"and {len(lacking) - MOST} more")
    words = dict.fromkeys([*allowed.rights, *(one.word for one in lacking if one.name != rights.REFUSED)])
    hint = f"if all of it is meant, in {allowed.file or 'lading.yaml'}: allow: [{', '.join(words)}]"
    if all(one.name == rights.REFUSED for one in lacking):
        hint = "take these keys out: a destination with allow: takes none of them"
    if any("…" in one.word for one in lacking):
        hint += "; … is a secret value: x-lading: {plain: [NAME]} shows it"
    first = lacking[0]
    return errors.RightsError(
        f"{allowed.destination} does not allow what {app} asks for: {'; '.join(told)}",
        hint, file=first.file, line=first.line, step="policy")


def _told(right: rights.Right) -> str:
    where = f"{right.file}:{right.line} " if right.file and right.line else ""
    what = right.shown if right.name == rights.REFUSED else f"{right.word} ({right.says})"
    return f"{right.service or 'the project'}: {where}{right.place}: {what}"


def check_form(app: str, form: str, allowed: Sequence[hosts.Allowed]) -> None:
    """The same for Compose's normal form of a whole bundle: nothing of it was hidden from the first reading.

    Raises:
        RightsError: it asks for more than is allowed.
    """
    if allowed:
        tree = dialects.settled(parse.load(form.replace("@DIR@", "./lading").encode()))
        check(app, rights.find(tree), allowed)


def of_release(made: release.Release) -> tuple[rights.Right, ...]:
    """What a release that was made before asks for; secret values are not in it, and count as unknown."""
    tree = {
        "name": made.app,
        "services": {name: {**spec.definition, "volumes": mounts(made, spec)} for name, spec in made.services.items()},
        "networks": {key: one["definition"] for key, one in made.networks.items()},
        "volumes": {key: one["definition"] for key, one in made.volumes.items()},
    }
    return rights.find(tree)


def mounts(made: release.Release, spec: release.ServiceSpec) -> list[Any]:
    """What a service mounts but the shipped objects."""
    shipped = overlay.shipped(made.overlay).mounts.get(spec.name, {})
    listed = spec.definition.get("volumes") or ()
    return [one for one in listed if not isinstance(one, Mapping) or variables.plain_text(str(one.get("target"))) not in shipped]


def planned(asked: Sequence[rights.Right], app: str, seen: state.FleetState) -> tuple[steps.Right, ...]:
    """The rights of a plan, each with the hosts on which the app could not do that until now."""
    before: dict[str, set[tuple[str, str]]] = {}
    for name, host in seen.hosts.items():
        kept = on_host.current_release(host.apps.get(app, state.AppState(app)))
        before[name] = {(one.service, one.word) for one in of_release(kept)} if kept else set()
    return tuple(_planned(asked, before))


def _planned(asked: Sequence[rights.Right], before: Mapping[str, set[tuple[str, str]]]) -> list[steps.Right]:
    found: dict[tuple[str, str], steps.Right] = {}
    for right in asked:
        mine = (right.service, right.word)
        new = tuple(name for name, had in before.items() if mine not in had)
        found.setdefault(mine, steps.Right(right.service, right.word, right.place, right.says, new))
    return list(found.values())
