"""Release + what runs → plan; the one diff that serves deploy, plan, drift and rollback (pure)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from lading import state
from lading.compose import hooks, variables
from lading.compose import release as releases
from lading.health import verdict
from lading.placement import assignment
from lading.plan import containers, mounts, phases, steps
from lading.rollout import rolling

KEPT = 5  # releases that stay on a host


def generations(
    wanted: Mapping[str, str], kept: Mapping[str, Mapping[int, str]]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The generation of each secret and the names of those the host lacks; both sides are salted hashes.

    A content that the host keeps has its old number again, so that going back restarts what it must and no more.
    """
    numbers: dict[str, int] = {}
    fresh: list[str] = []
    for name, value in sorted(wanted.items()):
        known = kept.get(name, {})
        same = [number for number, hashed in known.items() if hashed == value]
        numbers[name] = max(same) if same else max(known, default=0) + 1
        if not same:
            fresh.append(name)
    return numbers, tuple(fresh)


def diff(
    host: str, release: releases.Release, numbers: Mapping[str, int], app: state.AppState,
    old: releases.Release | None, there: mounts.Kept = mounts.UNASKED, *, placed: assignment.Placed | None = None,
) -> tuple[steps.Change, ...]:
    """Everything in which a host differs from *release*; empty = it is there, as it should be.

    *placed*: what it is to run of it; by default all that was asked for.
    """
    found: list[steps.Change] = []
    for expected in verdict.expected_of(release, assignment.by_default(release) if placed is None else placed, numbers):
        found += containers.changes(host, release, expected, numbers, app, old, there)
    for name in sorted({c.service for c in app.containers if not c.one_off} - set(release.services)):
        found.append(steps.Change(host, name, "service", "running", "removed"))
    if old is not None:
        found += _networks(host, release, old, _moved(numbers, app))
    return tuple(found)


def _moved(numbers: Mapping[str, int], app: state.AppState) -> frozenset[str]:
    """The variables whose values are secret and other ones than those that run."""
    ran = app.current.generations if app.current is not None else {}
    return frozenset(name.removeprefix("var.") for name, number in numbers.items() if ran.get(name, number) != number)


def _networks(
    host: str, release: releases.Release, old: releases.Release, moved: Collection[str]
) -> list[steps.Change]:
    """The networks of the old release that are gone or defined otherwise; *moved*: variables with other values now."""
    found = []
    for key, network in old.networks.items():
        what = f"network {network['name']}"
        if key not in release.networks:
            becomes = "stays: it is external" if network["external"] else "removed"
            found.append(steps.Change(host, "", what, "there", becomes))
        elif network != release.networks[key] or variables.names(network["definition"]) & set(moved):
            found.append(steps.Change(host, "", what, "old definition", "new definition"))
    return found


