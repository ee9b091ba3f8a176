"""What `--json` prints, held against the schema of the verb that was typed: no field that it does not name, none missing."""

import functools
import json
from collections.abc import Sequence
from typing import Any

import jsonschema

from lading.cli import documents

OF = {
    "deploy": "deployment", "ship": "deployment", "adopt": "deployment", "rollback": "deployment", "remove": "deployment",
    "restart": "deployment", "stop": "deployment", "start": "deployment", "scale": "deployment",
    "repair": "deployment", "hosts list": "hosts", "hosts exclude": "hosts-exclude", "hosts include": "hosts-include",
    "ledger verify": "ledger-verify", "ledger rebuild": "ledger-rebuild",
    "ledger forget": "ledger-forget", "export ansible": "export-ansible",
}
GROUPS = ("hosts", "ledger", "export")


def check(words: Sequence[str], printed: str) -> None:
    """Hold what a call with these words has printed against its schema, if it was asked for JSON and has printed any.

    Raises:
        AssertionError: it is none of its verb's documents.
    """
    if "--json" not in words or not printed.strip():
        return
    told = json.loads(printed)
    name = "error" if isinstance(told, dict) and "error" in told else _of(words)
    wrong = [f"{one.json_path}: {one.message}" for one in strict(name).iter_errors(told)]
    assert not wrong, f"schemas/{name}.json does not describe what {' '.join(words)} has printed: {'; '.join(wrong)}"


def _of(words: Sequence[str]) -> str:
    known = {*documents.VERSIONS, *OF, *GROUPS}
    at = next(number for number, word in enumerate(words) if word in known)
    verb = " ".join(words[at:at + 2]) if words[at] in GROUPS else words[at]
    return "plan" if "--dry-run" in words else OF.get(verb, verb)


@functools.cache
def strict(name: str) -> jsonschema.Draft202012Validator:
    """The schema of a document, where an object has no field beside those that are described."""
    found = documents.schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(_closed(found))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "object" in (schema.get("type"), *_types(schema)):
        closed.setdefault("additionalProperties", False)
    return closed


def _types(schema: dict[str, Any]) -> list[str]:
    return schema["type"] if isinstance(schema.get("type"), list) else []
