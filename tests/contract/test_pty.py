"""On a real terminal: what files, registries and typed words hold never reaches it as control characters."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from registry_server import Answer, Serve

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b2J\u202e"
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[AK]|\r")  # colours, and what a live line needs


def on_terminal(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and all that reaches the terminal."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "200", "LANG": "C.UTF-8",
                   "XDG_STATE_HOME": str(folder / "state"), "LADING_CONFIG": str(folder / "lading.yaml")}
    process = subprocess.Popen([sys.executable, "-m", "lading", *words], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the last one at the terminal has left
            break
    os.close(ours)
    return process.wait(timeout=60), said.decode("utf-8", "surrogateescape")


def harmless(said: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in OWN.sub("", said))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 1}}\n")
    (tmp_path / "app").mkdir()
    return tmp_path


@pytest.mark.timeout(120)
def test_errors_about_files(folder: Path) -> None:
    evil = json.dumps(EVIL)
    for text in (f"services: {{web: {{image: 'r/a:1', {evil}: 1}}}}\n", f"services: {{web: {{image: {evil}}}}}\n",
                 f"services: {{web: {{image: 'r/a:1', env_file: {evil}}}}}\n", f"x-lading: {{{evil}: 1}}\nservices: {{web: {{image: 'r/a:1'}}}}\n"):
        (folder / "app" / "compose.yaml").write_text(text)
        code, said = on_terminal(folder, "bundle", "-C", "app", "-o", "out", "--no-digests")
        assert (code, "error:" in said, "hint:" in said, harmless(said)) == (2, True, True, True), said
    (folder / "lading.yaml").write_text(f"lading: 1\n{evil}: 1\n")
    code, said = on_terminal(folder, "hosts", "list")
    assert (code, "error:" in said, harmless(said)) == (2, True, True), said


@pytest.mark.timeout(120)
def test_errors_of_a_registry(folder: Path, serve: Serve) -> None:
    server = serve()
    server.special["/v2/team/app/manifests/1.0"] = lambda _: Answer(307, headers={"Location": "ftp://x/\x1b[2J\x9b"})
    (folder / "app" / "compose.yaml").write_text(f"services: {{web: {{image: '{server.name}/team/app:1.0'}}}}\n")
    code, said = on_terminal(folder, "bundle", "-C", "app", "--app", "app", "-o", "out")
    assert (code, "error:" in said, harmless(said)) == (2, True, True), said


@pytest.mark.timeout(120)
@pytest.mark.parametrize("words", [["where", EVIL], ["history", "--offline", EVIL], [EVIL], ["deploy", "--to", EVIL, "--yes", "-C", "app"], ["-h" + EVIL],
                                   ["show", EVIL], ["where", EVIL, "--json"]])
def test_words_that_were_typed(folder: Path, words: list[str]) -> None:
    code, said = on_terminal(folder, *words)
    assert (code != 0, harmless(said)) == (True, True), said
    assert "Traceback" not in said


@pytest.mark.timeout(120)
def test_a_host_that_is_not_there_has_a_row(folder: Path) -> None:
    code, said = on_terminal(folder, "where")
    assert (code, "unknown" in said, harmless(said)) == (6, True, True), said  # not all have answered
