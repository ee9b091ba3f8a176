"""The changing commands of a deployment on one host: stage, roll, remove, commit, undo, release the lease (pure)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lading.drivers.shell import compose_call, scripts
from lading.transport import command

Values = Mapping[str, str | int]

UP_TIMEOUT = 900  # seconds that `docker compose up` may take, waiting for dependencies included


@dataclass(frozen=True, slots=True)
class Hold:
    """What a deployment holds on a host: its lease by fence, and where lading's state is.

    *state_dir* as configured; *folder*: the same as the host told it, which spares it from asking its engine again.
    """

    state_dir: str
    app: str
    deployment: str
    fence: int
    holder: str
    since: str
    url: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of one registry for the time of a pull.

    *identity*: *password* is the registry's entry in a Docker configuration, since nobody can log in with such a token.
    """

    registry: str
    username: str
    password: command.Secret
    identity: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """What Compose stops before it is removed: *services* that have a `pre_stop`."""

    compose: compose_call.ComposeCall
    services: Sequence[str]


def _under_lease(
    name: str, script: str, marker: str, hold: Hold, values: Values, words: Sequence[str] = (), *, timeout: int,
    more: Sequence[str] = (), changes: bool = True, payload: tuple[bytes | command.Secret, ...] = (),
) -> command.Command:
    """A script that runs only while *hold* is valid; it extends the lease to its own time-out + 30 s."""
    given: dict[str, str | int] = {
        "MARKER": marker, "APP": hold.app, "STATE_DIR": hold.state_dir, "KNOWN_STATE_DIR": hold.folder,
        "DEPLOYMENT": hold.deployment, "FENCE": hold.fence, "HOLDER": hold.holder, "SINCE": hold.since, "URL": hold.url,
        "STEP": name, "TIMEOUT": timeout, "CHANGES": int(changes), **values,
    }
    needed = [*([] if hold.folder else ["engine-state-dir"]), *more]
    return command.Command(name, scripts.script(script, given, words, needed), marker, payload, timeout, changes)


def kept_image(app: str, service: str, release: str) -> str:
    """The tag that spares an image of a kept release from a prune (lower case, as Docker wants it).

    *service*: its name, or "NAME+1" for an image that stands elsewhere than in its `image:`.
    """
    name, _, number = service.partition("+")
    suffix = f"__{number}" if number else ""
    return f"lading-keep/{_slug(app)}/{_slug(name)}{suffix}:{release}"


def _slug(name: str) -> str:
    """A name in lower case, as Docker takes it in that of an image."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def stage(
    marker: str, hold: Hold, *, release: str, tar: bytes, images: Mapping[str, str], logins: Sequence[Login],
    compose: compose_call.ComposeCall, kept: bool = False, timeout: int = 1800,
) -> command.Command:
    """Upload (one stream, atomic renames), log in and pull by digest in memory, tag, and show the host's own config.

    *images*: service → reference by digest, or without one what nobody pulls; *kept*: they were on the host once, for they
    are those of a release that it keeps.
    """
    distinct = list(dict.fromkeys(images.values()))
    entries = [login for login in logins if login.identity]
    others = [login for login in logins if not login.identity]
    passwords = [login.password for login in (*entries, *others)]
    values: Values = {
        **compose.values(), "RELEASE": release, "SIZE": len(tar), "LACKS": "gone" if kept else "pull",
        "LOCAL": scripts.lines([image for image in distinct if "@" not in image]),
        "PULLED": scripts.lines([image for image in distinct if "@" in image]),
        "KEPT": scripts.lines([f"{image} {kept_image(hold.app, name, release)}" for name, image in images.items()]),
        "PASSWORDS": " ".join(str(len(password.value)) for password in passwords), "ENTRIES": len(entries),
        "LOGINS": scripts.lines([f"{login.registry} {login.username}" for login in others]),
    }
    return _under_lease("stage", "stage", marker, hold, values, timeout=timeout, changes=False,
                        payload=(command.Secret(tar), *passwords))


def roll(
    marker: str, hold: Hold, *, intent: str, compose: compose_call.ComposeCall, services: Sequence[str], networks: Sequence[str],
    spare: Sequence[str], whole: bool, result: str, wait: int, name: str = "roll", surplus: Sequence[str] = (),
    anew: bool = False, had: Mapping[tuple[str, str], Sequence[str]] | None = None,
    again: Sequence[tuple[str, str]] = (),
) -> command.Command:
    """Journal the intent, bring up exactly *services*, journal the result, then show snapshots until stdin ends.

    *networks* are removed first, with the project's containers on them stopped; containers of others are detached, noted
    in the file `detached`, and attached again (by whoever brings the network back); *whole*: all of the project's
    containers are stopped first (undo after a network step); ended ones of the services *spare* stay. *anew*: Compose
    recreates all of *services*. Volumes are never touched. *result*: a JSON object without its rc.
    *surplus*: ids of containers above a service's replicas; they go before Compose would choose some by their number.
    *had*: (service, content) → "VOLUME TARGET" of each anonymous volume that its container has now; *again*: those whose
    last ones are mounted again (the way back).
    """
    mounted = [f"{service} {content} {volume}" for (service, content), volumes in (had or {}).items() for volume in volumes]
    values: Values = {
        **compose.values(), "INTENT": intent, "RESULT": result, "SPARE": "".join(f" {service}" for service in spare),
        "WHOLE": int(whole), "ANEW": int(anew), "NETWORKS": scripts.lines(networks), "SURPLUS": scripts.lines(surplus),
        "HAD": scripts.lines(mounted), "AGAIN": scripts.lines([" ".join(pair) for pair in again]),
    }
    more = [*(["take-down"] if networks or whole else []), *(["anonymous"] if mounted or again else [])]
    return _under_lease(name, "roll", marker, hold, values, services, timeout=UP_TIMEOUT + wait, more=more)


def hook(
    marker: str, hold: Hold, *, service: str, compose: compose_call.ComposeCall, overlay: str, networks: Mapping[str, str],
    volumes: Mapping[str, str], needed: Sequence[str], timeout: int, intent: str, result: str,
) -> command.Command:
    """Run *service* once with *overlay* on top of the release, and answer with its status and last lines.

    Beside a running app it is a throw-away project on the existing *networks* and *volumes* (key → real name;
    *needed*: names of those that the service mounts); where the app has no container yet there is nothing to disturb,
    and the app's own project makes them. Nothing of the app is recreated in either case.
    """
    words: list[str] = []
    for kind, found in (("network", networks), ("volume", volumes)):
        for index, (key, name) in enumerate(found.items()):
            words += [kind, json.dumps(key), name, json.dumps(name), str(index)]
    values: Values = {**compose.values(), "SERVICE": service, "OVERLAY": overlay, "NEEDED": scripts.lines(needed), "LIMIT": timeout,
              "INTENT": intent, "RESULT": result}
    return _under_lease("hook", "hook", marker, hold, values, words, timeout=timeout + 90)


def tidy(
    marker: str, hold: Hold, *, intent: str, containers: Sequence[str], networks: Sequence[str], stop: Stop | None = None
) -> command.Command:
    """Remove what the release no longer has: containers by id, networks by name; never a volume.

    *stop*: what Compose stops first.
    """
    values = {"INTENT": intent, "NETWORKS": scripts.lines(networks), **_stopping(stop)}
    more = [*(["remove-network"] if networks else []), *(["stop-services"] if stop else [])]
    return _under_lease("tidy", "tidy", marker, hold, values, containers, timeout=120, more=more)


def _stopping(stop: Stop | None) -> dict[str, str]:
    if stop is None:
        return {"STOP": ""}
    return {**stop.compose.values(), "STOP": " ".join(stop.services)}


@dataclass(frozen=True, slots=True)
class Judged:
    """What a service was judged to run as: its labels' *content* and *secrets*, how many containers, whether it was just started, and whether it may end."""

    content: str
    secrets: str
    replicas: int = 1
    fresh: bool = False
    may_end: bool = False


