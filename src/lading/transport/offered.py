"""Which keys were offered to a host that let nobody in, why they could not do, and what to type next (asyncssh)."""

import asyncio
import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import asyncssh

_DEFAULT_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_USER = 1  # the type of a certificate for people; 2 is for hosts


class Offers(asyncssh.SSHClient):
    """Listens to one connection's authentication. *offered*: the fingerprint of the key that was offered last.

    When the host has let in, this is the key that it took.
    """

    def __init__(self) -> None:
        self.offered = ""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """asyncssh says nowhere which key a host took; it asks this method for each that it offers."""
        ask = conn.public_key_auth_requested

        async def asked() -> asyncssh.SSHKeyPair | None:
            pair = await ask()
            self.offered = fingerprint(pair) if pair is not None else ""
            return pair

        conn.public_key_auth_requested = asked  # type: ignore[method-assign]


def fingerprint(pair: asyncssh.SSHKeyPair) -> str:
    """What OpenSSH calls a key: SHA256 and a hash; of a certificate that of the key in it."""
    try:
        text = pair.algorithm + b" " + base64.b64encode(pair.public_data)
        return str(asyncssh.import_certificate(text).key.get_fingerprint())
    except asyncssh.KeyImportError:
        digest = base64.b64encode(hashlib.sha256(pair.public_data).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"


async def tried(options: asyncssh.SSHClientConnectionOptions, key_file: str = "") -> tuple[list[str], str]:
    """What was offered and what could not be, for people; and the line that may help, "" if none is known.

    *key_file*: the one key that the fleet names for the host.
    """
    username = str(options.username)
    agent, held = await _agent_keys(options.agent_path, username)
    keys = [_key_name(key, username) for key in options.client_keys or ()]
    useless, hint = _useless(key_file or options.config.get("IdentityFile"), held)
    return [*agent, *keys, *useless], hint


def _key_name(pair: asyncssh.SSHKeyPair, username: str) -> str:
    digest = base64.b64encode(hashlib.sha256(pair.public_data).digest()).decode().rstrip("=")
    name = [pair.get_algorithm(), f"SHA256:{digest}", pair.get_comment(errors="replace") or ""]
    return " ".join(filter(None, name)) + _certificate_fault(pair, username)


def _certificate_fault(pair: asyncssh.SSHKeyPair, username: str) -> str:
    """Why a host will not take this certificate, as far as it can be seen from here."""
    try:
        text = pair.algorithm + b" " + base64.b64encode(pair.public_data)
        certificate = asyncssh.import_certificate(text)
        certificate.validate(_USER, username)  # type: ignore[attr-defined]
    except asyncssh.KeyImportError:
        return ""  # a plain key
    except ValueError as fault:
        names = ", ".join(getattr(certificate, "principals", ()))
        mismatch = "principal" in str(fault)
        return f" (its certificate is for {names}, not for {username})" if mismatch else f" ({str(fault).lower()})"
    return ""


def _useless(files: Any, held: set[bytes]) -> tuple[list[str], str]:
    """The key files that could not be offered, and why; and the line that unlocks one of them. The agent has *held*."""
    found, hint = [], ""
    named = [files] if isinstance(files, str) else list(files or ())
    for name in named or [one for one in _DEFAULT_FILES if Path(one).expanduser().is_file()]:
        path = Path(name).expanduser()
        try:
            asyncssh.read_private_key(path)
        except OSError as failure:
            found.append(f"{name}: {failure.strerror}")
        except asyncssh.KeyImportError as failure:
            if not str(failure).startswith("Passphrase"):
                found.append(f"{name} cannot be read: {failure}")
            elif _public(path) not in held:
                found.append(f"{name} has a passphrase, and no agent holds it")
                hint = hint or f"ssh-add {name}"
    return found, hint


def _public(path: Path) -> bytes:
    """The public half of a key that is locked, from the file beside it."""
    try:
        return asyncssh.read_public_key(f"{path}.pub").public_data
    except (OSError, asyncssh.KeyImportError):
        return b""


async def _agent_keys(path: Any, username: str) -> tuple[list[str], set[bytes]]:
    """What the agent offered, for people and as public keys."""
    if not path or not isinstance(path, (str, os.PathLike)):
        return ["no agent (SSH_AUTH_SOCK is not set)"], set()
    try:
        async with asyncio.timeout(5), asyncssh.connect_agent(str(path)) as agent:
            keys = await agent.get_keys()
    except (asyncssh.Error, OSError, ValueError):
        return [f"no agent answers at {path}"], set()
    names = [f"{_key_name(key, username)} from the agent" for key in keys]
    return names or ["an agent without keys"], {key.public_data for key in keys}
