"""What lading makes of a project beside what plain `docker compose config` makes of it in the same folder."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from a_project import FLEET, Project

from lading import errors
from lading.compose import normal, project, read, release

pytestmark = pytest.mark.contract
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
WEB = "services:\n  web:\n    image: r.example/web:1\n"
INCLUDE = "name: shop\ninclude: [{path: in/c.yaml, env_file: in/e.env}]\n"
INNER = "services:\n  web: {image: 'r.example/web:${TAG:-none}', environment: {URL: '${URL:-none}'}}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.make(tmp_path / "shop")


def reading(shop: Project, **more: Any) -> project.Reading:
    return read.read(read.Request(shop.folder, environment=ENVIRONMENT, **more))


def by_compose(shop: Project, *words: str, **env: str) -> dict[str, Any]:
    """What plain Compose makes of the work tree."""
    done = subprocess.run(["docker", "compose", *words, "config"], cwd=shop.folder, env={**ENVIRONMENT, **env}, capture_output=True, check=True)
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def on_hosts(got: project.Reading) -> dict[str, Any]:
    """What Compose makes of the bundle of a reading, as on a host."""
    made = release.build(got, {})
    found: dict[str, Any] = yaml.safe_load(normal.form(made, dict.fromkeys(made.secrets, 1), ENVIRONMENT))
    return found


def told(form: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Of each service what was asked for."""
    return {name: {key: one.get(key) for key in keys} for name, one in form["services"].items()}


@pytest.mark.parametrize(("files", "given"), [
    ({"in/e.env": "TAG=${V:-0}\nURL=db://u:${PASSWORD}@h\n"}, {"V": "3", "PASSWORD": "canary-1"}),
    ({"in/e.env": "TAG=${V:?which}\n"}, {"V": "3"}),
    ({"in/e.env": "TAG=$V\nURL=$ROOT-$VERSION\n", ".env": "V=9\nROOT=root\n"}, {"VERSION": "7"}),
    ({"in/e.env": "TAG=1\n", "compose.yaml": "name: shop\ninclude: [{path: in/c.yaml, env_file: [in/e.env, in/f.env]}]\n", "in/f.env": "TAG=${TAG}2\nURL=$TAG$V\n"}, {"V": "3"}),
    ({"compose.yaml": "name: shop\ninclude: [outer/c.yaml]\n", "outer/c.yaml": "include: [../in/c.yaml]\n", "outer/.env": "OUTER=$V\n",
      "in/.env": "TAG=a$OUTER\nURL=$TAG\n"}, {"V": "3"}),
])
def test_what_an_includes_env_file_refers_to_has_its_value(files: dict[str, str], given: dict[str, str], shop: Project) -> None:
    shop.write({"compose.yaml": INCLUDE, "in/c.yaml": INNER, "in/e.env": "", **files})
    got = on_hosts(reading(shop, overrides=given))
    assert told(got, "image", "environment") == told(by_compose(shop, **given), "image", "environment")


def test_a_secret_behind_an_includes_env_file_is_kept_as_one_and_its_change_recreates(shop: Project) -> None:
    shop.write({"compose.yaml": INCLUDE, "in/c.yaml": INNER, "in/e.env": "TAG=1\nURL=db://u:${PASSWORD}@h\n"})
    made = release.build(reading(shop, overrides={"PASSWORD": "canary-1"}), {})
    assert made.release.services["web"].secrets == ("var.PASSWORD",)
    assert b"canary" not in made.release.canonical()


@pytest.mark.parametrize(("before", "after", "given"), [("x1", "x2", {}), ("$PASSWORD", "$PASSWORD", {"V": "1"})])
def test_what_an_includes_env_file_says_otherwise_recreates(before: str, after: str, given: dict[str, str], shop: Project) -> None:
    shop.write({"compose.yaml": INCLUDE, "in/c.yaml": INNER + "  other: {image: 'r.example/other:1'}\n", "in/e.env": f"URL={before}\nTAG=$V\n"})
    secret = {"PASSWORD": "canary-1"}
    first = content(shop, {**secret, "V": "0"})
    assert content(shop, {**secret, "V": "0", "PASSWORD": "canary-2"}) == first, "a secret has digests of its own"
    shop.write({"in/e.env": f"URL={after}\nTAG=$V\n"})
    then = content(shop, {**secret, "V": "0", **given})
    assert (then["web"] != first["web"], then["other"]) == (True, first["other"])


