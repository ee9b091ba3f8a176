"""What is asked in preparing a deployment: Git in few calls, Compose for both trees at once, registries meanwhile."""

import asyncio
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import test_source
from a_project import Project
from registry_server import Answer, Serve
from test_source import Shop

from lading import errors, process
from lading.compose import answered, read, registry_access
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


# What Compose is asked meanwhile

LIMIT = 20.0  # seconds


def test_the_same_is_asked_once_however_many_want_to_know() -> None:
    answers, asked, two = answered.Answers(), list[str](), threading.Barrier(2)

    def ask() -> process.Finished:
        asked.append("once")
        two.wait(LIMIT)  # until somebody else wants to know
        return process.Finished(0, b"", b"")

    def wait() -> process.Finished:
        two.wait(LIMIT)
        return answers.of(("question",), ask)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(answers.of, ("question",), ask), threads.submit(wait)
        assert first.result(LIMIT) is second.result(LIMIT)
    assert asked == ["once"]


def test_what_could_not_be_answered_is_asked_again() -> None:
    answers = answered.Answers()

    def fail() -> process.Finished:
        raise errors.InputError("not there", "")

    with pytest.raises(errors.InputError):
        answers.of(("question",), fail)
    assert answers.of(("question",), lambda: process.Finished(0, b"", b"")).status == 0


PLUGIN = """#!/bin/sh
trap 'exec /usr/local/lib/docker/cli-plugins/docker-compose "$@"' USR1
case "$*" in
*--no-interpolate* | *--project-directory*) while :; do sleep 0.02; done ;;
esac
exec /usr/local/lib/docker/cli-plugins/docker-compose "$@"
"""
"""A Compose plug-in that does some of its work once it is sent SIGUSR1."""


def waiting(*words: str) -> int | None:
    """The process id of such a plug-in that was called with all these words, and waits."""
    for one in Path("/proc").glob("[0-9]*"):
        try:
            said = (one / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            caught = re.search(r"^SigCgt:\t(\w+)$", (one / "status").read_text(), re.M)
        except OSError:
            continue
        if said[0] == "/bin/sh" and {*words} <= {*said} and caught and int(caught[1], 16) >> (signal.SIGUSR1 - 1) & 1:
            return int(one.name)
    return None


def lets_go(*words: str) -> bool:
    """Whether Compose comes to be asked so within a time; it goes on then."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        pid = waiting(*words)
        if pid is not None:
            os.kill(pid, signal.SIGUSR1)
            return True
        time.sleep(0.02)
    return False


class Ahead:
    """An app of a name that no other has, with a plug-in that waits for somebody to let it go; *seen*: whether that was done."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.name = f"ahead-{secrets.token_hex(4)}"
        self.project = Project.make(folder / self.name)
        self.registry = registry
        self.seen: list[bool] = []
        self.docker = folder / "docker"
        plugin = self.docker / "cli-plugins/docker-compose"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)

    def plan(self, *words: str, port: int = 9, more: str = "") -> int:
        """`lading plan`: its exit code."""
        fleet = (f"lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: {port}}}}}\n"
                 f"registries: {{'{self.registry}': {{insecure: true}}}}\n"
                 f"destinations:\n  production:\n    hosts: [web1]\n{more}")
        return self.project.lading("plan", "--to", "production", "--version", "1.0", *words, fleet=fleet, env={"DOCKER_CONFIG": str(self.docker)}).status

    def write(self, more: str = "") -> None:
        """Its Compose file."""
        self.project.write({"compose.yaml": f"name: {self.name}\nservices:\n  web:\n    image: {self.registry}/team/app:${{VERSION}}\n{more}"})


@contextmanager
def listening(ahead: Ahead, *words: str) -> Iterator[int]:
    """A host that closes a connection once Compose is asked this, and has been let go, or a time is over; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                ahead.seen.append(lets_go(*words))
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)


def test_compose_is_asked_while_a_registry_is(tmp_path: Path, serve: Serve) -> None:
    server = serve()
    ahead = Ahead(tmp_path, server.name)
    ahead.write()

    first = threading.Lock()

    def seen(_: str) -> Answer:
        if first.acquire(blocking=False):
            ahead.seen.append(lets_go(ahead.name, "--no-interpolate"))
        return Answer(404)

    server.special["/v2/team/app/manifests/1.0"] = seen
    assert ahead.plan() != 0
    assert ahead.seen == [True]


def test_compose_is_asked_for_the_form_while_hosts_are_looked_at(tmp_path: Path, serve: Serve) -> None:
    ahead = Ahead(tmp_path, serve().name)
    ahead.write()
    with ThreadPoolExecutor(1) as beside, listening(ahead, ahead.name, "--project-directory") as port:
        reads = beside.submit(lets_go, ahead.name, "--no-interpolate")
        assert ahead.plan(port=port) != 0
        assert reads.result()
    assert ahead.seen[:1] == [True]


def test_no_program_is_run_for_a_secret_before_it_is_clear_whose_files_count(tmp_path: Path, serve: Serve) -> None:
    ahead = Ahead(tmp_path, serve().name)
    ahead.write("    environment: {PW: '${PASSWORD}'}\n")
    get = tmp_path / "get"
    get.write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs\necho secret\n")
    get.chmod(0o755)
    told = f"    secrets: {{PASSWORD: {{command: [{get}]}}}}\n"
    for words, runs in ((("--require-matching-source",), 0), ((), 1)):  # no image says which commit it is of
        with ThreadPoolExecutor(1) as beside:
            reads = beside.submit(lets_go, ahead.name, "--no-interpolate")
            assert ahead.plan(*words, more=told) != 0
            assert reads.result()
        assert len((tmp_path / "runs").read_text().splitlines() if runs else [*tmp_path.glob("runs")]) == runs
