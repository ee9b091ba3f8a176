"""What a person who types little, or wrongly, is told (issue 14; FINDINGS H1, H2): no host is asked for any of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from a_project import FLEET, Project

SHOP = "name: shop\nservices: {web: {image: 'r.example/shop:${VERSION}'}}\n"
TWO = "lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 9}}\ndestinations: {production: {hosts: [web1]}, staging: {hosts: [web1]}}\n"


def typed(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = subprocess.run([sys.executable, "-m", "lading", *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_alone_it_shows_the_verbs_of_a_day() -> None:
    code, told, wrong = typed()
    assert (code, wrong) == (0, "")
    lines = told.splitlines()
    assert lines[1].split()[:2] == ["lading", "deploy"]
    assert max(map(len, lines)) <= 100
    assert "lading --help" in told


@pytest.mark.parametrize("noun", ["hosts", "ledger", "config", "export"])
def test_a_thing_alone_shows_what_can_be_done_with_it(noun: str) -> None:
    code, told, wrong = typed(noun)
    assert (code, wrong, "Commands:\n" in told) == (0, "", True)


@pytest.mark.parametrize(("words", "meant"), [
    (("depoly",), "deploy"), (("hosts", "lst"), "list"), (("where", "--jsn"), "--json"), (("deploy", "--verson", "1"), "--version"),
    (("destroy", "shop"), "remove"), (("status",), "where"),
])
def test_a_typing_error_is_told_with_what_was_meant(words: tuple[str, ...], meant: str) -> None:
    code, told, wrong = typed(*words)
    assert (code, told, wrong.splitlines()[-1]) == (2, "", f" hint: did you mean {meant}?")


def test_what_is_not_near_any_verb_is_told_the_usage() -> None:
    code, _, wrong = typed("decoy", "shop")  # three slips from deploy
    assert (code, "did you mean" in wrong, "Usage: lading" in wrong) == (2, False, True)


def test_an_option_without_its_value_is_told_with_what_explains_it() -> None:
    code, _, wrong = typed("deploy", "shop", "--version")
    assert (code, wrong.splitlines()[-1]) == (2, " hint: lading deploy --help")


@pytest.mark.parametrize("verb", ["deploy", "plan", "ship"])
@pytest.mark.parametrize("version", ["1.0.0", "v1.0.0", "2026.11"])
def test_a_version_without_its_option_is_told_with_it(verb: str, version: str) -> None:
    code, told, wrong = typed(verb, version, "--yes") if verb != "plan" else typed(verb, version)
    assert (code, told, wrong.splitlines()[-1]) == (2, "", f" hint: --version {version}")


@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
@pytest.mark.parametrize("target", ["", "/", "shop/", "/web"])
def test_an_empty_name_does_not_mean_all(verb: str, target: str) -> None:
    code, told, wrong = typed(verb, target, "--yes")
    assert (code, told) == (2, "")
    assert f"{target!r} is not APP or APP/SERVICE" in wrong


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A work tree with one commit."""
    project = Project.make(tmp_path / "shop")
    project.write({"docker-compose.yml": SHOP})
    commit(project)
    return project


def commit(project: Project, *tags: str) -> None:
    """Commit what is tracked; the *tags* name it."""
    git = ["git", "-c", "user.name=ann", "-c", "user.email=ann@example"]
    for words in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "so"], *(["tag", "-a", "-m", tag, tag] for tag in tags)):
        subprocess.run([*git, *words], cwd=project.folder, check=True)


def bundled(project: Project, *words: str) -> tuple[int, str]:
    """`lading bundle`: exit code, and the version or what is wrong."""
    done = project.lading("bundle", "-o", "../out", "--no-digests", "--json", *words)
    if done.status:
        return done.status, done.told["error"]["message"]
    return 0, str(done.release["version"])


def test_the_version_is_the_tag_of_a_clean_tree(shop: Project) -> None:
    assert bundled(shop)[0] == 2, "no tag, no version"
    commit(shop, "1.4.0")
    assert bundled(shop) == (0, "1.4.0")


def test_what_is_typed_counts_more_than_a_tag(shop: Project) -> None:
    commit(shop, "1.4.0")
    assert bundled(shop, "--version", "2") == (0, "2")


def test_a_tree_that_differs_from_its_tag_is_not_that_version(shop: Project) -> None:
    commit(shop, "1.4.0")
    (shop.folder / "docker-compose.yml").write_text(SHOP + "# a note\n")
    code, wrong = bundled(shop)
    assert (code, "the work tree is not what tag 1.4.0 is: docker-compose.yml" in wrong) == (2, True)
    assert bundled(shop, "--allow-dirty") == (0, "1.4.0")


