"""One reading of env files and of `$NAME` in texts: lading's own equals Compose's, for files and texts made at random."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as over
from hypothesis import strategies as st

from env_file import ENV
from lading.compose import env_files, parse, plugin, variables

pytestmark = pytest.mark.contract
GIVEN = {"GREETING": "hello", "P": "hunter2hunter2", "A": "the project's", "EMPTY": "", "DOLLAR": "1$A$$2"}
MANY = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None,
                phases=[Phase.generate])  # an example holds many files already

NAMES = st.sampled_from(["A", "B", "C", "EMPTY", "LOST", "DOLLAR"])
REFERENCES = st.one_of(
    st.builds("${}".format, NAMES), st.builds("${{{}}}".format, NAMES),
    st.builds("${{{}{}{}}}".format, NAMES, st.sampled_from([":-", "-", ":+", "+"]),
              st.sampled_from(["", "x", "${B}", "$LOST", "{}", "{a}", "${C:-y}", "${C-${B}}", "a b", "}"])),
)
BITS = st.one_of(REFERENCES, st.sampled_from(
    ["x", " ", "  ", "#", " #", "\t", "'", '"', "\\", "\\$", "\\n", "\\\"", "\\'", "\\\\", "\\0101", "\\012", "\\0", "\\q", "$$", "$", "=", ":",
     "é", "\r", "{", "}"]))
VALUES = st.lists(BITS, max_size=6).map("".join)
QUOTED = st.one_of(
    VALUES,
    VALUES.map(lambda text: '"' + text.replace('"', '\\"') + '"'),
    VALUES.map(lambda text: "'" + text.replace("'", "\\'") + "'"),
    st.lists(VALUES, min_size=2, max_size=3).map(lambda lines: '"' + "\n".join(lines).replace('"', '\\"') + '"'),
)
LINES = st.one_of(
    st.builds("{}{}{}{}{}".format, st.sampled_from(["", "", "export ", " ", "export\t"]), st.sampled_from(["A", "B", "C", "K.1", "K-2", "K[3]"]),
              st.sampled_from(["=", ": ", "= ", " = ", "=\t"]), QUOTED, st.sampled_from(["", "", " # said", "#", "\r", " B=2"])),
    st.sampled_from(["# a comment", "", "   ", "A", "LOST", "EMPTY ", "export DOLLAR", "A B", "A B=1", "=x", "export", "\ufeffA=1", "Ä=1", "$A=1"]),
)
FILES = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, min_size=1, max_size=5), st.sampled_from(["\n", "\n", ""]))


def compose(model: str, folder: Path, given: Mapping[str, str] = GIVEN) -> dict[str, Any] | None:
    """What Compose makes of a model; None if it refuses it."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **given}
    done = plugin.run([plugin.find(dict(os.environ)), "--project-directory", str(folder), "-p", "x", "-f", "-", "config"],
                      folder=folder, readable=folder, env=environment, stdin=model.encode())
    return parse.load(done.stdout) if done.status == 0 else None


def read_by_compose(files: Sequence[str], folder: Path, format: str) -> list[dict[str, str]] | None:
    """The environment that Compose makes of each env file."""
    model = "services:\n"
    for number, text in enumerate(files):
        (folder / f"{number}.env").write_bytes(text.encode())
        form = f", format: {format}" if format else ""
        model += f"  s{number}: {{image: x, env_file: [{{path: {number}.env{form}}}]}}\n"
    tree = compose(model, folder)
    if tree is None:
        return None
    found = [tree["services"][f"s{number}"].get("environment") or {} for number in range(len(files))]
    plain = variables.plain_text
    return [{plain(name): plain(str(value)) for name, value in one.items() if value is not None} for one in found]


def sound(text: str) -> bool:
    """Whether every `${` in a text, and in its defaults, begins a reference: Compose refuses others."""
    found = list(variables.pieces(text))
    literal = "".join(one.replace("$$", "") for one in found if isinstance(one, str))
    return "${" not in literal and all(sound(one.argument) for one in found if isinstance(one, variables.Reference))


def read_by_lading(text: str, format: str) -> dict[str, str] | None:
    """The environment that lading reads; None if it says that Compose cannot."""
    try:
        if not all(sound(one.template) for one in env_files.read(text, format)):
            return None
    except env_files.BrokenError:
        return None
    return dict(env_files.assigned(text, GIVEN, format))


@pytest.mark.parametrize("format", ["", "raw"])
@MANY
@over(files=st.lists(FILES, min_size=30, max_size=30))
def test_env_files_are_read_as_compose_reads_them(format: str, tmp_path_factory: pytest.TempPathFactory, files: list[str]) -> None:
    folder = tmp_path_factory.mktemp("env")
    mine = {text: read_by_lading(text, format) for text in files}
    good = [text for text in mine if mine[text] is not None]
    assert_equal(read_by_compose(good, folder, format), [mine[text] for text in good], good)
    for text in [text for text in mine if mine[text] is None][:2]:
        assert read_by_compose([text], folder, format) is None, text


def assert_equal(theirs: list[dict[str, str]] | None, mine: Sequence[dict[str, str] | None], texts: Sequence[str]) -> None:
    """Names the first file that is read otherwise."""
    assert theirs is not None, texts
    for text, one, other in zip(texts, theirs, mine, strict=True):
        assert (text, one) == (text, other)


@MANY
@over(texts=st.lists(VALUES, min_size=60, max_size=60))
def test_texts_are_filled_in_as_compose_does(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("texts")
    good = [text for text in texts if "\r" not in text and sound(text)]
    labels = "".join(f"    t{number}: {quoted(text)}\n" for number, text in enumerate(good))
    tree = compose(f"services:\n  x:\n   image: x\n   labels:\n    t: ''\n{labels}", folder)
    assert tree is not None
    read = {text: tree["services"]["x"]["labels"][f"t{number}"] for number, text in enumerate(good)}
    assert {text: variables.plain_text(value) for text, value in read.items()} == {
        text: variables.plain_text(variables.substitute(text, GIVEN)) for text in good}


def quoted(text: str) -> str:
    """A text in YAML."""
    return "'" + text.replace("'", "''") + "'"


def test_as_compose_reads_it(tmp_path: Path) -> None:
    text = ENV + "A=own\nB=$A\n"
    assert read_by_compose([text], tmp_path, "") == [dict(env_files.assigned(text, GIVEN))]


def test_what_a_service_sets_itself_is_seen_by_its_env_files(tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text("ONE=1\n")
    (tmp_path / "two.env").write_text("TWO=$HOST-$ONE-$A\n")
    model = "services: {x: {image: x, environment: {HOST: db}, env_file: [one.env, two.env]}}"
    tree = compose(model, tmp_path)
    assert tree is not None
    assert tree["services"]["x"]["environment"] == {"HOST": "db", "ONE": "1", "TWO": "db-1-the project's"}
