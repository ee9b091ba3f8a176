"""What is asked of a host before anything is done to it, and the parsers of what its engine answers (pure)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lading import shape, state
from lading.compose import probe as probes
from lading.dataclass import dataclass
from lading.drivers import base, wants
from lading.drivers.shell import guarded, scripts
from lading.state import journal
from lading.transport import command

_STATE = {"Status": str, "ExitCode": int | None, "StartedAt": str, "FinishedAt": str, "Health": Mapping[str, Any] | None}
OCI = "org.opencontainers.image"
PROJECT = "com.docker.compose.project"
VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # as Docker takes it


def _moment(text: str | None) -> str:
    """A time as Docker writes it, to the second; "" where it has not come, which is the year 1 in Docker's words."""
    return "" if not text or text.startswith("0001-") else f"{text[:19]}Z"


def _whose(app: str) -> dict[str, str]:
    """How the containers of an app, or of all of lading's, are found: by Docker's filter, and in a list of all containers."""
    return {"FILTER": f"{PROJECT}={app}" if app else "lading.app", "WHOSE": f"{app} .*" if app else "[^ ]* ..*"}


@dataclass(frozen=True, slots=True)
class Apart:
    """What is known of an engine that is asked apart from a script.

    *state_dir*: where lading's state lies on its host; *docker_root*: where it keeps everything; *info*: what it said of
    itself, as scripts/lib/engine.sh asks it. Each "" or a guess before the host has said it.
    """

    state_dir: str = ""
    docker_root: str = "/var/lib/docker"
    info: str = ""


@dataclass(frozen=True, slots=True)
class _Inspected:
    """A line of scripts/lib/container-format.sh."""

    id: str = ""
    name: str = ""
    image: str = ""
    image_id: str = ""
    labels: Mapping[str, str] | None = None
    created: str | None = None
    state: Mapping[str, Any] | None = None
    restarts: int | None = None
    networks: Mapping[str, Mapping[str, Any] | None] | None = None
    mounts: tuple[Mapping[str, Any], ...] | None = None
    ports: Mapping[str, tuple[Mapping[str, str], ...] | None] | None = None
    volumes_from: tuple[str, ...] | None = None
    modes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Volume:
    """A line of scripts/lib/volumes.sh."""

    name: str
    driver: str = ""
    options: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None


def observe(
    marker: str, *, state_dir: str, app: str = "", nonce: str = "", binds: Sequence[str] = (), facts: bool = True,
    registries: Sequence[str] = (), sources: Sequence[str] = (), volumes: Sequence[str] | None = None,
    data: Sequence[str] = (), probe: bool = False, host: str = "", want: wants.Wants = wants.CHANGE,
    since: wants.Since = (), apart: Apart | None = None,
) -> command.Command:
    """Look at one app (or all of lading's, if *app* is empty) on a host, in one round trip; changes nothing.

    *registries*: the engine asks each for an image that is nowhere, and what it answers says whether it is reached.
    *probe*: its Compose reads `probe.FILE`.
    *sources*: what is mounted of the host, absolute or below the app's folder `project`: told is where it leads (`Facts.links`).
    *volumes*: the host's volumes are looked at too, these by name among them; None = they are not.
    *data*: paths below the app's project folder; whether anything lies there.
    *host*: what it is called here; where a journal has that name, its engine is not asked which one it is.
    *want*, *since*: what is told of each app. *apart*: the engine is asked apart from this, and no docker client is
    started for it.
    """
    values: dict[str, str | int] = {
        "MARKER": marker, "APP": app, "STATE_DIR": state_dir, "NONCE": nonce, **_whose(app),
        "FACTS": int(facts), "BINDS": _lines(binds), "VOLUMES": int(volumes is not None),
        "MOUNTED": " ".join(filter(VOLUME_NAME.fullmatch, volumes or ())), "DATA": _lines(data),
        "REGISTRIES": " ".join(registries), "HOST": host, "PROBE": probes.FILE if probe else "", "PROBE_OPTIONS": probes.OPTIONS,
        **_of_apps(want, since), **_apart(apart),
    }
    parts = {"facts": facts, "links": sources, "volumes": volumes is not None, "probe": probe, "registries": registries,
             "engine-socket": apart is not None}
    more = [name for name, wanted in parts.items() if wanted]
    return command.Command("observe", scripts.script("observe", values, sources, more), marker, looks=True)


def _of_apps(want: wants.Wants, since: wants.Since) -> dict[str, str | int]:
    """What is looked at of each app, as scripts/lib/app-state.sh takes it."""
    return {"JOURNAL": want.journal, "RELEASES": want.releases, "FILES": int(want.files), "STOCK": int(want.stock),
            "REACH": scripts.lines([f"{app} {deployment}" for app, deployment in since])}


def _lines(paths: Sequence[str]) -> str:
    """Paths as a script takes them; one with a newline in it is not asked for."""
    return scripts.lines([path for path in paths if "\n" not in path])


def _apart(apart: Apart | None) -> dict[str, str | int]:
    known = apart or Apart()
    return {"ENGINE": int(apart is not None), "KNOWN_STATE_DIR": known.state_dir, "DOCKER_ROOT": known.docker_root,
            "ENGINE_INFO": known.info}


