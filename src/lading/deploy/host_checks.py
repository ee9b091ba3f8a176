"""Refuse hosts by what was seen of them: silent, damaged, another's, unfit, or data at stake."""

from collections.abc import Collection, Mapping, Sequence
from typing import assert_never

from lading import errors, state
from lading.compose import owner, release
from lading.deploy import on_host
from lading.engines import preflight
from lading.plan import mounts, steps
from lading.state import damage

KNOWN_FORMATS = ("", "1")
"""The formats of a host's state that this lading reads; "" is a host without any."""


def check_reachable(
    seen: state.FleetState, *, readable: bool = True, accepted: Collection[str] = (), named: Collection[str] = ()
) -> None:
    """All hosts must answer before anything begins, and (*readable*) say what is deployed there.

    *accepted*: hosts that are put right by what is deployed now, whatever they lack. *named*: hosts that `--to` names
    themselves, which cannot be left out.

    Raises:
        TransportError: one does not; of the kind that its answer was.
        ForeignError: its state is of a newer lading, or damaged.
        PreflightError: two of them are one machine.
    """
    for name, host in seen.hosts.items():
        _check_answer(name, host, others=len(seen.hosts) > 1 and name not in named)
    _check_distinct(seen)
    for name, host in seen.hosts.items():
        if not readable:
            continue
        for app in host.apps.values():
            wrong = damage.blocking(app)
            if wrong is not None and (app.unreadable or name not in accepted):
                raise damaged(host, app.app, wrong)


def _check_distinct(seen: state.FleetState) -> None:
    """Refuse two names of one engine: both would work on the same containers, and each would undo the other.

    Raises:
        PreflightError: there are such names.
    """
    known: dict[tuple[str, str, str], str] = {}
    for name, host in seen.hosts.items():
        machine = host.facts.machine
        if machine is None:
            continue
        if machine in known:
            raise errors.PreflightError(
                f"{known[machine]} and {name} are one machine: the same engine ({machine[0]}, {machine[2]})",
                "name it once in lading.yaml, or choose one of the two: --to", host=name, step="observe")
        known[machine] = name


def _check_answer(name: str, host: state.HostState, *, others: bool) -> None:
    """Refuse a host that has not answered as a host does; *others*: without it there are others to go on with."""
    if host.error_kind == "format":
        raise errors.ForeignError(host.error, "install the newer lading", host=name, step="observe")
    if not host.reachable:
        kinds = {kind.kind: kind for kind in
                 (errors.UnreachableError, errors.AuthenticationError, errors.HostKeyError)}
        kind = kinds.get(host.error_kind, errors.CommandError)
        hint = host.error_hint or f"lading check {name}"
        if kind is errors.UnreachableError and others:
            hint += f"; to go on without it: lading hosts exclude {name} --reason …, and --to without it if it is named there"
        raise kind(host.error, hint, host=name, step="observe")
    if host.facts.state_format not in KNOWN_FORMATS:
        found, known = host.facts.state_format, KNOWN_FORMATS[-1]
        raise errors.ForeignError(
            f"the state there has format {found}, this lading knows {known}",
            "install the newer lading", host=name, step="observe")


def check_own(host: state.HostState, app: str) -> None:
    """Refuse a journal that was written for another host: what is open in it is not open here.

    Raises:
        ForeignError: so it is.
    """
    mine = host.apps.get(app, state.AppState(app))
    wrong = damage.blocking(mine) if mine.foreign else None
    if wrong is not None:
        raise damaged(host, app, wrong)


def damaged(host: state.HostState, app: str, wrong: damage.Damage) -> errors.ForeignError:
    """The refusal of a host that cannot say what is deployed there: that is not "nothing"."""
    path = f"{host.facts.state_dir}/apps/{app}/{wrong.what}"
    return errors.ForeignError(
        f"{path} is damaged, so that nobody can say what of {app} is deployed there: {wrong.why}",
        f"lading repair {host.host} {app} writes it anew, and no container is touched; "
        f"or give it up there (volumes and data stay): lading remove {app} --to {host.host}",
        host=host.host, step="observe")


