"""What a bind ships, what it keeps on the hosts, and what is said of both (D29)."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lading import errors
from lading.compose import overlay, project, read, release

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
WHO = ("-c", "user.name=a", "-c", "user.email=a@b")
Project = Callable[..., Path]


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A tracked project whose one service has these mounts."""

    def make(*volumes: str, more: str = "") -> Path:
        folder = tmp_path / "shop"
        folder.mkdir()
        binds = "".join(f"      - {one}\n" for one in volumes)
        (folder / "compose.yaml").write_text(f"name: shop\nservices:\n  web:\n    image: r.example/web:${{VERSION}}\n    volumes:\n{binds}{more}")
        (folder / ".gitignore").write_text("*.log\nlocal/\n")
        (folder / "conf").mkdir()
        (folder / "conf" / "a").write_text("one\n")
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "first")
        return folder

    return make


def reading(folder: Path) -> project.Reading:
    return read.read(read.Request(folder, version="1", environment=ENVIRONMENT))


@pytest.mark.parametrize("name", ["app.conf", "app.log", "local/app.conf"])
def test_a_local_file_that_git_does_not_track_is_refused(shop: Project, name: str) -> None:  # not a folder on the host
    folder = shop(f"./{name}:/etc/app.conf:ro")
    (folder / "local").mkdir()
    (folder / name).write_text("x\n")
    with pytest.raises(errors.ComposeError, match=f"the file {name} is not tracked by Git, so it would not ship") as refused:
        reading(folder)
    assert (refused.value.file, refused.value.line) == ("compose.yaml", 6)
    assert f"git add {name}; or keep a file of the host's there: `x-lading: {{data: [{name}]}}`" == refused.value.hint
    git(folder, "add", "-f", name)
    assert reading(folder).host_data == ()


def test_the_line_that_adds_a_file_can_be_pasted(shop: Project) -> None:
    name = "a`touch pwn`.conf"
    folder = shop(f"./{name}:/etc/app.conf:ro")
    (folder / name).write_text("x\n")
    with pytest.raises(errors.ComposeError) as refused:
        reading(folder)
    assert refused.value.hint.startswith(f"git add '{name}'; or ")


def test_a_file_of_the_host_s_that_is_named_as_such_is_taken(shop: Project) -> None:
    folder = shop("./app.conf:/etc/app.conf:ro", more="x-lading: {data: [app.conf]}\n")
    (folder / "app.conf").write_text("x\n")
    assert reading(folder).host_data == ("app.conf",)


def test_host_data_is_named_and_what_is_nowhere(shop: Project) -> None:
    folder = shop("./data:/data", "./cnof:/conf:ro")
    (folder / "data").mkdir()
    (warning,) = reading(folder).warnings
    assert warning == ("host data, which stays on each host and never ships: cnof (not here: a folder on each host), data")


def test_files_that_do_not_ship_are_named(shop: Project) -> None:
    folder = shop("./conf:/conf:ro", "./conf/data:/conf/data")
    (folder / "conf" / "data").mkdir()
    (folder / "conf" / "data" / "rows").write_text("x")
    assert [one for one in reading(folder).warnings if "tracked" in one] == []
    for number in range(1, 8):
        (folder / "conf" / f"b{number}").write_text("two\n")
    (folder / "conf" / "x.log").write_text("")
    (folder / "conf" / "deep").mkdir()
    (folder / "conf" / "deep" / "c").write_text("")
    said = "not tracked by Git, so they do not ship: conf/b1, conf/b2, conf/b3, conf/b4, conf/b5 and 4 more"
    assert said in reading(folder).warnings


def test_files_that_ship_as_nobody_committed_them_are_named(shop: Project) -> None:
    folder = shop("./conf:/conf:ro")
    assert reading(folder).warnings == ()
    (folder / "conf" / "a").write_text("two\n")
    (folder / "compose.yaml").write_text((folder / "compose.yaml").read_text() + "# changed\n")
    (folder / ".gitignore").write_text("")  # it does not ship
    assert reading(folder).warnings == ("they ship as they lie here, which is not as they were committed: compose.yaml, conf/a",)


def test_without_git_everything_ships(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'r.example/web:${VERSION}', volumes: ['./conf:/conf:ro']}}\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a").write_text("one\n")
    assert [list(one) for one in (reading(tmp_path).binds, reading(tmp_path).warnings)] == [["conf"], []]


