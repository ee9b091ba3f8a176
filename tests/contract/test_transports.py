"""One suite over the transports: what `base.Transport` promises, through this machine's sh and through a real sshd,
with asyncssh and with Ansible."""

import asyncio
import dataclasses
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sshd_server
from hypothesis import given, settings
from hypothesis import strategies as st

from lading import errors
from lading.inventory import hosts
from lading.transport import ansible, ansible_session, base, beats, command, local, recorder, ssh, telling, wire

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
M = "MARK-5f0c"
PART = f"part(){{ printf '\\n{M} %s\\n' \"$1\"; }}\n"
WATCH = "exec 3<&0\n( cat <&3 >/dev/null 2>&1; kill -TERM 0 ) 2>/dev/null &\nwatcher=$!\n"
END = "part end\nkill $watcher 2>/dev/null\nexit 0\n"
Make = Callable[..., base.Transport]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path_factory.mktemp("sshd"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def inventory(server: sshd_server.Sshd) -> str:
    """An inventory of Ansible's with the server as web1: Ansible says how it is reached, lading only its name."""
    path = server.folder / "inventory.yml"
    path.write_text(f"""all: {{hosts: {{web1: {{ansible_host: 127.0.0.1, ansible_port: {server.port}, ansible_user: {server.user},
      ansible_ssh_common_args: -F {server.config} -o UserKnownHostsFile={server.known_hosts}}}}}}}\n""")
    return str(path)


@pytest.fixture(params=["local", "ssh", "told", "ansible"])
async def make(request: pytest.FixtureRequest, server: sshd_server.Sshd, inventory: str) -> AsyncIterator[Make]:
    made: list[base.Transport] = []

    def one(slack: float = 30.0) -> base.Transport:
        files = [str(server.config)]
        if request.param == "local":
            made.append(local.LocalTransport(slack=slack))
        elif request.param in ("ssh", "told"):
            over_ssh = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=files, slack=slack)
            made.append(over_ssh if request.param == "ssh" else telling.TellingTransport(over_ssh, lambda text: None))
        else:
            made.append(ansible.AnsibleTransport(ansible_session.Reach((inventory,)), slack=slack))
        return made[-1]

    yield one
    for transport in made:
        await transport.close()


@pytest.fixture
def transport(make: Make) -> base.Transport:
    return make()


@pytest.fixture
def host(server: sshd_server.Sshd) -> hosts.Host:
    return server.host()


def a_command(script: str, *payload: bytes | command.Secret, timeout: int = 30, changes: bool = False) -> command.Command:
    return command.Command("try", PART + script, M, payload, timeout, changes)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(sshd_server.LIMIT):
        while not condition():
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def test_exit_status_and_stderr_are_values(transport: base.Transport, host: hosts.Host) -> None:
    done = await transport.run(host, a_command("echo out; echo wrong >&2; part end; exit 7"))
    assert (done.status, done.parts, done.stderr) == (7, {"end": b""}, "wrong\n")
    assert done.seconds > 0


async def test_parts_come_in_order_and_the_last_wins(transport: base.Transport, host: hosts.Host) -> None:
    seen: list[tuple[str, bytes]] = []

    def note(name: str, content: bytes) -> bool:
        seen.append((name, content))
        return False

    script = "echo noise from .bashrc; part a; echo 1; part b; printf 2; part a; printf '3\\n\\n'; part end"
    done = await transport.run(host, a_command(script), note)
    assert seen == [("a", b"1\n"), ("b", b"2"), ("a", b"3\n\n"), ("end", b"")]
    assert done.parts == {"a": b"3\n\n", "b": b"2", "end": b""}


async def test_payload_is_bytes_with_lengths(transport: base.Transport, host: hosts.Host) -> None:
    first, second = bytes(range(256)), b"\n'\"$x\0\\"
    script = f"part a; head -c {len(first)}; part b; head -c {len(second)}; part end"
    done = await transport.run(host, a_command(script, first, command.Secret(second)))
    assert done.parts == {"a": first, "b": second, "end": b""}


async def test_a_large_payload_and_a_large_answer(transport: base.Transport, host: hosts.Host) -> None:
    payload = os.urandom(1 << 20)
    done = await transport.run(host, a_command(f"part a; head -c {len(payload)}; part end", payload))
    assert done.parts["a"] == payload
    done = await transport.run(host, a_command("part a; head -c 8000000 /dev/zero; part end"))
    assert done.parts["a"] == bytes(8_000_000)


async def test_a_payload_that_nobody_reads(transport: base.Transport, host: hosts.Host) -> None:
    done = await transport.run(host, a_command("exit 5", bytes(8 << 20)))
    assert done.status == 5


async def test_stdin_stays_open_until_the_end(transport: base.Transport, host: hosts.Host) -> None:
    done = await transport.run(host, a_command(f"{WATCH}part a; sleep 0.5; echo done; {END}"))
    assert (done.status, done.parts["a"]) == (0, b"done\n")