def plan_host(
    host: str, release: releases.Release, numbers: Mapping[str, int], fresh: tuple[str, ...], app: state.AppState,
    old: releases.Release | None, attached: Mapping[str, Sequence[str]] | None = None, wrong: str = "",
    volumes: Mapping[str, state.Volume] | None = None, data: Mapping[str, bool] | None = None,
    *, placed: assignment.Placed | None = None, by_hand: Mapping[str, int] | None = None,
    owners: Sequence[steps.Change] = (), ships: bool = True,
) -> steps.HostPlan:
    """The steps that bring one host to *release*; none if it is there already.

    *attached*: network → names of containers on it that are not the app's; *wrong*: why what the host has written down
    does not count, so that it is written anew; *volumes* and *data*: what lies there, if it was asked for;
    *placed*: what the host is to run of the release, by default all that was asked for; *by_hand*: what of that a person
    wants in another number, by default nothing any more; *owners*: in what the host's record of whose the app is changes;
    *ships*: its files are brought, where the host has them otherwise.
    """
    strangers, by_hand = attached or {}, by_hand or {}
    placed = assignment.by_default(release) if placed is None else placed
    changes = diff(host, release, numbers, app, old, mounts.Kept(volumes, data), placed=placed)
    if wrong:
        changes = (steps.Change(host, "", "record", wrong, "written anew"), *changes)
    changes = (*owners, *changes)
    current = app.current
    is_declared = not changes and _declares(current, release, numbers, by_hand)
    again = _shipped_anew(host, release, app, ships=ships)
    if is_declared and not again:
        return steps.HostPlan(host, (), (), current, numbers, placed=placed, down=_not_running(placed, app))
    handed = _ending_by_hand(host, placed, app, changes)
    if not changes and not handed and not is_declared:
        changes = (steps.Change(host, "", "release", current.release if current else "", release.id),)
    networks = [
        key for key, network in release.networks.items()
        if old is not None and not network["external"] and key in old.networks
        and (old.networks[key] != network or variables.names(network["definition"]) & _moved(numbers, app))
    ]
    real = [str(release.networks[key]["name"]) for key in networks]
    anew = bool(real) or _unseen(release, placed, numbers, app, changes)
    surplus = _surplus(release, placed, numbers, app)
    pulled = _pulled(host, release, placed, app, changes, real, surplus, anew=anew)
    start = sorted({*_named(placed, changes), *(change.service for change in pulled if change.field != "stopped")})
    todo: list[steps.Step] = [
        steps.PullImages(_images(release, {*start, *placed}, placed)),
        steps.StoreRelease(release.id, tuple(sorted(set(release.objects) - (app.objects - app.altered)))),
    ]
    for name in real:
        users = tuple(sorted(one for one in placed if name in release.services[one].networks))
        todo.append(steps.RecreateNetwork(name, users, tuple(strangers.get(name, ()))))
    todo += [*_stopped(placed, surplus), *surplus]
    if start:
        todo.append(_started(release, placed, start, anew=anew))
    todo.append(steps.VerifyServices(tuple(sorted(placed))))
    needed = _still_on(release, placed, app, strangers)
    todo += _removals(release, app, old, needed)
    todo += end_of(release.id)
    changes = tuple(_as_kept(change, needed) for change in _in_words(changes, by_hand, app))
    adopted = _still_adopted(release, app)
    changes = (*again, *changes, *handed, *pulled, *_run_on(host, release, placed, app, old), *mounts.resources(host, release, placed, old, app, volumes))
    return steps.HostPlan(
        host, tuple(todo), changes, current, numbers, fresh, adopted, placed, by_hand, _not_running(placed, app))


def restart_host(
    host: str, release: releases.Release, numbers: Mapping[str, int], app: state.AppState,
    services: Collection[str], placed: assignment.Placed,
) -> steps.HostPlan:
    """The steps that give *services* new containers of the *release* that runs there, and nothing else.

    Who is made on one of their containers is made anew with it. What else differs stays as it is, and numbers by hand do.
    """
    asked = [steps.Change(host, name, "recreated", "", "it is restarted") for name in sorted(services)]
    tied = _pulled(host, release, placed, app, asked, (), (), anew=True)
    start = {*services, *(change.service for change in tied if change.field != "stopped")}
    todo: list[steps.Step] = [
        steps.PullImages(_images(release, start, placed)),
        steps.StoreRelease(release.id),
        _started(release, placed, start, anew=True),
        steps.VerifyServices(tuple(sorted(start))),
        *end_of(release.id),
    ]
    by_hand = assignment.differing(release, placed)
    return steps.HostPlan(
        host, tuple(todo), (*asked, *tied), app.current, numbers, (), _still_adopted(release, app), placed, by_hand,
        _not_running(placed, app))


def by_hand_host(
    host: str, release: releases.Release, numbers: Mapping[str, int], app: state.AppState,
    wanted: Mapping[str, int], declared: assignment.Placed,
) -> steps.HostPlan:
    """The steps by which services of the *release* that runs there have as many containers as are *wanted*; 0 = none.

    *declared*: what the host is to run until then. What else differs stays as it is.
    """
    placed = {**declared, **wanted}
    chosen = {name: placed[name] for name in sorted(wanted)}
    changes = [change for expected in verdict.expected_of(release, chosen, numbers)
               for change in containers.changes(host, release, expected, numbers, app, None)]
    by_hand = assignment.differing(release, placed)
    if not changes and _declares(app.current, release, numbers, by_hand):
        return steps.HostPlan(
            host, (), (), app.current, numbers, placed=placed, by_hand=by_hand, down=_not_running(placed, app))
    anew = _unseen(release, chosen, numbers, app, changes)
    surplus = _surplus(release, chosen, numbers, app)
    pulled = _pulled(host, release, placed, app, changes, (), surplus, anew=anew)
    start = {*_named(chosen, changes), *(change.service for change in pulled if change.field != "stopped")}
    todo: list[steps.Step] = [
        steps.PullImages(_images(release, start, placed)), steps.StoreRelease(release.id),
        *_stopped(chosen, surplus), *surplus,
    ]
    if start:
        todo.append(_started(release, placed, start, anew=anew))
    todo += [steps.VerifyServices(tuple(sorted({*chosen, *start}))), *end_of(release.id)]
    told = (*_in_words(changes, by_hand, app), *_only_declared(host, declared, chosen, by_hand, app, changes), *pulled)
    return steps.HostPlan(
        host, tuple(todo), told, app.current, numbers, (), _still_adopted(release, app), placed, by_hand,
        _not_running(placed, app))


