"""Decrypt an age file by an identity file: age's own keys, or SSH's (pyrage)."""

from collections.abc import Iterator
from pathlib import Path

import pyrage

from lading import disk

_ENCRYPTED = (b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/")
_SSH = b"-----BEGIN "


class LockedError(Exception):
    """The file stays closed: *why*, and what to try (*hint*)."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


def decrypted(path: Path, identity: Path, *, limit: int) -> bytes:
    """The content of the age file *path*, of at most *limit* bytes, armored or not.

    Raises:
        LockedError: a file cannot be read, or the key does not open it.
    """
    sealed, keys = _content(path, limit), _content(identity, limit)
    try:
        content: bytes = pyrage.decrypt(sealed, list(_identities(keys, identity)))
        return content
    except pyrage.DecryptError as wrong:
        by_passphrase = b"-> scrypt " in sealed[:200]
        why = "it is encrypted with a passphrase, not for a key" if by_passphrase else f"the key {identity} does not open it ({wrong})"
        raise LockedError(why, "encrypt it for that key: age -r RECIPIENT; age-keygen -y IDENTITY prints the recipient") from wrong


def _content(path: Path, limit: int) -> bytes:
    try:
        return disk.read(path, limit=limit)
    except OSError as fault:
        raise LockedError(f"{path}: {disk.reason(fault)}", f"ls -l {path}") from fault


def _identities(content: bytes, path: Path) -> Iterator[pyrage.x25519.Identity | pyrage.ssh.Identity]:
    """The keys of an identity file.

    Raises:
        LockedError: it is protected by a passphrase, which nobody is asked for, or holds no key.
    """
    if content.startswith(_ENCRYPTED):
        raise LockedError(f"the identity file {path} is protected by a passphrase, and nobody is asked for it",
                          f"an identity file without one, of mode 600: age-keygen -o KEY; or a command: [age, --decrypt, -i, {path}, …]")
    hint = "an identity file as age-keygen writes it, or an SSH key without a passphrase"
    try:
        if content.startswith(_SSH):
            yield pyrage.ssh.Identity.from_buffer(content)
            return
        lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if any(key.startswith("AGE-PLUGIN-") for key in keys):
            raise LockedError(f"the identity file {path} needs a plug-in of age", f"by age itself: command: [age, --decrypt, -i, {path}, FILE]")
        if not keys:
            raise LockedError(f"the identity file {path} holds no key", hint)
        for key in keys:
            yield pyrage.x25519.Identity.from_str(key)
    except pyrage.IdentityError as wrong:
        raise LockedError(f"the identity file {path} cannot be used: it holds no key of age or SSH, or one with a passphrase", hint) from wrong
