"""Repositories, and Git settings of anybody, that would have Git run a program: `lading plan` and `build` run none of them."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from registry_server import Serve, with_config

from lading import errors
from lading.compose import read, repository, worktree

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Trap:
    """A project in Git with a filter attribute on a changed file, and a program that notes that it was run."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.top, self.noted = folder / "shop", folder / "noted"
        self.home, self.registry = folder / "home", registry
        self.home.mkdir()
        self.program = folder / "program"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >>{self.noted}\ncat\n')
        self.program.chmod(0o755)
        self.write("lading.yaml", f"lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: 1}}}}\n"
                   f"registries: {{'{registry}': {{insecure: true}}}}\nledger: sqlite\n")
        self.write("compose.yaml", f"name: shop\nservices: {{web: {{image: '{registry}/team/shop:${{VERSION}}', "
                   "volumes: ['./conf:/conf:ro']}}\n")
        self.write("conf/a.txt", "one\n")
        self.write(".gitattributes", "*.txt filter=trap diff=trap merge=trap\n")
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a")
        self.write("conf/a.txt", "two\n")

    def write(self, path: str, text: str) -> None:
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(text)

    def git(self, *words: str, folder: str = ".") -> str:
        argv = ["git", "-C", str(self.top / folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout.strip()

    def configure(self, *settings: str) -> None:
        for one in settings:
            name, _, value = one.partition("=")
            self.git("config", name, value)

    def lading(self, verb: str, *words: str, folder: str = ".", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb as a person does."""
        argv = [sys.executable, "-m", "lading", f"--config={self.top}/lading.yaml", verb, "--version=1.0", *words]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment}
        return subprocess.run(argv, cwd=self.top / folder, env=env, capture_output=True, text=True, timeout=120)

    def ran(self) -> str:
        return self.noted.read_text() if self.noted.exists() else ""


@pytest.fixture
def trap(tmp_path: Path, serve: Serve) -> Trap:
    server = serve()
    made = Trap(tmp_path, server.name)
    labels = f'{{"org.opencontainers.image.revision": "{made.git("rev-parse", "HEAD")}"}}'
    with_config(server, f'{{"config": {{"Labels": {labels}}}}}'.encode(), "team/shop:1.0")
    return made


def bare(trap: Trap) -> str:
    """Plain files that look like a bare repository, whose configuration names a program (`core.worktree` makes it whole)."""
    trap.write("app/compose.yaml", (trap.top / "compose.yaml").read_text())
    trap.write("app/conf/a.txt", "one\n")
    trap.write("app/HEAD", "ref: refs/heads/main\n")
    trap.write("app/objects/.gitkeep", "")
    trap.write("app/refs/heads/.gitkeep", "")
    trap.write("app/config", f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = {trap.top}/app\n"
               f"\tfsmonitor = {trap.program}\n")
    trap.git("add", "-A")
    trap.git("commit", "-q", "-m", "b")
    return "app"


def submodule(trap: Trap) -> str:
    trap.write("sub/file.txt", "one\n")
    trap.git("init", "-q", folder="sub")
    trap.git("add", "-A", folder="sub")
    trap.git("commit", "-q", "-m", "s", folder="sub")
    trap.git("-c", "advice.addEmbeddedRepo=false", "add", "sub")
    trap.git("commit", "-q", "-m", "c")
    trap.git("config", "core.fsmonitor", str(trap.program), folder="sub")
    trap.git("config", "filter.trap.clean", str(trap.program), folder="sub")
    trap.write("sub/.gitattributes", "* filter=trap\n")
    trap.write("sub/file.txt", "two\n")
    return "."


def settings(*lines: str) -> Callable[[Trap], str]:
    """Settings in the repository's own configuration, as an earlier step of a CI job may have left them there."""

    def plant(trap: Trap) -> str:
        trap.configure(*(line.replace("PROGRAM", str(trap.program)) for line in lines))
        return "."

    return plant


def included(trap: Trap) -> str:
    trap.write("more", f"[core]\n\tfsmonitor = {trap.program}\n")
    trap.configure("include.path=../more", "includeIf.gitdir:/.path=../more")
    return "."


def hooks(trap: Trap) -> str:
    for name in ("post-index-change", "post-checkout", "reference-transaction", "fsmonitor-watchman"):
        (trap.top / ".git" / "hooks" / name).parent.mkdir(exist_ok=True)
        (trap.top / ".git" / "hooks" / name).write_bytes(trap.program.read_bytes())
        (trap.top / ".git" / "hooks" / name).chmod(0o755)
    trap.configure("core.fsmonitor=.git/hooks/fsmonitor-watchman")
    return "."


def promised(trap: Trap) -> str:
    """A partial clone that fetches what it lacks when it is asked for it."""
    trap.configure("extensions.partialClone=origin", "core.repositoryformatversion=1", "remote.origin.promisor=true",
                   "remote.origin.url=ssh://git.example/x", f"core.sshCommand={trap.program}")
    blob = trap.git("rev-parse", "HEAD:conf/a.txt")
    (trap.top / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    return "."


PLANTED: Mapping[str, Callable[[Trap], str]] = {
    "a folder like a bare repository": bare,
    "a monitor": settings("core.fsmonitor=PROGRAM"),
    "a clean filter": settings("filter.trap.clean=PROGRAM", "filter.trap.smudge=PROGRAM", "filter.trap.required=true"),
    "a filter process": settings("filter.trap.process=PROGRAM"),
    "another diff": settings("diff.external=PROGRAM", "diff.trap.command=PROGRAM", "diff.trap.textconv=PROGRAM"),
    "an included configuration": included,
    "hooks": hooks,
    "a submodule's monitor and filter": submodule,
    "a partial clone": promised,
    "alternates' refs": settings("core.alternateRefsCommand=PROGRAM", "core.pager=PROGRAM", "credential.helper=PROGRAM"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_a_repository_plants_does_not_run(trap: Trap, planted: str) -> None:
    folder = PLANTED[planted](trap)
    for source in ("image", "worktree"):
        done = trap.lading("plan", "--to=web1", f"--source={source}", folder=folder)
        assert trap.ran() == ""
        assert done.returncode in (2, 6), done
    trap.lading("build", folder=folder)
    assert trap.ran() == ""


def test_what_the_user_s_settings_name_does_not_run(trap: Trap) -> None:
    text = f"[core]\n\tfsmonitor = {trap.program}\n[filter \"trap\"]\n\tclean = {trap.program}\n"
    for place in (".gitconfig", ".config/git/config"):
        (trap.home / place).parent.mkdir(parents=True, exist_ok=True)
        (trap.home / place).write_text(text)
    variables = {"GIT_CONFIG_GLOBAL": str(trap.home / ".gitconfig"), "XDG_CONFIG_HOME": str(trap.home / ".config"),
                 "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": str(trap.program),
                 "GIT_EXTERNAL_DIFF": str(trap.program), "GIT_DIR": "/nonexistent"}
    done = trap.lading("plan", "--to=web1", **variables)
    assert trap.ran() == ""
    assert done.returncode == 6, done


def test_git_is_no_file_of_the_repository(trap: Trap) -> None:
    """An entry of PATH that is not absolute would be looked up in the repository."""
    trap.write("bin/git", trap.program.read_text())
    (trap.top / "bin" / "git").chmod(0o755)
    done = trap.lading("plan", "--to=web1", PATH=f"bin::.:{os.environ['PATH']}")
    assert trap.ran() == ""
    assert done.returncode == 6, done


def test_a_filtered_file_ships_as_it_lies_here(trap: Trap) -> None:
    reading = read.read(read.Request(trap.top, version="1.0", environment=ENVIRONMENT))
    assert [one.content for one in reading.binds["conf"]] == [b"two\n"]
    said = "conf/a.txt goes through the Git filter trap, which lading does not run: it ships"
    assert reading.warnings == (f"{said} as it lies here",)
    trap.write("conf/a.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    reading = read.read(read.Request(trap.top, version="1.0", environment=ENVIRONMENT))
    assert reading.warnings == (f"{said} a pointer of Git LFS (git lfs pull fetches the file)",)


def test_a_filtered_file_of_another_commit_is_refused(trap: Trap) -> None:
    trap.git("commit", "-q", "-a", "-m", "b")
    done = trap.lading("plan", "--to=web1")
    assert done.returncode == 2
    assert "conf/a.txt goes through the Git filter trap" in done.stderr
    assert "--source worktree" in done.stderr
    assert trap.lading("plan", "--to=web1", "--source=worktree").returncode == 6


# which repository is the project's

@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    """Makes repositories with one commit."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "file").write_text(name)
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "a")
        return folder

    return make


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_linked_work_tree_and_a_submodule_are_read(made: Callable[[str], Path], tmp_path: Path) -> None:
    main, other = made("main"), made("other")
    git(main, "worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked" / "more").write_text("x")
    git(tmp_path / "linked", "add", "more")
    git(tmp_path / "linked", "commit", "-q", "-m", "b")
    git(tmp_path / "linked", "submodule", "--quiet", "add", str(other), "lib/other")
    for folder, files in ((tmp_path / "linked", {".gitmodules", "file", "lib/other", "more"}), (main, {"file"}),
                          (tmp_path / "linked" / "lib" / "other", {"file"})):
        tree = worktree.look(folder, ENVIRONMENT)
        assert set(tree.modes or {}) == files
        assert worktree.commit(tree, []).removesuffix("-dirty") == git(folder, "rev-parse", "HEAD")
        assert worktree.remote(tree) == (str(other) if folder.name == "other" else "")


def test_a_submodule_at_another_commit_is_a_change(made: Callable[[str], Path]) -> None:
    main, other = made("main"), made("other")
    git(main, "submodule", "--quiet", "add", str(other), "lib")
    git(main, "commit", "-q", "-m", "b")
    assert worktree.commit(worktree.look(main, ENVIRONMENT), []) == git(main, "rev-parse", "HEAD")
    git(main / "lib", "commit", "-q", "--allow-empty", "-m", "c")
    assert worktree.commit(worktree.look(main, ENVIRONMENT), []).endswith("-dirty")


@pytest.mark.parametrize("kind", ["a gitfile", "a symlink", "a common folder"])
def test_a_repository_elsewhere_is_refused(made: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    victim = made("victim")
    taken = tmp_path / "taken"
    taken.mkdir()
    if kind == "a gitfile":
        (taken / ".git").write_text(f"gitdir: {victim}/.git\n")
    elif kind == "a symlink":
        (taken / ".git").symlink_to(victim / ".git")
    else:
        (taken / ".git").mkdir()
        (taken / ".git" / "HEAD").write_text("ref: refs/heads/master\n")
        (taken / ".git" / "commondir").write_text(f"{victim}/.git\n")
    with pytest.raises(errors.InputError, match="does not name this work tree|in which it does not lie"):
        worktree.look(taken, ENVIRONMENT)


def test_a_git_folder_that_is_none_is_passed_over_as_git_does(made: Callable[[str], Path], tmp_path: Path) -> None:
    main = made("main")
    (main / "app" / ".git").mkdir(parents=True)
    assert worktree.look(main / "app", ENVIRONMENT).top == main
    (tmp_path / "alone" / ".git").mkdir(parents=True)
    with pytest.raises(errors.InputError, match="is no repository"):
        worktree.look(tmp_path / "alone", ENVIRONMENT)


def test_another_user_s_repository_above_the_project_is_refused(made: Callable[[str], Path]) -> None:
    """It would decide what ships; that of the project's own owner, as in a CI job's container, is read."""
    main = made("main")
    (main / "app").mkdir()
    for path in (main, *main.rglob("*")):
        os.chown(path, 65534, 65534)
    assert worktree.look(main / "app", ENVIRONMENT).top == main
    os.chown(main / "app", 0, 0)
    with pytest.raises(errors.InputError, match="belongs to another user"):
        worktree.look(main / "app", ENVIRONMENT)


def test_alternates_are_followed(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Jenkins' clones with a reference repository hold no objects of their own."""
    main = made("main")
    git(tmp_path, "clone", "-q", "--shared", str(main), "clone")
    tree = worktree.look(tmp_path / "clone", ENVIRONMENT)
    assert worktree.commit(tree, []) == git(main, "rev-parse", "HEAD")


def test_how_files_lie_on_the_disk_is_data(made: Callable[[str], Path]) -> None:
    main = made("main")
    git(main, "config", "core.autocrlf", "true")
    (main / "text").write_bytes(b"one\r\ntwo\r\n")
    git(main, "add", "text")
    git(main, "commit", "-q", "-m", "b")
    os.utime(main / "text", (1, 1))
    assert not worktree.commit(worktree.look(main, ENVIRONMENT), []).endswith("-dirty")


def test_objects_named_by_sha256_and_a_split_index(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "new")
    (tmp_path / "new" / "file").write_text("x")
    git(tmp_path / "new", "add", "-A")
    git(tmp_path / "new", "commit", "-q", "-m", "a")
    git(tmp_path / "new", "update-index", "--split-index")
    tree = worktree.look(tmp_path / "new", ENVIRONMENT)
    assert len(worktree.commit(tree, [])) == 64
    assert set(tree.modes or {}) == {"file"}


def test_nothing_is_left_behind(made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = made("main")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = sorted((path, path.stat().st_mtime_ns) for path in main.rglob("*"))
    found = repository.find(main, ENVIRONMENT)
    assert found is not None
    assert found.head() == git(main, "rev-parse", "HEAD")
    assert sorted((path, path.stat().st_mtime_ns) for path in main.rglob("*")) == before
    assert list((tmp_path / "temporary").iterdir()) == []