async def test_beats_are_for_commands_that_answer_them(
    transport: base.Transport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats, "BEAT", 0.4)
    seen: list[str] = []

    def third(name: str, content: bytes) -> bool:
        seen.append(name)
        return seen.count("beat") == 3

    script = 'part a; head -c 3; while [ "$(dd bs=1 count=1 2>/dev/null)" = . ]; do part beat; part on; done; part end'
    what = dataclasses.replace(a_command(script, b"one"), beats=True)
    done = await transport.run(host, what, third)
    assert (done.status, done.parts) == (0, {"a": b"one", "beat": b"", "on": b"", "end": b""})
    silent = a_command("part a; timeout 2 cat; part end")
    assert (await transport.run(host, silent)).parts == {"a": b"", "end": b""}


async def test_a_beat_that_a_command_here_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "BEAT", 0.2)
    monkeypatch.setattr(beats, "ANSWER", 0.2)
    one = local.LocalTransport()
    what = dataclasses.replace(a_command(f"{WATCH}part a; sleep 60; {END}"), beats=True)
    with pytest.raises(errors.UnreachableError, match="the connection to web1 was lost while try ran"):
        await one.run(hosts.Host("web1"), what)
    await one.close()


async def test_on_part_ends_a_stream(transport: base.Transport, host: hosts.Host) -> None:
    seen: list[str] = []

    def third(name: str, content: bytes) -> bool:
        seen.append(name)
        return len(seen) == 3

    script = "exec 3<&0; cat <&3 >/dev/null & w=$!\nwhile kill -0 $w 2>/dev/null; do part tick; sleep 0.1; done; part end"
    done = await transport.run(host, a_command(script), third)
    assert done.status == 0
    assert seen[-1] == "end"


async def test_what_on_part_raises_is_raised(transport: base.Transport, host: hosts.Host) -> None:
    def refuse(name: str, content: bytes) -> bool:
        raise KeyError(name)

    with pytest.raises(KeyError, match="a"):
        await transport.run(host, a_command(f"{WATCH}part a; part b; sleep 20; {END}"), refuse)


async def start(transport: base.Transport, host: hosts.Host, what: command.Command) -> "tuple[asyncio.Task[object], int]":
    """Run *what* until it has shown its part `pid`."""
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def note(name: str, content: bytes) -> bool:
        if name == "pid":
            began.set_result(int(content))
        return False

    task: asyncio.Task[object] = asyncio.create_task(transport.run(host, what, note))
    async with asyncio.timeout(sshd_server.LIMIT):
        return task, await began


async def test_cancelling_ends_a_reading_command(transport: base.Transport, host: hosts.Host, tmp_path: Path) -> None:
    file = command.quote(str(tmp_path / "ended"))
    script = f"{WATCH}trap 'echo x >{file}; exit 143' TERM\npart pid; echo $$; part on\nwhile :; do sleep 0.1; done"
    task, pid = await start(transport, host, a_command(script))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until((tmp_path / "ended").exists)
    await until(lambda: not runs(pid))


@pytest.mark.parametrize("close", [False, True])
async def test_a_changing_command_survives_cancelling(
    transport: base.Transport, host: hosts.Host, tmp_path: Path, close: bool
) -> None:
    file = tmp_path / "changed"
    script = f"trap '' HUP PIPE\npart pid; echo $$; part on; cat >/dev/null; sleep 0.5; echo much; part late\n" \
             f"echo x >{command.quote(str(file))}"
    task, pid = await start(transport, host, a_command(script, changes=True))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runs(pid)
    if close:
        await transport.close()
    await until(file.exists)
    await until(lambda: not runs(pid))


async def test_a_command_cancelled_before_it_began_never_runs(
    transport: base.Transport, host: hosts.Host, tmp_path: Path
) -> None:
    file = tmp_path / "changed"
    script = f"echo x >{command.quote(str(file))}"
    for rounds in range(12):
        task = asyncio.create_task(transport.run(host, a_command(script, changes=True)))
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert rounds > 1 or not file.exists()
    many = [transport.run(host, a_command("part end")) for _ in range(9)]
    assert [done.status for done in await asyncio.gather(*many)] == [0] * 9  # no channel was left behind


async def test_the_host_itself_ends_a_command_that_is_late(transport: base.Transport, host: hosts.Host) -> None:
    task, pid = await start(transport, host, a_command("part pid; echo $$; part on; sleep 60", timeout=3))
    done = await task
    assert isinstance(done, command.Result)
    assert done.status in (124, 143)
    await until(lambda: not runs(pid))


async def test_no_answer_in_time_is_unreachable(make: Make, host: hosts.Host) -> None:
    late = a_command("trap '' TERM; part a; sleep 9", timeout=3)
    with pytest.raises(errors.UnreachableError, match=r"did not answer try within 3.2 s") as caught:
        await make(slack=0.2).run(host, late)
    assert (caught.value.host, caught.value.step) == ("web1", "try")


