"""What a host's engine finds in registries that only hosts reach: asked, not pulled (pure)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lading import shape
from lading.dataclass import dataclass
from lading.drivers.shell import scripts
from lading.plan import digests
from lading.transport import command

PATIENCE = 40  # seconds that the engine of a host may take to ask a registry
_TIMEOUT = PATIENCE + 20
_ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\n]*\r?\n(?:[^\n]+\r?\n)*\r?\n")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SAID = 300  # characters of an engine's words


@dataclass(frozen=True, slots=True)
class Question:
    """An image by its full name, REGISTRY/REPOSITORY:TAG or …@DIGEST.

    *header*: the login for its registry as Docker's API takes it (`X-Registry-Auth`), or nothing.
    """

    name: str
    header: command.Secret | None = None


def resolve(marker: str, questions: Sequence[Question]) -> command.Command:
    """Ask a host's engine what each image is in its registry, all at once.

    Of an image by digest that is on the host already, nothing is asked.
    """
    wires = [_request(one) for one in questions]
    words: list[str] = []
    for one, wire in zip(questions, wires, strict=True):
        words += [str(len(wire)), one.name if "@" in one.name else ""]
    text = scripts.script("resolve", {"MARKER": marker, "PATIENCE": PATIENCE}, words)
    return command.Command("resolve", text, marker, tuple(map(command.Secret, wires)), timeout=_TIMEOUT, looks=True)


def answers(questions: Sequence[Question], result: command.Result) -> dict[str, digests.Resolved]:
    """What a host answered, by the names that it was asked for."""
    return {one.name: _answer(number, one.name, result) for number, one in enumerate(questions)}


def _request(question: Question) -> bytes:
    """The question to Docker's API.

    It is of HTTP 1.0, so that the answer comes in one piece and ends the connection.
    """
    lines = [f"GET /distribution/{question.name}/json HTTP/1.0".encode(), b"Host: docker"]
    if question.header is not None:
        lines.append(b"X-Registry-Auth: " + question.header.value)
    return b"\r\n".join([*lines, b"", b""])


def _answer(number: int, name: str, result: command.Result) -> digests.Resolved:
    wanted = name.partition("@")[2]
    if f"here{number}" in result.parts and wanted:
        return digests.Resolved(wanted)
    content = result.parts.get(f"answer{number}", b"")
    head = _ANSWER.match(content)
    if head is None:
        said = result.text(f"error{number}") or result.text("refused").replace("\n", ": ")
        return digests.Resolved(lack=said[:_SAID] or f"its engine gave no answer in {PATIENCE} s")
    try:
        found = shape.parse(content[head.end():].decode("utf-8", "replace"))
        if head[1] != b"200":
            said = str(found.get("message") or f"its engine answered {head[1].decode()}")
            return digests.Resolved(lack=said[:_SAID])
        made = _resolved(found)
    except ValueError as wrong:
        return digests.Resolved(lack=f"its engine's answer cannot be read: {wrong}"[:_SAID])
    if wanted and made.digest != wanted:
        return digests.Resolved(lack=f"its engine finds another digest there: {made.digest}")
    return made


def _resolved(said: Mapping[str, Any]) -> digests.Resolved:
    """An answer of `/distribution/NAME/json`.

    Raises:
        ValueError: it is another thing.
    """
    descriptor = shape.fitting(said.get("Descriptor"), Mapping[str, Any], "Descriptor")
    digest = shape.fitting(descriptor.get("digest"), str, "digest")
    if not _DIGEST.fullmatch(digest):
        raise ValueError("there is no digest in it")
    kind = tuple[Mapping[str, Any], ...]
    words = map(_platform, shape.fitting(said.get("Platforms") or [], kind, "Platforms"))
    known = {word for word in words if word and not word.startswith("unknown")}
    return digests.Resolved(digest, tuple(sorted(known)))


def _platform(said: Mapping[str, Any]) -> str:
    """In Docker's words, such as linux/arm64/v8; "" where neither system nor machine is named."""
    names = ("os", "architecture", "variant")
    shape.fields(said, dict.fromkeys(names, str))
    word = "/".join(said[name] for name in names if said.get(name))
    if not word.isprintable():
        raise ValueError("a platform with control characters")
    return word
