"""The ledger's schema: numbered files of SQL that only add, and which ladings can read what they made."""

import re
from collections.abc import Iterator, Mapping
from importlib import resources

from lading import errors
from lading.dataclass import dataclass

NUMBER = 4  # of the newest file that this lading knows
_READABLE = re.compile(r"-- readable from (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a store is: the number of its last migration, and of the oldest lading that can work with it.

    *number* 0: nothing is there, or tables of a lading that did not number its migrations.
    """

    number: int
    readable_from: int


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL: its number, the oldest schema whose ladings go on working beside it, its text."""

    number: int
    readable_from: int
    text: str

    def statements(self, words: Mapping[str, str]) -> Iterator[str]:
        """Its statements, in the words of one store: *words* stand for what the stores call differently."""
        text = re.sub("--.*", "", self.text)
        for word, own in words.items():
            text = text.replace(word, own)
        return (one for one in map(str.strip, text.split(";")) if one)


def files() -> tuple[Migration, ...]:
    """All migrations, in their order."""
    folder = resources.files("lading.ledger") / "migrations"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return tuple(_read(one.name, one.read_text("utf-8")) for one in found)


def _read(name: str, text: str) -> Migration:
    readable = _READABLE.match(text)
    assert readable is not None, f"{name} does not say from which schema on it is readable"
    return Migration(int(name[:4]), int(readable[1]), text)


def missing(standing: Standing, place: str) -> Migration | None:
    """The next migration that a store needs; None: it has all that this lading knows.

    Raises:
        LedgerError: this lading cannot work with it.
    """
    if standing.readable_from > NUMBER:
        raise errors.LedgerError(
            f"the ledger was written by a newer lading (schema {standing.readable_from}, known: {NUMBER})",
            "install the newer lading", file=place)
    if standing.number >= NUMBER:
        return None
    return next(one for one in files() if one.number > standing.number)
