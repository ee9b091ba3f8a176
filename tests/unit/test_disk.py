"""Files that the user names: what cannot be written or read is an error with a hint, and no line or device is endless."""

import os
import threading
from pathlib import Path

import click.testing
import pytest

from lading import disk, errors
from lading.cli import main

NOWHERE = ("/nonexist/x", "/proc/zz", "/dev/null/x", "/tmp/" + "x" * 300)


def ran(*words: str, stdin: bytes = b"") -> int:
    """The exit code of a command; an error of another kind than lading's comes through."""
    done = click.testing.CliRunner().invoke(main.cli, words, standalone_mode=False, input=stdin)
    if isinstance(done.exception, errors.LadingError):
        raise done.exception
    assert done.exception is None
    return int(done.return_value)


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: nginx}}\n")


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("words", [
    ("ledger", "export", "-o"), ("bundle", "--no-digests", "--version", "1", "-o"),
    ("init", "--host", "h", "--user", "u", "--registry", "", "--no-check", "--config"),
])
def test_a_path_that_cannot_be_written(words: tuple[str, ...], path: str) -> None:
    words = ("--config", path, *words[:-1]) if words[-1] == "--config" else (*words, path)
    with pytest.raises(errors.InputError, match="cannot be written: ") as caught:
        ran(*words)
    assert path in caught.value.message and caught.value.hint


@pytest.mark.parametrize("path", ["/proc/zz", "/proc/zz.tar"])
def test_a_folder_in_which_nothing_can_be_made(path: str) -> None:
    with pytest.raises(errors.InputError, match=f"{path} cannot be written: "):
        ran("bundle", "--no-digests", "--version", "1", "-o", path)


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "lost").symlink_to("/nonexist/y")
    for name in ("compose.yaml", "lost"):
        with pytest.raises(errors.InputError, match="exists already"):
            disk.check_new(tmp_path / name, "another")
    disk.check_new(Path("new"), "another")


def test_a_ledger_goes_out_and_in(tmp_path: Path) -> None:
    assert ran("ledger", "export", "-o", "out") == 0
    os.mkfifo("pipe")
    threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "out").read_bytes())).start()
    assert ran("ledger", "import", "pipe") == ran("ledger", "import", "out") == 0


@pytest.mark.parametrize(("name", "said"), [
    ("/dev/zero", "neither a file nor a pipe"), (".", "neither a file nor a pipe"), ("none", "No such file"),
    ("long", "line 2 has more than 16 MiB"),
])
def test_what_cannot_be_imported(name: str, said: str) -> None:
    with Path("long").open("wb") as file:
        file.write(b'{"kind": "ledger", "v": 1, "heads": []}\n')
        file.truncate(40 << 20)
    with pytest.raises(errors.InputError, match=said):
        ran("ledger", "import", name)


def test_lines_of_stdin_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a\xff\n" + b"b" * 9)
    kept = os.dup(0)
    os.dup2(os.open("in", os.O_RDONLY), 0)
    try:
        found = disk.lines("-", limit=8)
        assert next(found) == "a\ufffd\n"
        with pytest.raises(errors.InputError, match="line 2"):
            next(found)
    finally:
        os.dup2(kept, 0)
