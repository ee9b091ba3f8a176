"""Values by reference: from the environment, from a command, from the user's Docker configuration."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lading import disk, errors, process

COMMAND_TIMEOUT = 30.0  # seconds a command that prints a password may take
CONFIG_LIMIT = 4 << 20  # bytes of a Docker configuration
NOBODY = "<token>"  # the user that credential helpers name where the secret is an identity token


def resolve(reference: Sequence[str], environment: Mapping[str, str]) -> str:
    """The value of ("env", NAME) or ("command", argv...); a command's last newline is taken off.

    Raises:
        SettingsError: the variable is unset, or the command failed or printed nothing; its output is not shown.
    """
    kind, *rest = reference
    if kind == "env":
        if not environment.get(rest[0]):
            raise errors.SettingsError(f"the environment has no {rest[0]}, which lading.yaml names as a password",
                                       f"export {rest[0]}=…")
        return environment[rest[0]]
    hint = f"try it by hand: {rest[0]} …"
    try:
        done = process.run(rest, env=environment, timeout=COMMAND_TIMEOUT)
        value = done.stdout.decode().removesuffix("\n")
    except (process.ProgramMissingError, process.ProgramTimeoutError) as failed:
        raise errors.SettingsError(f"the password command {rest[0]} cannot be run or does not end", hint) from failed
    except UnicodeDecodeError as binary:
        raise errors.SettingsError(f"the password command {rest[0]} prints what is no text", hint) from binary
    if done.status != 0:
        raise errors.SettingsError(f"the password command {rest[0]} ended with status {done.status}", hint)
    if not value:
        raise errors.SettingsError(f"the password command {rest[0]} prints nothing", hint)
    return value


@dataclass(frozen=True, slots=True)
class Login:
    """What is stored of a registry; *identity*: the password is an identity token; *origin*: where it is stored, in words."""

    username: str
    password: str = field(repr=False)
    identity: bool = False
    origin: str = "docker login"


def docker_credentials(registry: str, environment: Mapping[str, str]) -> Login | None:
    """The login of a registry that DOCKER_AUTH_CONFIG or the Docker configuration knows: credHelpers, credsStore, auths; or None.

    Raises:
        SettingsError: the configuration cannot be read, or a credential helper that it names fails.
    """
    given = environment.get("DOCKER_AUTH_CONFIG", "").strip()
    if given:
        text = given.encode() if given.startswith("{") else None
        found = _known(registry, environment, text, Path(given) if text is None else Path("DOCKER_AUTH_CONFIG"))
        if found is not None:
            return replace(found, origin="DOCKER_AUTH_CONFIG")
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/") / ".docker")
    return _known(registry, environment, None, folder / "config.json")


def _known(registry: str, environment: Mapping[str, str], text: bytes | None, path: Path) -> Login | None:
    """What one configuration knows of a registry; *text*: its content, else it is read from *path*."""
    try:
        config = json.loads(disk.read(path, limit=CONFIG_LIMIT) if text is None else text)
        helpers, entries = dict(config.get("credHelpers") or {}), dict(config.get("auths") or {})
        helper = _of(registry, helpers) or config.get("credsStore")
        if helper and (found := _helper(str(helper), registry, environment)):
            return found
        return _stored(_of(registry, entries) or {})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as wrong:
        raise errors.SettingsError(f"{path} cannot be used: {type(wrong).__name__}", f"docker login {registry}",
                                   file="" if text else str(path)) from wrong


def _of(registry: str, entries: Mapping[str, Any]) -> Any:
    """What a part of the configuration says of a registry; its keys are names or URLs, as `docker login` was given."""
    if registry in entries:
        return entries[registry]
    known = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}
    for key, value in entries.items():
        name = key.partition("://")[2] or key
        host = name.partition("/")[0]
        if known.get(host, host) == registry:
            return value
    return None


def _stored(entry: Mapping[str, Any]) -> Login | None:
    """The login in an entry of `auths`: `auth` (base64, in lines or not), or `username` and `password`; an identity token
    stands for the password."""
    encoded = "".join(str(entry.get("auth") or "").split())
    user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    user, password = user or str(entry.get("username") or ""), password.rstrip("\r\n\0") or str(entry.get("password") or "")
    token = str(entry.get("identitytoken") or "")
    if token:
        return Login(user or NOBODY, token, identity=True)
    return Login(user, password) if user and password else None


def _helper(helper: str, registry: str, environment: Mapping[str, str]) -> Login | None:
    """What a credential helper knows of a registry; None if it knows nothing."""
    program = f"docker-credential-{helper}"
    asked = "https://index.docker.io/v1/" if registry == "docker.io" else registry
    try:
        done = process.run([program, "get"], stdin=asked.encode(), env=environment, timeout=COMMAND_TIMEOUT)
    except (process.ProgramMissingError, process.ProgramTimeoutError) as failed:
        raise errors.SettingsError(f"{program} cannot be run or does not end", f"docker login {registry}") from failed
    if done.status != 0:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise errors.SettingsError(f"{program} ended with status {done.status}", f"docker login {registry}")
    try:
        got = json.loads(done.stdout)
        user, secret = got["Username"], got["Secret"]
        return Login(str(user), str(secret), identity=user == NOBODY) if user and secret else None
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise errors.SettingsError(f"{program} answers what cannot be read", f"docker login {registry}") from wrong
