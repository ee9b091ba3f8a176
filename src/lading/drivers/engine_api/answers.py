"""What an engine answers, as the lines that scripts of a host tell of the same (pure)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lading import shape
from lading.drivers.engine_api import requests

Said = Mapping[str, Any]
_HALF_MADE = re.compile(r"[0-9a-f]{12}_.+")  # Compose calls a new one so until the old one is gone
_ONE_OFF = "com.docker.compose.oneoff"
_OWN = "lading.app"
_MARK = "lading-state-"  # and the app: the name of the volume that remembers its folder
_NAMELESS = re.compile(r"[0-9a-f]{64}")  # what Docker calls an anonymous volume
_SPACE = re.compile(r"\s")


class NotGivenError(ValueError):
    """An engine did not give what it was asked for: it cannot now, or does not want to."""


def object_of(answer: requests.Answer) -> dict[str, Any]:
    """The object that was asked for.

    Raises:
        NotGivenError: the engine did not give it.
        ValueError: it is another thing.
    """
    _check(answer)
    return shape.parse(answer.body.decode("utf-8", "replace"))


def objects_of(answer: requests.Answer) -> list[dict[str, Any]]:
    """The list of objects that was asked for.

    Raises:
        NotGivenError: the engine did not give it.
        ValueError: it is another thing.
    """
    _check(answer)
    return shape.parse_list(answer.body.decode("utf-8", "replace"))


def _check(answer: requests.Answer) -> None:
    if not answer.is_good:
        raise NotGivenError(f"the engine answers {answer.status}: {message(answer.body)}")


def volumes_of_all(answer: requests.Answer) -> Sequence[Said]:
    """The volumes of the host.

    Raises:
        NotGivenError: the engine did not give it.
        ValueError: it is another thing.
    """
    found: Sequence[Said] = shape.fitting(
        object_of(answer).get("Volumes") or [], tuple[Mapping[str, Any], ...], "Volumes")
    return found


def message(body: bytes) -> str:
    """What an engine says of a failure, in one line."""
    text = body.decode("utf-8", "replace")
    try:
        text = str(shape.parse(text).get("message", text))
    except ValueError:
        pass
    return " ".join(text.split())[:300]


def info(said: Said) -> list[str]:
    """What an engine says of itself, as scripts/lib/engine.sh asks it.

    Its plug-ins are left out: only the client knows of them.
    """
    shape.fields(said, {
        "ServerVersion": str, "ID": str, "Architecture": str, "DockerRootDir": str,
        "Runtimes": Mapping[str, Any] | None,
    })
    runtimes = "".join(f"{_plain(name)} " for name in sorted(said.get("Runtimes") or {}))
    return [
        f"engine={_plain(said.get('ServerVersion', ''))}",
        f"id={_plain(said.get('ID', ''))}",
        f"arch={_plain(said.get('Architecture', ''))}",
        f"runtimes={runtimes}",
        f"root={_line(said.get('DockerRootDir', ''))}",
    ]


def listed(containers: Iterable[Said]) -> Iterator[str]:
    """All containers, as scripts/lib/facts.sh lists them."""
    for one in containers:
        labels = _labels(one)
        project = _plain(labels.get(requests.PROJECT, ""))
        yield f"c={_plain(_text(one, 'Id'))} {project} {_plain(labels.get(_OWN, ''))}"
        yield f"port={project} {', '.join(_ports(one))}"
        attached = _part(_part(one, "NetworkSettings"), "Networks")
        names = ",".join(map(_plain, _names(one)))
        yield f"net={names} {','.join(map(_plain, attached))} {project}"


def networks(found: Iterable[Said]) -> Iterator[str]:
    """The names of all networks."""
    return (f"there={_line(_text(one, 'Name'))}" for one in found)


def ids(containers: Iterable[Said], app: str) -> list[str]:
    """The containers of an app, or of all of lading's if *app* is empty."""
    found = []
    for one in containers:
        labels = _labels(one)
        is_ours = labels.get(requests.PROJECT) == app if app else bool(labels.get(_OWN))
        if is_ours:
            found.append(_text(one, "Id"))
    return found


