"""Whose Compose file counts: with real Git and Compose, and a registry that tells an image's commit (R32)."""

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from registry_server import Serve, Server, with_config

from lading import errors
from lading.compose import project, read, registry_access, revision, worktree
from lading.deploy import resolution, source_selection
from lading.deploy.request import Request
from lading.inventory import hosts

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
REMOTE = "git@git.example:team/shop.git"
NOWHERE = hosts.Destination("", ())


class Shop:
    """A repository with an app in a folder, and its registry."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.top, self.app, self.server = folder, folder / "apps" / "shop", server
        self.app.mkdir(parents=True)
        self.image = f"{server.name}/team/shop:1.0"
        (self.app / "compose.yaml").write_text(f"services:\n  web:\n    image: {server.name}/team/shop:${{VERSION}}\n"
                                               "    env_file: [secret.env]\n    volumes: [./conf:/conf:ro]\n")
        (self.app / "conf").mkdir()
        (self.app / "conf" / "a").write_text("one\n")
        (self.app / ".gitignore").write_text("secret.env\n")
        (self.app / "secret.env").write_text("WORD=canary\n")
        self.git("init", "-q")
        self.git("remote", "add", "origin", REMOTE)
        self.first = self.commit()

    def git(self, *words: str) -> str:
        argv = ["git", "-C", str(self.top), "-c", "user.name=ann", "-c", "user.email=a@b", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def says(self, commit: str, address: str = "https://git.example/team/shop") -> None:
        """The image's labels."""
        with_config(self.server, f'{{"config": {{"Labels": {{"{source_selection.REVISION}": "{commit}", "{source_selection.SOURCE}": "{address}"}}}}}}'.encode(),
                    "team/shop:1.0")

    def find(self, asked: Request, beside: Path | None = None) -> read.Files:
        return resolution.find_files(ENVIRONMENT, asked, NOWHERE, beside=beside)

    def settle(self, request: Request | None = None) -> project.Reading:
        asked = request or Request(self.app, ("x",), version="1.0")
        return asyncio.run(source_selection.select_source(asked, self.find(asked), lambda _: registry_access.Access(), self.find))


@pytest.fixture
def shop(tmp_path: Path, serve: Serve) -> Shop:
    return Shop(tmp_path / "shop", serve())


def conf(reading: project.Reading) -> list[bytes]:
    return [one.content for one in reading.binds["conf"]]


def test_nothing_to_say(shop: Shop) -> None:
    shop.says(shop.first)
    (shop.top / "README").write_text("no part of it")
    shop.commit()
    (shop.app / "notes").write_text("not in Git")
    done = shop.settle()
    assert (done.commit, done.warnings) == (shop.first, ())
    assert shop.settle(Request(shop.app, ("x",), version="1.0", require_matching_source=True)).commit == shop.first


@pytest.mark.parametrize("change", ["committed", "not committed", "gone", "more"])
def test_the_commit_s_files_count(shop: Shop, change: str) -> None:
    shop.says(shop.first[:12])
    if change == "gone":
        (shop.app / "conf" / "a").rename(shop.app / "conf" / "b")
    else:
        (shop.app / "conf" / ("b" if change == "more" else "a")).write_text("two\n")
    if change in ("committed", "more", "gone"):
        shop.commit()
    before = shop.git("status", "--porcelain")
    asked = Request(shop.app, ("x",), version="1.0")
    done = shop.settle(asked)
    assert conf(done) == [b"one\n"]
    assert (done.commit, done.source, done.directory) == (shop.first, "git.example/team/shop#apps/shop", ".")
    assert done.secrets["env.secret.env"] == b"WORD=canary\n"
    named = {"more": "apps/shop/conf/b", "gone": "apps/shop/conf/a, apps/shop/conf/b"}.get(change, "apps/shop/conf/a")
    assert done.warnings[-1].startswith(f"{named} here: not as in commit {shop.first[:12]}")
    assert shop.git("status", "--porcelain") == before
    with pytest.raises(errors.InputError, match="not as in commit"):
        shop.settle(replace(asked, require_matching_source=True))


def test_what_is_here_on_request(shop: Shop) -> None:
    shop.says(shop.first)
    (shop.app / "conf" / "a").write_text("two\n")
    done = shop.settle(Request(shop.app, ("x",), version="1.0", source="worktree"))
    assert conf(done) == [b"two\n"]
    assert done.commit == f"{shop.first}-dirty"
    assert done.warnings[-1].endswith("what is here counts (--source worktree)")


