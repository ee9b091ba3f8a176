"""What a project may do with its hosts, in the words of `allow:`: found in Compose's normal form by its keys' rules (pure)."""

import posixpath
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from lading.compose import keys, variables
from lading.dataclass import dataclass

RIGHTS = {  # the words of `allow:`, and what each lets an app do; RIGHT:ARGUMENT is narrower than RIGHT
    "annotation": "tells the container runtime what it does by this OCI annotation",
    "build-host": "its image is built with rights over the machine that builds",
    "capability": "its containers have this capability of root; ALL is root on the host",
    "cgroup-parent": "its containers count to a control group of somebody else",
    "credential-spec": "its containers act as an account of the host's domain",
    "device": "reads and writes this device of the host",
    "device-rules": "opens devices of the host by their numbers",
    "docker-socket": "controls Docker: root on the host",
    "foreign-container": "lives in this container of another app, or mounts its volumes",
    "gpus": "uses the host's GPUs and what their driver brings along",
    "host-cgroup": "sees and changes the control groups of the host",
    "host-ipc": "shares memory with every program of the host",
    "host-network": "is in the host's network: all its addresses, ports and local services",
    "host-path": "reads and writes this path of the host, and what lies below",
    "host-pid": "sees and signals every program of the host",
    "host-userns": "its root is the host's root, where user namespaces would keep them apart",
    "host-uts": "changes the name of the host",
    "image-mount": "mounts the files of another image",
    "isolation": "chooses how it is kept apart from the host",
    "log-driver": "has the engine send its output elsewhere",
    "models": "has Docker's model runner run on the host",
    "mount": "mounts a file system of this type, as root on the host",
    "mount-propagation": "its mounts appear on the host",
    "network-driver": "makes a network on the host's interfaces, or by a plug-in",
    "network-option": "sets this option of a network, which reaches the host's",
    "out-of-memory": "other programs of the host are killed before it",
    "privileged": "all devices and capabilities of the host: root on the host",
    "realtime": "may take all time of the host's processors",
    "runtime": "is run by another container runtime",
    "security-option": "leaves a part of what keeps containers apart: seccomp, AppArmor, SELinux",
    "shared-network": "is in this network, which may be another app's",
    "shared-volume": "reads and writes this volume, which may be another app's",
    "sysctl": "sets this parameter of the kernel",
    "volume-driver": "its data is kept by this plug-in",
}
REFUSED = "refused"  # stands in the place of a right for what no `allow:` takes


@dataclass(frozen=True, slots=True)
class Right:
    """One right that a project asks for: *service* ("" for none), *name* and *argument* as in `allow:`, the *key* it stands at.

    *shown* is the argument as people may see it: secret values are left out of it. A refused key has the name `refused`
    and its reason as argument. *file* and *line*: where it is written, as far as that is known.
    """

    service: str
    name: str
    argument: str
    key: tuple[str | int, ...]
    shown: str
    file: str = ""
    line: int = 0

    @property
    def word(self) -> str:
        """As it would stand in `allow:`."""
        return f"{self.name}:{self.shown}" if self.shown else self.name

    @property
    def says(self) -> str:
        """What it means."""
        return RIGHTS.get(self.name, self.shown)

    @property
    def place(self) -> str:
        """The key, dotted."""
        return ".".join(str(part) for part in self.key)


def covers(allowed: str, right: Right) -> bool:
    """Whether an entry of `allow:` gives a right: the bare name all of it, a path what lies below it.

    A relative path is seen from the app's folder on the host, so no absolute one covers it.
    """
    name, colon, argument = allowed.partition(":")
    if name != right.name or name == REFUSED:
        return False
    if not colon:
        return True
    if name == "host-path" and right.argument.startswith("/"):
        wanted, given = keys.path(right.argument), keys.path(argument)
        inside = wanted == given or wanted.startswith(given.rstrip("/") + "/")
        return argument.startswith("/") and inside and "$" not in wanted
    if name == "capability":
        return keys.capability(argument) in (right.argument, "ALL")
    return bool(argument == right.argument)


