"""Which keys were offered to a host that let nobody in, why they could not do, and what to type next (asyncssh)."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from lading.transport import command, configuration, identities, openssh

_USER = 1  # the type of a certificate for people; 2 is for hosts


class Offers(asyncssh.SSHClient):
    """Listens to one connection's authentication. *offered*: the fingerprint of the key that was offered last.

    When the host has let in, this is the key that it took. *methods*: the ways to authenticate that the host named.
    """

    def __init__(self, keys: Sequence[asyncssh.SSHKeyPair] = ()) -> None:
        self.offered = ""
        self.methods: tuple[str, ...] = ()
        self._keys = list(keys)

    def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        """The keys to offer, in this order, all at once."""
        keys, self._keys = self._keys, []
        return keys or None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """asyncssh says nowhere which key a host took; it asks this method for each that it offers."""
        ask, go_on = conn.public_key_auth_requested, conn.try_next_auth

        async def asked() -> asyncssh.SSHKeyPair | None:
            pair = await ask()
            self.offered = fingerprint(pair) if pair is not None else ""
            return pair

        def heard(**more: Any) -> None:
            left = tuple(conn.get_server_auth_methods())  # of those that were named, after some were tried
            if left != ("none",) and len(left) > len(self.methods):
                self.methods = left
            go_on(**more)

        conn.public_key_auth_requested = asked  # type: ignore[method-assign]
        conn.try_next_auth = heard  # type: ignore[method-assign]


def fingerprint(pair: asyncssh.SSHKeyPair) -> str:
    """What OpenSSH calls a key: SHA256 and a hash; of a certificate that of the key in it."""
    try:
        text = pair.algorithm + b" " + base64.b64encode(pair.public_data)
        return str(asyncssh.import_certificate(text).key.get_fingerprint())
    except asyncssh.KeyImportError:
        digest = base64.b64encode(hashlib.sha256(pair.public_data).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"


async def tried(said: openssh.Configured) -> tuple[list[str], str]:
    """What was offered and what could not be, for people; and the line that may help, "" if none is known."""
    if not said.by_key:
        return ["no key (PubkeyAuthentication is no)"], "PubkeyAuthentication yes in ~/.ssh/config"
    agent, held = await _agent_keys(said)
    keys = [f"{_key_name(key, said.user)}{' from the agent' if key.get_key_type() == 'agent' else ''}"
            for key in identities.ordered(said, held)]
    useless, hint = _useless(said.identity_files, {key.public_data for key in held})
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


def _useless(files: Sequence[str], held: set[bytes]) -> tuple[list[str], str]:
    """The key files that could not be offered, and why; and the line that unlocks one of them. The agent has *held*."""
    found, hint = [], ""
    usual = {str(Path(one).expanduser()) for one in configuration.DEFAULT_KEYS}
    for name in files:
        path = Path(name)
        if (name in usual and not path.is_file()) or (not path.is_file() and _public(path) in held):
            continue
        try:
            asyncssh.read_private_key(path)
        except OSError as failure:
            found.append(f"{name}: {failure.strerror}")
        except asyncssh.KeyImportError as failure:
            if not str(failure).startswith("Passphrase"):
                found.append(f"{name} cannot be read: {failure}")
            elif _public(path) not in held:
                found.append(f"{name} has a passphrase, and no agent holds it")
                hint = hint or f"ssh-add {command.quote(name)}"
    return found, hint


def _public(path: Path) -> bytes:
    """The public half of a key that is locked, from the file beside it."""
    try:
        return asyncssh.read_public_key(f"{path}.pub").public_data
    except (OSError, asyncssh.KeyImportError):
        return b""


async def _agent_keys(said: openssh.Configured) -> tuple[list[str], list[asyncssh.SSHKeyPair]]:
    """What there is to say of the agent, and what it holds."""
    if not said.agent:
        return ["no agent (SSH_AUTH_SOCK is not set)"], []
    try:
        async with asyncio.timeout(5), asyncssh.connect_agent(said.agent) as agent:
            held = list(await agent.get_keys())
    except (asyncssh.Error, OSError, ValueError):
        return [f"no agent answers at {said.agent}"], []
    return [] if held else ["an agent without keys"], held
