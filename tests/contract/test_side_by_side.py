"""What is asked in preparing a deployment: Git in few calls, Compose for both trees at once, registries meanwhile."""

import asyncio
from pathlib import Path

import pytest
import test_source
from registry_server import Answer, Serve
from test_source import Shop

from lading import errors
from lading.compose import read, registry_access
from lading.deploy import asked_ahead
from lading.deploy.request import Request


class Git:
    """A `git` that notes the first word of each call, and can change a file behind a comparison."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.noted = folder / "bin", folder / "calls"
        self.folder.mkdir()
        self.becomes("")

    def becomes(self, after_diff: str) -> None:
        """Let it run *after_diff* once, after the first `git diff`."""
        script = self.folder / "git"
        script.write_text(f"""#!/bin/sh
for word; do
    case $word in
    -*) ;;
    config | ls-files | cat-file | rev-parse | rev-list | check-attr | diff) break ;;
    esac
done
echo "$word" >>{self.noted}
/usr/bin/git "$@"
status=$?
if [ "$word" = diff ] && [ ! -e {self.folder}/done ]; then
    : >{self.folder}/done
    {after_diff or ':'}
fi
exit $status
""")
        script.chmod(0o755)

    def calls(self) -> list[str]:
        """What it was asked since it was asked last."""
        told = self.noted.read_text().split()
        self.noted.unlink()
        return sorted(told)


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    one = Git(tmp_path)
    searched = {**test_source.ENVIRONMENT, "PATH": f"{one.folder}:/usr/bin:/bin"}
    monkeypatch.setattr(test_source, "ENVIRONMENT", searched)
    return one


@pytest.fixture
def shop(tmp_path: Path, serve: Serve) -> Shop:
    return Shop(tmp_path / "shop", serve())


def test_git_is_asked_as_little_as_can_be(shop: Shop, git: Git) -> None:
    shop.says("")
    assert shop.settle().commit == shop.first
    assert git.calls() == ["cat-file", "config", "diff", "ls-files", "ls-files"]
    shop.says(shop.first)
    assert shop.settle().commit == shop.first
    assert git.calls() == ["cat-file", "config", "diff", "diff", "ls-files", "ls-files"]


def test_what_changes_while_it_is_read_is_seen(shop: Shop, git: Git) -> None:
    """What Git said before Compose read the files decides nothing at the end."""
    shop.says(shop.first)
    git.becomes(f"echo two >{shop.app}/conf/a")
    done = shop.settle()
    assert (test_source.conf(done), done.commit) == ([b"one\n"], shop.first)
    assert done.warnings[-1].startswith("apps/shop/conf/a here: not as in commit")


@pytest.mark.parametrize("more", ["", "    env_file: secret.env\n", "    env_file: [{path: secret.env, required: false}]\n"])
def test_compose_is_not_asked_a_third_time(shop: Shop, more: str) -> None:
    """What it is asked ahead is what it is asked for, so its answer is there."""
    written = shop.app / "compose.yaml"
    text = written.read_text().replace("    env_file: [secret.env]\n", more)
    written.write_text(f"{text}    environment: {{A: '${{A:-a}}'}}\n")
    files = shop.find(Request(shop.app, ("x",), version="1.0"))
    with read.merged(files) as merged:
        assert files.answers.questions == 2
        whole = merged.read()
    assert whole.project.services["web"].image == shop.image
    assert files.answers.questions == 2


def test_what_a_registry_says_is_taken_and_not_asked_again(serve: Serve) -> None:
    server = serve()
    image = f"{server.name}/team/app:1.0"

    async def work() -> dict[str, registry_access.Pinned]:
        ahead = asked_ahead.AskedAhead([image, image], lambda _: registry_access.Access())
        try:
            return await ahead.take([image, f"{server.name}/team/app:not-asked"])
        finally:
            await ahead.leave()

    assert list(asyncio.run(work())) == [image]
    assert [path for path, _ in server.seen] == ["/v2/team/app/manifests/1.0"]


def test_a_registry_counts_only_for_images_that_are_taken(serve: Serve) -> None:
    """One that does not answer keeps nobody waiting who needs another image."""
    server = serve()
    server.special["/v2/team/lost/manifests/1.0"] = lambda said: Answer(404)
    server.special["/v2/team/slow/manifests/1.0"] = lambda said: Answer(200, b"x" * 60, drips=1.0)
    names = [f"{server.name}/team/{name}:1.0" for name in ("app", "lost", "slow")]

    async def work() -> None:
        ahead = asked_ahead.AskedAhead(names, lambda _: registry_access.Access())
        try:
            assert list(await ahead.take(names[:1])) == names[:1]
            with pytest.raises(errors.RegistryError, match="is not in its registry"):
                await ahead.take(names[:2])
        finally:
            await ahead.leave()

    asyncio.run(work())