def lacking(rights: Sequence[Right], allowed: Sequence[str]) -> tuple[Right, ...]:
    """The rights that a list of `allow:` does not give."""
    return tuple(right for right in rights if not any(covers(one, right) for one in allowed))


def find(
    tree: Mapping[str, Any], shown: Mapping[str, Any] | None = None, shipped: Container[str] = ()
) -> tuple[Right, ...]:
    """All rights that a project in Compose's normal form asks for; *shown*: the same with secret values left out.

    *shipped*: relative paths that travel with the release, so that mounting them reaches nothing of the host.
    """
    found = _Search(tree, tree if shown is None else shown).all()
    return tuple(dict.fromkeys(right for right in found if not _ships(right, shipped)))


def _ships(right: Right, shipped: Container[str]) -> bool:
    relative = right.name == "host-path" and not right.argument.startswith("/")
    return relative and posixpath.normpath(right.argument) in shipped


class _Search:
    """One walk over a project; the name of the project tells its own volumes and networks from others'."""

    def __init__(self, tree: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
        self._tree, self._shown = tree, shown
        self._project = str(tree.get("name") or "")

    def all(self) -> Iterator[Right]:
        yield from self._below((), "", self._tree)
        for kind, name in (("networks", "shared-network"), ("volumes", "shared-volume")):
            for key, one in (self._tree.get(kind) or {}).items():
                yield from self._shared(kind, name, str(key), one or {})

    def _below(self, key: tuple[str | int, ...], pattern: str, value: Any) -> Iterator[Right]:
        """The rights of everything in an open value: a mapping by its keys, a list item by item."""
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._below((*key, index), pattern, item)
        if not isinstance(value, Mapping):
            return
        for name, part in value.items():
            if str(name).startswith("x-") and pattern not in keys.NAMED:
                continue
            below = f"{pattern}.*" if pattern in keys.NAMED else f"{pattern}.{name}".lstrip(".")
            yield from self._at((*key, str(name)), below, part)

    def _at(self, key: tuple[str | int, ...], pattern: str, value: Any) -> Iterator[Right]:
        rule = keys.TABLE.get(pattern, keys.UNKNOWN)
        if rule.refused and (rule is keys.UNKNOWN or keys.is_set(value)):
            yield Right(_service(key), REFUSED, rule.word, key, rule.word)
        if rule.judge is not None:
            yield from self._judged(key, rule.judge, value)
        if rule.open:
            yield from self._below(key, pattern, value)

    def _judged(self, key: tuple[str | int, ...], judge: keys.Judge, value: Any) -> Iterator[Right]:
        """What a judge says of a value, of a list item by item."""
        parts: list[tuple[tuple[str | int, ...], Any]] = [(key, value)]
        if isinstance(value, list):
            parts = [((*key, index), item) for index, item in enumerate(value)]
        for where, part in parts:
            for name, argument in judge(part):
                yield self._right(where, name, argument)

    def _right(self, key: tuple[str | int, ...], name: str, argument: str) -> Right:
        return Right(_service(key), name, argument, key, argument if self._may_show(key) else "…")

    def _may_show(self, key: tuple[str | int, ...]) -> bool:
        """Whether no secret value takes part in what stands at *key*."""
        return bool(_dig(self._tree, key) == _dig(self._shown, key))

    def _shared(self, kind: str, right: str, key: str, one: Mapping[str, Any]) -> Iterator[Right]:
        """A network or volume that exists outside the project, or has another name than the project gives its own."""
        name = variables.plain_text(str(one.get("name") or key))
        where = (kind, key, "name" if one.get("name") else "external")
        if kind == "networks" and name == "host":
            yield self._right(where, "host-network", "")
        elif one.get("external") or name != f"{self._project}_{key}":
            yield self._right(where, right, name)


def _dig(tree: Any, key: Sequence[str | int]) -> Any:
    for part in key:
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


def _service(key: Sequence[str | int]) -> str:
    return str(key[1]) if len(key) > 1 and key[0] == "services" else ""