def _not_running(placed: assignment.Placed, app: state.AppState) -> tuple[str, ...]:
    """The services of which no container runs."""
    running = {one.service for one in app.containers if one.status == "running" and not one.one_off}
    return tuple(name for name in placed if name not in running)


def startable(
    release: releases.Release, placed: assignment.Placed, app: state.AppState
) -> tuple[str, ...]:
    """The services that are to run on, and of which a container is missing, or has ended: a start would mend it."""
    found: list[str] = []
    for expected in verdict.expected_of(release, placed, {}):
        wrong = {one.state for one in verdict.problems(expected, app.containers) if one.kind in ("missing", "state")}
        if expected.replicas and expected.ends != "must" and wrong & {"missing", "exited"}:
            found.append(expected.spec.name)
    return tuple(found)


def _only_declared(
    host: str, declared: assignment.Placed, chosen: Mapping[str, int], by_hand: Mapping[str, int], app: state.AppState,
    changes: Sequence[steps.Change],
) -> list[steps.Change]:
    """The numbers that are only written down, since as many containers are there already."""
    told = {change.service for change in changes if change.field == "containers"}
    return _in_words(
        [steps.Change(host, name, "containers", str(declared[name]), str(count))
         for name, count in chosen.items() if declared[name] != count and name not in told], by_hand, app)


def _still_adopted(release: releases.Release, app: state.AppState) -> dict[str, state.Adopted]:
    """The adopted containers that are still there."""
    there = {one.id for one in app.containers if one.service in release.services}
    adopted = app.current.adopted if app.current is not None else {}
    return {key: one for key, one in adopted.items() if key in there}


def _declares(
    current: state.Current | None, release: releases.Release, numbers: Mapping[str, int], by_hand: Mapping[str, int]
) -> bool:
    """Whether a host says already that it runs just this."""
    if current is None or current.release != release.id or dict(current.generations) != numbers:
        return False
    return current.by_hand == by_hand


def _ending_by_hand(
    host: str, placed: assignment.Placed, app: state.AppState, changes: Sequence[steps.Change]
) -> list[steps.Change]:
    """The numbers by hand that end, though as many containers are there as shall be."""
    told = {change.service for change in changes if change.field == "containers"}
    was = app.current.by_hand if app.current is not None else {}
    return [steps.Change(host, name, "containers", _hand_word(str(count), count), str(placed[name]))
            for name, count in sorted(was.items()) if name not in told and placed.get(name, count) != count]


def _in_words(
    changes: Sequence[steps.Change], becomes: Mapping[str, int], app: state.AppState
) -> list[steps.Change]:
    """The changes, those of a number of containers with whether it is by hand; *becomes*: which numbers will be."""
    was = app.current.by_hand if app.current is not None else {}
    return [
        replace(one, old=_hand_word(one.old, was.get(one.service)), new=_hand_word(one.new, becomes.get(one.service)))
        if one.field == "containers" else one for one in changes
    ]


def _hand_word(count: str, by_hand: int | None) -> str:
    """A number of containers; *by_hand*: the one that a person wants, if anybody does."""
    if by_hand is None:
        return count
    word = f"{by_hand} by hand" if by_hand else "stopped by hand"
    return word if str(by_hand) == count else f"{count} ({word})"


