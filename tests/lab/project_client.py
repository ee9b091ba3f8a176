"""Projects as teams have them, brought up by plain Compose on one host and by lading on another, and what their engines say of them.

What differs by design between the two is taken away here, and nothing else: DIFFERS says what and why.
"""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from app_client import App
from lab_client import CHECKOUT, Done, Lab

PROJECTS = CHECKOUT / "tests" / "projects"
REGISTRY = "registry.lab:5000"
STAND_IN = f"{REGISTRY}/stand-in"
VERSIONS = ("1.0.0", "1.1.0")
IMAGE = re.compile(r"registry\.lab:5000/([a-z0-9./_-]+):(?:([\w.-]+)|\$\{(\w+))")
LABEL = "com.docker.compose.project"
ANONYMOUS = "com.docker.volume.anonymous"
Json = dict[str, Any]

DIFFERS = {
    "Id": "each container's own", "Created": "a time", "State": "times and process ids; how it ended is kept apart",
    "ResolvConfPath": "a path with the id", "HostnamePath": "a path with the id", "HostsPath": "a path with the id",
    "LogPath": "a path with the id", "GraphDriver": "paths of the container's layers",
    "ExecIDs": "a health check that is running just now",
}
LABELS_DIFFER = {
    "com.docker.compose.config-hash": "of the file with the overlay: labels and digests are in it",
    "com.docker.compose.project.config_files": "where the Compose files lie",
    "com.docker.compose.project.working_dir": "where the project lies",
    "com.docker.compose.project.environment_file": "where the .env lies; lading gives values of its own",
    "com.docker.compose.depends_on": "Compose names in it only services that it brings up at the same time, and lading names just those that change",
    "com.docker.compose.replace": "Compose's note of which container this one replaced: an id",
}
NETWORK_DIFFERS = {
    "NetworkID": "an id", "EndpointID": "an id", "Gateway": "the engine's choice; what a file fixes is in IPAMConfig",
    "IPAddress": "so is this", "IPPrefixLen": "so is this", "MacAddress": "so is this", "IPv6Gateway": "so is this",
    "GlobalIPv6Address": "so is this", "GlobalIPv6PrefixLen": "so is this",
}
HASH = (
    "for path in {paths}; do if [ -d \"$path\" ]; then sum=$(cd \"$path\" && find . -type f ! -name .gitkeep | sort | xargs -r sha256sum | sha256sum);"
    " else sum=$(sha256sum <\"$path\"); fi; echo \"$sum $path\"; done"
)

# What an engine says of a project in one look: three lists, then of what was added to running containers (secrets, configs) container, hash, path
LOOK = (
    "label=label=com.docker.compose.project={project};"
    "list() {{ ids=$($1 --filter $label); if [ -n \"$ids\" ]; then docker $2 $ids; else echo '[]'; fi; }};"
    "list 'docker ps -aq --no-trunc' inspect; list 'docker network ls -q' 'network inspect'; list 'docker volume ls -q' 'volume inspect';"
    "for id in $(docker ps -q --filter $label); do docker diff $id | sed -n 's/^A //p' | xargs -r docker exec $id sha256sum 2>/dev/null"
    " | sed \"s|^|$(docker inspect -f '{{{{.Name}}}}' $id) |\"; done"
)


@dataclass(frozen=True, slots=True)
class Case:
    """What cases.yaml says of one project."""

    name: str
    shape: str
    change: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Sequence[str] = ()
    give: Mapping[str, str] = field(default_factory=dict)
    prepare: str = ""
    clean: str = ""
    needs: str = ""
    refused: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def file_words(self) -> list[str]:
        """The `-f` of both command lines."""
        return [word for name in self.files for word in ("-f", name)]

    def files_there(self) -> dict[str, str]:
        """Every file of the project by its path."""
        top = PROJECTS / self.name
        return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def cases() -> dict[str, Case]:
    """Every project by its name."""
    told = yaml.safe_load((PROJECTS / "cases.yaml").read_text())
    return {name: Case(name, **case) for name, case in told.items()}


