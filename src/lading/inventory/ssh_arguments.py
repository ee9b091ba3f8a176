"""What arguments of `ssh` ask for (ansible_ssh_common_args and the like), as options by their OpenSSH names (pure)."""

import shlex
from collections.abc import Iterator, Mapping

from lading.dataclass import dataclass

HONOURED = frozenset({
    "port", "user", "identityfile", "proxyjump", "proxycommand", "connecttimeout", "serveraliveinterval", "userknownhostsfile",
    "configfile", "addressfamily",
})
MOOT = frozenset({  # lading does it itself, or it changes nothing for commands without a terminal
    "addkeystoagent", "batchmode", "checkhostip", "compression", "connectionattempts", "controlmaster", "controlpath",
    "controlpersist", "gssapiauthentication", "hashknownhosts", "identitiesonly", "kbdinteractiveauthentication", "loglevel",
    "numberofpasswordprompts", "passwordauthentication", "preferredauthentications", "pubkeyauthentication", "requesttty",
    "serveralivecountmax", "tcpkeepalive", "updatehostkeys", "visualhostkey",
})
OVERRULED = {
    "stricthostkeychecking": "lading always verifies host keys; pin them: lading hosts trust",
    "globalknownhostsfile": "lading trusts the keys pinned for this fleet: lading hosts trust",
    "verifyhostkeydns": "lading trusts the keys pinned for this fleet: lading hosts trust",
    "forwardagent": "lading forwards no agent",
    "forwardx11": "lading forwards no display",
    "forwardx11trusted": "lading forwards no display",
}
_NAMES = {
    "J": "proxyjump", "i": "identityfile", "p": "port", "l": "user", "A": "forwardagent", "X": "forwardx11",
    "Y": "forwardx11trusted", "F": "configfile",
}
_FAMILIES = {"4": "inet", "6": "inet6"}
_MOOT_FLAGS = frozenset("CqvTtnakx")
_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")


@dataclass(frozen=True, slots=True)
class Arguments:
    """*options* to honour; *overruled*: what is not, as option → why."""

    options: Mapping[str, str]
    overruled: Mapping[str, str]


def parse(text: str) -> Arguments:
    """Read arguments of `ssh`; of several values for one option the first counts, as in OpenSSH.

    Raises:
        ValueError: one that lading can neither honour nor leave out; the text names it.
    """
    options: dict[str, str] = {}
    overruled: dict[str, str] = {}
    for name, value in _options(shlex.split(text)):
        if name in HONOURED:
            options.setdefault(name, value)
        elif name in OVERRULED:
            if value.lower() != ("yes" if name == "stricthostkeychecking" else "no"):
                overruled[f"{name}={value}"] = OVERRULED[name]
        elif name not in MOOT:
            raise ValueError(f"the option {name}")
    return Arguments(options, overruled)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """The options in their order, -J, -i, -p, -l and the like by their long names, in lower case."""
    rest = iter(words)
    for word in rest:
        if len(word) < 2 or word[0] != "-":
            raise ValueError(f"{word!r}, which is no option")
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _WITH_VALUE:
                value = letters or next(rest, "")
                if not value:
                    raise ValueError(f"-{letter} without a value")
                yield _pair(value) if letter == "o" else _flag(letter, value)
                break
            if letter not in _MOOT_FLAGS:
                yield _flag(letter, "yes")


def _flag(letter: str, value: str) -> tuple[str, str]:
    if letter in _FAMILIES:
        return "addressfamily", _FAMILIES[letter]
    if letter not in _NAMES:
        raise ValueError(f"-{letter}")
    return _NAMES[letter], value


def _pair(text: str) -> tuple[str, str]:
    """KEY=VALUE or KEY VALUE."""
    key, equals, value = text.partition("=")
    if not equals or " " in key.strip():
        key, _, value = text.strip().partition(" ")
    value = value.strip()
    if not value.strip('"'):
        raise ValueError(f"-o {text} without a value")
    return key.strip().lower(), value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
