"""Values by reference: from the environment, from a command, from the user's Docker configuration."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lading import errors, process


def resolve(reference: Sequence[str], environment: Mapping[str, str]) -> str:
    """The value of ("env", NAME) or ("command", argv...); a command's last newline is taken off.

    Raises:
        SettingsError: the variable is unset, or the command failed; its output is not shown.
    """
    kind, *rest = reference
    if kind == "env":
        if not environment.get(rest[0]):
            raise errors.SettingsError(f"the environment has no {rest[0]}, which lading.yaml names as a password",
                                       f"export {rest[0]}=…")
        return environment[rest[0]]
    try:
        done = process.run(rest, env=environment, timeout=30)
    except (process.ProgramMissingError, process.ProgramTimeoutError) as failed:
        raise errors.SettingsError(f"the password command {rest[0]} cannot be run or does not end",
                                   "try it by hand") from failed
    if done.status != 0:
        raise errors.SettingsError(f"the password command {rest[0]} ended with status {done.status}", "try it by hand")
    return done.stdout.decode().removesuffix("\n")


def docker_credentials(registry: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password that `docker login` has stored for a registry: auths, credHelpers, credsStore; or None."""
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker")
    names = [registry, f"https://{registry}"]
    if registry == "docker.io":
        names = ["https://index.docker.io/v1/", *names]
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
    for name in names:
        if helper and (found := _helper(str(helper), name, environment)):
            return found
        entry = config.get("auths", {}).get(name, {})
        if entry.get("auth"):
            try:
                user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                continue
            return user, password
    return None


def _helper(helper: str, name: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    try:
        done = process.run([f"docker-credential-{helper}", "get"], stdin=name.encode(), env=environment, timeout=30)
        got = json.loads(done.stdout) if done.status == 0 else {}
    except (process.ProgramMissingError, process.ProgramTimeoutError, ValueError):
        return None
    return (got["Username"], got["Secret"]) if got.get("Username") and got.get("Secret") else None