def images(chosen: Sequence[Case]) -> dict[str, str]:
    """Every image that these projects name, with the version of the stand-in that it is."""
    first, later = set[str](), set[str]()
    for case in chosen:
        before = {path: changed(text, case.instead.get(path)) for path, text in case.files_there().items()}
        after = {path: changed(text, case.change.get(path)) for path, text in before.items()}
        first |= named_images(before, VERSIONS[0])
        later |= named_images(after, VERSIONS[1])
    return {name: VERSIONS[name not in first] for name in sorted(first | later)}


def named_images(texts: Mapping[str, str], version: str) -> set[str]:
    """The images in a project's files, with the tags that its .env says, or else of this version."""
    told = dict(re.findall(r"^(\w+)=(.*)$", texts.get(".env", ""), re.M))
    found = [one for text in texts.values() for one in IMAGE.findall(text)]
    return {f"{REGISTRY}/{repository}:{tag or told.get(variable, version)}" for repository, tag, variable in found}


def changed(text: str, change: Sequence[str] | None) -> str:
    """The text with the first of *change* replaced by the second."""
    if not change:
        return text
    old, new = change
    assert old in text, (old, text)
    return text.replace(old, new)


def build_images(lab: Lab, folder: Path, chosen: Sequence[Case], host: str) -> None:
    """The stand-in in two versions, pushed under every name that the projects use."""
    shutil.copytree(PROJECTS / "stand-in", folder)
    shutil.copy("/bin/busybox", folder)
    for version in VERSIONS:
        lab.build(folder, f"{STAND_IN}:{version}", VERSION=version)
    login(lab, host)
    pulls = " && ".join(f"docker pull -q {STAND_IN}:{version}" for version in VERSIONS)
    pushes = defaultdict[str, list[str]](list)
    for name, version in images(chosen).items():
        repository = name.rpartition(":")[0]
        pushes[repository].append(f"docker tag {STAND_IN}:{version} {name} && docker push -q {name}")
    lines = " ".join(_quoted(" && ".join(one)) for one in pushes.values())  # a repository takes one push at a time
    lab.exec(host, f"set -e; {pulls}; printf '%s\\n' {lines} | xargs -P 4 -d '\\n' -n 1 sh -c", user="deploy")


def login(lab: Lab, host: str) -> None:
    """The user of plain Compose is logged in to the registry."""
    lab.exec(host, f"printf %s {lab.password} | docker login -u ci --password-stdin {REGISTRY} 2>&1", user="deploy")


def logout(lab: Lab, host: str) -> None:
    """Nobody is logged in there any more, as before."""
    lab.exec(host, "rm -r /home/deploy/.docker")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@dataclass
class Engine:
    """What one host's engine says of a project, and where that host keeps the project's files."""

    lab: Lab
    host: str
    project: str
    root: str
    """Where the project's files lie: of plain Compose the copy of the repository, of lading the app's folder."""

    def look(self) -> Json:
        """Containers, networks and named volumes by their names, and the files in running containers; without what differs by design."""
        told = self.lab.exec(self.host, LOOK.format(project=self.project)).stdout
        containers, rest = _first(told)
        networks, rest = _first(rest)
        volumes, rest = _first(rest)
        names = {one["Id"]: one["Name"] for one in containers}
        sources = self._sources([mount for one in containers for mount in one["Mounts"]])
        return {
            "containers": {one["Name"]: _plain(one, self.host, names, sources) for one in containers},
            "networks": {one["Name"]: _plain_network(one) for one in networks},
            "volumes": {one["Name"]: _plain_volume(one) for one in volumes if ANONYMOUS not in (one["Labels"] or {})},
            "files": sorted(line for line in rest.splitlines() if line),
        }

    def ids(self) -> dict[str, str]:
        """Container ids by name."""
        line = f"docker ps -a --no-trunc --filter label={LABEL}={self.project} --format '{{{{.Names}}}} {{{{.ID}}}}'"
        return dict(one.split() for one in self.lab.exec(self.host, line).stdout.splitlines())

    def states(self) -> dict[str, str]:
        """How each container is, by its name."""
        line = f"docker ps -aq --filter label={LABEL}={self.project} | xargs -r docker inspect"
        told = json.loads(self.lab.exec(self.host, line).stdout or "[]")
        return {one["Name"]: _state(one) for one in told}

    def _sources(self, mounts: Sequence[Json]) -> dict[str, str]:
        """What stands for each mounted source: the content of the project's own, a word for an anonymous volume."""
        told = {}
        for mount in mounts:
            if mount["Type"] == "volume" and re.fullmatch("[0-9a-f]{64}", mount["Name"]):
                told[mount["Name"]] = "<anonymous>"
                told[mount["Source"]] = "<anonymous>"
        own = {mount["Source"] for mount in mounts if mount["Type"] == "bind" and mount["Source"].startswith(f"{self.root}/")}
        script = HASH.format(paths=" ".join(map(_quoted, sorted(own))))
        for line in self.lab.exec(self.host, script).stdout.splitlines() if own else ():
            digest, _, path = line.split(" ", 2)
            told[path.removeprefix("- ")] = f"<content {digest[:12]}>"
        return told


