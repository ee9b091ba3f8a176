"""Which app a folder is, and whose: with real Git, by the repository and never by the folder it was checked out into (B7, B8)."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lading import errors, state
from lading.compose import project, read
from lading.deploy import identity
from lading.engines import preflight

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
FILE = "services: {web: {image: 'registry.example/web:1'}}\n"
Make = Callable[..., Path]


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Make:
    """Makes checkouts of one repository."""

    def make(name: str, below: str = ".", remote: str = "git@git.example:team/Mailer.git") -> Path:
        folder = tmp_path / name
        (folder / below).mkdir(parents=True)
        (folder / below / "compose.yaml").write_text(FILE)
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "a")
        if remote:
            git(folder, "remote", "add", "origin", remote)
        return folder / below

    return make


def reading(folder: Path, **more: str) -> project.Reading:
    return read.read(read.Request(folder, environment=ENVIRONMENT, **more))  # type: ignore[arg-type]


def test_checkouts_of_one_repository_are_one_app(checkout: Make) -> None:
    found = [reading(checkout(name, remote=remote)) for name, remote in (
        ("mailer", "git@git.example:team/Mailer.git"), ("mailer_main@2", "https://jenkins:token@git.example/team/Mailer"))]
    assert {(one.project.name, one.source) for one in found} == {("mailer", "git.example/team/Mailer")}
    below = reading(checkout("monorepo@2", "apps/Web-Shop"))
    assert (below.project.name, below.source) == ("web-shop", "git.example/team/Mailer#apps/Web-Shop")


def test_a_folder_s_name_is_asked_for(tmp_path: Path, checkout: Make) -> None:
    bare = tmp_path / "shop"
    bare.mkdir()
    (bare / "compose.yaml").write_text(FILE)
    for folder in (bare, checkout("here", remote="")):
        with pytest.raises(errors.InputError, match="nothing names the app") as caught:
            reading(folder)
        assert f"--app {folder.name}" in caught.value.hint
        assert reading(folder, app="mailer").project.name == "mailer"


def test_without_an_address_lading_yaml_names_the_source(checkout: Make, tmp_path: Path) -> None:
    here = checkout("here", "app", remote="")
    assert reading(here, source="the shop").source == "the shop"
    assert reading(here).source == git(here, "rev-parse", "HEAD") + "#app"  # else its first commit, which every clone has
    git(here, "commit", "-q", "--allow-empty", "-m", "b")
    git(tmp_path, "clone", "-q", str(tmp_path / "here"), "there")
    git(tmp_path / "there", "remote", "remove", "origin")
    assert reading(tmp_path / "there" / "app").source == reading(here).source
    assert reading(checkout("other"), source="the shop").source == "git.example/team/Mailer"


def test_another_folder_at_the_same_path_is_another_source(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "compose.yaml").write_text("name: shop\n" + FILE)
    first = reading(folder)
    assert reading(folder).source == first.source
    assert allowed(first.source, first) == ""
    assert allowed(str(folder), first) == ""  # as older ladings recorded it
    folder.rename(tmp_path / "before")
    folder.mkdir()
    (folder / "compose.yaml").write_text("name: shop\n" + FILE)
    assert allowed(first.source, reading(folder)) == (
        f"shop belongs to another folder that was at {folder}, from where 1 was deployed; this is the folder that is there now")
    assert allowed("the shop", reading(folder, source="the shop")) == ""


def allowed(recorded: str, one: project.Reading) -> str:
    """Why an app that a host recorded with an owner cannot be deployed to, "" = it can."""
    current = state.Current("shop", "a" * 64, "1", "d", source=recorded, destination="production")
    seen = state.HostState("web1", apps={"shop": state.AppState("shop", current)})
    found = preflight.ownership("shop", one.source, "production", seen, False, one.path)
    return found.why if found else ""


def seen_as(**names: str) -> state.FleetState:
    """Hosts that know this repository's app under a name, or not at all ("")."""
    source = "ssh://git@git.example:22/team/Mailer.git"  # as an older lading recorded it
    found = {host: {name: state.Current(name, "a" * 64, "1", "d", source=source, destination="production")} if name else {}
             for host, name in names.items()}
    return state.FleetState({host: state.HostState(host, others=others) for host, others in found.items()})


def test_the_recorded_name_counts_where_all_hosts_agree(checkout: Make) -> None:
    unnamed = reading(checkout("mailer_main@2"))
    ours = "production".__eq__
    assert identity.name(unnamed, seen_as(web1="", web2=""), ours) == "mailer"
    assert identity.name(unnamed, seen_as(web1="old", web2="old"), ours) == "old"
    assert identity.name(unnamed, seen_as(web1="old"), "staging".__eq__) == "mailer"
    for hosts in ({"web1": "old", "web2": ""}, {"web1": "old", "web2": "older"}, {"web1": "old", "web2": "mailer"}):  # one host chooses no name for another
        with pytest.raises(errors.ForeignError, match="runs there: web1 as old"):
            identity.name(unnamed, seen_as(**hosts), ours)


def test_a_second_name_on_a_destination_is_refused(checkout: Make) -> None:
    named = reading(checkout("here"), app="second")
    with pytest.raises(errors.ForeignError, match="this would be second, .* runs there: web1 as mailer") as caught:
        identity.name(named, seen_as(web1="mailer"), "production".__eq__)
    assert "--app mailer" in caught.value.hint
    assert "with volumes of its own" in caught.value.hint
    assert identity.name(named, seen_as(web1="mailer"), "production".__eq__, beside=True) == "second"
    assert identity.second(named, seen_as(web1="mailer", web2="", web3="second"), "production".__eq__) == [
        "web1: second is another app than mailer of the same source there: it has volumes and host data of its own"]
    with pytest.raises(errors.ForeignError, match="runs there: web1 as mailer$"):  # web2 may say so, but web1 would run it twice
        identity.name(named, seen_as(web1="mailer", web2="second"), "production".__eq__)


