"""`lading hosts add` and `lading init` without a look at any host: what they write, and what they leave alone."""

from pathlib import Path

import click.testing
import pytest

from lading import errors
from lading.cli import host_keys, main

FLEET = """lading: 1
hosts: {web1: {address: a}}
destinations: {a: {hosts: [web1]}, b: {hosts: [web1]}, all-web: {hosts: ["web*"]}}
"""


def ran(*words: str) -> str:
    """What a command prints that ends well; an error of lading's comes through."""
    done = click.testing.CliRunner().invoke(main.cli, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert done.return_value == 0
    return done.output


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet file in the folder that we are in."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lading.yaml"
    path.write_text(FLEET)
    return path


def test_several_destinations_and_where_the_host_is_then(fleet: Path) -> None:
    said = ran("hosts", "add", "web2", "ann@[fe80::1]:22", "--to", "a,b", "--to", "a", "--no-check")
    assert "it is in a, b, all-web" in said  # a pattern takes it too
    entry = 'web2: {address: "fe80::1", user: "ann", port: 22}'
    assert fleet.read_text() == FLEET.replace("{address: a}}", f"{{address: a}}, {entry}}}").replace("[web1]", "[web1, web2]")


@pytest.mark.parametrize(("words", "message"), [
    (("a: b", "h"), "is no name for a host"), (("web1", "h"), "names web1 already"), (("web2", "h", "--to", "c"), "no destination c"),
    (("web2", "h x"), "is no address"), (("web2", "x$y"), "signs of a shell"),
])
def test_what_is_wrong_leaves_the_file(words: tuple[str, ...], message: str, fleet: Path) -> None:
    with pytest.raises(errors.LadingError, match=message) as caught:
        ran("hosts", "add", *words, "--no-check")
    assert fleet.read_text() == FLEET
    assert Path(caught.value.file or fleet) == fleet  # never the trial beside it
    assert [path.name for path in fleet.parent.iterdir()] == ["lading.yaml"]


def test_a_user_is_named_once(fleet: Path) -> None:
    with pytest.raises(errors.InputError, match="says ann@, and --user bob"):
        ran("--config", "other.yaml", "init", "--host", "ann@h", "--user", "bob", "--no-check")
    assert not (fleet.parent / "other.yaml").exists()


def test_a_file_that_is_there_stays(fleet: Path) -> None:
    assert "exists already, and names web1 (a)" in ran("init")
    with pytest.raises(errors.SettingsError, match="names no host at h"):
        ran("init", "--host", "h")
    assert fleet.read_text() == FLEET


KEY, OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIOld", "AAAAC3NzaC1lZDI1NTE5AAAAINew"
SHOWN = [("ssh-ed25519", "SHA256:new", f"[10.0.0.1]:2222 ssh-ed25519 {OTHER}")]


def pinned(new_in: Path | None, *, yes: bool = False, replace: bool = False) -> list[str]:
    return host_keys._pin("web2", SHOWN, [f"[10.0.0.1]:2222 ssh-ed25519 {KEY}", "[10.0.0.1]:2222 broken", "web1 a b"], yes, replace, new_in)


@pytest.mark.parametrize(("new_in", "typed"), [
    (None, "lading hosts trust web2 --replace"),
    (Path("/my fleet/known_hosts"), "ssh-keygen -f '/my fleet/known_hosts' -R '[10.0.0.1]:2222'"),
])
def test_another_key_is_refused_with_what_can_be_typed(new_in: Path | None, typed: str) -> None:
    with pytest.raises(errors.HostKeyError, match="web2 shows another key .*: ssh-ed25519 SHA256:.*, now SHA256:new") as caught:
        pinned(new_in)
    assert caught.value.hint == errors.of_another_key("").rstrip() + " " + (f"remove the old line, then the same again: {typed}" if new_in else typed)


def test_what_a_key_replaces_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert pinned(None, yes=True, replace=True) == ["web1 a b", SHOWN[0][2]]
    said = capsys.readouterr().out
    assert "web2: pinned until now: ssh-ed25519 SHA256:" in said and "web2: pinned until now: a line that cannot be read" in said
    with pytest.raises(errors.NotConfirmedError):
        pinned(None, replace=True)
    assert "Replace the pinned keys of web2 by these?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ("--config", "new.yaml", "init", "--host", "ann@h"), ("hosts", "add", "web2", "h"), ("hosts", "trust", "web1"),
])
def test_without_a_terminal_a_verb_that_has_no_plan_asks_for_yes_alone(words: tuple[str, ...], fleet: Path) -> None:
    with pytest.raises(errors.NotConfirmedError) as caught:
        ran(*words)
    assert caught.value.hint == "add --yes"


@pytest.mark.parametrize(("words", "message", "hint"), [
    (("logs", "shop/web"), "'shop/web' is a service, and logs wants an app", "lading logs shop --service web"),
    (("where", "shop/web"), "is a service, and where wants an app", "if the whole app is meant: shop in its place"),
    (("repair", "web1", "shop/web"), "is a service, and repair wants an app", "if the whole app is meant: shop in its place"),
    (("logs", "Shop/web"), "cannot be called", "a-z"),
    (("check", "--to", "web2"), "without --to", "lading check web2"),
])
def test_words_that_were_meant_otherwise_are_told_as_they_are_typed(words: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(errors.InputError, match=message) as caught:
        ran(*words)
    assert caught.value.hint.startswith(hint)