ABOVE = ["../secrets", "../releases", "../../etc", "./a/../../objects", ".."]


@pytest.mark.parametrize("path", ABOVE)
@pytest.mark.parametrize("more", ["", "x-lading: {data: [PATH]}\n"])
def test_no_host_data_above_the_project_folder(tmp_path: Path, path: str, more: str) -> None:  # there lie lading's own files
    folder = tmp_path / "deep" / "shop"
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(
        f"name: shop\nservices:\n  web:\n    image: r.example/web:1\n    volumes: ['{path}:/data']\n" + more.replace("PATH", path))
    git(tmp_path, "init", "-q")
    with pytest.raises(errors.ComposeError, match="lies above the project folder and does not ship") as refused:
        reading(folder)
    assert (refused.value.file, refused.value.line) == ("compose.yaml", 5)
    assert "write an absolute path of the host" in refused.value.hint
    assert "git add ../" in refused.value.hint or path == ".."


@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_no_file_of_the_host_s_above_the_project_folder(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        f"name: shop\nservices: {{web: {{image: r.example/web:1, {kind}: [one]}}}}\n{kind}: {{one: {{file: ../one}}}}\nx-lading: {{data: [../one]}}\n")
    (tmp_path / "one").write_text("x")
    git(tmp_path, "init", "-q")
    with pytest.raises(errors.ComposeError, match=r"\.\./one lies above the project folder and does not ship"):
        reading(folder)


def test_a_path_that_goes_out_and_back_in(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text("name: shop\nservices: {web: {image: r.example/web:1, volumes: ['../shop/data:/data']}}\n")
    git(tmp_path, "init", "-q")
    with pytest.raises(errors.ComposeError, match="goes out of the project folder and back into it") as refused:
        reading(folder)
    assert refused.value.hint == "write ./data"


def test_tracked_files_above_the_project_folder_ship(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a").write_text("one\n")
    (folder / "compose.yaml").write_text("name: shop\nservices: {web: {image: r.example/web:1, volumes: ['./x/../../conf:/conf:ro']}}\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    found = reading(folder)
    assert (list(found.binds), found.host_data) == (["../conf"], ())
    made = release.build(found, {}).release
    assert overlay.shipped(made.overlay).mounts == {"web": {"/conf": next(iter(made.objects))}}  # and is what the container sees


@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_a_file_of_the_host_s_lies_with_its_data(tmp_path: Path, kind: str) -> None:  # not in a release, where nobody puts it
    (tmp_path / "compose.yaml").write_text(
        f"name: shop\nservices: {{web: {{image: r.example/web:1, {kind}: [one]}}}}\n{kind}: {{one: {{file: ./own/one}}}}\nx-lading: {{data: [own]}}\n")
    git(tmp_path, "init", "-q")
    found = reading(tmp_path)
    assert found.host_data == ("own/one",)
    assert '"${LADING_DIR}/project/own/one"' in release.build(found, {}).release.overlay


def including(folder: Path, extension: str) -> None:
    """A project that includes another, which says *extension* of itself."""
    (folder / "a" / "data").mkdir(parents=True)
    (folder / "a" / "data" / "README").write_text("x")
    (folder / "compose.yaml").write_text("name: shop\ninclude: [a/c.yaml]\n")
    (folder / "a" / "c.yaml").write_text(
        f"services: {{db: {{image: r.example/db:1, volumes: ['./data:/data'], environment: {{P: '${{P:-1}}'}}}}}}\nx-lading: {extension}\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")


def test_an_included_file_says_what_is_host_data_and_plain(tmp_path: Path) -> None:
    including(tmp_path, "{data: [./data], plain: [P]}")
    found = reading(tmp_path)
    assert (found.host_data, found.binds) == (("a/data",), {})
    assert found.project.services["db"].definition["environment"] == {"P": "1"}


@pytest.mark.parametrize(("extension", "said"), [
    ("{on_undo: run}", "x-lading.on_undo counts for the whole app"), ("{dtaa: [data]}", "does not know `dtaa`")])
def test_what_an_included_file_cannot_say(tmp_path: Path, extension: str, said: str) -> None:
    including(tmp_path, extension)
    with pytest.raises(errors.ComposeError, match=said) as refused:
        reading(tmp_path)
    assert (refused.value.file, refused.value.line) == ("a/c.yaml", 2)
