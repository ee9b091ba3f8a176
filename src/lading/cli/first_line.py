"""The first line of a verb, said before what it needs is loaded: SSH and all that reads Compose files take a second on a slow machine."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lading.cli import terminal

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")  # in the order in which Compose takes them
READING = ("plan", "deploy", "ship", "adopt", "bundle", "build")
"""The verbs that begin with files."""
ASKING = {
    "check": "asking the hosts", "where": "asking the hosts what runs", "drift": "asking the hosts what runs",
    "logs": "asking the hosts for their log lines", "rollback": "asking the hosts what runs and what they keep",
    "restart": "asking the hosts what runs", "stop": "asking the hosts what runs", "start": "asking the hosts what runs",
    "scale": "asking the hosts what runs", "remove": "asking the hosts what runs", "resume": "asking the hosts what is open",
    "repair": "asking the host what it keeps", "history": "reading the ledger, asking the hosts what they know",
    "exec": "asking the hosts what runs", "run": "asking the hosts what runs",
    "hosts include": "asking the host what runs", "ledger rebuild": "asking the hosts for their journals",
}
"""The verbs that begin with hosts, and what each asks them."""
GROUPS = ("hosts", "ledger")


def say(verb: str, words: Sequence[str]) -> None:
    """Say on stderr, at a terminal, what *verb* begins with; *words*: what else was typed.

    Without a terminal a verb that looks is silent as long as all is well, for cron mails what is said; see `session`.
    """
    text = of(verb, words)
    if text and sys.stderr.isatty():
        terminal.err(f" {text} …")


def of(verb: str, words: Sequence[str]) -> str:
    """That line, "" if there is none: for help, and for verbs that end at once."""
    if "-h" in words or "--help" in words or "--offline" in words:
        return ""
    if verb in READING:
        return f"reading {_file(words)}"
    return ASKING.get(" ".join([verb, *words[:1]]) if verb in GROUPS else verb, "")


def _file(words: Sequence[str]) -> str:
    """The Compose file that will be read, as far as the words and a look at names tell."""
    folder = Path(_value(words, "-C", "--project-directory") or ".")
    named = _value(words, "-f", "--file")
    found = named or next((name for name in COMPOSE_FILES if (folder / name).exists()), "")
    app = folder.resolve().name
    return f"{app} ({found})" if found else app


def _value(words: Sequence[str], *names: str) -> str:
    """What was given for an option, in any of click's forms; the last one counts."""
    found = ""
    for number, word in enumerate(words):
        if word in names and number + 1 < len(words):
            found = words[number + 1]
        for name in names:
            lead = f"{name}=" if name.startswith("--") else name
            if word.startswith(lead) and word != name:
                found = word[len(lead):]
    return found