def lease(
    marker: str, claim: base.Claim, state_dir: str, timeout: int, apart: Apart | None = None, mark: str = ""
) -> command.Command:
    """Take the lease and its fence, write the record, and look again.

    *apart*: as for `observe`; *mark*: where the engine remembers that lading keeps the app, as scripts/lib/state-mark.sh takes it.
    """
    record, look = claim.record, claim.look
    begins = isinstance(record, journal.Begun)
    taken = journal.Taken(record.deployment, actor=record.actor, reason=record.reason, url=record.url, process=record.process)
    values: dict[str, str | int] = {
        "MARKER": marker, "APP": claim.app, "STATE_DIR": state_dir, "DEPLOYMENT": record.deployment,
        "PROCESS": record.process, "HOLDER": scripts.lines([claim.holder]), "HELD_SINCE": scripts.lines([claim.since]),
        "URL": scripts.lines([claim.url]), "OVERRIDE": int(claim.override), "GRACE": claim.grace,
        "MODE": "begin" if begins else "take", "RECORD": _without_fence(record), "TAKEN": _without_fence(taken),
        "NONCE": look.nonce, **_whose(claim.app), "FACTS": 1, "BINDS": _lines(look.binds), "VOLUMES": 0,
        "HOST": "", "ASIDE": int(claim.aside and begins), "SETTLED": int(look.is_settled), "MARK": mark,
        **_of_apps(wants.CHANGE, [(claim.app, record.deployment)]), **_apart(apart),
    }
    values["ENGINE_INFO"] = look.engine_info or values["ENGINE_INFO"]
    text = scripts.script("lease", values, look.sources, ["links"] if look.sources else [])
    return command.Command("lease", text, marker, timeout=timeout, beats=True)


def _without_fence(record: journal.Record) -> str:
    """The line of a record whose fence the host adds."""
    return guarded.as_line({key: value for key, value in record.as_json().items() if key != "fence"})


def parse_containers(text: str, spend: Callable[[], None] = lambda: None) -> tuple[state.ContainerState, ...]:
    """The containers of a `containers` part: one JSON object a line. *spend*: see `answers.Spend`.

    Raises:
        ValueError: a line is another thing than scripts/lib/container-format.sh asks for; none of them is guessed.
    """
    found = []
    try:
        for line in text.split("\n"):
            spend()
            if line.strip():
                found.append(_container(shape.parse(line)))
    except ValueError as wrong:
        raise ValueError(f"what docker says of the containers cannot be read: {wrong}") from wrong
    return tuple(sorted(found, key=lambda c: (c.app, c.service, c.number, c.id)))


def parse_volumes(text: str, spend: Callable[[], None] = lambda: None) -> dict[str, state.Volume]:
    """The volumes of a `volumes` part by name: a line with its name for each, a JSON object for those that were inspected.

    Raises:
        ValueError: a line is another thing than scripts/lib/volumes.sh asks for.
    """
    found: dict[str, state.Volume] = {}
    for line in text.split("\n"):
        spend()
        if line.startswith("{"):
            one = shape.made(_Volume, shape.parse(line))
            found[one.name] = state.Volume(one.name, one.driver, dict(one.options or {}), dict(one.labels or {}))
        elif VOLUME_NAME.fullmatch(line):
            found.setdefault(line, state.Volume(line))
    return found


def _container(said: Mapping[str, Any]) -> state.ContainerState:
    seen = shape.made(_Inspected, said)
    labels, now = seen.labels or {}, seen.state or {}
    shape.fields(now, _STATE)
    for mount in seen.mounts or ():
        shape.fields(mount, dict.fromkeys(("Destination", "Name", "Source"), str))
    mounts = {m.get("Destination", ""): m.get("Name") or m.get("Source", "") for m in seen.mounts or ()}
    ports = sorted(
        f"{binding.get('HostIp', '')}:{binding.get('HostPort', '')}/{port.partition('/')[2]}"
        for port, bindings in (seen.ports or {}).items()
        for binding in bindings or ()
    )
    running = now.get("Status") in ("running", "paused", "restarting")
    return state.ContainerState(
        app=labels.get(PROJECT, ""), service=labels.get("com.docker.compose.service", ""), id=seen.id,
        name=seen.name.removeprefix("/"), image=seen.image, image_id=seen.image_id, status=now.get("Status", ""),
        health=str((now.get("Health") or {}).get("Status", "")), exit_code=now.get("ExitCode") or 0,
        oom_killed=bool(now.get("OOMKilled")), restarts=seen.restarts or 0,
        content=labels.get("lading.content", ""), secrets=labels.get("lading.secrets", ""),
        owned="lading.app" in labels, one_off=labels.get("com.docker.compose.oneoff") == "True" or state.is_helper(labels),
        number=shape.whole(labels.get("com.docker.compose.container-number", ""), 1),
        since=_moment(now.get("StartedAt" if running else "FinishedAt", "")), created=_moment(seen.created),
        version_label=labels.get(f"{OCI}.version", ""), title_label=labels.get(f"{OCI}.title") or labels.get(f"{OCI}.ref.name", ""),
        working_dir=labels.get("com.docker.compose.project.working_dir", ""),
        networks={name: str((n or {}).get("NetworkID", "")) for name, n in (seen.networks or {}).items()},
        mounts=mounts, ports=tuple(ports), made_on=_made_on(seen), probe=_probe(now.get("Health") or {}),
    )


def _probe(health: Mapping[str, Any]) -> str:
    """The last health check's exit status and what it printed, as far as Docker keeps it; "" if there was none yet."""
    log = health.get("Log")
    last = log[-1] if isinstance(log, list) and log else None
    if not isinstance(last, Mapping):
        return ""
    said = str(last.get("Output") or "").strip() or "it said nothing"
    return f"exit code {last.get('ExitCode')}: {said}"[:base.PROBE_KEPT]


def _made_on(seen: _Inspected) -> tuple[str, ...]:
    """The containers whose namespaces or volumes one has, as Docker writes them: `container:ID`, and `ID:ro`."""
    found = {mode.removeprefix("container:") for mode in seen.modes or () if mode.startswith("container:")}
    found |= {one.partition(":")[0] for one in seen.volumes_from or ()}
    return tuple(sorted(found))