def check_owner(
    bundle: release.Bundle, destination: str, host: state.HostState, *, take_over: bool, lost: bool
) -> None:
    """Refuse a host on which the project's name is another's.

    *destination*: as the host would record it.
    *lost*: the ledger saw a commit there that the host lacks.

    Raises:
        ForeignError: it is; what makes it ours is its hint.
    """
    app = bundle.release.app
    wrong = preflight.ownership(app, bundle.source, destination, host, take_over, bundle.path,
                                lost=lost)
    if wrong is None:
        return
    match wrong.kind:
        case "containers":
            hint = _moving_in(host, app)
        case "records":
            hint = _finding_records(host, app)
        case "owner":
            hint = _taking_over(bundle, host)
        case _:
            assert_never(wrong.kind)
    raise errors.ForeignError(wrong.why, f"if that is right: {hint}", host=host.host, step="observe")


def _taking_over(bundle: release.Bundle, host: state.HostState) -> str:
    """What to type where an app is another source's, or another destination's."""
    current = host.apps[bundle.release.app].current
    if current is None or owner.same(current.source, bundle.source, bundle.path):
        return "--take-over"
    nameless = owner.FOLDER.match(bundle.source) or owner.COMMIT.match(bundle.source)
    named = "; `source: NAME` in lading.yaml tells that it is the same project" if nameless else ""
    return ("--take-over; a project whose folder has become a repository (git init and a first commit), "
            f"or has another remote, counts as another owner{named}")


def taken_over(
    bundle: release.Bundle, destination: str, host: state.HostState
) -> tuple[steps.Change, ...]:
    """In what a host's record of whose the app is changes, where it is taken over; nothing where it is ours.

    *destination*: as the host would record it.
    """
    current = host.apps.get(bundle.release.app, state.AppState(bundle.release.app)).current
    if current is None:
        return ()
    found: list[steps.Change] = []
    if not owner.same(current.source, bundle.source, bundle.path):
        theirs, ours = owner.difference(current.source, bundle.source)
        found.append(steps.Change(host.host, "", "owner", theirs, ours))
    if current.destination != destination:
        found.append(steps.Change(host.host, "", "destination", current.destination, destination))
    return tuple(found)


def _finding_records(host: state.HostState, app: str) -> str:
    """What to type where containers of lading's run of which the state folder tells nothing."""
    elsewhere = host.apps[app].elsewhere
    if elsewhere:
        return f"deploy as that user, or move {elsewhere.partition(', ')[0]} to {host.facts.state_dir}/apps"
    return f"if nobody else deploys it: lading repair {host.host} {app} writes its records anew"


def _moving_in(host: state.HostState, app: str) -> str:
    """What to type where a project runs that is not lading's."""
    adopt = f"lading adopt {app} --to {host.host}; or another name: --app NAME"
    if host.apps.get(app, state.AppState(app)).current is None:
        return adopt
    return f"lading remove {app} --to {host.host} --keep-running, then {adopt}"


def check_data(made: release.Release, plan: steps.HostPlan, seen: state.HostState) -> None:
    """Refuse what would lose data on a host, or would be recorded there and never happen.

    Raises:
        PreflightError: there is something; what to do by hand is its hint.
    """
    app = seen.apps.get(made.app, state.AppState(made.app))
    ran = app.current.generations if app.current is not None else {}
    moved = [name.removeprefix("var.") for name, number in plan.generations.items()
             if name.startswith("var.") and ran.get(name, number) != number]
    found = mounts.problems(made, on_host.current_release(app), seen, moved, placed=plan.placed)
    if found:
        raise errors.PreflightError("; ".join(one.why for one in found), found[0].hint,
                                    host=seen.host, step="plan")


def check_hosts(
    made: release.Release, plans: Mapping[str, steps.HostPlan], seen: state.FleetState,
    platforms: Mapping[str, Sequence[str]],
) -> None:
    """Refuse hosts that cannot take a release, with all that is wrong on all of them.

    Raises:
        PreflightError: there is such a host.
    """
    wrong: dict[str, str] = {}
    for name, host in seen.hosts.items():
        problems = preflight.problems(made, plans[name], host, platforms, placed=plans[name].placed)
        if problems:
            wrong[name] = "; ".join(problems)
    if not wrong:
        return
    first, *others = wrong
    told = "".join(f"; {name}: {wrong[name]}" for name in others)
    raise errors.PreflightError(wrong[first] + told, preflight.remedy(seen.hosts[first]),
                                host=first, step="preflight")