def _first(text: str) -> tuple[list[Json], str]:
    """The first JSON list of a text (none is an empty one), and what is behind it."""
    text = text.lstrip()
    found, end = json.JSONDecoder().raw_decode(text)
    return found, text[end:]


def _plain_network(one: Json) -> Json:
    """A network without ids and the addresses that the engine chose."""
    kept = {key: value for key, value in one.items() if key not in ("Id", "Created", "Containers")}
    written = [pool for pool in one["IPAM"]["Config"] if not pool["Subnet"].startswith(("172.", "192.168."))]
    return {**kept, "IPAM": {**one["IPAM"], "Config": written}}


def _plain_volume(one: Json) -> Json:
    """A volume without its age and place."""
    return {key: value for key, value in one.items() if key not in ("CreatedAt", "Mountpoint")}


def _plain(one: Json, host: str, names: Mapping[str, str], sources: Mapping[str, str]) -> Json:
    """A container without what differs by design; what its mounts stand for instead of where they lie."""
    config, settings = one["Config"], one["NetworkSettings"]
    if config["Hostname"] in {host, *(identity[:12] for identity in names)}:
        del config["Hostname"]  # the engine's default: an id, its own or of the one whose network it is in; in the host's network the host
    config["Image"] = config["Image"].partition("@")[0]  # lading names the digest too
    config["Env"] = sorted(config["Env"] or ())  # which Compose writes in an order of chance
    config["Labels"] = {key: value for key, value in config["Labels"].items()
                        if key not in LABELS_DIFFER and not key.startswith("lading.")}
    for network in settings["Networks"].values():
        network["Aliases"] = sorted(set(network["Aliases"] or ()) - {one["Id"][:12]})
        for key in NETWORK_DIFFERS:
            network.pop(key, None)
    kept = {key: value for key, value in one.items() if key not in DIFFERS and key != "NetworkSettings"}
    text = json.dumps({**kept, "Networks": settings["Networks"], "Ports": settings["Ports"]})
    for identity, name in names.items():
        text = text.replace(identity, name)  # network_mode: service:…, pid: service:…
    for source, told in sources.items():
        text = text.replace(f'"{source}:', f'"{told}:').replace(f'"{source}"', f'"{told}"')
    plain: Json = json.loads(text)
    plain["Mounts"].sort(key=lambda mount: mount["Destination"])
    for key in ("Binds", "ExtraHosts"):  # written in an order of chance too
        plain["HostConfig"][key] = sorted(plain["HostConfig"][key] or ())
    plain["HostConfig"]["Ulimits"] = sorted(plain["HostConfig"]["Ulimits"] or (), key=lambda limit: str(limit["Name"]))
    mounts = [_unnamed(mount) for mount in plain["HostConfig"].get("Mounts") or ()]
    plain["HostConfig"]["Mounts"] = sorted(mounts, key=lambda mount: str(mount["Target"]))
    return {**plain, "state": _state(one)}


def _unnamed(mount: Json) -> Json:
    """A mount; of an anonymous volume just that it is one: a container that replaces another inherits it by its name."""
    if mount["Type"] == "volume" and mount.get("Source") in (None, "<anonymous>"):
        return {"Type": "volume", "Target": mount["Target"]}
    return mount


def _state(one: Json) -> str:
    state = one["State"]
    health = (state.get("Health") or {}).get("Status", "")
    return f"{state['Status']} {state['ExitCode']} {health}".strip()


