"""Where the fleet file says that the ledger is: SQLite, or a URL by reference."""

import os
from pathlib import Path

import pytest

from lading import context, errors, settings


def load(folder: Path, line: str) -> settings.Settings:
    (folder / "lading.yaml").write_text(f"lading: 1\n{line}\n")
    return settings.load(folder / "lading.yaml", os.environ)


@pytest.mark.parametrize("line", ["", "ledger: sqlite", "ledger:"])
def test_sqlite_in_the_users_state_folder(tmp_path: Path, line: str) -> None:
    found = load(tmp_path, line)
    assert context.ledger_place(found, {"XDG_STATE_HOME": "/state", "LADING_LEDGER": "postgresql://x"}) == Path("/state/lading/ledger.db")
    assert context.ledger_place(None, {"HOME": "/home/ann"}) == Path("/home/ann/.local/state/lading/ledger.db")


def test_a_url_by_reference(tmp_path: Path) -> None:
    found = load(tmp_path, "ledger: {url: {env: TEAM}}")
    assert context.ledger_place(found, {"TEAM": "postgresql://ann:pw@db/lading"}) == "postgresql://ann:pw@db/lading"
    for empty in ({}, {"TEAM": ""}):
        with pytest.raises(errors.SettingsError, match="environment variable TEAM, which is not set") as caught:
            context.ledger_place(found, empty)
        assert (caught.value.hint, caught.value.file) == ("export TEAM=postgresql://…", str(tmp_path / "lading.yaml"))


@pytest.mark.parametrize("value", [
    "postgresql://ann:canary@db/x", "{url: 'postgresql://ann:canary@db/x'}", "{url: {env: A, command: [b]}}", "{url: {}}", "[sqlite]",
    "{env: A}", "{url: {env: A}, more: 1}",
])
def test_what_may_hold_a_password_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        load(tmp_path, f"ledger: {value}")
    assert (caught.value.line, "ledger: {url: {env:" in caught.value.hint) == (2, True)
    assert "canary" not in caught.value.message + caught.value.hint