def is_settled(containers: Iterable[Said], app: str) -> bool:
    """Whether a command that was killed has left nothing.

    It may leave a hook's container, or one that Compose half made.
    """
    for one in containers:
        labels = _labels(one)
        project = labels.get(requests.PROJECT, "")
        if project.startswith(f"{app}-hook-") and labels.get(_ONE_OFF) == "True":
            return False
        is_new = project == app and one.get("State") == "created"
        if is_new and any(map(_HALF_MADE.fullmatch, _names(one))):
            return False
    return True


def container(said: Said) -> str:
    """One container, as scripts/lib/container-format.sh asks for it.

    Raises:
        ValueError: it is another thing.
    """
    config, host = _part(said, "Config"), _part(said, "HostConfig")
    shown = {
        "id": said.get("Id"),
        "name": said.get("Name"),
        "image": config.get("Image"),
        "image_id": said.get("Image"),
        "created": said.get("Created"),
        "labels": config.get("Labels"),
        "state": said.get("State"),
        "restarts": said.get("RestartCount"),
        "networks": _part(said, "NetworkSettings").get("Networks"),
        "mounts": said.get("Mounts"),
        "volumes_from": host.get("VolumesFrom"),
        "modes": [str(host.get(name) or "") for name in ("NetworkMode", "IpcMode", "PidMode")],
        "ports": host.get("PortBindings"),
    }
    return json.dumps(shown, ensure_ascii=False)


def volume_names(found: Iterable[Said]) -> Iterator[str]:
    """The volumes that have a name of their own."""
    for one in found:
        name = _line(_text(one, "Name"))
        if not _NAMELESS.fullmatch(name):
            yield name


def volumes_of(found: Iterable[Said], app: str) -> list[str]:
    """The names of an app's volumes."""
    if not app:
        return []
    return [_text(one, "Name") for one in found if _labels(one).get(requests.PROJECT) == app]


def volume(said: Said) -> str:
    """One volume, as scripts/lib/volumes.sh asks for it."""
    shown = {
        "name": said.get("Name"),
        "driver": said.get("Driver") or "",
        "options": said.get("Options"),
        "labels": said.get("Labels"),
    }
    return json.dumps(shown, ensure_ascii=False)


def marks(found: Iterable[Said]) -> dict[str, str]:
    """Where lading keeps apps, as the engine remembers it: app → "USER FOLDER"."""
    known = {}
    for one in found:
        name, labels = _text(one, "Name"), _labels(one)
        if not name.startswith(_MARK) or "lading.folder" not in labels:
            continue
        user, folder = _plain(labels.get("lading.user", "")), _line(labels["lading.folder"])
        known[_plain(name.removeprefix(_MARK))] = f"{user} {folder}"
    return known


def _labels(said: Said) -> Mapping[str, str]:
    found: Mapping[str, str] = shape.fitting(said.get("Labels") or {}, Mapping[str, str], "Labels")
    return found


def _names(said: Said) -> list[str]:
    """What a container is called, also by those that are linked to it: web, other/db."""
    names: Sequence[str] = shape.fitting(said.get("Names") or [], tuple[str, ...], "Names")
    return [name.removeprefix("/") for name in names]


def _ports(said: Said) -> Iterator[str]:
    """What a container publishes, as `docker ps` says it: 0.0.0.0:80->8080/tcp."""
    for one in shape.fitting(said.get("Ports") or [], tuple[Mapping[str, Any], ...], "Ports"):
        shape.fields(one, {"IP": str, "PrivatePort": int, "PublicPort": int, "Type": str})
        if one.get("PublicPort"):
            outside = f"{_plain(one.get('IP', ''))}:{one['PublicPort']}"
            yield f"{outside}->{one.get('PrivatePort')}/{_plain(one.get('Type', ''))}"


def _part(said: Said, name: str) -> Said:
    found: Said = shape.fitting(said.get(name) or {}, Mapping[str, Any], name)
    return found


def _text(said: Said, name: str) -> str:
    found: str = shape.fitting(said.get(name), str, name)
    return found


def _plain(text: str) -> str:
    """A word of a line: what would end it is not in it."""
    return _SPACE.sub("_", text)


def _line(text: str) -> str:
    """The rest of a line."""
    return " ".join(text.splitlines())