def _stopped(placed: assignment.Placed, surplus: Sequence[steps.ScaleDown]) -> list[steps.Step]:
    """The stop of the services none of whose containers stays: they go in their order, and each in its grace."""
    names = tuple(step.service for step in surplus if not placed[step.service])
    return [steps.StopServices(names)] if names else []


def _started(
    release: releases.Release, placed: assignment.Placed, services: Collection[str], *, anew: bool
) -> steps.StartServices:
    """The start of services, in the numbers that the host is to run."""
    names = tuple(sorted(services))
    other = assignment.differing(release, {name: placed[name] for name in names if name in placed})
    return steps.StartServices(names, anew, other)


def _shipped_anew(
    host: str, release: releases.Release, app: state.AppState, *, ships: bool
) -> tuple[steps.Change, ...]:
    """What of the release that is deployed is not on the host any more as it was shipped; of another, what it needs, too."""
    is_current = app.current is not None and app.current.release == release.id
    if is_current and release.id not in app.releases:
        return (steps.Change(host, "", "release", "its files are gone or damaged", "stored anew"),)
    needed = {path: how for path, how in app.unlike.items() if is_current or path.split("/")[1] in release.objects}
    return tuple(steps.Change(host, "", f"file {app.shipped_as(path)}", how, _becomes(how, ships=ships))
                 for path, how in needed.items())


def _becomes(how: str, *, ships: bool) -> str:
    """What a deployment makes of a file that is not as it was shipped."""
    if not ships:
        return "stays so: a rollback ships nothing"
    return "removed" if how == state.ADDED else "as shipped"


def end_of(release: str) -> list[steps.Step]:
    """How every deployment of a release ends on a host: prepared, committed, finished."""
    return [steps.PrepareRelease(release), steps.CommitRelease(release), steps.FinishRelease(release)]


def _images(release: releases.Release, services: Collection[str], placed: assignment.Placed) -> dict[str, str]:
    """The images of *services*; of one that has no container there only those that can be pulled."""
    found: dict[str, str] = {}
    for name, spec in release.services.items():
        if name in services:
            known = spec.all_images.items()
            found |= {key: image for key, image in known if placed.get(name, spec.replicas) or "@" in image}
    return found


def _run_on(
    host: str, release: releases.Release, placed: assignment.Placed, app: state.AppState, old: releases.Release | None
) -> list[steps.Change]:
    """The services whose containers stay though nobody asks for their profiles any more."""
    before = assignment.by_default(old) if old is not None else {}
    dropped = set(before) & (set(release.services) - set(placed))
    there = {c.service for c in app.containers if not c.one_off}
    return [steps.Change(host, name, "service", "running", "runs on as it is: nobody asks for its profile any more")
            for name in sorted(dropped & there)]


def _named(placed: assignment.Placed, changes: Sequence[steps.Change]) -> set[str]:
    """The services that must be started for what differs of themselves; fewer containers are no reason to start any."""
    fewer = {change for change in changes if change.field == "containers" and int(change.old) > int(change.new)}
    return {change.service for change in changes if change.service in placed and change not in fewer}


def _pulled(
    host: str, release: releases.Release, placed: assignment.Placed, app: state.AppState,
    changes: Sequence[steps.Change], networks: Sequence[str], surplus: Sequence[steps.ScaleDown], *, anew: bool,
) -> list[steps.Change]:
    """What happens to containers because of something else than themselves, each with its reason.

    *surplus*: those that go since they are too many; *anew*: Compose is told to make all that it starts anew.
    """
    made, named = _remade(placed, changes), _named(placed, changes)
    there = {c.service for c in app.containers if not c.one_off}
    found = _on_networks(host, release, placed, app, networks, made)
    found |= _on_surplus(host, placed, app, surplus, {*made, *found})
    while True:  # who is made on a recreated container, or started beside it, may be recreated too
        remade = made | {name for name, change in found.items() if change.field == "recreated"}
        restarted = _restarted(host, release, placed, app, remade)
        more = _tied(release, placed, remade)
        if anew:
            reasons = dict.fromkeys(named & there, "because what is started with it is made anew")
            reasons |= {name: change.new for name, change in restarted.items()}
            more = {name: why for name, why in reasons.items() if name not in remade} | more
        if not more:
            break
        found |= {name: steps.Change(host, name, "recreated", "", why) for name, why in more.items()}
    found |= restarted
    return sorted(found.values(), key=lambda change: change.service)


