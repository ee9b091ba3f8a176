"""Compose's normal form as Compose 2.40 writes it, whichever version wrote it; where two forms differ in value (pure)."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from lading.compose.services import seconds

Path = tuple[str, ...]
Tree = Mapping[str, Any]

# What people name: each name counts, also without a value, and values are texts.
NAMED = frozenset({
    "annotations", "args", "aux_addresses", "configs", "depends_on", "driver_opts", "environment", "labels", "networks",
    "options", "secrets", "services", "storage_opt", "sysctls", "volumes",
})  # fmt: skip
# What one version leaves out and another writes.
STANDARD: Mapping[str, Any] = {
    "attachable": False, "bind": {}, "enable_ipv6": False, "external": False, "internal": False, "privileged": False,
    "read_only": False, "required": True, "restart": False, "stdin_open": False, "tty": False, "volume": {},
}  # fmt: skip
# The order of these says nothing.
SETS = frozenset({
    "cap_add", "cap_drop", "configs", "devices", "expose", "extra_hosts", "ports", "profiles", "secrets", "volumes",
})  # fmt: skip
DURATIONS = frozenset({
    "delay", "interval", "monitor", "start_interval", "start_period", "stop_grace_period", "timeout", "window",
})  # fmt: skip
_DURATION = re.compile(r"(\d+(\.\d*)?(h|ms|us|µs|ns|m|s))+")
_OCTAL = re.compile(r"0o?[0-7]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
NOTHING = object()
WHOLE = "the whole file"


def settled(tree: Tree, *, creates: bool = False) -> dict[str, Any]:
    """*tree* as Compose 2.40 writes it, so that a release is the same one whatever Compose read it.

    *creates*: it was written by a Compose that leaves `create_host_path: true` out (5.0 and later).
    """
    found = dict(tree)
    if isinstance(tree.get("services"), Mapping):
        found["services"] = {name: _service(one, creates) for name, one in tree["services"].items()}
    return found


def leaves_room(tree: Tree) -> bool:
    """Whether a bind of *tree* may create its host folder without saying so: only its writer's dialect tells."""
    binds = [
        mount.get("bind")
        for service in (tree.get("services") or {}).values()
        for mount in service.get("volumes") or () if isinstance(mount, Mapping)
    ]
    return any(isinstance(bind, Mapping) and "create_host_path" not in bind for bind in binds)


def _service(service: Any, creates: bool) -> Any:
    """One service as 2.40 writes it."""
    if not isinstance(service, Mapping):
        return service
    rewrite: Mapping[str, Callable[[Any], Any]] = {
        "cpus": _number,
        "deploy": _deploy,
        "devices": lambda listed: _each(listed, _device),
        "ports": lambda listed: _each(listed, _port),
        "configs": lambda listed: _each(listed, _file),
        "secrets": lambda listed: _each(listed, _file),
        "volumes": lambda listed: _each(listed, lambda mount: _mount(mount, creates)),
    }
    return {key: rewrite[key](value) if key in rewrite else value for key, value in service.items()}


def _each(listed: Any, rewrite: Callable[[Any], Any]) -> Any:
    return [rewrite(one) for one in listed] if isinstance(listed, list) else listed


def _number(value: Any) -> Any:
    """A number that older versions write as a text."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else float(number)


def _deploy(deploy: Any) -> Any:
    resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
    if not isinstance(resources, Mapping):
        return deploy
    return {**deploy, "resources": {key: _limits(one) for key, one in resources.items()}}


def _limits(limits: Any) -> Any:
    if not isinstance(limits, Mapping) or "cpus" not in limits:
        return limits
    return {**limits, "cpus": _number(limits["cpus"])}


def _device(device: Any) -> Any:
    """`SOURCE:TARGET:PERMISSIONS`, as older versions write a device, in the long form."""
    if not isinstance(device, str) or "$" in device:
        return device
    source, _, rest = device.partition(":")
    target, _, permissions = rest.partition(":")
    return {"source": source, "target": target or source, "permissions": permissions or "rwm"}


def _port(port: Any) -> Any:
    return {"mode": "ingress", "protocol": "tcp", **port} if isinstance(port, Mapping) else port


def _file(file: Any) -> Any:
    """A use of a config or secret; older versions write its mode as a decimal number."""
    if not isinstance(file, Mapping) or not isinstance(file.get("mode"), int):
        return file
    return {**file, "mode": f"0{file['mode']:o}"}


def _mount(mount: Any, creates: bool) -> Any:
    bind = mount.get("bind") if isinstance(mount, Mapping) else None
    if not creates or not isinstance(bind, Mapping):
        return mount
    if bind.get("create_host_path", True):
        return {**mount, "bind": {**bind, "create_host_path": True}}
    return {**mount, "bind": {key: value for key, value in bind.items() if key != "create_host_path"}}


def difference(ours: Tree, theirs: Any) -> str:
    """The keys that lead to the first value in which two normal forms differ; "" = nowhere.

    `create_host_path` is not compared: 2.x writes it where it is true, 5.x where it is false. A key of *theirs* is shown
    only where it is a plain word; a value never.
    """
    if not isinstance(theirs, Mapping):
        return WHOLE
    found = _mappings(settled(ours), settled(theirs), ())
    return ".".join(found) if found is not None else ""


def _differs(ours: Any, theirs: Any, path: Path) -> Path | None:
    """Where two values differ, None = nowhere."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _mappings(ours, theirs, path)
    if isinstance(ours, list) and isinstance(theirs, list):
        return _lists(ours, theirs, path)
    return None if _equal(ours, theirs, path) else path


