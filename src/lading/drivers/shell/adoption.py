"""What `adopt` asks a host: all of a project's containers, images and networks, and what lies where they mount; reads only (pure)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lading.drivers.shell import scripts
from lading.transport import command

PROJECT = """part projects; docker ps -a --format '{{.Label "com.docker.compose.project"}}' | sort -u
ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$APP")
[ -n "$ids" ] || { part end; kill $watcher 2>/dev/null; exit 0; }
part containers; docker container inspect $ids
part images; docker image inspect $(docker container inspect -f '{{.Image}}' $ids | sort -u) 2>/dev/null
part networks; docker network inspect $NETWORKS 2>/dev/null
"""
LIES = """sum(){ h=$({ printf '%s' "$NONCE"; cat "$1"; } 2>/dev/null | sha256sum)
x=-; [ ! -x "$1" ] || x=x; printf '%s %s %s\\n' $x "${h%% *}" "$2"; }
lies(){ if [ -f "$1" ] && [ -r "$1" ]; then part "lies:$2"; sum "$1" ''
elif [ -d "$1" ] && cd "$1"; then part "lies:$2"; find . -type f -o -type l | while IFS= read -r f; do sum "$f" "${f#./}"; done; cd /; fi; }
same(){ [ "$(readlink -f "$1")" != "$(readlink -f "$2")" ] || part "same:$3"; }
"""


def project(marker: str, *, app: str, networks: Sequence[str]) -> command.Command:
    """A project's containers, their images, and these *networks*, as `docker inspect` shows them. Holds secrets."""
    head = command.assign({"M": marker, "APP": app, "NETWORKS": " ".join(networks)})
    return command.Command("look", head + scripts.PRELUDE + scripts.WATCH + PROJECT + scripts.END, marker)


def lies(
    marker: str, *, app: str, state_dir: str, nonce: str, sources: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> command.Command:
    """Salted sums of the files at *sources*; and whether the places of *pairs* (below the app's folder, path) are one."""
    lines = [f"lies {command.quote(path)} {number}\n" for number, path in enumerate(sources)]
    lines += [f'same "$A"/{command.quote(place)} {command.quote(path)} {number}\n' for number, (place, path) in enumerate(pairs)]
    head = command.assign({"M": marker, "APP": app, "STATE": state_dir, "NONCE": nonce})
    script = [head, scripts.PRELUDE, scripts.WATCH, scripts.STATE_DIR, LIES, *lines, scripts.END]
    return command.Command("look", "".join(script), marker)


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
