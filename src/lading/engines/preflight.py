"""What keeps a host from taking a release: engine, Compose, tools, disk, architecture, ports, owners (pure)."""

from collections.abc import Mapping, Sequence

from lading import shape, state
from lading.commands import command
from lading.compose import owner, release
from lading.plan import steps

ENGINE = (20, 10)
COMPOSE = (2, 24, 4)
FREE_MIB = 50  # below this a deployment does not start
NETWORK_FS = ("nfs", "nfs4", "cifs", "smb2", "fuseblk", "9p", "ceph", "glusterfs")
ANY = ("", "0.0.0.0", "::")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def problems(
    made: release.Release, plan: steps.HostPlan, seen: state.HostState, platforms: Mapping[str, Sequence[str]]
) -> list[str]:
    """Everything that speaks against this host, in words; empty = it may go on."""
    facts = seen.facts
    if facts.problem:
        return [facts.problem]
    found = tooling(facts)
    found += [f"{path} does not exist on the host" for path in facts.missing_paths]
    found += _architecture(made, facts, platforms)
    found += _ports(made, plan, seen)
    return found


def remedy(seen: state.HostState) -> str:
    """What to type where a host cannot take a release: the folders that are missing are made, else the whole host is looked at."""
    missing = seen.facts.missing_paths
    return f"ssh {seen.host} mkdir -p {command.join(missing)}" if missing else f"lading check {seen.host}"


def tooling(facts: state.Facts) -> list[str]:
    """Problems of the machine itself, whatever the release."""
    if facts.problem:
        return [facts.problem]
    found = []
    if version(facts.engine) < ENGINE:
        found.append(f"Docker Engine {facts.engine or '(none)'} is too old, 20.10 is needed")
    if not facts.compose:
        found.append("the Compose plugin is not installed (docker compose version)")
    elif version(facts.compose) < COMPOSE:
        found.append(f"Compose {facts.compose} is too old, 2.24.4 is needed")
    found += [f"{tool} is not installed" for tool in facts.tools]
    where = facts.context.split()
    if len(where) > 1 and not where[1].startswith("unix://"):
        found.append(f"DOCKER_HOST is {where[1]}: lading deploys to the host's own engine")
    if len(where) == 1 and where[0] != "default":
        found.append(f"Docker's context there is {where[0]}, which pulls do not follow: "
                     "set DOCKER_HOST for the user instead")
    if facts.state_fs in NETWORK_FS:
        found.append(f"{facts.state_dir} is on a network file system ({facts.state_fs}): leases do not hold there")
    for what, free in ((facts.state_dir, facts.disk_free), ("Docker's folder", facts.docker_free)):
        if 0 <= free < FREE_MIB:
            found.append(f"the disk is full: {free} MiB free for {what}")
    return found


def unreached(said: str) -> str:
    """Why an engine did not reach a registry, from its words about an image that is nowhere; "" = it did.

    That the image is not there, or not for everybody, is an answer of the registry.
    """
    words = ("not found", "manifest unknown", "no basic auth", "unauthorized", "denied", "authentication required",
             "does not exist", "no such image", "403", "401")
    return "" if any(word in said.lower() for word in words) else said or "no answer in 15 s"


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.40.3-desktop.1" → (2, 40, 3)."""
    numbers = []
    for word in text.lstrip("v").replace("-", ".").replace("+", ".").split("."):
        if shape.whole(word) < 0:
            break
        numbers.append(int(word))
    return tuple(numbers)


def _architecture(
    made: release.Release, facts: state.Facts, platforms: Mapping[str, Sequence[str]]
) -> list[str]:
    mine = f"linux/{ARCHITECTURES.get(facts.architecture, facts.architecture)}"
    found = []
    for image in sorted({image for spec in made.active.values() for image in spec.all_images.values()}):
        known = platforms.get(image, ())
        if known and not any(p == mine or p.startswith(mine + "/") for p in known):
            found.append(f"{image} is not there for {mine} (only {', '.join(known)})")
    return found


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
) -> str:
    """Why the project's name on this host is not ours to deploy to; "" = it is. *path*: the project folder here.

    *lost*: the ledger saw a commit of the app there, of which the host has no record any more.
    """
    mine = seen.apps.get(app, state.AppState(app))
    strangers = [c for c in mine.containers if not c.owned and not c.one_off]
    if strangers:
        origin = strangers[0].working_dir or "an unknown folder"
        return f"project {app} has containers that lading did not make ({strangers[0].name}, from {origin})"
    if mine.given_back and mine.current is None and any(c.owned for c in mine.containers):
        return f"{app} was given back (lading remove --keep-running), and its containers are there"
    if mine.current is None and any(c.owned for c in mine.containers) and mine.open_intent is None and not lost:
        origin = next(c.working_dir for c in mine.containers if c.owned)
        return f"{app} was deployed with another state folder (from {origin}), perhaps by another SSH user"
    if mine.current is None or take_over:
        return ""
    if not owner.same(mine.current.source, source, path):
        return f"{app} belongs to {owner.difference(mine.current.source, source)}"
    if mine.current.destination != destination:
        return f"{app} was deployed there for destination {mine.current.destination}, this is {destination}"
    return ""
