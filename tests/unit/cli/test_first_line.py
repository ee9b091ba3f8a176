"""The first line: what a verb begins with, before anything is loaded; at a terminal only, and never for --help."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lading.cli import first_line


@pytest.mark.parametrize(("verb", "words", "said"), [
    ("deploy", ["--to", "production"], "reading shop (docker-compose.yml)"),
    ("plan", ["-f", "a.yaml", "-f", "b.yaml"], "reading shop (b.yaml)"),
    ("deploy", ["-C", ".."], "reading {parent}"),
    ("deploy", ["-C.."], "reading {parent}"),
    ("bundle", ["--project-directory=.."], "reading {parent}"),
    ("ship", ["-C"], "reading shop (docker-compose.yml)"),
    ("where", ["shop", "--json"], "asking the hosts what runs"),
    ("rollback", ["shop"], "asking the hosts what runs and what they keep"),
    ("restart", ["shop/web"], "asking the hosts what runs"),
    ("history", [], "reading the ledger, asking the hosts what they know"), ("history", ["--offline"], ""),
    ("hosts", ["include", "web2"], "asking the host what runs"), ("hosts", [], ""), ("hosts", ["list"], ""),
    ("deploy", ["--help"], ""), ("nonsense", [], ""),
])
def test_what_it_begins_with(
    verb: str, words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "docker-compose.yml").touch()
    monkeypatch.chdir(tmp_path / "shop")
    assert first_line.of(verb, words) == said.format(parent=tmp_path.name)


def test_it_stands_before_what_the_verb_needs_is_loaded(tmp_path: Path) -> None:
    """At a terminal, on stderr: stdout belongs to the document."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "lading", "where", "--json"], cwd=tmp_path, stdin=theirs,
        stdout=subprocess.PIPE, stderr=theirs, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.stdout is not None
    with process.stdout:
        assert b'"error"' in process.stdout.read()
    assert process.wait(timeout=60) == 2
    first = said.index(b"asking the hosts what runs")
    assert b"lading.queries.logs" not in said[:first]
    assert b"lading.queries.logs" in said[first:]


def test_piped_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first_line.say("where", [])
    assert capsys.readouterr().err == ""
