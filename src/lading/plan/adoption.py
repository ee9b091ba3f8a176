"""A running Compose project beside a release: what differs, what forbids to adopt it, what its containers count as (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lading import state
from lading.compose import reference
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.health import verdict
from lading.placement import assignment
from lading.plan import likeness, steps
from lading.transport import command

SERVICE = "com.docker.compose.service"


@dataclass(frozen=True, slots=True)
class Running:
    """A Compose project on one host, as `docker inspect` shows it: *containers* without one-off ones, *networks* by name."""

    containers: Sequence[Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    evidence: likeness.Evidence = field(default_factory=likeness.Evidence)

    def of(self, service: str) -> list[Mapping[str, Any]]:
        """The containers of one service."""
        return [raw for raw in self.containers if (raw["Config"].get("Labels") or {}).get(SERVICE) == service]

    def image(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is known of a container's image."""
        return self.evidence.images.get(str(raw["Image"])) or {}


def running(
    containers: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]], networks: Sequence[Mapping[str, Any]]
) -> Running:
    """The same from lists of `docker inspect`."""
    labels = [c["Config"].get("Labels") or {} for c in containers]
    lasting = [c for c, own in zip(containers, labels, strict=True)
               if own.get("com.docker.compose.oneoff") != "True" and not state.is_helper(own)]
    return Running(lasting, {str(n["Name"]): n for n in networks}, likeness.Evidence({str(i["Id"]): i for i in images}))


def digest(text: str, host: Running) -> str:
    """The digest of the image *text* as it runs on a host under just this name, else "": adopting records what runs."""
    if "@" in text:
        return ""
    wanted = reference.parse(text)
    for raw in host.containers:
        for known in host.image(raw).get("RepoDigests") or () if raw["Config"].get("Image") == text else ():
            name = reference.parse(str(known))
            if (name.registry, name.repository) == (wanted.registry, wanted.repository):
                return name.digest
    return ""


def to_look_at(tree: Mapping[str, Any], seen: Running) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Paths whose content says whether a shipped file is the running one; and (place, path) of data that stays on the host."""
    sources, pairs = set(), set()
    for _, _, want, have in _binds(tree, seen):
        place = want.source.removeprefix(likeness.HERE)
        if place.startswith("project/"):
            pairs.add((place, have.source))
        elif place != want.source:
            sources.add(have.source)
    return tuple(sorted(sources)), tuple(sorted(pairs))


def _binds(tree: Mapping[str, Any], seen: Running) -> Iterator[tuple[str, str, likeness.Mount, likeness.Mount]]:
    """Service, target, the mount that the release wants there, and what is mounted there now."""
    for name, service in tree["services"].items():
        wanted = likeness.wanted_mounts(tree, service)
        for raw in seen.of(name):
            have = likeness.seen_mounts(raw, seen.image(raw).get("Config") or {})
            yield from ((name, target, want, have[target]) for target, want in wanted.items()
                        if want.kind == "bind" and target in have)


def traps(tree: Mapping[str, Any], seen: Running, folder: str) -> list[str]:
    """What would lose data or stop everything at a later deployment, with the way out; *folder*: the app's on the host."""
    found = []
    for name, target, want, have in _binds(tree, seen):
        place = want.source.removeprefix(likeness.HERE)
        if place.startswith("project/") and (place, have.source) not in seen.evidence.same:
            path = place.removeprefix("project/")
            make = command.join(["mkdir", "-p", f"{folder}/{place}".rpartition("/")[0]])
            link = command.join(["ln", "-s", have.source, f"{folder}/{place}"])
            out = (f"write {have.source} instead of ./{path} in the Compose file, or put a link to it on the host: {make} && {link}"
                   if have.kind == "bind" else f"mount the volume {have.source} in the Compose file")
            found.append(f"{name} has its data for {target} in {have.source}; after its next change it would find "
                         f"{folder}/{place} there, which is another place: {out}")
    for key, network in (tree.get("networks") or {}).items():
        there = seen.networks.get(str(network["name"]))
        if not network.get("external") and there is not None:
            found += [f"network {network['name']}: {what}; every service on it would stop: let the file say what is there "
                      f"({command.join(['docker', 'network', 'inspect', str(network['name'])])})" for what in _network(key, network, there)]
    return list(dict.fromkeys(found))


