"""Requests to Docker's API as values, bounded, and masked for print; and answers (pure)."""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from urllib.parse import quote, urlencode

from lading import shape
from lading.dataclass import dataclass
from lading.transport import command

BODY = 16 * 1024 * 1024  # bytes of an answer's body
PATIENCE = 30.0  # seconds for an answer to a question
LOADED = 1800.0  # seconds that an engine may take to store an image that has arrived
PULLED = 300.0  # seconds until a pull has begun: the engine asks the registry first
OLDEST = (1, 41)  # Docker Engine 20.10
NEWEST = (1, 51)  # Docker Engine 28.5; newer ones are spoken to so, if they still know it
PROJECT = "com.docker.compose.project"

# What an entry of a Docker configuration may hold
_ENTRY = ("username", "password", "identitytoken", "registrytoken")
_ID = re.compile(r"\b[0-9a-f]{64}\b")
NOTHING = command.Secret(b"")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: *path* without the API's version, *query* by name.

    *secrets*: headers that nobody shows; *body*: likewise. *limit*: bytes of the answer's body;
    *patience*: seconds. *changes*: it may only go while a script of the same deployment holds the
    app's lock.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[tuple[str, command.Secret], ...] = ()
    body: command.Secret = NOTHING
    limit: int = BODY
    patience: float = PATIENCE
    changes: bool = False

    def target(self, version: str) -> str:
        """What stands in the request's first line.

        *version*: as "1.41", or "" for a path that has none.
        """
        query = f"?{urlencode(self.query)}" if self.query else ""
        start = f"/v{version}" if version else ""
        return f"{start}{self.path}{query}"

    def masked(self) -> str:
        """The same for people; a login shows only that there is one."""
        words = [self.method, self.path]
        if "filters" in self.query:
            words.append(self.query["filters"])
        for name, value in self.query.items():
            if name not in ("filters", "all"):
                words.append(f"{name}={_path(value)}")
        words += [f"{name}: ***" for name, _ in self.secrets]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine answered: its HTTP status, and the whole body."""

    status: int
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it did what it was asked."""
        return 200 <= self.status < 300


VERSION = Request("GET", "/version", limit=256 * 1024)
INFO = Request("GET", "/info", limit=1024 * 1024)
NETWORKS = Request("GET", "/networks")


def summary(asked: Sequence[Request]) -> str:
    """Requests that go out at once, in one line for people.

    Those of one kind are shown once, with how many there are.
    """
    kinds = Counter(_ID.sub("ID", one.masked()) for one in asked)
    shown = []
    for kind, count in kinds.items():
        shown.append(f"{kind} ({count} times)" if count > 1 else kind)
    return ", ".join(shown)


def containers(*labels: str) -> Request:
    """All containers, those that have ended too.

    *labels*: NAME or NAME=VALUE; only those that have each of them.
    """
    query = {"all": "1"}
    if labels:
        query["filters"] = _filters({"label": labels})
    return Request("GET", "/containers/json", query)


def container(id: str) -> Request:
    """One container, as `docker container inspect` shows it."""
    return Request("GET", f"/containers/{_word(id)}/json")


def volumes() -> Request:
    """All volumes of the host."""
    return Request("GET", "/volumes")


def volume(name: str) -> Request:
    """One volume, with how it was made."""
    return Request("GET", f"/volumes/{_word(name)}")


def image(reference: str) -> Request:
    """One image of the host."""
    return Request("GET", f"/images/{_path(reference)}/json")


def pull(reference: str, login: command.Secret | None) -> Request:
    """Pull an image by digest; *login*: the header X-Registry-Auth."""
    name, _, digest = reference.partition("@")
    query = {"fromImage": name, "tag": digest}
    secrets = (("X-Registry-Auth", login),) if login is not None else ()
    return Request("POST", "/images/create", query, secrets, patience=PULLED, changes=True)


