"""What keeps a host from taking a release: engine, Compose, tools, disk, architecture, ports, owners (pure)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from lading import shape, state
from lading.compose import hooks, owner, release, sent, services
from lading.dataclass import dataclass
from lading.placement import assignment
from lading.plan import steps
from lading.transport import command

ENGINE = (20, 10)
COMPOSE = (2, 24, 4)
FREE_MIB = 50  # below this a deployment does not start
NETWORK_FS = ("nfs", "nfs4", "cifs", "smb2", "fuseblk", "9p", "ceph", "glusterfs")
SHORT_ID = 12  # characters by which a container's id is shown
ANY = ("", "0.0.0.0", "::")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}
ALSO = {"amd64": ("386",), "arm64": ("arm",)}  # what a processor runs beside its own
_QUOTED = re.compile(r'"[^"]*"')  # an address or a name, in what an engine says
_UNDERWAY = re.compile(r"(?:dial|lookup|connect|proxyconnect|read|write|x509|tls|permission denied)\b.*")
_ANSWER = re.compile(
    r"denied|unauthorized|no basic auth credentials|authentication required|authorization failed"
    r"|manifest unknown|name unknown|no such image|pull access denied\b.*|requested access .* is denied"
    r"|(?:.* )?not found(?: .*)?|.* does not exist(?: .*)?"
    r"|(?:error parsing http )?40[134](?: .*)?")

Part = Literal["docker", "compose", "tools", "disk", "state_dir"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a machine: *about* which part of it, and *why* in words."""

    about: Part
    why: str


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Why a project's name on a host is not ours to deploy to, and in words.

    *kind*: there are containers of nobody's or given back; or lading's, of which this state folder
    tells nothing; or it is recorded as another source's, or another destination's.
    """

    kind: Literal["containers", "records", "owner"]
    why: str


def problems(
    made: release.Release, plan: steps.HostPlan, seen: state.HostState, platforms: Mapping[str, Sequence[str]],
    *, placed: assignment.Placed | None = None,
) -> list[str]:
    """Everything that speaks against this host, in words; empty = it may go on.

    *placed*: what it is to run of the release; by default all that was asked for.
    """
    facts = seen.facts
    placed = assignment.by_default(made) if placed is None else placed
    if facts.useless:
        return [facts.useless]
    found = [one.why for one in tooling(facts)]
    found += [f"{path} does not exist on the host" for path in facts.missing_paths]
    found += _architecture(made, placed, facts, platforms)
    found += _external_networks(made, placed, facts)
    found += _foreign_containers(made, placed, facts)
    found += _runtimes(made, placed, facts)
    found += _too_old(made, placed, facts)
    found += _ports(made, plan, seen)
    return found


def needed_binds(made: release.Release, placed: assignment.Placed) -> tuple[str, ...]:
    """The absolute paths that must be on a host: not those that only services mount of which there is to be no container."""
    hook = hooks.before(made.extension)
    runs = {name for name, replicas in placed.items() if replicas} | ({hook.service} if hook is not None else set())
    used, unused = set[str](), set[str]()
    for name in placed:
        (used if name in runs else unused).update(_sources(made.services[name]))
    return tuple(path for path in made.absolute_binds if path in used or path not in unused)


def _sources(spec: release.ServiceSpec) -> Iterator[str]:
    """The paths and names that a service mounts."""
    for mount in spec.definition.get("volumes") or ():
        if isinstance(mount, Mapping):
            yield str(mount.get("source"))


def remedy(seen: state.HostState) -> str:
    """What to type where a host cannot take a release: the folders that are missing are made, else the whole host is looked at."""
    missing = seen.facts.missing_paths
    return command.by_ssh(seen.host, ["mkdir", "-p", *missing]) if missing else f"lading check {seen.host}"


def tooling(facts: state.Facts) -> list[Problem]:
    """Problems of the machine itself, whatever the release."""
    found = [Problem("docker", facts.problem)] if facts.problem else []
    found += [Problem("state_dir", f"cannot write {facts.unwritable}")] if facts.unwritable else []
    return found or [*_programs(facts), *_places(facts)]


def _programs(facts: state.Facts) -> Iterator[Problem]:
    """What is wrong with the engine, Compose and the tools."""
    if version(facts.engine) < ENGINE:
        yield Problem("docker", f"Docker Engine {facts.engine or '(none)'} is too old, 20.10 is needed")
    if not facts.compose:
        yield Problem("compose", "the Compose plugin is not installed (docker compose version)")
    elif version(facts.compose) < COMPOSE:
        yield Problem("compose", f"Compose {facts.compose} is too old, 2.24.4 is needed")
    for tool in facts.tools:
        yield Problem("tools", f"{tool} is not installed")
    where = facts.context.split()
    if len(where) > 1 and not where[1].startswith("unix://"):
        yield Problem("docker", f"DOCKER_HOST is {where[1]}: lading deploys to the host's own engine")
    if len(where) == 1 and where[0] != "default":
        yield Problem("docker", f"Docker's context there is {where[0]}, which pulls do not follow: "
                                "set DOCKER_HOST for the user instead")


def _places(facts: state.Facts) -> Iterator[Problem]:
    """What is wrong with the folders of lading and of the engine."""
    if facts.state_fs in NETWORK_FS:
        yield Problem("state_dir", f"{facts.state_dir} is on a network file system ({facts.state_fs}): "
                                   "leases do not hold there")
    for what, free in ((facts.state_dir, facts.disk_free), ("Docker's folder", facts.docker_free)):
        if 0 <= free < FREE_MIB:
            yield Problem("disk", f"the disk is full: {free} MiB free for {what}")


def unreached(said: str) -> str:
    """Why an engine did not reach a registry, from its words about an image that is nowhere; "" = it did.

    That the image is not there, or not for everybody, is an answer of the registry. An engine says
    one thing after the other with ": " between them; addresses and ports in them are no answers.
    """
    told = [one.strip() for one in _QUOTED.sub("", said.lower()).split(": ")]
    if not any(map(_UNDERWAY.fullmatch, told)) and any(map(_ANSWER.fullmatch, told)):
        return ""
    return said or "no answer in 15 s"


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.40.3-desktop.1" → (2, 40, 3)."""
    numbers = []
    for word in text.lstrip("v").replace("-", ".").replace("+", ".").split("."):
        if shape.whole(word) < 0:
            break
        numbers.append(int(word))
    return tuple(numbers)


