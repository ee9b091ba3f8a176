"""Which variables a project needs, and what counts as given: passed on if set, empty on purpose, all that lack told at once."""

from pathlib import Path

import pytest
from a_project import FLEET, Project

pytestmark = pytest.mark.contract


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.make(tmp_path / "shop")


def compose(text: str) -> str:
    return f"services:\n  web:\n    image: r.example/web:1\n{text}"


@pytest.mark.parametrize("environment", ["    environment: [DEBUG, A=1]\n", "    environment: {DEBUG: , A: '1'}\n", "    env_file: [a.env]\n"])
def test_a_name_is_passed_on_only_if_it_is_set(environment: str, shop: Project) -> None:
    shop.write({"compose.yaml": compose(environment) + "x-lading: {plain: [DEBUG]}\n", "a.env": "DEBUG\nA=1\n"})
    unset = shop.bundle()
    assert unset.status == 0, unset.said
    assert "DEBUG=" not in unset.plain
    given = shop.bundle("-e", "DEBUG=yes")
    assert given.status == 0, given.said
    assert "DEBUG='yes'\n" in given.plain
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], variables: {DEBUG: dest}, pass_env: [DEBUG]}")
    assert "DEBUG='dest'\n" in shop.bundle("--to", "production", fleet=fleet).plain
    assert "DEBUG='mine'\n" in shop.bundle("--to", "production", fleet=fleet, env={"DEBUG": "mine"}).plain


def test_a_name_is_passed_on_from_version_and_a_tracked_env(shop: Project) -> None:
    shop.write({"compose.yaml": compose("    environment: [VERSION, DEBUG]\n") + "x-lading: {plain: [DEBUG]}\n", ".env": "DEBUG=file\n"})
    assert shop.bundle("--version", "2").service()["environment"] == {"DEBUG": "file", "VERSION": "2"}
    assert shop.bundle().service()["environment"] == {"DEBUG": "file", "VERSION": None}


@pytest.mark.parametrize("way", [".env", "variables", "-e"])
def test_a_value_may_be_empty_on_purpose(way: str, shop: Project) -> None:
    shop.write({
        "compose.yaml": compose("    environment: {SUFFIX: 'a${SUFFIX}b', OTHER: '${SUFFIX-unset}', THIRD: '${SUFFIX:-blank}'}\n")
        + "x-lading: {plain: [SUFFIX]}\n",
        ".env": "SUFFIX=\n" if way == ".env" else "",
    })
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], variables: {SUFFIX: ''}}") if way == "variables" else FLEET
    done = shop.bundle("--to", "production", *(["-e", "SUFFIX="] if way == "-e" else []), fleet=fleet)
    assert done.status == 0, done.said
    assert done.service()["environment"] == {"SUFFIX": "ab", "OTHER": "", "THIRD": "blank"}
    assert "SUFFIX=''\n" in done.plain


def test_what_is_empty_where_a_value_is_demanded_is_refused(shop: Project) -> None:
    shop.write({"compose.yaml": compose("    environment: {A: '${A:?say which}'}\n"), ".env": "A=\n"})
    refused = shop.bundle()
    assert refused.status == 2
    assert refused.message.startswith("compose.yaml:4: A is empty: say which; ")
    assert "Git" not in refused.message


def test_what_the_environment_leaves_empty_is_asked_for(shop: Project) -> None:
    shop.write({"compose.yaml": compose("    environment: {A: '${A}'}\n")})
    fleet = FLEET + "pass_env: [A]\n"
    refused = shop.bundle(fleet=fleet, env={"A": ""})
    assert refused.status == 2
    assert "A is empty in your environment; if that is meant: -e A=" in refused.message
    assert shop.bundle("-e", "A=", fleet=fleet, env={"A": ""}).status == 0


def test_an_empty_version_is_never_meant(shop: Project) -> None:
    shop.write({"compose.yaml": "services:\n  web: {image: 'r.example/web:${VERSION:-latest}'}\n", ".env": "VERSION=\n"})
    refused = shop.bundle("-e", "VERSION=")
    assert (refused.status, "the version is blank" in refused.message) == (2, True), refused.said
    assert shop.bundle().release["version"] == "latest"


def test_all_that_lack_are_told_at_once_with_their_places(shop: Project) -> None:
    shop.write({
        "compose.yaml": "name: shop\nservices:\n  web:\n    image: r.example/web:${VERSION}\n    environment: {A: '${ONE}', B: '${TWO:?which}'}\n"
                        "    env_file: [a.env]\n",
        "a.env": "# first\nC=$THREE\n", ".env": "TWO=\n",
    })
    refused = shop.bundle()
    assert refused.status == 2
    assert refused.told["error"]["message"] == (
        "ONE is not set (compose.yaml:5); TWO is empty: which (compose.yaml:5); VERSION is not set (compose.yaml:4); THREE is not set (a.env:2)")
    assert "-e ONE=VALUE -e TWO=VALUE --version VERSION -e THREE=VALUE" in refused.told["error"]["hint"]
    assert "`variables:` or `secrets:`" in refused.told["error"]["hint"]


@pytest.mark.parametrize("tracked", [True, False])
def test_an_env_that_is_tracked_is_not_said_not_to_be(tracked: bool, shop: Project) -> None:
    shop.write({"compose.yaml": compose("    environment: {A: '${A:?}'}\n"), ".env": "A=\n"}, ignored="" if tracked else ".env\n")
    assert ("Git does not track .env" in shop.bundle().message) is not tracked


def test_a_value_that_is_given_counts_beside_an_env_that_git_lacks(shop: Project) -> None:
    shop.write({"compose.yaml": compose("    environment: {A: '${A:?}'}\n") + "x-lading: {plain: [A]}\n", ".env": "A=here\n"}, ignored=".env\n")
    given = shop.bundle("-e", "A=typed")
    assert given.status == 0, given.said
    assert "A='typed'\n" in given.plain
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], variables: {A: dest}}")
    assert "A='dest'\n" in shop.bundle("--to", "production", fleet=fleet).plain


def test_env_files_of_every_form_need_no_variable_that_they_only_seem_to_name(shop: Project) -> None:
    files = {"raw.env": "PASSWORD=pa$$word$HASH\n", "a.env": 'A="\\$LITERAL"\nB=\'$SINGLE\'\nC=$HOST:$A # $COMMENT\nD=${A:-$LOST}\n',
             "labels.env": "team=$TEAM\n"}
    shop.write({"compose.yaml": compose("    environment: {HOST: db}\n    env_file: [{path: raw.env, format: raw}, a.env]\n    label_file: [labels.env]\n"),
                **files})
    done = shop.bundle()
    assert done.status == 0, done.said


def test_an_env_file_that_compose_cannot_read_is_refused_with_its_line(shop: Project) -> None:
    shop.write({"compose.yaml": compose("    env_file: [a.env]\n"), "a.env": 'A=1\nB="open\nC=2\n'})
    refused = shop.bundle()
    assert refused.status == 2
    assert refused.message.startswith("a.env:2: a.env: the quote that begins the value of B is never closed")
