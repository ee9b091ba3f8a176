"""Which host keys are trusted: pinned ones, by address or by name; certificate authorities; revoked keys."""

from collections.abc import Sequence
from typing import Any

import asyncssh

from lading import disk, errors
from lading.inventory import hosts

KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
              "rsa-sha2-256")


class Trust:
    """The keys a host may show, from known_hosts files, by its address or by its name in the inventory."""

    def __init__(self, host: hosts.Host, files: Sequence[str]) -> None:
        self.where = " or ".join(files)
        self.knows = False
        self._name = host.name
        self._known = asyncssh.SSHKnownHosts()
        self._revoked = asyncssh.SSHKnownHosts()  # apart: with a port, asyncssh forgets revoked keys in its fallback
        for file in files:
            for line in self._lines(file):
                self._load(line.strip(), file)

    def _lines(self, file: str) -> list[str]:
        try:
            return disk.read(disk.expanded(file), limit=16 << 20).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise errors.HostKeyError(f"{file} cannot be read: {disk.reason(fault)}", f"ls -l {file}", host=self._name) from fault

    def _load(self, line: str, file: str) -> None:
        revoked = line.split(None, 1)[:1] == ["@revoked"]
        try:
            (self._revoked if revoked else self._known).load(line.removeprefix("@revoked") if revoked else line)
        except ValueError as bad:
            if line.startswith("@"):  # OpenSSH skips broken lines; but not the ones that forbid
                raise errors.HostKeyError(f"{file}: {bad}", "correct that line", host=self._name) from bad

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