def content(shop: Project, given: Mapping[str, str]) -> dict[str, str]:
    made = release.build(reading(shop, overrides=given), {}).release
    return {name: one.content for name, one in made.services.items()}


@pytest.mark.parametrize("line", ["TAG=${V:?which}", "URL=x$V"])
def test_what_an_includes_env_file_lacks_is_told_with_its_line(line: str, shop: Project) -> None:
    shop.write({"compose.yaml": INCLUDE, "in/c.yaml": INNER, "in/e.env": f"# first\n{line}\n"})
    with pytest.raises(errors.ComposeError, match="V is not set") as refused:
        reading(shop)
    assert (refused.value.file, refused.value.line) == ("in/e.env", 2)


@pytest.mark.parametrize(("name", "env", "given"), [
    ("${STACK:-shop}", "STACK=prod\n", {}), ("${STACK}", "STACK=${KIND}1\n", {"KIND": "prod"}), ("${STACK:-shop}", "STACK=prod\n", {"STACK": "typed"}),
    ("${STACK:?which}", "", {"STACK": "typed"}), ("a-${VERSION}", "", {"VERSION": "7"}), ("${STACK:-shop}", "", {}),
])
def test_a_name_with_variables_is_the_one_that_compose_gives(name: str, env: str, given: dict[str, str], shop: Project) -> None:
    shop.write({"compose.yaml": f"name: {name}\n{WEB}", ".env": env})
    version = given.get("VERSION", "")
    got = reading(shop, version=version, overrides={key: value for key, value in given.items() if key != "VERSION"})
    assert got.project.name == by_compose(shop, **given)["name"]
    assert on_hosts(got)["name"] == got.project.name


@pytest.mark.parametrize("image", ["r.example/web:${VERSION:-0.1}", "r.example/web:${VERSION}"])
def test_a_version_that_only_an_env_gives_is_refused_with_what_to_type(image: str, shop: Project) -> None:
    shop.write({"compose.yaml": WEB.replace("r.example/web:1", image), ".env": "# which\nVERSION=1.2\n"})
    refused = shop.bundle()
    assert refused.status == 2
    assert refused.message.startswith(".env:2: .env sets VERSION, which lading takes from nobody but who deploys; lading … --version 1.2")
    assert shop.bundle("--version", "3").release["services"]["web"]["image"] == "r.example/web:3"


def test_a_version_among_a_destinations_variables_counts_below_what_is_typed(shop: Project) -> None:
    shop.write({"compose.yaml": WEB.replace("r.example/web:1", "r.example/web:${VERSION:-0.1}")})
    fleet = FLEET.replace("{hosts: [web1]}", "{hosts: [web1], variables: {VERSION: '9'}}")
    usual = shop.bundle("--to", "production", fleet=fleet).release
    assert (usual["version"], usual["services"]["web"]["image"]) == ("9", "r.example/web:9")
    assert shop.bundle("--to", "production", "--version", "3", fleet=fleet).release["version"] == "3"
    blank = fleet.replace("'9'", "' '")
    assert shop.bundle("--to", "production", fleet=blank).status == 2


def test_what_an_env_sets_that_git_does_not_track_is_said_where_plain_compose_takes_it(shop: Project) -> None:
    text = WEB + "    environment: {MODE: '${MODE:-dev}', OTHER: '${OTHER:-x}', TYPED: '${TYPED:-x}'}\n"
    shop.write({"compose.yaml": text, ".env": "MODE=prod\nOTHER=y\nTYPED=z\nUNUSED=1\n"}, ignored=".env\n")
    assert by_compose(shop)["services"]["web"]["environment"]["MODE"] == "prod"
    got = reading(shop, overrides={"TYPED": "typed"})
    assert got.warnings[0].startswith(".env, which Git does not track, sets MODE, OTHER: that does not count, ")
    assert "git add .env, or -e MODE=VALUE" in got.warnings[0]
    shop.write({}, ignored="")
    assert reading(shop).warnings == ()


