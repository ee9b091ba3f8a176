"""The keys of hosts: shown, and pinned beside the fleet file."""

import base64
import binascii
import hashlib
import os
import shlex
from pathlib import Path

from lading import disk, errors, loading
from lading import found as finding
from lading.cli import prompts, render, terminal

PINS = "in lading.yaml: ssh: {known_hosts: PATH}, a file in a folder that is there"


def trust(config: str, names: tuple[str, ...], yes: bool, replace: bool, *, new_in: Path | None = None) -> int:
    """Show the keys of hosts, of all without *names*, and pin them once a person, or *yes*, says so; the exit code.

    *replace*: a key that differs from the pinned one is pinned in its place. *new_in*: the hosts are in no fleet file yet, and
    this is the file of pinned keys that will be theirs.

    Raises:
        HostKeyError: a key differs.
        NotConfirmedError: nobody said so; nothing was pinned.
    """
    found = finding.fleet(os.environ, Path(), config)
    chosen = found.inventory.choose(names)[1] if names else found.inventory.reachable()
    for host in chosen:
        if host.is_local:
            render.line(f"{host.name}: this machine; there is no key")
    chosen = tuple(host for host in chosen if not host.is_local)
    if not chosen:
        return 0
    prompts.must_answer(yes)
    path = found.ssh.known_hosts
    with disk.writing(path, PINS):
        pinned = path.read_text(errors="surrogateescape").splitlines() if path.exists() else []

    with loading.later():  # all else here is about files: no host is asked, and no ledger opened
        from lading import bootstrap
        from lading.cli import session
    for name, keys in session.run(bootstrap.host_keys(os.environ, found, chosen, session.teller())):
        pinned = _pin(name, keys, pinned, yes, replace, new_in)
    with disk.writing(path, PINS):
        path.write_text("\n".join(pinned) + "\n", errors="surrogateescape")
    return 0


def _pin(
    name: str, keys: list[tuple[str, str, str]], pinned: list[str], yes: bool, replace: bool, new_in: Path | None
) -> list[str]:
    mine = [line for _, _, line in keys]
    where = mine[0].split()[0] if mine else name
    old = [line for line in pinned if line.split()[:1] == [where]]
    if set(mine) <= set(old):
        render.line(f"{name}: pinned already")
        return pinned
    if old and not replace:
        raise errors.HostKeyError(
            f"{name} shows another key than the one that is pinned: {', '.join(_fingerprint(line) for line in old)}, "
            f"now {', '.join(fingerprint for _, fingerprint, _ in keys)}",
            errors.of_another_key(_without(new_in, where) if new_in else f"lading hosts trust {name} --replace"), host=name)
    for line in old:
        render.line(f"{name}: pinned until now: {_fingerprint(line)}")
    for algorithm, fingerprint, _ in keys:
        render.line(f"{name}: {algorithm} {fingerprint}")
    question = f"Replace the pinned keys of {name} by these?" if old else f"Pin the keys of {name}?"
    if not yes and not terminal.confirm(question):
        raise errors.NotConfirmedError("not confirmed; nothing was pinned", "compare with the host's own: ssh-keygen -lf")
    return [line for line in pinned if line not in old] + mine


def _without(pins: Path, where: str) -> str:
    """What to type where the old key is of a host that no fleet file names yet, and so has nothing to be replaced by."""
    return f"remove the old line, then the same again: ssh-keygen -f {shlex.quote(str(pins))} -R {shlex.quote(where)}"


def _fingerprint(line: str) -> str:
    """A line of known_hosts as its algorithm and fingerprint."""
    try:
        _, algorithm, key = line.split()[:3]
        digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
    except (ValueError, binascii.Error):
        return "a line that cannot be read"
    return f"{algorithm} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
