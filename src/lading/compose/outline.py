"""The images of services as the files write them, known before Compose merges and reads the files."""

import posixpath
from collections.abc import Mapping
from typing import Any

from lading.compose import parse, sources, variables
from lading.dataclass import dataclass

DEPTH_LIMIT = 20  # of services that extend each other; Compose refuses circles


def images(closure: sources.Closure, given: Mapping[str, str]) -> dict[str, str]:
    """Service → its image, of those that are pulled and whose variables are all known."""
    files = _Files(closure)
    found = {}
    for service in files.services():
        text = files.text(service, "image")
        if not text or files.text(service, "pull_policy") == "never":
            continue
        filled = fill(text, given)
        if filled is not None:
            found[service] = filled
    return found


def image_texts(closure: sources.Closure) -> dict[str, str]:
    """Service → its image as the files write it, before interpolation."""
    files = _Files(closure)
    return {service: files.text(service, "image") for service in files.services()}


def fill(text: str, given: Mapping[str, str]) -> str | None:
    """A text with its variables filled in; None if one is neither given nor has a default."""
    if any(variables.lacking(text, given)):
        return None
    return variables.plain_text(variables.substitute(text, given))


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a project in the order in which they count: the included ones, then the chosen."""

    closure: sources.Closure

    def services(self) -> list[str]:
        """The names of all services."""
        names: dict[str, None] = {}
        for document in self._ordered():
            names |= dict.fromkeys(document.value("services") or {})
        return list(names)

    def text(self, service: str, key: str) -> str:
        """A key of a service as the last file that sets it writes it, "" if none does."""
        for document in reversed(self._ordered()):
            value = self._value(document, service, key, DEPTH_LIMIT)
            if value is not None:
                return str(value)
        return ""

    def _ordered(self) -> list[parse.Document]:
        return [*(one for one, _ in self.closure.included), *self.closure.main]

    def _value(self, document: parse.Document, service: str, key: str, depth: int) -> Any:
        """A key of a service in one file, also from a service that it extends there."""
        written = (document.value("services") or {}).get(service)
        if not isinstance(written, Mapping):
            return None
        if written.get(key) is not None or not depth:
            return written.get(key)
        extends = written.get("extends")
        if isinstance(extends, str):
            return self._value(document, extends, key, depth - 1)
        if not isinstance(extends, Mapping) or not isinstance(extends.get("service"), str):
            return None
        base: parse.Document | None = document
        if extends.get("file"):
            base = self._extended(document, str(extends["file"]))
        if base is None:
            return None
        return self._value(base, extends["service"], key, depth - 1)

    def _extended(self, document: parse.Document, file: str) -> parse.Document | None:
        """The file whose service is extended, named as seen from the folder of *document*."""
        folder = self.closure.folders.get(document.path, posixpath.dirname(document.path))
        if document in self.closure.main:
            folder = ""
        path = posixpath.normpath(posixpath.join(folder, file))
        return next((one for one in self.closure.all if one.path == path), None)
