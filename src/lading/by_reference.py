"""A value by reference: where it comes from, never what it is (pure)."""

from collections.abc import Iterator
from dataclasses import field
from urllib.parse import urlsplit

from lading.dataclass import dataclass

TIMEOUT = 30  # seconds that a value may take to be had
KINDS = ("command", "file", "env", "age", "sops")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from. Paths are absolute, *timeout* is in seconds.

    *kind* and *words*: text (the value itself, which is a secret too), env (NAME), command (argv), file (PATH),
    age (PATH, IDENTITY FILE), sops (PATH, the keys that lead to it in the file).
    *file* and *line*: where it is named; no part of what it is.
    """

    kind: str
    words: tuple[str, ...] = field(repr=False)
    timeout: int = TIMEOUT
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        """In words, without what could hold a secret: of a command only its program."""
        more = " …" if len(self.words) > 1 else ""
        return {
            "text": "lading.yaml", "env": f"the environment variable {self.words[0]}",
            "command": f"the command {self.words[0]}{more}", "file": f"the file {self.words[0]}",
            "age": f"the age file {self.words[0]}", "sops": f"{'.'.join(self.words[1:])} in {self.words[0]} (sops)",
        }[self.kind]

    @property
    def argv(self) -> tuple[str, ...]:
        """The program that prints the value, as one would type it; () where it is read from the environment or stands here."""
        path, *rest = self.words
        match self.kind:
            case "command":
                return self.words
            case "file":
                return ("cat", path)
            case "age":
                return ("age", "--decrypt", "--identity", *rest, path)
            case "sops":
                keys = "".join(f'["{key}"]' for key in rest)
                return ("sops", "--decrypt", "--extract", keys, path)
        return ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told how deployments end: *kind* slack or generic; *secret* signs what a generic one is told."""

    url: Source
    kind: str = "generic"
    secret: Source | None = None


def is_address(text: str) -> bool:
    """Whether a text is a URL to which a webhook can be sent."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0 and text.isprintable() and " " not in text
    except ValueError:
        return False


def needs(source: Source) -> Iterator[str]:
    """What a machine must have, in words, so that it gets the value there too."""
    match source.kind:
        case "command":
            yield f"the command {source.words[0]}, which must be there, with what it needs"
        case "sops":
            yield f"{source}: sops must be there, with what it needs"
        case "file":
            yield f"{source}, which must be there"
        case "age":
            yield f"{source} by the key {source.words[1]}, which must be there, with lading[age]"