def _remade(placed: assignment.Placed, changes: Sequence[steps.Change]) -> set[str]:
    """The services all of whose containers are replaced for what differs of themselves, or of which there was none."""
    found = set()
    for change in changes:
        more = change.field == "containers" and change.old != "0"
        if change.service in placed and change.field != "state" and not more:
            found.add(change.service)
    return found


def _on_networks(
    host: str, release: releases.Release, placed: assignment.Placed, app: state.AppState, networks: Sequence[str],
    made: Collection[str],
) -> dict[str, steps.Change]:
    """What becomes of the services on *networks*, which are made anew; *made*: those that are replaced anyhow."""
    found: dict[str, steps.Change] = {}
    for network in networks:
        because = f"because network {network} is made anew"
        for name in placed:
            if network in release.services[name].networks and name not in made:
                found.setdefault(name, steps.Change(host, name, "recreated", "", because))
        for name in sorted({c.service for c in app.containers if network in c.networks and not c.one_off}):
            if name in release.services and name not in placed:
                found.setdefault(name, steps.Change(host, name, "stopped", "", f"{because}, and no deployment starts it"))
    return found


def _on_surplus(
    host: str, placed: assignment.Placed, app: state.AppState, surplus: Sequence[steps.ScaleDown], made: Collection[str],
) -> dict[str, steps.Change]:
    """The services whose containers are made on one that goes since it is one too many."""
    whose = {id_: step.service for step in surplus for id_ in step.containers}
    found = {}
    for seen in app.containers:
        under = sorted(whose[id_] for id_ in seen.made_on if id_ in whose)
        if under and seen.service in placed and seen.service not in made and not seen.one_off:
            because = f"because it is made on a container of {under[0]} that goes"
            found[seen.service] = steps.Change(host, seen.service, "recreated", "", because)
    return found


def _tied(release: releases.Release, placed: assignment.Placed, remade: Collection[str]) -> dict[str, str]:
    """The services whose containers are made on recreated ones, each with the reason."""
    found = {}
    for name in placed:
        why = "" if name in remade else _tie(release.services[name], remade)
        if why:
            found[name] = f"because {why}"
    return found


def _unseen(
    release: releases.Release, placed: assignment.Placed, numbers: Mapping[str, int], app: state.AppState,
    changes: Sequence[steps.Change],
) -> bool:
    """Whether a container has to go for a reason that Compose does not see.

    Its volume has another name in the same definition; or it does not run, and was taken off its network.
    """
    moved = {change.service for change in changes if change.field.startswith(mounts.FIELD)}
    lost = {change.service for change in changes if change.field == "attached"}
    for expected in verdict.expected_of(release, placed, numbers):
        name = expected.spec.name
        for seen in verdict.containers_of(name, app.containers):
            if name in moved and verdict.is_same(expected, seen, "definition", "secrets"):
                return True
            if name in lost and containers.off_networks(expected.spec, seen):
                return True
    return False


def _restarted(
    host: str, release: releases.Release, placed: assignment.Placed, app: state.AppState, remade: Collection[str]
) -> dict[str, steps.Change]:
    """The services that keep their containers, but are restarted since one that they depend on gets a new one.

    Compose does that itself for services of one `up`; one-shots are not run again for it.
    """
    there = {c.service for c in app.containers if not c.one_off}
    ended = release.one_shots(verdict.finished(app.containers))
    found = {}
    for name in placed:
        causes = [one for one in release.services[name].restarts_with if one in remade and one in there]
        if causes and name not in remade and name in there and name not in ended:
            because = f"because {causes[0]} is recreated (depends_on: restart: true)"
            found[name] = steps.Change(host, name, "restarted", "", because)
    return found


def _tie(spec: releases.ServiceSpec, remade: Collection[str]) -> str:
    """Which recreated service a service's containers are made on, and by which key; "" if none."""
    for name in spec.tied_to:
        if name not in remade:
            continue
        keys = [key for key in ("network_mode", "ipc", "pid") if spec.definition.get(key) == f"service:{name}"]
        how = f"{keys[0]}: service:{name}" if keys else "volumes_from"
        return f"{name} is ({how})"
    return ""


