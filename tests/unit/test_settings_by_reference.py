"""Values by reference in lading.yaml: secrets of apps, passwords, webhooks; what is wrong is told with its line, and without a value."""

from pathlib import Path

import pytest

from lading import by_reference, errors, options, settings


def load(folder: Path, text: str) -> settings.Settings:
    (folder / "lading.yaml").write_text(
        "lading: 1\nhosts: {web1: {}}\ndestinations:\n  production:\n    hosts: [web1]\n" + text)
    return settings.load(folder / "lading.yaml", {})


def secret(folder: Path, text: str) -> by_reference.Source:
    return load(folder, f"    secrets: {{DB: {text}}}\n").inventory.destinations["production"].secrets["DB"]


def test_each_kind_of_source(tmp_path: Path) -> None:
    at = str(tmp_path.resolve())
    found = {
        "{env: X}": by_reference.Source("env", ("X",)), "{command: [pass, show, db]}": by_reference.Source("command", ("pass", "show", "db")),
        "{file: a/b, timeout: 5}": by_reference.Source("file", (f"{at}/a/b",), 5), "{file: /a}": by_reference.Source("file", ("/a",)),
        "{age: a.age, key: k.txt}": by_reference.Source("age", (f"{at}/a.age", f"{at}/k.txt")),
        "{sops: s.yaml, key: DB}": by_reference.Source("sops", (f"{at}/s.yaml", "DB")),
        "{sops: s.yaml, key: [db, pw]}": by_reference.Source("sops", (f"{at}/s.yaml", "db", "pw")),
    }
    for text, source in found.items():
        read = secret(tmp_path, text)
        assert read == source and read.line == 6 and read.file == str(tmp_path / "lading.yaml")
    assert secret(tmp_path, "{env: X}").argv == ()
    assert secret(tmp_path, "{age: a, key: k}").argv == ("age", "--decrypt", "--identity", f"{at}/k", f"{at}/a")
    assert secret(tmp_path, "{file: /a}").argv == ("cat", "/a")


@pytest.mark.parametrize(("text", "why"), [
    ("{}", "says nothing"), ("", "says nothing"), ("{timeout: 3}", "says nothing"), ("{env: A, file: b}", "says file and env"),
    ("{command: []}", "is empty"), ("{command: pass}", "must be a list"), ("{env: ''}", "is empty"), ("{file: a, key: b}", "belongs to age and sops"),
    ("{env: A, key: b}", "belongs to age and sops"), ("{age: a}", "names no key"), ("{sops: a}", "names no key"), ("{sops: a, key: []}", "is no key"),
    ("{sops: a, key: 'x\"]'}", "is no key"), ("{env: A, timeout: 0}", "whole number from 1"), ("{vault: x}", "unknown key vault"), ("plain-canary", "does not say where its value comes from"),
])
def test_what_is_no_source_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        secret(tmp_path, text)
    assert why in caught.value.message and caught.value.line == 6 and "canary" not in caught.value.message


@pytest.mark.parametrize(("text", "why"), [
    ("    secrets: {VERSION: {env: A}}\n", "the version is no secret"), ("    secrets: {1X: {env: A}}\n", "no name of a variable"),
    ("    secrets: {X: {env: A}}\n    variables: {X: y}\n", "X is among the variables and among the secrets"),
    ("    notify: {}\n", "names no url"), ("    notify: [{url: 'ftp://canary'}]\n", "is no address"), ("    notify: {url: {command: [x]}}\n", "unknown key command"),
    ("    notify: {url: {env: A}, kind: teams}\n", "must be slack or generic"), ("    notify: {url: {env: A}, kind: slack, secret: {env: B}}\n", "is not signed"),
])
def test_what_is_no_secret_and_no_webhook_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        load(tmp_path, text)
    assert why in caught.value.message and caught.value.line >= 6 and "canary" not in caught.value.message


def test_a_secret_that_stands_in_the_file_is_refused_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        secret(tmp_path, "canary")
    assert caught.value.hint == (
        "destinations.production.secrets.DB: {command: [pass, show, NAME]}, or {file: PATH}, or {env: NAME}")


def test_webhooks(tmp_path: Path) -> None:
    one = load(tmp_path, "    notify: {url: 'https://hooks.example/x', kind: slack}\n").inventory.destinations["production"].webhooks
    assert one == (by_reference.Webhook(by_reference.Source("text", ("https://hooks.example/x",)), "slack"),)
    two = load(tmp_path, "    notify: [{url: {env: A}, secret: {file: s}}, {url: {file: u}}]\n").inventory.destinations["production"].webhooks
    assert [hook.kind for hook in two] == ["generic", "generic"] and two[0].secret is not None and two[0].secret.words == (f"{tmp_path.resolve()}/s",)
    assert "hooks.example" not in repr(one) + str(one[0].url)


def test_a_name_that_the_file_itself_reads_is_passed_to_no_app(tmp_path: Path) -> None:
    fleet = load(tmp_path, "    secrets: {DB: {env: PROD}}\n    notify: {url: {env: HOOK}}\npass_env: ['*']\n")
    passing = fleet.pass_env_for(fleet.inventory.destinations["production"])
    assert (passing.passes("PROD"), passing.passes("HOOK"), passing.passes("OTHER")) == (False, False, True)


def test_the_example_of_all_options_loads(tmp_path: Path) -> None:
    (tmp_path / "lading.yaml").write_text(options.example())
    assert settings.load(tmp_path / "lading.yaml", {}).inventory.destinations["production"].secrets == {}
