"""What steers Compose: COMPOSE_FILE, COMPOSE_PROFILES and COMPOSE_PROJECT_NAME of a tracked `.env`, `--profile`, `name:`."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from a_project import FLEET, Project

from lading import errors, state
from lading.compose import normal, project, read, release, restore
from lading.drivers.shell import releases

pytestmark = pytest.mark.contract
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
SERVICES = """services:
  web: {image: r.example/web:1}
  debug: {image: r.example/debug:1, profiles: [debug, tools]}
  tool: {image: r.example/tool:1, profiles: [tools]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.make(tmp_path / "shop")


def reading(shop: Project, **more: Any) -> project.Reading:
    return read.read(read.Request(shop.folder, environment=ENVIRONMENT, **more))


def started(got: project.Reading) -> set[str]:
    return {name for name, service in got.project.services.items() if service.enabled}


def by_compose(shop: Project, *words: str, **env: str) -> list[str]:
    """What plain Compose says in the work tree."""
    done = subprocess.run(["docker", "compose", *words], cwd=shop.folder, env={**ENVIRONMENT, **env}, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(("profiles", "services"), [
    ((), {"web"}), (("debug",), {"web", "debug"}), (("tools",), {"web", "debug", "tool"}), (("*",), {"web", "debug", "tool"}),
    (("debug", "tools"), {"web", "debug", "tool"}),
])
def test_the_services_of_the_profiles_that_are_typed_are_started(profiles: tuple[str, ...], services: set[str], shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    got = reading(shop, profiles=profiles)
    assert started(got) == services
    assert set(by_compose(shop, *(f"--profile={name}" for name in profiles), "config", "--services")) == services
    made = release.build(got, {})
    assert made.release.profiles == tuple(sorted(profiles))
    form = normal.form(made, {}, dict(os.environ))
    assert {name for name in ("web", "debug", "tool") if f"r.example/{name}:1" in form} == services


def test_what_is_typed_counts_more_than_the_destinations_and_that_more_than_the_files(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES, ".env": "COMPOSE_PROFILES=debug, other\n"})
    assert started(reading(shop)) == {"web", "debug"}
    assert started(reading(shop, usual=("tools",))) == {"web", "debug", "tool"}
    assert started(reading(shop, usual=())) == {"web"}
    assert started(reading(shop, usual=("tools",), profiles=("debug",))) == {"web", "debug"}


def test_services_that_are_left_out_are_named(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    assert reading(shop).warnings == ("not started, since nobody asks for their profile: debug (debug, tools), tool (tools); --profile NAME does",)
    assert reading(shop, profiles=("tools",)).warnings == ()


def test_a_profile_that_no_service_has_is_refused(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    with pytest.raises(errors.ComposeError, match="no service has the profile debgu") as refused:
        reading(shop, profiles=("debgu",))
    assert refused.value.hint == "did you mean `debug`?"


@pytest.mark.parametrize("needs", ["depends_on: [db]", "network_mode: 'service:db'", "volumes_from: [db]", "pid: 'service:db'"])
def test_a_service_that_needs_what_is_left_out_is_refused_as_compose_does(needs: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"services:\n  web:\n    image: r.example/web:1\n    {needs}\n  db: {{image: r.example/db:1, profiles: [data]}}\n"})
    with pytest.raises(subprocess.CalledProcessError):
        by_compose(shop, "config")
    with pytest.raises(errors.ComposeError, match="service web needs db") as refused:
        reading(shop)
    assert (refused.value.hint, refused.value.line) == ("--profile data", 4)
    assert started(reading(shop, profiles=("data",))) == {"web", "db"}


def test_profiles_are_kept_with_the_release_and_change_none_that_has_none(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    assert b'"profiles"' not in release.build(reading(shop), {}).release.canonical()
    made = release.build(reading(shop, profiles=("tools", "debug")), {}).release
    kept = restore.from_bytes(made.canonical())
    assert kept.profiles == ("debug", "tools")
    assert releases.call(kept, {}, state.AppState(kept.app)).options[:5] == ["--profile", "debug", "--profile", "tools", "-p"]


def test_a_compose_file_with_a_newline_in_its_name_is_refused(shop: Project) -> None:
    shop.write({"a\nb.yaml": SERVICES})
    with pytest.raises(errors.ComposeError, match=r"there is a newline in the name 'a\\nb\.yaml'"):
        reading(shop, files=("a\nb.yaml",))


@pytest.mark.parametrize("separator", ["", "COMPOSE_PATH_SEPARATOR=,\n"])
def test_the_files_of_a_tracked_env_are_read_in_their_order(separator: str, shop: Project) -> None:
    sign = "," if separator else ":"
    shop.write({
        "compose.yaml": "services: {web: {image: r.example/none:1}}\n", "one.yaml": "services: {web: {image: r.example/one:1}}\n",
        "two.yaml": "services: {web: {image: 'r.example/two:${TAG}'}}\n", ".env": f"{separator}COMPOSE_FILE=one.yaml{sign}$SECOND.yaml\nTAG=5\nSECOND=one\n",
    })
    got = reading(shop, overrides={"SECOND": "two"})
    assert got.compose_files == ("one.yaml", "two.yaml")
    assert got.project.services["web"].image == "r.example/two:5"
    assert reading(shop, files=("compose.yaml",)).compose_files == ("compose.yaml",)


def test_the_files_of_an_env_may_lie_in_another_folder_and_both_envs_count(shop: Project) -> None:
    shop.write({"deploy/app.yaml": "services: {web: {image: 'r.example/web:${TAG}-${MORE}'}}\n", ".env": "COMPOSE_FILE=deploy/app.yaml\nTAG=5\n",
                "deploy/.env": "TAG=6\nMORE=7\n"})
    got = reading(shop)
    assert (got.compose_files, got.path) == (("app.yaml",), str(shop.folder / "deploy"))
    assert got.project.services["web"].image == "r.example/web:5-7"
    assert "image: r.example/web:5-7" in " ".join(by_compose(shop, "config"))


def test_a_file_that_an_env_names_and_that_is_not_there_is_told_where_it_is_named(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES, ".env": "A=1\nCOMPOSE_FILE=gone.yaml\n"})
    with pytest.raises(errors.ComposeError, match=r"there is no file gone\.yaml") as refused:
        reading(shop)
    assert (refused.value.file, refused.value.line) == (".env", 2)


@pytest.mark.parametrize(("line", "instead"), [("COMPOSE_FILE=one.yaml", "-f FILE"), ("COMPOSE_PROFILES=debug", "--profile NAME"),
                                               ("COMPOSE_PROJECT_NAME=other", "--app NAME")])
def test_an_env_that_is_not_tracked_is_said_not_to_count(line: str, instead: str, shop: Project) -> None:
    shop.write({"compose.yaml": "name: shop\nservices: {web: {image: r.example/web:1}}\n", ".env": f"{line}\n"}, ignored=".env\n")
    got = reading(shop)
    assert got.project.name == "shop"
    name = line.partition("=")[0]
    assert got.warnings[0].startswith(f".env:1 sets {name}, but Git does not track .env, so it does not count: {instead}")


def test_other_settings_of_compose_in_an_env_are_named(shop: Project) -> None:
    shop.write({"compose.yaml": "services: {web: {image: r.example/web:1}}\n", ".env": "COMPOSE_IGNORE_ORPHANS=1\n"})
    assert reading(shop).warnings == (".env sets COMPOSE_IGNORE_ORPHANS, which steers Compose's own commands: not carried out",)


@pytest.mark.parametrize(("files", "more", "name"), [
    ({"compose.yaml": "name: My.Shop\n"}, {}, "myshop"), ({"compose.yaml": "name: My.Shop\n"}, {"app": "myshop"}, "myshop"),
    ({"compose.yaml": "name: a${X}\n"}, {"overrides": {"X": "B.c"}}, "abc"), ({"compose.yaml": "", ".env": "COMPOSE_PROJECT_NAME=fromenv\n"}, {}, "fromenv"),
    ({"compose.yaml": "name: file\n", ".env": "COMPOSE_PROJECT_NAME=fromenv\n"}, {}, "fromenv"),
])
def test_a_project_is_called_as_compose_calls_it(files: dict[str, str], more: dict[str, Any], name: str, shop: Project) -> None:
    shop.write({**files, "compose.yaml": files["compose.yaml"] + "services: {web: {image: r.example/web:1}}\n"})
    got = reading(shop, **more)
    assert (got.project.name, got.named) == (name, True)
    assert by_compose(shop, "config", **more.get("overrides", {}))[1] == name


@pytest.mark.parametrize(("files", "more", "said"), [
    ({"compose.yaml": "name: My.Shop\n"}, {"app": "My.Shop"}, "the app is called myshop"),
    ({"compose.yaml": "name: '-_-'\n"}, {}, "leaves nothing"),
    ({"compose.yaml": ""}, {"app": "My.Shop"}, "such as myshop"),
    ({"compose.yaml": "", ".env": "COMPOSE_PROJECT_NAME=My.Shop\n"}, {}, "such as myshop"),
    ({"compose.yaml": "name: '${X}${Y}'\n"}, {}, "X is not set, and `name:` needs it (compose.yaml:1); Y is not set"),
])
def test_a_name_that_cannot_be_is_refused_with_one_that_can(files: dict[str, str], more: dict[str, Any], said: str, shop: Project) -> None:
    shop.write({**files, "compose.yaml": files["compose.yaml"] + "services: {web: {image: r.example/web:1}}\n"})
    with pytest.raises(errors.ComposeError) as refused:
        reading(shop, **more)
    assert said in f"{refused.value.message} {refused.value.hint}"


def test_a_name_that_is_typed_counts_more_than_that_of_an_env(shop: Project) -> None:
    shop.write({"compose.yaml": "services: {web: {image: r.example/web:1}}\n", ".env": "COMPOSE_PROJECT_NAME=fromenv\n"})
    assert reading(shop, app="typed").project.name == "typed"


def test_settings_of_compose_are_no_variables(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    refused = shop.bundle("-e", "COMPOSE_PROFILES=debug")
    assert (refused.status, "--profile NAME" in refused.message) == (2, True), refused.said


def test_the_command_line_and_the_fleet_file_ask_for_profiles(shop: Project) -> None:
    shop.write({"compose.yaml": SERVICES})
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], profiles: [tools]}")
    assert shop.bundle("--to", "production", fleet=fleet).release["extension"] == {"profiles": ["tools"]}
    typed = shop.bundle("--to", "production", "--profile", "debug", fleet=fleet)
    assert {name for name, spec in typed.release["services"].items() if spec["active"]} == {"web", "debug"}