def test_files_named_by_hand(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.says(shop.first)
    (shop.app / "conf" / "a").write_text("two\n")
    monkeypatch.chdir(shop.top)
    for files in (("apps/shop/compose.yaml",), (str(shop.app / "compose.yaml"),)):
        done = shop.settle(Request(Path(), ("x",), files, version="1.0"))
        assert (conf(done), done.compose_files) == ([b"one\n"], ("compose.yaml",))


def test_nothing_tells(shop: Shop) -> None:
    asked = Request(shop.app, ("x",), version="1.0")
    strict = replace(asked, require_matching_source=True)
    with pytest.raises(errors.RegistryError):  # there is only what the server always has, without a configuration
        shop.settle(strict)
    assert shop.settle(asked).warnings == ()
    for commit, said in (("ab" * 20, "which this clone does not have"), (f"{shop.first}-dirty", "a changed work tree of commit"),
                         ("--upload-pack=x", "which this clone does not have")):
        shop.says(commit)
        done = shop.settle(asked)
        assert said in done.warnings[-1]
        assert conf(done) == [b"one\n"]
        with pytest.raises(errors.InputError, match=said):
            shop.settle(strict)
    shop.says(shop.first, "https://git.example/team/other")
    (shop.app / "conf" / "a").write_text("two\n")
    assert shop.settle(asked).warnings == ("they ship as they lie here, which is not as they were committed: conf/a",)
    with pytest.raises(errors.InputError, match="says which commit of this repository"):
        shop.settle(strict)


def test_an_image_that_only_the_files_here_name(shop: Shop) -> None:
    shop.says(shop.first)
    file = shop.app / "compose.yaml"
    file.write_text(file.read_text() + f"  more: {{image: '{shop.server.name}/team/lost:${{VERSION}}'}}\n")
    shop.commit()
    assert list(shop.settle().project.services) == ["web"]


def test_a_commit_without_the_app(shop: Shop) -> None:
    shop.git("mv", "apps/shop", "apps/moved")
    shop.commit()
    shop.says(shop.first)
    with pytest.raises(errors.ComposeError, match=f"in commit {shop.first[:12]}, which the image was built from: there is no folder"):
        shop.settle(Request(shop.top / "apps" / "moved", ("x",), version="1.0"))


def test_read_only_repository(shop: Shop) -> None:
    shop.says(shop.first)
    (shop.app / "conf" / "a").write_text("two\n")
    before = sorted((shop.top / ".git").rglob("*"))
    assert conf(shop.settle()) == [b"one\n"]
    assert sorted((shop.top / ".git").rglob("*")) == before


@pytest.mark.parametrize(("address", "same"), [
    ("https://git.example/team/shop", True), ("ssh://git@git.example:2222/team/shop.git", True), ("git@git.example:team/shop.git", True),
    ("https://git.example/team/other", False), ("https://else.example/team/shop", False), ("", True),
])
def test_images_of_other_repositories_do_not_count(address: str, same: bool) -> None:
    labels = {"shop:1": {source_selection.REVISION: "ab" * 20, source_selection.SOURCE: address}}
    assert source_selection.judge(labels, REMOTE) == source_selection.Built("ab" * 20 if same else "")
    assert source_selection.judge(labels, "") == source_selection.Built("ab" * 20)


def test_several_commits_decide_nothing() -> None:
    found = source_selection.judge({"a:1": {source_selection.REVISION: "ab" * 20}, "b:1": {source_selection.REVISION: "cd" * 20}, "c:1": {}}, REMOTE)
    assert (found.commit, found.doubt) == ("", "the images were built from different commits (a:1: abababababab, b:1: cdcdcdcdcdcd)")


def test_without_git(tmp_path: Path) -> None:
    tree = worktree.Tree(tmp_path, tmp_path)
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'nowhere.example/shop:1.0'}}\n")
    asked = Request(tmp_path, ("x",), app="shop", version="1.0")
    here = resolution.find_files(ENVIRONMENT, asked, NOWHERE)

    def settle(request: Request) -> project.Reading:
        return asyncio.run(source_selection.select_source(request, here, lambda _: registry_access.Access(), lambda asked, beside: here))

    assert settle(asked) == read.read_files(here)
    with pytest.raises(errors.InputError):
        settle(replace(asked, require_matching_source=True))
    assert revision.find(tree, "ab" * 20) == ""
