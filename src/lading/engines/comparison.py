"""Compose's normal forms compared by their values: what a host's Compose reads otherwise than the one here."""

from lading.compose import dialects, parse

FOLDER = "@DIR@"  # stands for the app's folder; no word of YAML may begin so


class Forms:
    """Remembers what it has compared: hosts of one Compose version write the same text, which is read once."""

    def __init__(self) -> None:
        self._compared: dict[tuple[str, str], str] = {}

    def difference(self, expected: str, found: str) -> str:
        """Where *found* differs in value from *expected*; "" if nowhere."""
        if expected == found:
            return ""
        if (expected, found) not in self._compared:
            ours, theirs = (text.replace(FOLDER, f"/{FOLDER}").encode() for text in (expected, found))
            different = dialects.difference(parse.load(ours), parse.foreign(theirs, ours))
            self._compared[expected, found] = different
        return self._compared[expected, found]