def test_what_lies_untracked_beside_another_commits_files_is_said_too(shop: Project, tmp_path: Path) -> None:
    shop.write({"compose.yaml": WEB + "    environment: {MODE: '${MODE:-dev}'}\n", ".env": "MODE=prod\n"}, ignored=".env\n")
    there = Project.make(tmp_path / "there")
    there.write({"compose.yaml": WEB + "    environment: {MODE: '${MODE:-dev}'}\n"})
    asked = read.Request(there.folder, environment=ENVIRONMENT, app="shop")
    assert read.read(asked).warnings == ()
    assert "sets MODE" in read.read(replace(asked, beside=shop.folder)).warnings[0]


def test_an_override_that_plain_compose_adds_is_said_to_be_left_out_once(shop: Project) -> None:
    shop.write({"compose.yaml": WEB, "compose.override.yaml": "services: {web: {environment: {DEV: '1'}}}\n"})
    assert by_compose(shop)["services"]["web"]["environment"] == {"DEV": "1"}
    said = "left out: compose.override.yaml, which is for work on one's own machine; -f compose.yaml -f compose.override.yaml takes it"
    assert reading(shop).warnings == (said,)
    assert reading(shop, files=("compose.yaml",)).warnings == ()
    assert on_hosts(reading(shop, files=("compose.yaml", "compose.override.yaml")))["services"]["web"]["environment"] == {"DEV": "1"}


LEFT_OUT = {
    "build without image": "build: .", "an image that is none": "image: 'r.example/tool:${UNSET}'", "a missing variable": "image: r.example/tool:1\n    environment: {A: '${UNSET}'}",
    "a missing env file": "image: r.example/tool:1\n    env_file: [gone.env]", "a missing secret": "image: r.example/tool:1\n    secrets: [gone]",
    "a missing config": "image: r.example/tool:1\n    configs: [gone]", "a file that git lacks": "image: r.example/tool:1\n    volumes: ['./local.conf:/c']",
    "a swarm secret": "image: r.example/tool:1\n    secrets: [swarm]", "a provider": "provider: {type: x}",
}
TOP = "secrets: {gone: {file: ./gone}, swarm: {external: true}}\nconfigs: {gone: {file: ./gone.conf}}\n"


@pytest.mark.parametrize("idle", ["profiles: [tools]", "profiles: ['${TOOLS:-tools}']", "scale: 0", "deploy: {replicas: 0}"])
@pytest.mark.parametrize("wrong", LEFT_OUT)
def test_what_is_wrong_with_a_service_that_is_left_out_stops_nobody(wrong: str, idle: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}  tool:\n    {LEFT_OUT[wrong]}\n    {idle}\n{TOP}", "local.conf": "1"}, ignored="local.conf\n")
    try:
        by_compose(shop)
    except subprocess.CalledProcessError:
        with pytest.raises(errors.ComposeError):
            reading(shop)
        assert wrong in ("a missing env file", "a swarm secret") and "profiles" not in idle  # Compose reads it, as everything of scale 0
        return
    got = reading(shop)
    assert started(got) == {"web"}
    assert "web" in on_hosts(got)["services"]


def started(got: project.Reading) -> set[str]:
    return {name for name, service in got.project.services.items() if service.starts}


def test_what_is_right_with_a_service_that_is_left_out_is_kept_as_before(shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}  tool: {{image: 'r.example/tool:1', profiles: [tools]}}\n"})
    assert set(reading(shop).project.services) == {"web", "tool"}


@pytest.mark.parametrize("profiles", [("tools",), ("*",)])
def test_what_is_wrong_with_a_service_that_is_asked_for_is_refused(profiles: tuple[str, ...], shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}  tool: {{build: ., profiles: [tools]}}\n"})
    with pytest.raises(errors.ComposeError, match="service tool has `build:` and no `image:`"):
        reading(shop, profiles=profiles)