def load() -> Request:
    """Take an image's archive, which is sent as it comes."""
    return Request("POST", "/images/load", {"quiet": "1"}, limit=1024 * 1024, patience=LOADED, changes=True)


def check_login(username: str, password: bytes, registry: str) -> Request:
    """Whether a registry takes a login; the engine keeps nothing of it."""
    said = {"username": username, "password": password.decode(), "serveraddress": registry}
    body = command.Secret(json.dumps(said).encode())
    return Request("POST", "/auth", body=body, patience=60)


def tag(reference: str, name: str) -> Request:
    """Call an image *name*, REPOSITORY:TAG, too."""
    repository, _, word = name.rpartition(":")
    query = {"repo": repository, "tag": word}
    return Request("POST", f"/images/{_path(reference)}/tag", query, changes=True)


def untag(name: str) -> Request:
    """Take a name from an image.

    Where it was the last one, and no container is made of the image, the image goes.
    """
    return Request("DELETE", f"/images/{_path(name)}", changes=True)


def events(app: str) -> Request:
    """That one of an app's containers ends or tells of its health, from now on.

    Without the filter most events would be `exec_*`: each run of a health check has three of them.
    """
    filters = {
        "type": ["container"],
        "event": ["die", "health_status"],
        "label": [f"{PROJECT}={app}"],
    }
    return Request("GET", "/events", {"filters": _filters(filters)})


def login(username: str, password: bytes, registry: str) -> command.Secret:
    """The header X-Registry-Auth for a name and a password."""
    said = {"username": username, "password": password.decode(), "serveraddress": registry}
    return _header(said)


def entry(written: bytes, registry: str) -> command.Secret:
    """The header X-Registry-Auth for an entry of a Docker configuration.

    *written*: `"REGISTRY":{"identitytoken":…}`.

    Raises:
        ValueError: it is another thing.
    """
    said = shape.parse(f"{{{written.decode()}}}")
    found = next(iter(said.values()), None)
    if not isinstance(found, dict):
        raise ValueError("it is no entry of a Docker configuration")
    shape.fields(found, dict.fromkeys(("auth", *_ENTRY), str))
    return _header({**_named(found), "serveraddress": registry})


def _named(found: Mapping[str, str]) -> dict[str, str]:
    """What an entry holds, by the names of the API: its `auth` is NAME:PASSWORD in base64."""
    said = {name: found[name] for name in _ENTRY if found.get(name)}
    if found.get("auth") and "password" not in said:
        name, _, password = base64.b64decode(found["auth"]).decode().partition(":")
        said["username"] = name
        if password:
            said["password"] = password
    return said


def _header(said: Mapping[str, str]) -> command.Secret:
    return command.Secret(base64.urlsafe_b64encode(json.dumps(said).encode()))


def version(told: str, oldest: str) -> str:
    """The version of the API in which an engine is spoken to: the newest that both know.

    *told*: its own version, as "1.41"; *oldest*: the oldest that it still knows, "" = it does not
    say.

    Raises:
        ValueError: there is none, or it says another thing.
    """
    newest, least = _numbers(told), _numbers(oldest or "1.0")
    chosen = min(newest, NEWEST)
    if chosen < max(least, OLDEST):
        raise ValueError(
            f"it speaks API {oldest or '?'} to {told}, lading {_text(OLDEST)} to {_text(NEWEST)}")
    return _text(chosen)


def _numbers(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit() and len(text) < 12):
        raise ValueError(f"{text[:20]!r} is no version of the API")
    return int(major), int(minor)


def _text(numbers: Sequence[int]) -> str:
    return ".".join(map(str, numbers))


def _filters(said: Mapping[str, Sequence[str]]) -> str:
    return json.dumps(said, separators=(",", ":"))


def _word(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _path(reference: str) -> str:
    """An image's reference, whose slashes the API takes as they are."""
    return quote(reference, safe="/:@")