def commit(
    marker: str, hold: Hold, *, record: str, release: str, deployed: str, current: str, script: str,
    runs: Mapping[str, Judged], releases: Sequence[str], objects: Sequence[str], secrets: Sequence[str], tags: Sequence[str],
) -> command.Command:
    """`committed` in the journal, *deployed* with the release, switch `current`, write the operator's script, prune, free.

    Refused before anything is written if one of the services *runs* does not run any more as it was judged.
    """
    judged = [
        f"{name} {one.content} {one.replicas} {int(one.fresh)} {int(one.may_end)} {one.secrets}" for name, one in runs.items()
    ]
    values: Values = {
        "RECORD": record, "RELEASE": release, "DEPLOYED": deployed, "CURRENT": current, "SCRIPT": script,
        "JUDGED": scripts.lines(judged), "DROP_RELEASES": scripts.lines(releases), **_dropped(objects, secrets),
    }
    more = ["as-judged"] if runs else []
    return _under_lease("commit", "commit", marker, hold, values, tags, timeout=120, more=more)


def _dropped(objects: Sequence[str], secrets: Sequence[str]) -> dict[str, str]:
    return {"DROP_OBJECTS": scripts.lines(objects), "DROP_SECRETS": scripts.lines(secrets)}


def release_lease(marker: str, hold: Hold, *, record: str) -> command.Command:
    """Journal how it ended here and free the lease; nothing else is changed."""
    return _under_lease("release-lease", "release-lease", marker, hold, {"RECORD": record}, timeout=60)


def detach_app(
    marker: str, hold: Hold, *, record: str, ended: str, release: str, objects: Sequence[str], secrets: Sequence[str]
) -> command.Command:
    """lading's own files of an app go, its containers stay with what they mount and what the file `compose` reads.

    *release* stays without its release.json; *objects* and *secrets* go; `current` goes last but for the line *ended*.
    """
    values: Values = {"RECORD": record, "ENDED": ended, "RELEASE": release, "KEEP": _slug(hold.app), **_dropped(objects, secrets)}
    return _under_lease("give-back", "detach-app", marker, hold, values, timeout=120)


def remove_app(
    marker: str, hold: Hold, *, record: str, volumes: bool, forget: bool, stop: Stop | None = None
) -> command.Command:
    """Remove the app's containers and networks (undo of a first deployment, and `remove`).

    *volumes*: its volumes and host data too; *forget*: lading's own files of the app, but for the journal; *stop*: what
    Compose stops first.
    """
    values: Values = {"RECORD": record, "VOLUMES": int(volumes), "FORGET": int(forget), "KEEP": _slug(hold.app), **_stopping(stop)}
    more = [*(["kept-tags"] if forget else []), *(["stop-services"] if stop else [])]
    return _under_lease("vanish", "remove-app", marker, hold, values, timeout=300, more=more)
