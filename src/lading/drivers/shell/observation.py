"""Every docker line sent to a host, as scripts, and the parsers of what it answers (pure)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lading import shape, state
from lading.drivers.shell import scripts
from lading.transport import command

INSPECT = (
    '{"id":{{json .Id}},"name":{{json .Name}},"image":{{json .Config.Image}},"image_id":{{json .Image}},'
    '"labels":{{json .Config.Labels}},"state":{{json .State}},'
    '"restarts":{{json .RestartCount}},"networks":{{json .NetworkSettings.Networks}},"mounts":{{json .Mounts}},'
    '"volumes_from":{{json .HostConfig.VolumesFrom}},"modes":[{{json .HostConfig.NetworkMode}},'
    '{{json .HostConfig.IpcMode}},{{json .HostConfig.PidMode}}],"ports":{{json .HostConfig.PortBindings}}}'
)
VOLUME = '{"name":{{json .Name}},"driver":{{json .Driver}},"options":{{json .Options}},"labels":{{json .Labels}}}'
# Service, whether it is a one-off, content, secrets, state/health=code of an end, restarts
STILL = (
    '{{index .Config.Labels "com.docker.compose.service"}} {{index .Config.Labels "com.docker.compose.oneoff"}} '
    '{{index .Config.Labels "lading.content"}} {{index .Config.Labels "lading.secrets"}} '
    '{{.State.Status}}{{with .State.Health}}/{{.Status}}{{end}}{{if eq .State.Status "exited"}}={{.State.ExitCode}}{{end}} {{.RestartCount}}'
)
_STATE = {"Status": str, "ExitCode": int | None, "StartedAt": str, "FinishedAt": str, "Health": Mapping[str, Any] | None}
PROJECT = "com.docker.compose.project"
VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # as Docker takes it
UNASKED = " </dev/null"  # what Compose asks on a terminal or a pipe it does not ask here: its questions are about data
LIMIT = 'timeout -k 10 "${LIMIT:-900}" '
# A part is whole once another begins: `next` lets the tick be read at once. An engine that does not answer tells nothing: that
# is no tick, and never "there are no containers".
SNAPSHOT = f"""list(){{ ids=$(timeout 30 docker ps -aq --no-trunc --filter "label={PROJECT}=$APP"); }}
shown(){{ [ -z "$ids" ] || timeout 30 docker container inspect --format {command.quote(INSPECT)} $ids 2>/dev/null; }}
snapshot(){{ [ -n "$ids" ] || list || return 0
seen=$(shown) || {{ list && seen=$(shown); }} || return 0
part containers; printf '%s\\n' "$seen"
part tick; part next; }}
"""
ALL_CONTAINERS = f"""part containers
if [ -n "${{P:-}}" ]; then ids=$(printf '%s\\n' "$P" | sed -n "s/^c=\\([0-9a-f]*\\) $WHOSE\\$/\\1/p")
elif ! ids=$(docker ps -aq --no-trunc --filter "label=$FILTER" 2>/dev/null); then
part silent; e=$(docker ps -q 2>&1 >/dev/null); printf '%s\\n' "${{e:-the engine does not answer}}"; part containers; fi
if [ -z "$APP" ]; then for c in $(grep -sl '"adopted":' "$S"/apps/*/current); do c=${{c%/current}}
ids="$ids $(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=${{c##*/}}")"; done
ids=$(printf '%s\\n' $ids | sort -u); fi
[ -z "$ids" ] || docker container inspect --format {command.quote(INSPECT)} $ids 2>/dev/null || e=$(docker ps -q 2>&1 >/dev/null) ||
{{ part silent; printf '%s\\n' "${{e:-the engine does not answer}}"; }}
"""
# Every volume that has a name of its own; of the app's, and of those that it is about to mount, how they were made.
VOLUMES = f"""if named=$(timeout 30 docker volume ls --format '{{{{.Name}}}} {{{{.Label "{PROJECT}"}}}}' 2>/dev/null); then
part volumes; named=$(printf '%s\\n' "$named" | sed '/^[0-9a-f]\\{{64\\}} /d')
printf '%s\\n' "$named" | sed -n 's/^\\([^ ]\\{{1,\\}}\\) .*/\\1/p'
named=$(printf '%s\\n' "$named" | sed -n "s/^\\([^ ]*\\) $APP\\$/\\1/p")
[ -z "$named$MOUNTED" ] || docker volume inspect --format {command.quote(VOLUME)} $named $MOUNTED 2>/dev/null
fi
"""


def _whose(app: str) -> dict[str, str]:
    """How the containers of an app, or of all of lading's, are found: by Docker's filter, and in a list of all containers."""
    return {"FILTER": f"{PROJECT}={app}" if app else "lading.app", "WHOSE": f"{app} .*" if app else "[^ ]* ..*"}


@dataclass(frozen=True, slots=True)
class _Inspected:
    """A line of `INSPECT`."""

    id: str = ""
    name: str = ""
    image: str = ""
    image_id: str = ""
    labels: Mapping[str, str] | None = None
    state: Mapping[str, Any] | None = None
    restarts: int | None = None
    networks: Mapping[str, Mapping[str, Any] | None] | None = None
    mounts: tuple[Mapping[str, Any], ...] | None = None
    ports: Mapping[str, tuple[Mapping[str, str], ...] | None] | None = None
    volumes_from: tuple[str, ...] | None = None
    modes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Volume:
    """A line of `VOLUME`."""

    name: str
    driver: str = ""
    options: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None


def compose_function(
    app: str, release: str, directory: str, compose_files: Sequence[str], secrets: Mapping[str, int],
    variables: Mapping[str, str], profiles: Sequence[str] = (),
) -> str:
    """The shell function `compose`: Compose for one release on the host, in a clean environment of our own, never asking.

    *secrets*: folder name below `secrets/` of each secret variable → generation; *variables*: the LADING_ ones but
    LADING_DIR, which is the app's folder on this host; *profiles*: those that were asked for.
    """
    folder = f'"$A"/releases/{release}'
    words = [command.quote(f"{name}={value}") for name, value in variables.items() if name != "LADING_DIR"]
    env = "".join(f' --env-file "$A"/secrets/{command.quote(name)}/{number}' for name, number in secrets.items())
    where = f"{folder}/files" + ("" if directory in ("", ".") else f"/{command.quote(directory)}")
    asked = "".join(f" --profile {command.quote(name)}" for name in profiles)
    chosen = "".join(f" -f {where}/{command.quote(path)}" for path in compose_files)
    return (
        'compose(){ env -i PATH="$PATH" HOME="$HOME" ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} '
        f'LADING_DIR="$A" {" ".join(words)} {LIMIT}docker compose{asked} -p {command.quote(app)} --project-directory {where} '
        f"--env-file {folder}/plain.env{env}{chosen} -f {folder}/compose.overlay.yaml \"$@\"{UNASKED}; }}\n"
    )


def operator_script(function: str) -> str:
    """The file `compose` in the app's folder: the same line for a person to use by hand."""
    body = function.removeprefix("compose(){ env -i ").removesuffix(f"{UNASKED}; }}\n").replace(LIMIT, "")
    return f'#!/bin/sh\nA=$(cd "$(dirname "$0")" && pwd)\nexec env -i {body}\n'


