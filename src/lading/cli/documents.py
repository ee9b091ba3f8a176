"""The documents of `--json` by name, and the version of each; what is in them is said by `schemas/NAME.json` alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lading import loading

VERSIONS = {
    "bundle": 1, "plan": 1, "build": 1, "deployment": 1, "resume": 1, "check": 1, "where": 1, "drift": 1, "history": 1,
    "show": 1, "export-ansible": 1, "hosts": 1, "hosts-exclude": 1, "hosts-include": 1, "ledger-verify": 1, "ledger-rebuild": 1, "ledger-forget": 1, "error": 1,
}


def versioned(name: str, value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    """A document with its version: an object says it; of a list each row does, so that a list stays one."""
    v = {"v": VERSIONS[name]}
    return {**v, **value} if isinstance(value, Mapping) else [{**v, **row} for row in value]


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document. Fields that it does not know may come: readers leave them out."""
    with loading.later():  # a tenth of what is loaded before the first line of a verb
        from importlib import resources
    found: dict[str, Any] = json.loads(resources.files("lading").joinpath("schemas", f"{name}.json").read_text("utf-8"))
    return found