def _network(key: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
    labels = have.get("Labels") or {}
    if labels.get("com.docker.compose.network") != key:
        return ["it was not made by Compose for this project"]
    pools = [str(one.get("subnet")) for one in (want.get("ipam") or {}).get("config") or () if one.get("subnet")]
    told = [str(one.get("Subnet")) for one in (have.get("IPAM") or {}).get("Config") or ()]
    pairs = (
        ("driver", have.get("Driver"), want.get("driver") or "bridge"),
        ("internal", bool(have.get("Internal")), bool(want.get("internal"))),
        ("attachable", bool(have.get("Attachable")), bool(want.get("attachable"))),
        ("enable_ipv6", bool(have.get("EnableIPv6")), bool(want.get("enable_ipv6"))),
        ("driver_opts", dict(have.get("Options") or {}), {k: str(v) for k, v in (want.get("driver_opts") or {}).items()}),
        ("labels", {k: v for k, v in labels.items() if not k.startswith(likeness.OWN)},
         {k: str(v) for k, v in (want.get("labels") or {}).items()}),
        ("subnet", [one for one in told if one in pools] if pools else [], pools),
    )
    return [f"its {what} is not as in the file" for what, there, wanted in pairs if there != wanted]


@dataclass(frozen=True, slots=True)
class Compared:
    """One host: what differs, what its containers count as from now on, and what people should know."""

    changes: tuple[steps.Change, ...]
    adopted: Mapping[str, state.Adopted]
    notes: tuple[str, ...] = ()


def compare(
    host: str, made: releases.Release, numbers: Mapping[str, int], tree: Mapping[str, Any], seen: Running,
    app: state.AppState, folder: str, *, placed: assignment.Placed | None = None,
) -> Compared:
    """Everything in which the running project is not what *made* wants; a container that is just so counts as the release's.

    *folder*: the app's on the host; *placed*: what the host is to run of it, by default all.
    """
    placed = assignment.by_default(made) if placed is None else placed
    changes: list[steps.Change] = []
    adopted: dict[str, state.Adopted] = {}
    states = {c.id: c for c in app.containers}
    for name, spec in made.services.items():
        mine, expected = seen.of(name), verdict.expect(made, name, numbers, placed.get(name, 0))
        if name in placed and len(mine) != expected.replicas:
            changes.append(steps.Change(host, name, "containers", str(len(mine)), str(expected.replicas)))
        for raw in mine:
            found = likeness.differences(tree, name, raw, seen.evidence, spec.image)
            changes += [steps.Change(host, name, field, old, new) for field, old, new in found]
            one = states.get(str(raw["Id"]), state.ContainerState("", name, str(raw["Id"]), "", "", "", ""))
            changes += [steps.Change(host, name, "state", wrong.state, "completed" if expected.ends == "must" else "running")
                        for wrong in verdict.examine(expected, one) if wrong.kind == "state" and one.status]
            if found or not verdict.is_same(expected, one, *verdict.IDENTITY):
                adopted[one.id] = _counts_as(expected, [field for field, _, _ in found], raw)
    for raw in seen.containers:
        name = str((raw["Config"].get("Labels") or {}).get(SERVICE, ""))
        if name not in made.services:
            changes.append(steps.Change(host, name, "service", "running", "not in the file"))
            adopted[str(raw["Id"])] = state.Adopted("", str(raw["Config"].get("Image")))
    return Compared(tuple(dict.fromkeys(changes)), adopted, tuple(_notes(host, made, changes, tree, seen, folder)))


def _counts_as(expected: verdict.Expected, found: Sequence[str], raw: Mapping[str, Any]) -> state.Adopted:
    spec = expected.spec
    image = str(raw["Config"].get("Image")) if "image" in found else spec.image
    return state.Adopted("", image) if found else state.Adopted(spec.content, image, expected.label)


def _notes(
    host: str, made: releases.Release, changes: Sequence[steps.Change], tree: Mapping[str, Any], seen: Running,
    folder: str,
) -> Iterator[str]:
    named = sorted({c.service for c in changes if c.service in made.services})
    extra = sorted({c.service for c in changes if c.service not in made.services})
    if named:
        yield (f"{host}: {', '.join(named)} differ from the file: the next deployment brings them to what it says, and no undo or "
               "rollback brings back what runs now")
    if extra:
        yield f"{host}: {', '.join(extra)} are not in the file: the next deployment removes their containers"
    if mounts := sorted({f"{c.service} {c.field.removeprefix('mount ')}" for c in changes if c.field.startswith("mount ")}):
        yield f"{host}: other mounts, so perhaps other data, from the next deployment on: {', '.join(mounts)}"
    for name in sorted(made.services):
        if unread := likeness.unread(tree, name):
            yield f"{name}: {', '.join(unread)} were not compared"
    kept = sorted({(name, have.source) for name, _, want, have in _binds(tree, seen)
                   if want.source.startswith(likeness.HERE) and not want.source.startswith(likeness.HERE + "project")
                   and not have.source.startswith(folder + "/")})
    for source in sorted({source for _, source in kept}):
        users = ", ".join(name for name, path in kept if path == source)
        yield f"{host}: keep {source}: {users} mount it until their next change"