def _external_networks(made: release.Release, placed: assignment.Placed, facts: state.Facts) -> list[str]:
    """The external networks of services that start, as far as the engine has told which networks there are."""
    if not facts.known_networks:
        return []
    used = frozenset[str]().union(*(made.services[name].networks for name in placed))
    external = {str(one["name"]) for one in made.networks.values() if one["external"]}
    absent = sorted((external & used).difference(facts.known_networks))
    return [f"the external network {name} does not exist (docker network create {command.quote(name)})" for name in absent]


def _foreign_containers(made: release.Release, placed: assignment.Placed, facts: state.Facts) -> list[str]:
    """The containers outside the project that services need and the engine does not have; those of the project come with it."""
    own = {str(spec.definition.get("container_name")) for spec in made.services.values()}
    found: dict[str, None] = {}
    for name in sorted(placed):
        for key, wanted in _of_others(made.services[name].definition) if placed[name] else ():
            mine = wanted in own or wanted.startswith(made.app + "-") or "$" in wanted
            there = wanted in facts.containers or (len(wanted) >= SHORT_ID and any(one.startswith(wanted) for one in facts.containers))
            if not mine and not there:
                found[f"service {name}: {key}: there is no container {wanted}"] = None
    return list(found)


def _of_others(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The containers that a service names itself, with the key that does."""
    yield from services.named(service, "container")
    for one in service.get("external_links") or ():
        yield "external_links", str(one).partition(":")[0]


def _runtimes(made: release.Release, placed: assignment.Placed, facts: state.Facts) -> list[str]:
    """The runtimes that the engine does not know, as far as it told which it does; one of containerd's own needs no entry there."""
    wanted = {str(made.services[name].definition.get("runtime") or "") for name, replicas in placed.items() if replicas}
    return [f"the runtime {name} is not known to Docker (docker info -f '{{{{json .Runtimes}}}}')" for name in sorted(wanted - {"", *facts.runtimes})
            if facts.runtimes and not set(name) & set("./$")]


def _too_old(made: release.Release, placed: assignment.Placed, facts: state.Facts) -> list[str]:
    """The keys that Compose refuses with an engine of this age, or that the engine itself does."""
    has = version(facts.engine)
    found: dict[str, None] = {}
    for name in sorted(placed):
        for key, needed in _demands(made.services[name].definition):
            if has < needed:
                said = ".".join(map(str, needed))
                found[f"service {name}: {key} needs Docker Engine {said}, the host has {facts.engine}"] = None
    return list(found)


def _demands(service: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The keys of a service that Compose refuses with older engines, or that those pass over, with the first that knows them."""
    if (service.get("healthcheck") or {}).get("start_interval"):
        yield "healthcheck.start_interval", (25, 0)
    for mount in service.get("volumes") or ():
        if not isinstance(mount, Mapping):
            continue
        if mount.get("type") == "image":
            yield "volumes: type: image", (28, 0)
        if (mount.get("volume") or {}).get("subpath"):
            yield "volumes.volume.subpath", (26, 0)
    networks = [one for one in (service.get("networks") or {}).values() if one]
    if any(one.get("interface_name") for one in networks):
        yield "networks.interface_name", (28, 1)
    if sum(bool(one.get("mac_address")) for one in networks) > 1:
        yield "networks.mac_address on more than one network", (25, 0)


def _architecture(
    made: release.Release, placed: assignment.Placed, facts: state.Facts, platforms: Mapping[str, Sequence[str]]
) -> list[str]:
    """The images that are there for none of the platforms that the host runs, or for another than the file's `platform:`."""
    mine = ARCHITECTURES.get(facts.architecture, facts.architecture)
    runs = [f"linux/{one}" for one in (mine, *ALSO.get(mine, ()))]
    found: dict[str, None] = {}
    for name in placed:
        spec = made.services[name]
        read = made.as_read.get(name)
        asked = read.platform if read is not None else str(spec.definition.get("platform") or "")
        if "$" in asked:  # a release that is read back hides its value, and nobody can compare it
            continue
        wanted = [asked] if asked else runs
        for image in spec.all_images.values():
            known = platforms.get(image, ())
            if known and not any(_is_for(one, wanted) for one in known):
                called = sent.split(image)[0] if sent.is_sent(image) else image
                found[f"{called} is not there for {wanted[0]} (only {', '.join(known)})"] = None
    return sorted(found)


def _is_for(platform: str, wanted: Sequence[str]) -> bool:
    return any(platform == one or platform.startswith(one + "/") or one.startswith(platform + "/") for one in wanted)


def _ports(made: release.Release, plan: steps.HostPlan, seen: state.HostState) -> list[str]:
    app = seen.apps.get(made.app, state.AppState(made.app))
    own = {port.rpartition(":")[2] for c in app.containers for port in c.ports}
    docker, others = _by_number(seen.facts.ports), _by_number({f"{at}/tcp": "" for at in seen.facts.listening})
    found = []
    for name in plan.services:
        for port in made.services[name].ports:
            address, number = _split(port)
            if number in own:
                continue
            known = {"" if at in ANY else at for at, _ in docker.get(number, ())}
            users = [project for at, project in docker.get(number, ()) if project != made.app and _meet(address, at)]
            users += ["a program outside Docker" for at, _ in others.get(number, ())
                      if ("" if at in ANY else at) not in known and _meet(address, at)]
            if users:
                found.append(f"port {number.partition('/')[0]} is taken by {users[0]}")
    return found


def _by_number(users: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """"address:number/protocol" → user, as number/protocol → (address, user)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for entry, user in users.items():
        address, number = _split(entry)
        found.setdefault(number, []).append((address, user))
    return found


def _split(entry: str) -> tuple[str, str]:
    """"[::1]:80/tcp" → the address, empty for all, and 80/tcp."""
    address, _, number = entry.rpartition(":")
    return address.strip("[]"), number


def _meet(one: str, other: str) -> bool:
    """Whether two addresses of a host cannot have the same port; 0.0.0.0 is all of IPv4, "::" and "" are all there are."""
    if "0.0.0.0" in (one, other) and any(":" in at and at != "::" for at in (one, other)):
        return False
    return one == other or one in ANY or other in ANY


def ownership(
    app: str, source: str, destination: str, seen: state.HostState, take_over: bool, path: str = "", *, lost: bool = False
) -> NotOurs | None:
    """Why the project's name on this host is not ours to deploy to; None = it is. *path*: the project folder here.

    *lost*: the ledger saw a commit of the app there, of which the host has no record any more.
    """
    mine = seen.apps.get(app, state.AppState(app))
    strangers = [c for c in mine.containers if not c.owned and not c.one_off]
    if strangers:
        origin = strangers[0].working_dir or "an unknown folder"
        return NotOurs("containers", f"project {app} has containers that lading did not make "
                                     f"({strangers[0].name}, from {origin})")
    if mine.given_back and mine.current is None and any(c.owned for c in mine.containers):
        return NotOurs("containers", f"{app} was given back (lading remove --keep-running), "
                                     "and its containers are there")
    if mine.current is None and any(c.owned for c in mine.containers) and mine.open is None and not lost:
        where = f": {mine.elsewhere} (another SSH user, or state_dir)"
        if not mine.elsewhere:
            origin = next(c.working_dir for c in mine.containers if c.owned)
            where = f" (from {origin}), perhaps by another SSH user"
        return NotOurs("records", f"{app} was deployed with another state folder{where}")
    if mine.current is None or take_over:
        return None
    if not owner.same(mine.current.source, source, path):
        theirs, ours = owner.difference(mine.current.source, source)
        return NotOurs("owner", f"{app} belongs to {theirs}, from where {_deployed(mine.current)}; this is {ours}")
    if mine.current.destination != destination:
        return NotOurs("owner", f"{app} was deployed there for destination {mine.current.destination}, "
                                f"this is {destination}")
    return None


def _deployed(current: state.Current) -> str:
    """What was deployed, by whom and when, as far as a host's record says it."""
    since, actor = f" at {current.since}" if current.since else "", f" by {current.actor}" if current.actor else ""
    return f"{current.version} was deployed{since}{actor}"