def _mappings(ours: Tree, theirs: Tree, path: Path) -> Path | None:
    named = _names(path)
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        here = (*path, _shown(key, ours))
        mine, other = ours.get(key, NOTHING), theirs.get(key, NOTHING)
        if not named and (key == "create_host_path" or _left_out(key, mine, other) or _left_out(key, other, mine)):
            continue
        found = _differs(mine, other, here)
        if found is not None:
            return found
    return None


def _names(path: Path) -> bool:
    """Whether the keys at *path* are names that people gave; all below an extension are."""
    named = False
    for step in path:
        if not named and step.startswith("x-"):
            return True
        named = not named and step in NAMED
    return named


def _shown(key: Any, ours: Tree) -> str:
    """A key; another's only where it cannot be more than a word of Compose."""
    return str(key) if key in ours or re.fullmatch(r"[a-z_]{1,30}", str(key)) else "…"


def _left_out(key: Any, absent: Any, value: Any) -> bool:
    """Whether one form lacks what the other says, and that is what holds anyway."""
    if absent is not NOTHING or key not in STANDARD:
        return False
    if key == "bind" and isinstance(value, Mapping):
        value = {name: one for name, one in value.items() if name != "create_host_path"}
    return bool(value == STANDARD[key])


def _lists(ours: Sequence[Any], theirs: Sequence[Any], path: Path) -> Path | None:
    if path[-1] in SETS:
        ours, theirs = sorted(ours, key=_place), sorted(theirs, key=_place)
    if len(ours) != len(theirs):
        return path
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        found = _differs(mine, other, (*path, str(number)))
        if found is not None:
            return found
    return None


def _place(one: Any) -> tuple[str, ...]:
    """By what the elements of a set are told from each other."""
    if not isinstance(one, Mapping):
        return (str(one),)
    return tuple(str(one.get(key, "")) for key in ("target", "published", "protocol", "host_ip", "source"))


def _equal(ours: Any, theirs: Any, path: Path) -> bool:
    """Whether two values that are not both mappings, or both lists, mean the same."""
    if ours is NOTHING or theirs is NOTHING:
        return False
    if type(ours) is type(theirs) and ours == theirs:
        return True
    if _names(path[:-1]):
        return _text(ours) == _text(theirs) is not None
    if path[-1] == "mode" and (_octal(ours) == _octal(theirs) is not None):
        return True
    if path[-1] in DURATIONS and isinstance(ours, str) and isinstance(theirs, str):
        return bool(_DURATION.fullmatch(ours) and _DURATION.fullmatch(theirs)) and seconds(ours) == seconds(theirs)
    return _alike(ours, theirs)


def _text(value: Any) -> str | None:
    """A value as a variable or a label has it; None where it cannot be one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _octal(value: Any) -> int | None:
    """The bits of a file's mode; None where it is none."""
    if isinstance(value, str) and _OCTAL.fullmatch(value):
        return int(value.removeprefix("0o"), 8)
    return value if isinstance(value, int) else None


def _alike(ours: Any, theirs: Any) -> bool:
    """Whether one says as a text what the other says as a number or as yes and no."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return _text(ours) == _text(theirs) is not None
    if isinstance(ours, str) and isinstance(theirs, str):
        return False
    try:
        return Decimal(str(ours)) == Decimal(str(theirs))
    except InvalidOperation:
        return False