def observe(
    marker: str, *, state_dir: str, app: str = "", nonce: str = "", binds: Sequence[str] = (), facts: bool = True,
    registries: Sequence[str] = (), sources: Sequence[str] = (), volumes: Sequence[str] | None = None, data: Sequence[str] = (),
    probe: bool = False,
) -> command.Command:
    """Look at one app (or all of lading's, if *app* is empty) on a host, in one round trip; changes nothing.

    *registries*: the engine asks each for an image that is nowhere, and what it answers says whether it is reached.
    *probe*: its Compose reads `probe.FILE`.
    *sources*: what is mounted of the host, absolute or below the app's folder `project`: told is where it leads (`Facts.links`).
    *volumes*: the host's volumes are looked at too, these by name among them; None = they are not.
    *data*: paths below the app's project folder; whether anything lies there.
    """
    script = "".join([
        command.assign({"M": marker, "APP": app, "STATE": state_dir, "NONCE": nonce, "BINDS": " ".join(binds),
                        "REGISTRIES": " ".join(registries), "MOUNTED": " ".join(filter(VOLUME_NAME.fullmatch, volumes or ())),
                        "DATA": "\n".join(path for path in data if "\n" not in path), **_whose(app)}),
        scripts.PRELUDE, scripts.WATCH, scripts.STATE_DIR, scripts.APP_STATE, _look(app, facts, sources, volumes=volumes is not None), scripts.READS if probe else "",
        scripts.REGISTRIES if registries else "", scripts.END,
    ])
    return command.Command("observe", script, marker)


