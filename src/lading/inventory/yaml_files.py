"""YAML and JSON files of an Ansible inventory as trees of values with their lines; vaulted values stay closed."""

import json
from typing import Any

import yaml

from lading.inventory import groups

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """YAML as Ansible reads it: the safe types, `!vault` and `!unsafe`."""


for _tag in ("!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, lambda _loader, _node: groups.Sealed())
_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def tree(text: str, file: str) -> groups.Variable:
    """The one document of *text*; mappings hold a Variable for each key.

    Raises:
        InventoryError: it is not valid, with the line.
    """
    try:
        return _located(json.loads(text), groups.Place(file))
    except (ValueError, RecursionError):
        pass  # most are YAML
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return groups.Variable(None, groups.Place(file)) if node is None else _value(loader, node, file, ())
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        said = getattr(wrong, "problem", None) or str(wrong).partition("\n")[0]
        raise groups.InventoryError(f"not valid YAML: {said}", groups.Place(file, mark.line + 1 if mark else 0)) from wrong
    except (ValueError, RecursionError) as wrong:
        raise groups.InventoryError(f"not valid YAML: {wrong}", groups.Place(file)) from wrong
    finally:
        loader.dispose()


def _located(value: Any, place: groups.Place) -> groups.Variable:
    """A value of JSON, which knows no lines."""
    if isinstance(value, dict) and "__ansible_vault" in value:
        return groups.Variable(groups.Sealed(), place)
    inner = {key: _located(one, place) for key, one in value.items()} if isinstance(value, dict) else value
    return groups.Variable(inner, place)


def _value(loader: Any, node: Any, file: str, above: tuple[Any, ...], place: groups.Place | None = None) -> groups.Variable:
    here = place or groups.Place(file, node.start_mark.line + 1)
    if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
        return groups.Variable(loader.construct_object(node, deep=True), here)
    if node in above:
        raise groups.InventoryError("an alias contains itself", here)
    loader.flatten_mapping(node)
    found = {}
    for key, value in node.value:
        name = loader.construct_object(key, deep=True)
        if isinstance(name, list | dict):
            raise groups.InventoryError("a key must be a text", groups.Place(file, key.start_mark.line + 1))
        found[name] = _value(loader, value, file, (*above, node), groups.Place(file, key.start_mark.line + 1))
    return groups.Variable(found, here)
