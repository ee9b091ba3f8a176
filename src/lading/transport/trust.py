"""Which host keys are trusted: pinned ones, by address or by name; certificate authorities; revoked keys."""

import fnmatch
import functools
from collections.abc import Sequence
from typing import Any

import asyncssh

from lading import disk, errors
from lading.inventory import hosts

LIMIT = 16 << 20  # bytes of a known_hosts file
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
              "rsa-sha2-256")


def wanted(preferred: Sequence[str], configured: object) -> list[str]:
    """The types of host key to ask for, in the order and selection of HostKeyAlgorithms in the OpenSSH configuration.

    SHA-1 and DSA (ssh-rsa, ssh-dss) are never among them, whoever asks; where nothing else is asked for, all others are.
    """
    if not isinstance(configured, str) or not configured:
        return list(preferred)
    sign = configured[0] if configured[0] in "+-^" else ""
    patterns = configured.removeprefix(sign).split(",")
    named = [one for pattern in patterns for one in preferred if fnmatch.fnmatchcase(one, pattern)]
    others = [one for one in preferred if one not in named]
    by_sign = {"+": list(preferred), "-": others, "^": [*named, *others], "": named}
    return list(dict.fromkeys(by_sign[sign])) or list(preferred)


class Trust:
    """The keys a host may show, from known_hosts files, by its address or by its name in the inventory."""

    def __init__(self, host: hosts.Host, files: Sequence[str]) -> None:
        self.where = " or ".join(files)
        self.knows = False
        self._name = host.name
        try:
            self._known, self._revoked = _read(tuple(stamp for file in files if (stamp := _stamp(file))))
        except ValueError as bad:
            raise errors.HostKeyError(str(bad), "correct that line", host=host.name) from bad
        except OSError as fault:
            raise errors.HostKeyError(f"{fault.filename or self.where} cannot be read: {disk.reason(fault)}",
                                      f"ls -l {fault.filename or self.where}", host=host.name) from fault

    def __call__(self, name: str, address: str, port: int | None) -> tuple[Sequence[Any], ...]:
        """What asyncssh asks for: keys, CA keys, revoked keys; no X.509."""
        found = [self._known.match(name, address, port), self._known.match(self._name, "", port)]
        revoked = [
            key for at in {port, None} for who in (name, self._name) for key in self._revoked.match(who, address, at)[0]
        ]
        keys = [key for one in found for key in one[0]]
        authorities = [key for one in found for key in one[1]]
        self.knows = bool(keys or authorities)
        return keys, authorities, revoked, (), (), (), ()

    def algorithms(self, name: str, port: int | None) -> list[str]:
        """The types of host key to ask for: those that are known first, as OpenSSH does; with a CA, certificates."""
        keys, authorities, *_ = self(name, "", port)
        known = {key.get_algorithm().replace("ssh-rsa", "rsa-sha2") for key in keys}
        plain = sorted(KEY_TYPES, key=lambda one: not one.startswith(tuple(known)))
        return [f"{one}-cert-v01@openssh.com" for one in KEY_TYPES if authorities] + plain


def _stamp(file: str) -> tuple[str, int, int, int] | None:
    """The file as it is now; None if it is not there."""
    try:
        seen = disk.expanded(file).stat()
    except (FileNotFoundError, ValueError):
        return None
    return file, seen.st_ino, seen.st_mtime_ns, seen.st_size


@functools.lru_cache(maxsize=8)
def _read(files: tuple[tuple[str, int, int, int], ...]) -> tuple[asyncssh.SSHKnownHosts, asyncssh.SSHKnownHosts]:
    """What the files say of all hosts, and what they revoke; read once for a whole fleet, and again when one has changed.

    Revoked keys are apart because asyncssh, with a port, forgets them in its fallback.

    Raises:
        ValueError: a line that forbids or certifies is broken; others are skipped, as OpenSSH does.
        OSError: a file cannot be read, or is no file.
    """
    known, revoked = asyncssh.SSHKnownHosts(), asyncssh.SSHKnownHosts()
    for file, *_ in files:
        for line in map(str.strip, disk.read(disk.expanded(file), limit=LIMIT).decode("utf-8", "replace").splitlines()):
            forbids = line.split(None, 1)[:1] == ["@revoked"]
            try:
                (revoked if forbids else known).load(line.removeprefix("@revoked") if forbids else line)
            except ValueError as bad:
                if line.startswith("@"):
                    raise ValueError(f"{file}: {bad}") from bad
    return known, revoked