def test_a_file_of_another_app_in_the_repository_counts_too(shop: Project) -> None:
    """The image is built from more than what ships."""
    shop.write({"app/main.py": "x = 1\n"})
    commit(shop, "1.4.0")
    (shop.folder / "app/main.py").write_text("x = 2\n")
    assert "app/main.py" in bundled(shop)[1]


def test_of_several_tags_none_is_chosen(shop: Project) -> None:
    commit(shop, "1.4.0", "stable")
    code, wrong = bundled(shop)
    assert (code, "has several tags: 1.4.0, stable" in wrong) == (2, True)


def test_a_version_of_the_file_s_own_counts_more_than_a_tag(shop: Project) -> None:
    shop.write({"docker-compose.yml": SHOP.replace("${VERSION}", "${VERSION:-edge}")})
    commit(shop, "1.4.0")
    assert bundled(shop) == (0, "edge")


def planned(project: Project, *words: str, fleet: str = FLEET) -> dict[str, str]:
    """What is wrong with a plan: kind, message, hint."""
    done = project.lading("plan", "--version", "1", "--json", *words, fleet=fleet)
    error: dict[str, str] = done.told["error"]
    return error


def test_the_app_that_is_named_must_be_that_of_the_files(shop: Project) -> None:
    wrong = planned(shop, "shpo", "--to", "production")
    assert (wrong["kind"], "are those of shop, not of shpo" in wrong["message"]) == ("input", True)
    assert wrong["hint"].endswith("--version shpo")
    assert "are those of" not in planned(shop, "shop", "--to", "production")["message"]


def test_the_name_of_an_app_may_have_its_destination_in_it(shop: Project) -> None:
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], project: '{app}-{dest}'}")
    for name in ("shop", "shop-production"):
        assert "are those of" not in planned(shop, name, "--to", "production", fleet=fleet)["message"]
    assert "are those of shop-production" in planned(shop, "staging", "--to", "production", fleet=fleet)["message"]


def test_the_only_destination_need_not_be_named(shop: Project) -> None:
    wrong = planned(shop)
    assert wrong["kind"] != "input", json.dumps(wrong)  # it went on to the registry
    assert planned(shop, fleet=TWO)["message"] == "no destination was given"
    assert "production, staging" in planned(shop, fleet=TWO)["hint"]


@pytest.mark.parametrize(("words", "kind", "said"), [
    ((), "compose", "VERSION is not set"), (("--version", "1"), "not_confirmed", "there is no terminal to ask at"),
])
def test_a_version_that_is_lacking_is_said_before_the_yes_that_is(words: tuple[str, ...], kind: str, said: str, shop: Project) -> None:
    wrong = shop.lading("deploy", "--json", *words).told["error"]
    assert (wrong["kind"], said in wrong["message"]) == (kind, True), wrong
    assert ("--plan HASH" in wrong["hint"]) is (kind == "not_confirmed")


def test_no_program_is_run_for_a_secret_before_the_yes_that_is_lacking(shop: Project, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    fleet = FLEET.replace("{hosts: [web1]}", f"{{hosts: [web1], secrets: {{DB: {{command: [sh, -c, 'echo x; touch {ran}']}}}}}}")
    shop.write({"docker-compose.yml": "name: shop\nservices:\n  web: {image: 'r.example/shop:${VERSION}', environment: {DB: '${DB}'}}\n"})
    wrong = shop.lading("deploy", "--json", fleet=fleet).told["error"]
    assert (wrong["message"], ran.exists()) == ("VERSION is not set", False)


@pytest.mark.parametrize("words", [("--to", "nowhere"), ("-C", "no-folder"), ("-f", "none.yml")])
def test_what_cannot_be_looked_at_yet_is_not_said_before_the_yes(words: tuple[str, ...], shop: Project) -> None:
    done = shop.lading("deploy", "--json", *words)
    assert (done.status, done.told["error"]["kind"]) == (4, "not_confirmed"), done


def test_a_version_that_only_a_service_needs_that_is_not_started_is_not_said(shop: Project) -> None:
    shop.write({"docker-compose.yml": "name: shop\nservices:\n  web: {image: 'r.example/shop:1'}\n"
                                      "  later: {image: 'r.example/shop:${VERSION}', profiles: [later]}\n"})
    assert shop.lading("deploy", "--json").told["error"]["kind"] == "not_confirmed"
