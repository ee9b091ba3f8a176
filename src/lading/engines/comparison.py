"""Compose's normal forms compared by their values: what a host's Compose reads otherwise than the one here."""

from lading.compose import dialects, parse


class Forms:
    """Remembers what it has compared: hosts of one Compose version write the same text, which is read once."""

    def __init__(self) -> None:
        self._compared: dict[tuple[str, str], str] = {}

    def difference(self, expected: str, found: str) -> str:
        """Where *found* differs in value from *expected*; "" if nowhere."""
        expected, found = _readable(expected), _readable(found)
        if expected == found:
            return ""
        if (expected, found) not in self._compared:
            ours = expected.encode()
            different = dialects.difference(parse.load(ours), parse.foreign(found.encode(), ours))
            self._compared[expected, found] = different
        return self._compared[expected, found]


def _readable(form: str) -> str:
    """A form as YAML can be read: an unquoted word cannot begin with the `@` that stands for the app's folder."""
    return form.strip().replace("@DIR@", "/@DIR@")
