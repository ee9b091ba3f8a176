"""What `adopt` asks a host: all of a project's containers, images and networks, and what lies where they mount; reads only (pure)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lading.drivers.shell import scripts
from lading.transport import command


def project(marker: str, *, app: str, networks: Sequence[str]) -> command.Command:
    """A project's containers, their images, and these *networks*, as `docker inspect` shows them. Holds secrets."""
    text = scripts.script("project", {"MARKER": marker, "APP": app, "NETWORKS": " ".join(networks)})
    return command.Command("look", text, marker, looks=True)


def lies(
    marker: str, *, app: str, state_dir: str, nonce: str, sources: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> command.Command:
    """Salted sums of the files at *sources*; and whether the places of *pairs* (below the app's folder, path) are one."""
    words: list[str] = []
    for number, path in enumerate(sources):
        words += ["content", str(number), path]
    for number, (place, path) in enumerate(pairs):
        words += ["same", str(number), place, path]
    values = {"MARKER": marker, "APP": app, "STATE_DIR": state_dir, "NONCE": nonce}
    return command.Command("look", scripts.script("contents", values, words), marker, looks=True)


def objects(result: command.Result, part: str) -> list[Mapping[str, Any]]:
    """One part of `project`'s answer: what `docker inspect` printed."""
    try:
        found = json.loads(result.text(part) or "[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def listings(result: command.Result, sources: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Path → sorted lines "x HASH PATH" of the files there, from `lies`; paths that could not be read are not in it."""
    texts = {path: result.parts.get(f"lies:{number}") for number, path in enumerate(sources)}
    return {path: listing(text.decode("utf-8", "replace").splitlines()) for path, text in texts.items() if text is not None}


def listing(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines "x HASH PATH" in the one form in which they are compared."""
    return tuple(sorted(line.rstrip() for line in lines if line.strip()))


def same(result: command.Result, pairs: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of *pairs* that are one place on the host."""
    return frozenset(pair for number, pair in enumerate(pairs) if f"same:{number}" in result.parts)
