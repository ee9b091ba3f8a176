"""The fleet file and what is typed: any bytes, any tree, any words end as settings or as a refusal with a hint; no host is asked."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lading import errors
from lading import found as finding
from lading import settings as fleet_files
from lading.cli import main
from lading.compose import variables
from lading.inventory import hosts
from lading.transport import command
from trees import changed, spots

on_disk = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOLE: dict[str, Any] = {
    "lading": 1, "state_dir": "/srv/lading", "ledger": {"url": {"env": "LEDGER"}},
    "hosts": {"web1": {"address": "10.0.0.1", "user": "u", "port": 22, "jump": "web2", "sudo": False, "labels": {"a": "b"}}, "web2": {}},
    "destinations": {"prod": {"hosts": ["web1"], "labels": {"a": "b"}, "variables": {"A": "1"}, "confirm": True, "project": "{app}"}},
    "registries": {"r.example:5000": {"username": "u", "password": {"env": "P"}, "ca": "ca.pem", "insecure": False},
                   "s.example": {"password": {"command": ["pass", "x"]}}},
    "ssh": {"user": "u", "known_hosts": "pins", "connect_timeout": 5, "keepalive": 5, "max_connections": 4},
}
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
    ["", "a\0b", "\x1b[2J", "²", "9" * 5000, "~nobody-of-that-name/x", "../..", "x y", "web1", "-oProxyCommand=x", "\u202e", "a\nb", 10**400])
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["a", "env", "url", "hosts", "web1", "", "a b", "lading"]) | st.integers(), inner, max_size=3), max_leaves=5)


def load(path: Path, content: bytes) -> fleet_files.Settings | errors.SettingsError:
    path.write_bytes(content)
    found: fleet_files.Settings | errors.SettingsError
    try:
        found = fleet_files.load(path, {})
    except errors.SettingsError as refused:
        found = refused
    if isinstance(found, errors.SettingsError):
        assert (found.file, bool(found.message), bool(found.hint)) == (str(path), True, True)
    else:
        texts = [text for host in found.inventory.hosts.values() for text in (host.name, host.address, host.user, host.jump)]
        assert all(text.isprintable() for text in texts)
    return found


def test_the_whole_file_loads(tmp_path: Path) -> None:
    assert isinstance(load(tmp_path / "lading.yaml", yaml.safe_dump(WHOLE).encode()), fleet_files.Settings)


@settings(on_disk, max_examples=50)
@given(st.sampled_from(spots(WHOLE)), junk)
def test_a_value_of_any_type_under_every_option(tmp_path: Path, path: tuple[Any, ...], new: Any) -> None:
    load(tmp_path / "lading.yaml", yaml.safe_dump(changed(WHOLE, path, new), allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(on_disk, max_examples=30)
@given(st.binary(max_size=80))
def test_any_bytes(tmp_path: Path, noise: bytes) -> None:
    assert isinstance(load(tmp_path / "lading.yaml", noise), errors.SettingsError)
    load(tmp_path / "lading.yaml", b"lading: 1\n" + noise)


@pytest.mark.parametrize("content", [
    b"lading: 1\nhosts: {[a]: {}}\n", b"lading: 1\n? {a: b}\n: c\n", b"lading: 1\nhosts: " + b"[" * 100_000, b"lading: 1\nhosts: {a: {port: \xc2\xb2}}\n",
    b"lading: 1\n---\nlading: 1\n", b"lading: 1\nhosts: &a {b: *a}\n", b"lading: 1\nssh: {user: \"a\\0b\"}\n", b"lading: 1\nssh: {user: \"\\ud800\"}\n",
    b"lading: 1\ndestinations: {p: {hosts: [[a]]}}\n", b"lading: 1\ndestinations: {p: {hosts: {a: b}}}\n", b"\x89PNG\r\n\x1a\n\0", b"lading: " + b"9" * 5000,
    b"#" * 5_000_000, b"lading: 1\nhosts: {a: !!python/name:os.system {}, a: {}}\n", b"lading: 1\nhosts: {a: {address: \"x\\ny\"}}\n", b"",
    b"lading: 1\nhosts: {<<: {a: {}}}\n", b"lading: 1\nhosts:\n" + b"".join(b" " * n + b" a:\n" for n in range(1000)),
])
def test_refused_with_a_hint(tmp_path: Path, content: bytes) -> None:
    assert isinstance(load(tmp_path / "lading.yaml", content), errors.SettingsError)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "circle"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lading.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    with pytest.raises(errors.SettingsError, match="cannot be read") as caught:
        fleet_files.load(path, {})
    assert caught.value.hint


@pytest.mark.parametrize("named", ["~nobody-of-that-name/lading.yaml", "x" * 5000, "\x1b[2J", "no/such"])
def test_a_fleet_file_that_is_named(named: str) -> None:
    where = finding.find(Path(), {"LADING_CONFIG": named})
    assert where is not None
    with pytest.raises(errors.SettingsError):
        finding.load(where, {})


hostile = st.text(st.one_of(st.sampled_from("$`;|&<>'\"\\\n\r\t\0\x1b\x7f*?(){}[]!#~=/. -аA1"), st.characters()), min_size=1, max_size=40) | st.sampled_from(
    ["x" * 10_000, "../../etc", "$(reboot)", "`reboot`", "1.0 DESTINATION=prod", "1.0\nB=2", "%", "_", "\u0430pp"])


@given(hostile)
def test_versions_inject_nothing(version: str) -> None:
    if not variables.version_fault(version, tag=True):
        assert variables.TAG.fullmatch(version)
    if not variables.version_fault(version, tag=False):
        assert version.isprintable() and len(version) <= variables.VERSION_LIMIT


@example("~")
@given(hostile)
def test_destinations_that_are_not_there(name: str) -> None:
    known = hosts.Inventory({"web1": hosts.Host("web1")}, {"prod": hosts.Destination("prod", ("web1",))})
    with pytest.raises(errors.InputError) as caught:
        known.choose((name.replace("web1", "").replace("prod", ""),))
    assert caught.value.hint and caught.value.exit_code == 2


ASKING = (["where", "{}"], ["drift", "{}"], ["logs", "{}"], ["history", "{}"], ["rollback", "{}", "--to", "web1", "--yes"],
          ["remove", "{}", "--to", "web1", "--yes"], ["resume", "{}"])


@settings(on_disk, max_examples=5)
@given(hostile.filter(lambda text: not command.APP.fullmatch(text) and not text.startswith("-")))
def test_names_that_no_app_can_have(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The fleet file is not there: it is refused before that is looked for, and so before any host."""
    for words in ASKING:
        with pytest.raises(SystemExit) as ended:
            main.main(["--config", str(tmp_path / "absent.yaml"), *(word.format(name) if word == "{}" else word for word in words)])
        said = capsys.readouterr()
        assert (ended.value.code, "an app cannot be called" in said.err, " hint: " in said.err, said.out) == (2, True, True, "")
        assert not [c for c in said.err if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize("words", [["deploy", "-e", "A", "--to", "x", "--yes"], ["deploy", "-e", "=1", "--to", "x", "--yes"], ["plan", "-e", "\x1b[2J", "--to", "x"]])
def test_variables_that_are_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    said = capsys.readouterr().err
    assert (ended.value.code, "is not KEY=VALUE" in said, "\x1b" in said) == (2, True, False)
