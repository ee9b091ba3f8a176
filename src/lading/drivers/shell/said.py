"""What scripts tell of the programs they run, line by line: which service a line is about, how far a pull has come (pure)."""

import re
from collections.abc import Callable, Mapping

from lading import trace
from lading.compose import release as releases
from lading.drivers import base

PART = "said"  # the name of such a part: scripts/lib/tell.sh
_LAYER = re.compile(r"([0-9a-f]{6,64}): (\w+(?: \w+)*)")
_LAYERS = 1000  # that are counted
_DONE = ("Pull complete", "Already exists")
_CONTAINER = re.compile(r"Container (\S+)")


class Lines:
    """Makes what is said of the parts of an answer, and hands it to *listen*.

    *about*: the subject of a line, as its script says it, and its text → the service that it is about.
    """

    def __init__(
        self, source: trace.Source, listen: base.Listen | None, about: Callable[[str, str], str]
    ) -> None:
        self._source, self._listen, self._about = source, listen, about
        self._layers: dict[str, bool] = {}
        self._told = 0

    @property
    def limit(self) -> int:
        """How many lines the script is to tell."""
        return base.TOLD if self._listen is not None else 0

    def part(self, name: str, content: bytes) -> bool:
        """Take a part of the answer; what is said never ends a command."""
        if name != PART or self._listen is None:
            return False
        subject, _, line = content.rstrip(b"\n").partition(b"\n")
        self._tell(self._listen, subject.decode("utf-8", "replace"), line)
        return False

    def tell(self, subject: str, text: str, progress: float | None = None) -> None:
        """Take a line that the engine itself, or lading, has said; at most as many as a script tells."""
        if self._told < self.limit and self._listen is not None:
            self._told += 1
            self._tell(self._listen, subject, text.encode(), progress)

    def _tell(self, listen: base.Listen, subject: str, line: bytes, progress: float | None = None) -> None:
        text = line[:base.TOLD_BYTES].decode("utf-8", "replace").strip()
        is_cut = len(line) >= base.TOLD_BYTES
        done = self._progress(text) if progress is None else progress
        listen(base.Said(self._source, self._about(subject, text), text, done, is_cut))

    def _progress(self, text: str) -> float | None:
        """How many layers are there, of those that were named until now."""
        found = _LAYER.match(text) if self._source == "pull" else None
        if found is None or len(self._layers) > _LAYERS:
            return None
        layer, state = found[1], found[2]
        self._layers[layer] = self._layers.get(layer, False) or state in _DONE
        return sum(self._layers.values()) / len(self._layers)


def of_image(images: Mapping[str, str]) -> Callable[[str, str], str]:
    """The services of an image; *images*: "SERVICE" or "SERVICE+1" → reference."""

    def about(subject: str, text: str) -> str:
        services = [name.partition("+")[0] for name, image in images.items() if image == subject]
        return ",".join(dict.fromkeys(services))

    return about


def of_container(app: str, made: releases.Release) -> Callable[[str, str], str]:
    """The service whose container Compose names in a line: by its own name, or APP-SERVICE-NUMBER."""
    named = {name: spec.definition.get("container_name") for name, spec in made.services.items()}
    own = {str(container): name for name, container in named.items() if container}

    def about(subject: str, text: str) -> str:
        found = _CONTAINER.search(text)
        if found is None:
            return ""
        name = re.sub(r"^[0-9a-f]{12}_", "", found[1])
        service = name.removeprefix(f"{app}-").rpartition("-")[0]
        return own.get(name) or (service if service in made.services else "")

    return about


def of_service(name: str) -> Callable[[str, str], str]:
    """All lines are about one service."""
    return lambda subject, text: name
