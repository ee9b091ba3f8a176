"""How a registry is reached, with which login, and what it says of an image."""

import base64
import json
from dataclasses import field

from lading.dataclass import dataclass

TIMEOUT = 30.0  # seconds an answer may take, redirects included
PATIENCE = 30.0  # seconds for which a registry that is busy, or hangs up, is asked again


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password; *origin* says where they come from, for messages.

    *identity*: the password is an identity token (OAuth 2's refresh token), for which the registry's own host gives others.
    """

    username: str
    password: str = field(repr=False)
    origin: str = ""
    identity: bool = False

    def as_basic(self) -> str:
        """The value of the header Authorization; it holds the password."""
        return f"Basic {_base64(f'{self.username}:{self.password}')}"

    def as_docker_keeps(self) -> dict[str, str]:
        """The entry of `auths` in a Docker configuration; it holds the password."""
        if self.identity:
            return {"auth": _base64(f"{self.username}:"), "identitytoken": self.password}
        return {"auth": _base64(f"{self.username}:{self.password}")}

    def as_api_header(self, registry: str) -> str:
        """The header X-Registry-Auth of Docker's API; it holds the password."""
        secret = {"identitytoken" if self.identity else "password": self.password}
        entry = {"username": self.username, **secret, "serveraddress": docker_name(registry)}
        return base64.urlsafe_b64encode(json.dumps(entry).encode()).decode()


@dataclass(frozen=True, slots=True)
class Access:
    """How a registry is reached: credentials (*lack*: why there are none), path of its CA's certificate, whether plain
    HTTP will do, seconds that an answer may take; *auth*: another host that may be sent the credentials, to give tokens; *patience*: seconds for
    which it is asked again; *by_hosts*: only hosts ask it, and nobody here."""

    credentials: Credentials | None = None
    ca: str = ""
    insecure: bool = False
    lack: str = "there are no credentials for it"
    timeout: float = TIMEOUT
    auth: str = ""
    patience: float = PATIENCE
    by_hosts: bool = False


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a reference is now: its index digest, and the platforms it is there for ("linux/amd64"; () = not said)."""

    digest: str
    platforms: tuple[str, ...] = ()


def docker_name(registry: str) -> str:
    """The key under which a Docker configuration has a registry's login."""
    return "https://index.docker.io/v1/" if registry == "docker.io" else registry


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
