"""What `lading` and `lading --help` show: click's own options, in lines that fit, without click."""

import subprocess
import sys

import click
import pytest

from lading.cli import front
from lading.cli.main import cli

LISTED = """
import atexit, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr))
from lading.cli import entry
entry.main()
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`lading` with these words; on stderr, the packages that it has loaded."""
    return subprocess.run([sys.executable, "-c", LISTED, *words], capture_output=True, text=True, check=False, timeout=60)


def test_the_options_are_those_of_the_command() -> None:
    context = click.Context(cli, info_name="lading", **cli.context_settings)
    records = [one.get_help_record(context) for one in cli.get_params(context)]
    assert list(front.OPTIONS.items()) == records


@pytest.mark.parametrize("width", [50, 64, 78, 98])
def test_no_line_is_wider_than_asked(width: int) -> None:
    lines = front.help_page(width).splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1:] if line[2] != " "] == list(front.VERBS)


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_click_is_not_loaded_for_it(words: tuple[str, ...]) -> None:
    shown = run(*words)
    assert (shown.returncode, "click" in shown.stderr.split()) == (0, False)
    assert "lading" in shown.stdout


def test_an_option_before_it_changes_nothing_that_is_shown() -> None:
    by_click = run("-v", "--help")
    assert "click" in by_click.stderr.split()
    assert by_click.stdout == run("--help").stdout
