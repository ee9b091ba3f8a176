"""The keys that a host is offered, in OpenSSH's order: the agent's that a file names, the agent's others, those of files (asyncssh)."""

import asyncio
import contextlib
import copy
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from lading.dataclass import dataclass
from lading.transport import openssh

_USER = 1  # the type of a certificate for people
_ANSWER = 5.0  # seconds that an agent has


@contextlib.asynccontextmanager
async def offered(said: openssh.Configured) -> AsyncIterator[list[asyncssh.SSHKeyPair]]:
    """The keys for one login; they can sign as long as this context lasts."""
    if not said.by_key:
        yield []
        return
    agent = asyncssh.SSHAgentClient(said.agent) if said.agent else None
    try:
        tokens = await asyncio.to_thread(_on_token, said.pkcs11) if said.pkcs11 else []
        yield [*tokens, *ordered(said, await agent_keys(agent) if agent is not None else [])]
    finally:
        if agent is not None:
            agent.close()


def _on_token(provider: str) -> list[asyncssh.SSHKeyPair]:
    """The keys of a PKCS11Provider, where asyncssh can ask it."""
    try:
        return list(asyncssh.load_pkcs11_keys(provider))
    except (asyncssh.Error, OSError, ValueError):
        return []


async def agent_keys(agent: asyncssh.SSHAgentClient) -> list[asyncssh.SSHKeyPair]:
    """What an agent holds; nothing of one that does not answer."""
    try:
        async with asyncio.timeout(_ANSWER):
            return list(await agent.get_keys())
    except (asyncssh.Error, OSError, ValueError):
        return []


def ordered(said: openssh.Configured, held: Sequence[asyncssh.SSHKeyPair]) -> list[asyncssh.SSHKeyPair]:
    """*held* by the agent and those of files, as OpenSSH's pubkey_prepare puts them; each once.

    Certificates that are named come first. A file of which only X.pub is there means the agent's key. With
    IdentitiesOnly, only what files name. Files that cannot be read are passed over.
    """
    named = [one for path in said.identity_files for one in _named(path, beside=not said.certificate_files)]
    wanted = {one.data for one in named}
    first = [key for key in held if key.public_data in wanted]
    others = [key for key in held if key.public_data not in wanted and not said.identities_only]
    own = {one.data: key for one in named if one.certificate is None and (key := _private(one.path)) is not None}
    there = {key.public_data for key in held}
    rest = [_signer(one, [*first, *others], own) for one in named if one.data not in there]
    listed = [_signer(_Named("", one.public_data, one), [*first, *others], own)
              for path in said.certificate_files if (one := _certificate(path)) is not None]
    found = [key for key in (*listed, *first, *others, *rest) if key is not None]
    return list({key.public_data: key for key in reversed(found)}.values())[::-1]


@dataclass(frozen=True, slots=True)
class _Named:
    """A key, or a certificate, that a file names; *data*: its public half."""

    path: str
    data: bytes
    certificate: asyncssh.SSHCertificate | None = None


def _named(path: str, *, beside: bool) -> list[_Named]:
    """The key of a file, and after it the certificate that lies beside it, if that counts."""
    public = _public(path)
    found = [_Named(path, public)] if public else []
    certificate = _certificate(f"{path}-cert.pub") if beside else None
    return found if certificate is None else [*found, _Named(path, certificate.public_data, certificate)]


def _signer(
    one: _Named, held: Sequence[asyncssh.SSHKeyPair], own: Mapping[bytes, asyncssh.SSHKey]
) -> asyncssh.SSHKeyPair | None:
    """What can sign as *one*: a key of a file, for a certificate also one of the agent."""
    base = one.data if one.certificate is None else one.certificate.key.public_data
    if one.certificate is not None:
        for key in held:
            if key.public_data == one.data:
                return key
            if key.public_data == base:
                copied = copy.copy(key)
                copied.set_certificate(one.certificate)
                return copied
    key_of_file = own.get(base)
    if key_of_file is None:
        return None
    pairs = asyncssh.load_keypairs([key_of_file if one.certificate is None else (key_of_file, one.certificate)])
    return pairs[0]


def _public(path: str) -> bytes:
    """The public half of a key file: X.pub beside it, else what the file itself says; b"" if neither can be read."""
    for name in (f"{path}.pub", path):
        with contextlib.suppress(OSError, asyncssh.KeyImportError, ValueError):
            return bytes(asyncssh.read_public_key(name).public_data)
    key = _private(path)
    return key.public_data if key is not None else b""


def _private(path: str) -> asyncssh.SSHKey | None:
    """The key of a file that is there and has no passphrase."""
    try:
        seen = Path(path).stat()
        return _read(path, seen.st_ino, seen.st_mtime_ns, seen.st_size)
    except (OSError, ValueError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        return None


@functools.lru_cache(maxsize=64)
def _read(path: str, *stamp: int) -> asyncssh.SSHKey:
    """A private key; read once for a whole fleet, and again when its file has changed."""
    return asyncssh.read_private_key(path)


def _certificate(path: str) -> asyncssh.SSHCertificate | None:
    """A person's certificate; None where there is none."""
    try:
        found: Any = asyncssh.read_certificate(path)
    except (OSError, ValueError, asyncssh.KeyImportError):
        return None
    return found if getattr(found, "_cert_type", _USER) == _USER else None
