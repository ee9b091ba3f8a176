"""`lading help`: the guides, in the terminal; each page, and each section of one, is a topic."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lading import errors
from lading.cli import front, render, terminal
from lading.compose import complaints
from lading.dataclass import dataclass

PAGES = {
    "tutorial": "tutorial.md", "how-to": "how-to.md", "moving": "moving.md", "compose": "compose.md",
    "security": "security.md", "protocol": "protocol.md", "settings": "reference/settings.md",
    "commands": "reference/cli.md", "where": "reference/where.md", "errors": "reference/errors.md",
    "rights": "reference/rights.md", "json": "reference/json.md",
}
"""Topic → its page, as the documents have it."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A page, or a section of one."""

    topic: str
    text: str


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC]")
def guide(words: tuple[str, ...]) -> int:
    """A guide, here in the terminal; without a topic their list. A verb's options: lading VERB --help.

    TOPIC is a page's name, or words of a section's heading, such as: lading help roll back.
    """
    if not words:
        _list()
        return 0
    found = find(" ".join(words))
    if len(found) > 1:
        terminal.out(f"{len(found)} sections are about {' '.join(words)}:")
        for one in found:
            terminal.out(f"  lading help {one.topic}")
        return 0
    render.guide(found[0].text + _used_in(found[0].topic))
    return 0


help = guide  # the verb's own name, by which `main.Verbs` asks for it


def find(asked: str) -> list[Guide]:
    """The guides that *asked* means: a page, else the sections whose headings have its words.

    The fields of a JSON document come last: who asks for `drift` wants to know how it is used.

    Raises:
        InputError: none has.
    """
    wanted = asked.lower()
    if wanted in PAGES:
        return [Guide(wanted, _page(wanted))]
    told = [section for topic in PAGES if topic != "json" for section in sections(_page(topic))]
    fields = sections(_page("json"))
    found = _about(wanted, told) or _about(wanted, fields)
    if found:
        return found
    known = [*PAGES, *front.VERBS, *(one.topic for one in [*told, *fields])]
    near = complaints.nearest(wanted, known)
    raise errors.InputError(f"there is no guide about {asked[:80]!r}", near or "lading help lists them")


def _about(wanted: str, everything: Sequence[Guide]) -> list[Guide]:
    """The section with just this heading, else those whose headings have its words."""
    exact = [one for one in everything if one.topic == wanted]
    words = set(re.findall(r"\w+", wanted))
    return exact[:1] or [one for one in everything if words and words <= set(re.findall(r"\w+", one.topic))]


def _used_in(topic: str) -> str:
    """Where the how-to shows a command of the reference; "" for all else."""
    if not topic.startswith("lading "):
        return ""
    command = re.compile(rf"{re.escape(topic)}\b")
    used = [one.topic for one in sections(_page("how-to")) if command.search(one.text)]
    if not used:
        return ""
    lines = [f"\n    lading help {one}" for one in used]
    return "".join(["How to use it:\n", *lines, "\n"])


def sections(page: str) -> list[Guide]:
    """The parts of a page that begin with a heading of the second rank."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [Guide(_plain(heading), f"## {heading}{text}") for heading, text in pairs]


def _plain(heading: str) -> str:
    """A heading as a person would type it."""
    return " ".join(re.findall(r"[\w.-]+", heading.lower()))


def _list() -> None:
    terminal.out("Guides: lading help TOPIC. A verb's options: lading VERB --help.")
    for topic in PAGES:
        title = _page(topic).partition("\n")[0].lstrip("# ")
        terminal.out(f"  {topic:<10} {title}")
    terminal.out("Sections of how-to, by words of their headings:")
    for one in sections(_page("how-to")):
        terminal.out(f"  {one.topic}")


def _page(topic: str) -> str:
    """The text of a page: of the wheel, or in a checkout of its documents."""
    here = Path(__file__).resolve()
    places = (here.parents[1] / "guides", here.parents[3] / "docs")
    for folder in places:
        path = folder / PAGES[topic]
        if path.is_file():
            text = path.read_text()
            return text[text.index("# "):]  # a page that is made says so first
    raise errors.InputError(f"this installation of lading has no guides ({places[0]})", f"lading --help; {sys.executable}")