async def test_too_much_is_an_error(
    transport: base.Transport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "ANSWER_LIMIT", 1 << 20)
    with pytest.raises(errors.CommandError, match="more than 1 MiB") as caught:
        await transport.run(host, a_command(f"{WATCH}part a; cat /dev/zero"))
    assert caught.value.host == "web1"


async def test_stderr_is_bounded(transport: base.Transport, host: hosts.Host) -> None:
    done = await transport.run(host, a_command("head -c 300000 /dev/zero >&2; printf last >&2; part end"))
    assert len(done.stderr) == wire.STDERR_KEPT
    assert done.stderr.endswith("last")


async def test_what_is_left_in_the_background_does_not_hold_the_answer(
    transport: base.Transport, host: hosts.Host
) -> None:
    done = await transport.run(host, a_command("part pid; sleep 60 & echo $!; part end; exit 3"))
    pid = int(done.text("pid"))
    assert done.status == 3
    assert runs(pid)
    os.kill(pid, 15)


async def test_many_commands_at_once_on_one_host(transport: base.Transport, host: hosts.Host) -> None:
    many = [transport.run(host, a_command(f"part a; echo {i}; part end", timeout=120)) for i in range(20)]
    assert [done.text("a") for done in await asyncio.gather(*many)] == [str(i) for i in range(20)]


async def test_a_signal_is_a_status(transport: base.Transport, host: hosts.Host) -> None:
    assert (await transport.run(host, a_command("kill -KILL $$"))).status == 137


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "fish", "tcsh"])
@pytest.mark.parametrize("cut", [0, 1, 40])
@pytest.mark.parametrize("dd", ["of GNU", "of a system that knows no iflag"])
@pytest.mark.parametrize("waits", [False, True], ids=["its own", "one that waits"])
def test_the_remote_line_in_every_login_shell(
    shell: str, cut: int, dd: str, waits: bool, host: hosts.Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    if dd != "of GNU":
        (tmp_path / "dd").write_text('#!/bin/sh\ncase "$*" in *iflag*) exit 1;; esac\nexec /bin/dd "$@"\n')
        (tmp_path / "dd").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    file = tmp_path / "ran"
    what = a_command(f"echo x >{command.quote(str(file))}\npart a; head -c 3; part end; # it's over\nexit 4\n# {'#' * 60}", b"a\0b")
    size, sent = wire.outgoing(what)
    head = wire.to_waiting(what).removesuffix(sent) if waits else b""
    done = subprocess.run(
        [shell, "-c", wire.waiting_line(host) if waits else wire.line(host, what)],
        input=head + (sent[: size - cut - 1] if cut else sent), capture_output=True, check=False
    )
    if cut:  # the link broke within the script: no line of it is run
        assert not file.exists()
        assert done.returncode not in (0, 4)
    else:
        assert (done.returncode, command.split_parts(done.stdout, M)) == (4, [("a", b"a\0b"), ("end", b"")])


async def test_sudo_gives_a_group_and_no_other_user(server: sshd_server.Sshd) -> None:
    """`sudo_group`: what it runs may talk to whatever that group may, as the user who logs in."""
    one = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    host = dataclasses.replace(server.host(), sudo_group="daemon")
    try:
        for _ in range(2):  # the second has a session that was opened ahead
            done = await one.run(host, a_command("part a; id -un; id -gn; part end"))
            assert done.text("a").split() == [server.user, "daemon"], done
    finally:
        await one.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_quoted_words_pass_a_real_shell(words: list[str]) -> None:
    line = f"printf '%s\\0' {command.join(words)}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == words


def family() -> set[int]:
    """The processes that came of this one; those that have ended and are not yet taken note of do not count."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in said.splitlines() if not line.split()[2].startswith("Z") and line.split()[3] not in ("ps", "sshd")]
    found = [os.getpid()]
    for parent in found:  # grows while it is walked
        found += [int(child) for child, of, *_ in lines if int(of) == parent]
    return set(found[1:])


async def test_close_leaves_no_process_here(make: Make, host: hosts.Host) -> None:
    before, one = family(), make()
    assert (await one.run(host, a_command("part end"))).status == 0
    mine = family() - before
    await one.close()
    until = asyncio.get_running_loop().time() + 20
    while left := [pid for pid in mine if Path(f"/proc/{pid}").exists()]:
        assert asyncio.get_running_loop().time() < until, left
        await asyncio.sleep(0.05)


async def test_the_recorder_answers_and_notes_no_secret() -> None:
    parts = {"a": b"1", "b": b"2", "end": b""}
    one = recorder.RecorderTransport(lambda host, what: command.Result(3, parts))
    seen: list[str] = []

    def note(name: str, content: bytes) -> bool:
        seen.append(name)
        return False

    web1 = hosts.Host("web1")
    done = await one.run(web1, a_command("cat", command.Secret(b"hunter2"), b"plain"), note)
    await one.close()
    assert (done.status, done.parts, seen, one.count) == (3, parts, ["a", "b", "end"], {"web1": 1})
    assert one.lines == [(web1, f"{PART}cat\n<7 secret bytes>\n<5 bytes>")]