def _look(app: str, facts: bool, sources: Sequence[str] = (), *, volumes: bool = False) -> str:
    apps = f'app_state "$APP"\n{scripts.OTHERS}' if app else 'for a in "$S"/apps/*/; do a=${a%/}; app_state "${a##*/}"; done\n'
    said = scripts.FACTS if facts else 'part facts\nprintf \'state=%s\\n\' "$S"\n'
    if sources:
        said += f"{scripts.LINKS}leads {' '.join(map(command.quote, sources))}\n"
    more = VOLUMES + scripts.HOST_DATA if volumes else ""
    return f"{{\n{said}{apps}{ALL_CONTAINERS}{more}}} | dd obs=65536 2>/dev/null\n"  # in few packets: each costs at both ends


def lease(
    marker: str, *, state_dir: str, app: str, deployment: str, holder: str, since: str, url: str, take: bool,
    grace: int, begin: str, nonce: str, binds: Sequence[str], docker_info: str = "",
    sources: Sequence[str] = (),
) -> command.Command:
    """Take the lease and its fence, write the deployment's record (*begin*, a JSON object), and look again.

    *docker_info*: what it said in the look before (`Facts.docker_info`); "" = it is asked. *sources*: see `observe`.
    """
    script = "".join([
        command.assign({
            "M": marker, "APP": app, "STATE": state_dir, "D": deployment, "HOLDER": holder, "SINCE": since,
            "URL": url, "TAKE": int(take), "GRACE": grace, "NONCE": nonce, "BINDS": " ".join(binds), "BEGIN": begin,
            **_whose(app), **({"E": docker_info, "EC": 0} if docker_info else {}),
        }),
        scripts.PRELUDE, scripts.STATE_DIR, scripts.LEASE, scripts.TAKE, scripts.QUIET,
        'part fence\nprintf "%s\\n" "$F"\njot "$BEGIN" || refuse state "cannot write the journal in $A"\nexec 9>&-\n',
        scripts.WATCH, scripts.APP_STATE, _look(app, True, sources), scripts.END,
    ])
    return command.Command("lease", script, marker, timeout=60 + 6 * grace, changes=True)


def parse_containers(text: str, spend: Callable[[], None] = lambda: None) -> tuple[state.ContainerState, ...]:
    """The containers of a `containers` part: one JSON object a line. *spend*: see `answers.Spend`.

    Raises:
        ValueError: a line is another thing than `INSPECT` asks for; none of them is guessed.
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
        ValueError: a line is another thing than `VOLUME` asks for.
    """
    found: dict[str, state.Volume] = {}
    for line in text.splitlines():
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
        since=now.get("StartedAt" if running else "FinishedAt", "")[:19] + "Z",
        working_dir=labels.get("com.docker.compose.project.working_dir", ""),
        networks={name: str((n or {}).get("NetworkID", "")) for name, n in (seen.networks or {}).items()},
        mounts=mounts, ports=tuple(ports), made_on=_made_on(seen),
    )


def _made_on(seen: _Inspected) -> tuple[str, ...]:
    """The containers whose namespaces or volumes one has, as Docker writes them: `container:ID`, and `ID:ro`."""
    found = {mode.removeprefix("container:") for mode in seen.modes or () if mode.startswith("container:")}
    found |= {one.partition(":")[0] for one in seen.volumes_from or ()}
    return tuple(sorted(found))