@dataclass
class Project:
    """One project, copied to both hosts under the same name."""

    case: Case
    lab: Lab
    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    """What lading alone is given."""

    @classmethod
    def lay_out(cls, case: Case, lab: Lab, folder: Path) -> "Project":
        """A work tree with one commit, as a clone of the team's repository."""
        shutil.copytree(PROJECTS / case.name, folder)
        made = cls(case, lab, folder)
        made.git("init", "-q", "-b", "main")
        made.git("remote", "add", "origin", f"https://git.example/team/{case.name}.git")
        made.commit()
        return made

    def git(self, *words: str) -> None:
        """Git in the work tree."""
        who = ("-c", "user.name=ana", "-c", "user.email=ana@example.com")
        subprocess.run(["git", "-C", self.folder, *who, *words], check=True, capture_output=True)

    def commit(self) -> None:
        """Everything that is not ignored."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as the team has it")

    def edit(self, changes: Mapping[str, Sequence[str]]) -> None:
        """Change files of the work tree, and commit."""
        for path, change in changes.items():
            (self.folder / path).write_text(changed((self.folder / path).read_text(), change))
        if changes:
            self.commit()

    @cached_property
    def compose_files(self) -> list[str]:
        """What Compose finds here, without the override."""
        names = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
        return list(self.case.files) or [next(name for name in names if (self.folder / name).exists())]

    @cached_property
    def name(self) -> str:
        """The project's name, as its file says it."""
        return str(yaml.safe_load((self.folder / self.compose_files[0]).read_text())["name"])

    @cached_property
    def plain(self) -> Engine:
        """The host of plain Compose."""
        return Engine(self.lab, "web2", self.name, f"/home/deploy/{self.case.name}")

    @cached_property
    def ours(self) -> Engine:
        """lading's host."""
        return Engine(self.lab, "web1", self.name, f"/var/lib/lading/apps/{self.name}")

    @cached_property
    def app(self) -> App:
        """The project as lading is run for it."""
        return App(self.lab, self.folder, self.name)

    def copy(self) -> None:
        """The work tree, to the host of plain Compose, over what is there."""
        root = self.plain.root
        line = f"tar -C {self.folder} --exclude=.git -cf - . | ssh web2 'mkdir -p {root}; tar -xf - -C {root}'"
        self.lab.run("sh", "-c", line)

    def up(self, version: str) -> None:
        """`docker compose up -d`, as its user does it."""
        self.copy()
        self._compose("up -d --quiet-pull", version)

    def _compose(self, words: str, version: str) -> None:
        given = "".join(f" {name}={_quoted(value)}" for name, value in {"VERSION": version, **self.case.give}.items())
        files = " ".join(f"-f {name}" for name in self.compose_files)
        line = f"cd {self.plain.root} && env{given} docker compose {files} {words} </dev/null 2>&1"
        self.lab.exec("web2", line, user="deploy", timeout=240)

    def deploy(self, version: str) -> Done:
        """`lading deploy`."""
        given = [word for name, value in {**self.case.give, **self.values}.items() for word in ("-e", f"{name}={value}")]
        return self.app.deploy(version, *self.case.file_words(), *given, to="web1")

    def down(self, version: str) -> None:
        """`docker compose down`."""
        self._compose("down", version)

    def wipe(self) -> None:
        """Nothing of it is left on either host; the ledger, which other projects are using, is not touched."""
        label = f"label={LABEL}={self.name}"
        for host in ("web1", "web2"):
            self.lab.exec(
                host, f"docker ps -aq --filter {label} | xargs -r docker rm -fv; docker network ls -q --filter {label} | "
                f"xargs -r docker network rm; docker volume ls -q --filter {label} | xargs -r docker volume rm; "
                f"rm -rf {self.plain.root} /var/lib/lading/apps/{self.name}; {self.case.clean or ':'}", check=False)


def difference(ours: object, plain: object, path: str = "") -> list[str]:
    """Every value that is another one, by its path."""
    if isinstance(ours, dict) and isinstance(plain, dict):
        found = []
        for key in sorted({*ours, *plain}):
            found += difference(ours.get(key, "<absent>"), plain.get(key, "<absent>"), f"{path}.{key}")
        return found
    return [] if ours == plain else [f"{path}: lading {ours!r}, plain Compose {plain!r}"]