def test_what_a_service_that_is_left_out_demands_is_demanded_as_by_compose(shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}  tool: {{build: ., profiles: [tools], environment: {{A: '${{A:?say which}}'}}}}\n"})
    with pytest.raises(subprocess.CalledProcessError):
        by_compose(shop)
    with pytest.raises(errors.ComposeError, match="A is not set: say which"):
        reading(shop)
    assert started(reading(shop, overrides={"A": "1"})) == {"web"}
    assert set(on_hosts(reading(shop, overrides={"A": "1"}))["services"]) == {"web"}


@pytest.mark.parametrize("more", [
    "    depends_on: {tool: {condition: service_started, required: false}}\n", "x-lading: {hooks: {before: {service: other}}}\n",
])
def test_who_does_without_a_service_that_is_left_out_does_so_here_too(more: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}{more if more.startswith(' ') else ''}  tool: {{build: ., profiles: [tools]}}\n"
                                f"  other: {{image: 'r.example/other:1', profiles: [jobs]}}\n{'' if more.startswith(' ') else more}"})
    got = reading(shop)
    assert started(got) == {"web"}
    assert ("other" in got.project.services) is ("hooks" in more)
    assert not got.project.services["web"].depends_on


def test_a_service_that_a_hook_runs_is_not_left_out(shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}  tool: {{build: ., profiles: [tools]}}\nx-lading: {{hooks: {{before: {{service: tool}}}}}}\n"})
    with pytest.raises(errors.ComposeError, match="service tool has `build:` and no `image:`"):
        reading(shop)


@pytest.mark.parametrize("option", ["seccomp:./sec/profile.json", "seccomp=sec/profile.json", "seccomp:gone/../sec/${KIND:-profile}.json"])
def test_a_seccomp_profile_ships_to_where_compose_reads_it(option: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}    security_opt: ['{option}', no-new-privileges, 'seccomp:unconfined', 'seccomp=/etc/own.json']\n", "sec/profile.json": "{}"})
    made = release.build(reading(shop), {})
    with normal.laid_out(made, {}) as (folder, _):
        options = normal.arguments(made.release, {}, folder)
        where = Path(options[options.index("--project-directory") + 1])
        written = yaml.safe_load(normal.form(made, {}, ENVIRONMENT))["services"]["web"]["security_opt"][0]
        assert Path(os.path.normpath(where / written[len("seccomp:"):])).read_text() == "{}"
    before = made.release.services["web"].content
    shop.write({"sec/profile.json": '{"defaultAction": "SCMP_ACT_ALLOW"}'})
    assert release.build(reading(shop), {}).release.services["web"].content != before


@pytest.mark.parametrize(("path", "said"), [
    ("gone.json", "the seccomp profile gone.json does not exist"), ("compose.yaml", "the seccomp profile compose.yaml is no JSON"),
    ("~/own.json", "is an absolute path"), ("../../own.json", "lies outside"),
])
def test_a_seccomp_profile_that_compose_could_not_read_is_refused_with_its_line(path: str, said: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}    security_opt: ['seccomp:{path}']\n"})
    with pytest.raises(errors.ComposeError, match=said) as refused:
        reading(shop)
    assert (refused.value.file, refused.value.line) == ("compose.yaml", 4)


@pytest.mark.parametrize("path", ["./config/../a.env", "config/deep/../../a.env", "gone-${KIND:-x}/../a.env", "in/../in/../a.env"])
def test_a_path_may_go_through_a_folder_and_back(path: str, shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}    env_file: ['{path}']\n    label_file: ['{path}']\n", "a.env": "A=1\n", "config/deep/x": "", "in/x": "", "gone-x/x": ""})
    expected = told(by_compose(shop), "environment")
    assert expected == {"web": {"environment": {"A": "1"}}}
    assert told(on_hosts(reading(shop)), "environment") == expected


def test_an_env_file_may_be_named_by_a_variable(shop: Project) -> None:
    shop.write({"compose.yaml": f"{WEB}    env_file: ['${{KIND:-prod}}.env', {{path: '${{LOST:-lost}}.env', required: false}}]\n", "prod.env": "A=1\n"})
    expected = told(by_compose(shop), "environment")
    assert told(on_hosts(reading(shop)), "environment") == expected == {"web": {"environment": {"A": "1"}}}