def _surplus(
    release: releases.Release, placed: assignment.Placed, numbers: Mapping[str, int], app: state.AppState
) -> list[steps.ScaleDown]:
    """The containers above a service's replicas: those that are least as the release says, and least well."""
    found: list[steps.ScaleDown] = []
    for expected in sorted(verdict.expected_of(release, placed, numbers), key=lambda one: one.spec.name):
        extra = verdict.ranked(expected, app.containers)[expected.replicas:]
        if extra:
            found.append(steps.ScaleDown(expected.spec.name, tuple(container.id for container in extra)))
    return found


def _still_on(
    release: releases.Release, placed: assignment.Placed, app: state.AppState, attached: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The names of the containers that stay on a network whatever a deployment does: of others, and of who only runs on."""
    found = {network: list(names) for network, names in attached.items() if names}
    for seen in app.containers:
        if seen.service in release.services and seen.service not in placed and not seen.one_off:
            for network in seen.networks:
                found.setdefault(network, []).append(seen.name)
    return found


def _as_kept(change: steps.Change, needed: Mapping[str, Sequence[str]]) -> steps.Change:
    """A change that says what becomes of a network which the release no longer has, but containers need."""
    names = needed.get(change.field.removeprefix("network "), ())
    if change.service or change.new != "removed" or not names:
        return change
    return replace(change, new=f"stays: {', '.join(sorted(names))} is on it")


def _removals(
    release: releases.Release, app: state.AppState, old: releases.Release | None, needed: Mapping[str, Sequence[str]]
) -> list[steps.Step]:
    """Services and networks that the release no longer has; *needed*: network → who stays on it."""
    gone: dict[str, list[str]] = {}
    for container in app.containers:
        if container.service not in release.services and not container.one_off and container.owned:
            gone.setdefault(container.service, []).append(container.id)
    found: list[steps.Step] = [steps.RemoveService(name, tuple(ids)) for name, ids in sorted(gone.items())]
    for key, network in (old.networks if old else {}).items():
        if key not in release.networks and not network["external"] and str(network["name"]) not in needed:
            found.append(steps.RemoveNetwork(str(network["name"])))
    return found


def without_one_shots(plan: steps.HostPlan, release: releases.Release, finished: Collection[str]) -> steps.HostPlan:
    """A way back as it is carried out: what has *finished* is not run again, unless `x-lading.on_undo: run`."""
    jobs = release.left_on_the_way_back(finished)
    if not plan.steps or not jobs:
        return plan
    todo = [left for left in (_without(step, jobs) for step in plan.steps) if left is not None]
    before = plan.previous.release if plan.previous else ""
    changes = tuple(change for change in plan.changes if change.service not in jobs)
    changes = changes or (steps.Change(plan.host, "", "release", before, release.id),)
    return replace(plan, steps=tuple(todo), changes=changes)


def _without(step: steps.Step, services: Collection[str]) -> steps.Step | None:
    """A step that leaves *services* alone; None if nothing is left of it."""
    if not isinstance(step, steps.StartServices | steps.VerifyServices):
        return step
    others = tuple(name for name in step.services if name not in services)
    if isinstance(step, steps.StartServices) and not others:
        return None
    return replace(step, services=others)


def way_back(
    plan: steps.HostPlan, old: releases.Release, finished: Collection[str] | None
) -> tuple[steps.HostPlan, bool]:
    """The undo of a host: its plan, and whether all of the app's containers are stopped first.

    *finished* one-shots stay as they are, unless `x-lading.on_undo: run`; after a network step all is
    made anew, for nobody knows what Compose has left of it.
    """
    left = old.left_on_the_way_back(finished)
    judged = tuple(sorted(name for name in plan.placed if name not in left))
    whole = any(isinstance(step, steps.RecreateNetwork) for step in plan.steps)
    start = judged if whole else tuple(name for name in plan.services if name in judged)
    kept = [step for step in plan.steps if not isinstance(step, steps.StartServices | steps.VerifyServices)]
    started: list[steps.Step] = [_started(old, plan.placed, start, anew=whole or plan.anew)] if start else []
    todo = (*kept, *started, steps.VerifyServices(judged))
    return replace(plan, steps=todo, changes=()), whole


def hooked(release: releases.Release, hosts: Mapping[str, steps.HostPlan]) -> dict[str, steps.HostPlan]:
    """The plans of the hosts, the first that starts something with the hook of the release before its first start."""
    found, hook = dict(hosts), hooks.before(release.extension)
    name = next((name for name, host in hosts.items() if host.services), "")
    if hook is None or not name:
        return found
    run = steps.RunHook("before", hook.service, hook.command, hook.timeout)
    todo: list[steps.Step] = []
    images = release.services[hook.service].all_images
    for step in hosts[name].steps:
        todo.append(replace(step, images={**step.images, **images}) if isinstance(step, steps.PullImages) else step)
        if isinstance(step, steps.StoreRelease):
            todo.append(run)
    found[name] = replace(hosts[name], steps=tuple(todo))
    return found


def plan(
    release: releases.Release, destination: str, hosts: Mapping[str, steps.HostPlan], warnings: Sequence[str] = (),
    *, back: bool = False,
) -> steps.Plan:
    """The whole plan: hosts with something to do, in batches of `update_config` (*back*: of `rollback_config`)."""
    busy = [name for name, host in hosts.items() if host.steps]
    pace = release.back if back else release.forth
    said = [*warnings, *_strangers(hosts)]
    may_end = {one for host in hosts.values() for one in host.services if release.endings.get(one) == "may"}
    if may_end:
        said.append(f"may end: {', '.join(sorted(may_end))} (an exit with code 0 counts as completed)")
    if back and any(mounts.has_anonymous(release, name) for host in hosts.values() for name in host.services):
        said.append("anonymous volumes that its last containers had are mounted again, where they are still there")
    if any(release.volumes) and busy:
        said.append("an undo restores containers and configuration, not the data in volumes")
    batches = rolling.batches(busy, pace.parallelism)
    return steps.Plan(
        release.app, release.version, release.id, destination, dict(hosts), batches, pace.delay,
        tuple(dict.fromkeys(said)), phases=phases.phases(hosts, batches, pace.delay),
        one_shots=tuple(name for name, how in release.endings.items() if how == "must"),
    )


def _strangers(hosts: Mapping[str, steps.HostPlan]) -> list[str]:
    return [
        f"{name}: network {step.network} is made anew; {', '.join(step.foreign)} of others will be detached for that time"
        for name, host in hosts.items() for step in host.steps
        if isinstance(step, steps.RecreateNetwork) and step.foreign
    ]


def prunable(
    app: state.AppState, made: releases.Release, numbers: Mapping[str, int]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Releases, objects and secret generations that may go once *made* is committed with the generations *numbers*.

    Kept are the newest KEPT, and what a container runs that no newer kept release explains; the rest by reference.
    """
    ordered = [name for name in app.order if name != made.id]
    kept, missing = set(ordered[: KEPT - 1]), {c.content for c in app.containers}
    for name in ordered:
        explained = {spec["content"] for spec in app.releases[name].get("services", {}).values()}
        kept |= {name} if missing & explained else set()
        missing -= explained
    dropped = tuple(name for name in ordered if name not in kept)
    objects = {*made.objects, *(key for name in kept for key in app.releases[name].get("objects", {}))}
    mounted = {part for c in app.containers for source in c.mounts.values() for part in source.split("/")}
    lost = {key for name in dropped for key in app.releases[name].get("objects", {})}
    return tuple(sorted(dropped)), tuple(sorted(lost - objects - mounted)), _old_secrets(app, kept, numbers, mounted)


def _old_secrets(
    app: state.AppState, kept: set[str], numbers: Mapping[str, int], mounted: set[str]
) -> tuple[tuple[str, int], ...]:
    """Secret generations that no kept release ran with; none if it is not known of every one."""
    ran = [app.ran_with(name) for name in kept]
    used = {(name, int(number)) for one in (*ran, numbers) for name, number in (one or {}).items()}
    if None in ran:
        return ()
    used |= {(name, int(number)) for name, number in (app.current.generations if app.current else {}).items()}
    return tuple(sorted((name, number) for name, known in app.secrets.items() for number in known
                        if (name, number) not in used and releases.secret_path(name) not in mounted))
