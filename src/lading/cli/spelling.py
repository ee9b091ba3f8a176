"""Which word was meant by one that lading does not know: a slip of few letters, or what other tools call the same (pure)."""

from collections.abc import Iterable

OTHERWISE = {
    "remove": "destroy down delete del rm uninstall teardown", "deploy": "up push release apply update upgrade",
    "where": "status state ps ls list", "rollback": "undo revert back", "plan": "diff preview", "exec": "sh shell ssh bash",
    "show": "info inspect describe", "check": "doctor validate", "init": "setup",
}
"""Verb → what other tools call it, or people do."""
SHORT = 4  # letters: with a slip in it, such a word may be any
_MEANT = {word: verb for verb, words in OTHERWISE.items() for word in words.split()}


def meant_verb(word: str, verbs: Iterable[str]) -> str:
    """The verb that was meant, "" if nobody can say: also by a slip in what other tools call it, unless that is a short word."""
    found = _MEANT.get(word.lower()) or nearest(word, [*verbs, *(one for one in _MEANT if len(one) > SHORT)])
    return _MEANT.get(found, found)


def nearest(word: str, known: Iterable[str]) -> str:
    """The nearest word of those that are *known*; "" where none is so near that it can only be a slip of the fingers.

    That is one letter of three, and two at most, each wrong, missing, too many, or two that changed places.
    """
    far = min(max(len(word.lstrip("-")) // 3, 1), 2)
    near = [one for one in known if distance(word, one, far) <= far]
    return min(near, key=lambda one: distance(word, one, far), default="")


def distance(one: str, other: str, most: int) -> int:
    """How many slips lie between two words; *most* + 1 where their lengths alone say that there are more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one):
        last, before, row = before, row, [number + 1]
        for place, wanted in enumerate(other):
            row.append(min(before[place + 1] + 1, row[place] + 1, before[place] + (letter != wanted)))
            if number and place and letter == other[place - 1] and one[number - 1] == wanted:
                row[-1] = min(row[-1], last[place - 1] + 1)
    return row[-1]
