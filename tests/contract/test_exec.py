"""`lading exec` as people and scripts call it, through a real sshd; docker on the host runs the command itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sshd_server

from at_terminal import LIMIT, AtTerminal

pytestmark = pytest.mark.timeout(180)
DOCKER = r"""#!/bin/sh
case "$*" in
"ps -aq"*) cut -d'"' -f4 {folder}/containers; exit ;;
ps*) exit ;;
"container inspect"*) cat {folder}/containers; exit ;;
"inspect -f"*) sed -n "s/.*\"$4\".*\"Status\": \"\([a-z]*\)\".*/\1/p" {folder}/containers; exit ;;
exec*) shift ;;
*) echo "unknown: $*" >&2; exit 1 ;;
esac
while :; do
    case $1 in
    -i | -t) shift ;;
    -e) export "$2"; shift 2 ;;
    *) break ;;
    esac
done
[ "$2" != nope ] || exit 127
container=$1
shift
export container
exec "$@"
"""
TRAP = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done"


def a_container(name: str, number: int, status: str = "running") -> str:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": name,
              "com.docker.compose.container-number": str(number), "lading.app": "shop"}
    return json.dumps({"id": f"{name}{number}", "name": f"/shop-{name}-{number}", "image": "r/a:1", "image_id": "sha256:1",
                       "created": "2026-11-28T10:00:00Z", "labels": labels, "state": {"Status": status}})


class Person:
    """Who has a fleet of one host that sshd is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = folder / "host"
        (self.host / "bin").mkdir(parents=True)
        (self.host / "bin" / "docker").write_text(DOCKER.format(folder=self.host))
        (self.host / "bin" / "docker").chmod(0o755)
        self.has(a_container("web", 1), a_container("worker", 1), a_container("worker", 2), a_container("job", 1, "exited"))
        path = f"{self.host / 'bin'}:{os.environ['PATH']}"
        self.server = sshd_server.Sshd(folder / "sshd", "AllowStreamLocalForwarding no", f"SetEnv PATH={path}")
        (folder / ".ssh").mkdir(mode=0o700)
        (folder / "lading.yaml").write_text(
            f"lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: {self.server.port}, user: {self.server.user}}}}}\n"
            f"ssh: {{known_hosts: {self.server.known_hosts}}}\nstate_dir: {self.host}/state\n")
        (folder / ".ssh" / "config").write_text(self.server.config.read_text())
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LADING_CONFIG": str(folder / "lading.yaml"),
                            "TERM": "vt220", "LANG": "C.UTF-8"}

    def has(self, *containers: str) -> None:
        (self.host / "containers").write_text("".join(f"{one}\n" for one in containers))

    def argv(self, *words: str | bytes) -> list[str | bytes]:
        return [sys.executable, "-m", "lading", "exec", *words]

    def runs(self, *words: str | bytes, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(self.argv(*words), input=stdin, capture_output=True, env=self.environment, cwd=self.folder, timeout=LIMIT, check=False)

    def at_terminal(self, *words: str) -> AtTerminal:
        return AtTerminal([sys.executable, "-m", "lading", "exec", *words], cwd=self.folder, env=self.environment)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    one = Person(tmp_path_factory.mktemp("person"))
    yield one
    one.server.stop()


def test_streams_and_status_are_the_commands(person: Person) -> None:
    sent = bytes(range(256)) * 2000
    done = person.runs("shop/web", "--", "sh", "-c", "cat; echo wrong >&2; exit 7", stdin=sent)
    assert (done.stdout, done.stderr, done.returncode) == (sent, b"wrong\n", 7)
    assert person.runs("shop/web", "--", "nope").returncode == 127


def test_words_come_as_they_are_and_are_told_nowhere(person: Person) -> None:
    words = [b"it's", b'"$HOME" `id` \\', b"two\nlines\n", b"", b"-v", b"\xff\xfe", "ключ".encode()]
    done = person.runs("-v", "shop/web", "--", "printf", "%s|", *words, "hunter2")
    assert done.stdout == b"".join(one + b"|" for one in [*words, b"hunter2"])
    assert b"web1 exec: begins" in done.stderr
    assert b"hunter2" not in done.stderr


def test_the_one_that_is_meant(person: Person) -> None:
    both = person.runs("shop/worker", "--", "true")
    assert (both.returncode, both.stderr.decode().splitlines()) == (4, [
        "error: worker runs in 2 containers: web1 (number 1), web1 (number 2)", " hint: say which: --host web1 --index 1"])
    second = person.runs("shop/worker", "--index", "2", "--", "sh", "-c", "echo $container")
    assert (second.stdout, second.returncode) == (b"worker2\n", 0)
    ended = person.runs("shop/job", "--", "true")
    assert ended.returncode == 4
    assert b"no container of job runs: web1 (number 1, exited)" in ended.stderr
    unknown = person.runs("shop/wbe", "--", "true")
    assert (unknown.returncode, b"shop has no service wbe" in unknown.stderr, b"did you mean `web`?" in unknown.stderr) == (2, True, True)


@pytest.mark.parametrize(("words", "says"), [
    (["shop", "--", "true"], "'shop' is not APP/SERVICE"), (["shop/web"], "Missing argument"),
    (["shop/web", "--host", "wbe1", "--", "true"], "did you mean `web1`?"),
    (["shop/web", "--index", "0", "--", "true"], "--index"),
])
def test_what_is_wrong_asks_no_host(person: Person, words: list[str], says: str) -> None:
    before = person.server.logins()
    done = person.runs(*words)
    assert (done.returncode, says in done.stderr.decode(), person.server.logins()) == (2, True, before), done.stderr


@pytest.mark.parametrize("words", [["--grep", "("], ["--since", "noon"], ["--deployment", "2026", "--follow"]])
def test_what_is_wrong_about_logs_asks_no_host(person: Person, words: list[str]) -> None:
    before = person.server.logins()
    argv = [sys.executable, "-m", "lading", "logs", "shop", *words]
    done = subprocess.run(argv, capture_output=True, env=person.environment, cwd=person.folder, timeout=LIMIT, check=False)
    assert (done.returncode, b"hint:" in done.stderr, person.server.logins()) == (2, True, before), done.stderr


def test_a_signal_reaches_a_command_without_a_terminal(person: Person) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(person.argv("shop/web", "--", "sh", "-c", TRAP), stdin=pipe, stdout=pipe, env=person.environment, cwd=person.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert (process.stdout.read(), process.wait(LIMIT)) == (b"caught\n", 3)


def test_a_reader_that_has_enough_ends_it(person: Person) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(person.argv("shop/web", "--", "yes"), stdout=pipe, stdin=subprocess.DEVNULL, env=person.environment, cwd=person.folder) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.wait(LIMIT) == 128 + signal.SIGPIPE


def test_at_a_terminal(person: Person) -> None:
    one = person.at_terminal("shop/web", "--", "sh", "-c", "stty size; echo is $TERM; read x; until stty size | grep 120; do :; done; exit 5")
    one.sees("37 91")
    one.sees("is vt220")
    one.resize(120, 50)
    one.type(b"\n")
    one.sees("50 120")
    assert one.leaves() == 5


def test_a_connection_that_is_lost(person: Person) -> None:
    one = person.at_terminal("shop/web", "--", "sh", "-c", "echo rea''dy; sleep 60")
    one.sees("ready")
    person.server.signal_sessions(signal.SIGKILL)
    assert one.leaves() == 6
    assert b"the connection to web1 was lost; how the command ended is unknown" in one.said
    assert b"it may still run in shop-web-1 on web1" in one.said


def test_a_terminal_is_given_back_after_a_signal(person: Person) -> None:
    gone = person.folder / "gone"
    one = person.at_terminal("shop/web", "--", "sh", "-c", f"trap 'echo x >{gone}; exit' HUP; echo rea''dy; while :; do sleep 0.05; done")
    one.sees("ready")
    one.process.send_signal(signal.SIGTERM)
    assert one.leaves() == 143
    subprocess.run(["sh", "-c", f"until [ -s {gone} ]; do :; done"], timeout=LIMIT, check=True)
