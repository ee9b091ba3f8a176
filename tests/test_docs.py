"""The documents are true: links lead somewhere, commands are ones that lading takes, numbers have their command."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lading.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", ROOT / "lab" / "README.md", ROOT / "protocol" / "README.md",
         *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = set(cli.list_commands(click.Context(cli)))


def commands(text: str) -> Iterator[str]:
    """Each `lading …` of a page: in code spans and in blocks."""
    yield from re.findall(r"`(lading [^`\n]+)`", text)
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|", line.partition("  #")[0]):
                words = part.split()
                if "lading" in words:
                    yield " ".join(words[words.index("lading"):])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as on the usual forges."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_ones_that_lading_takes(page: Path) -> None:
    for text in commands(page.read_text()):
        words = [word for word in shlex.split(text.replace("…", ""))[1:] if word not in ("|", ">")]
        if "lading" in words:  # `docker run IMAGE lading …`, where the image has that name too
            words = words[words.index("lading") + 1:]
        while words and words[0] == "--config":
            words = words[2:]
        if not words or words[0].startswith("-"):
            continue
        command: click.Command | None = cli.get_command(click.Context(cli), words[0])
        assert command is not None, f"{page.name}: {text}"
        rest = words[1:]
        if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(click.Context(command), rest.pop(0).split("|")[0])
            assert command is not None, f"{page.name}: {text}"
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
        asked = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert asked <= known, f"{page.name}: {text}: {asked - known}"


def test_tests_that_documents_name_exist() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for page in PAGES:
        for name in re.findall(r"\[(?:[^\]]*?)\b(test_\w+)", page.read_text()):
            there = f"def {name}(" in tests or list((ROOT / "tests").rglob(f"{name}.py"))
            assert there, f"{page.name} names {name}"
