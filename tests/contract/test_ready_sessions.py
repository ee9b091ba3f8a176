"""A session that is opened ahead: what the next command waits for, and that nothing is run twice, or lost, because of it."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import sshd_server
from asyncssh import constants, packet
from deaf_proxy import Link

from lading.inventory import hosts
from lading.transport import beats, command, sessions, ssh, uplink, wire

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
M = "MARK-4d1e"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello; printf '\\n{M} end\\n'", M, changes=True)
LOOK = dataclasses.replace(HELLO, changes=False, looks=True)
KINDS = pytest.mark.parametrize("kind", [HELLO, LOOK], ids=["changes", "looks"])
WAITING = "read -r n t"
Make = Callable[..., sshd_server.Sshd]


@pytest.fixture
def a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Starts servers with lines of their own in sshd_config."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made: list[sshd_server.Sshd] = []

    def make(*lines: str) -> sshd_server.Sshd:
        made.append(sshd_server.Sshd(tmp_path / f"sshd{len(made)}", *lines))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[sshd_server.Sshd], ssh.SshTransport]]:
    made: list[ssh.SshTransport] = []

    def one(server: sshd_server.Sshd, **more: Any) -> ssh.SshTransport:
        made.append(ssh.SshTransport(
            environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)], **more))
        return made[-1]

    yield one
    for transport in made:
        await transport.close()


@pytest.fixture
def transport(server: sshd_server.Sshd, connect: Callable[..., ssh.SshTransport]) -> ssh.SshTransport:
    return connect(server)


@pytest.fixture
def host(server: sshd_server.Sshd, link: Link) -> hosts.Host:
    """The server, behind a link that can be cut."""
    return dataclasses.replace(server.host(), port=link.port)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(sshd_server.LIMIT):
        while not condition():
            await asyncio.sleep(0.01)


async def hello(transport: ssh.SshTransport, host: hosts.Host, what: command.Command = HELLO) -> str:
    return (await transport.run(host, what)).text("a")


async def ready_on(transport: ssh.SshTransport, host: hosts.Host) -> sessions.Opened:
    """The session that is opened ahead for a host."""
    opening = transport._link(host).ready
    assert opening is not None
    return await opening


def waiting(server: sshd_server.Sshd) -> list[int]:
    """The shells of a server that wait for a script."""
    found = []
    for pid in server.sessions():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[:2] == ["/bin/sh", "-c"] and words[2].startswith(WAITING):
            found.append(pid)
    return found


def noting(file: Path, what: command.Command) -> command.Command:
    """The same, which writes a line to *file* before it answers."""
    return dataclasses.replace(what, script=f"echo ran >>{command.quote(str(file))}; {what.script}")


def runs(file: Path) -> int:
    """How often such a command has run."""
    return len(file.read_text().splitlines()) if file.exists() else 0


class Packets:
    """What an SSH connection has sent and received, in order, as asyncssh tells it to its log."""

    NAMES = {constants.MSG_CHANNEL_OPEN: "open", constants.MSG_CHANNEL_REQUEST: "exec", constants.MSG_CHANNEL_DATA: "data",
             constants.MSG_GLOBAL_REQUEST: "question", constants.MSG_CHANNEL_CLOSE: "close"}

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[object, str, int]] = []
        seen = self.seen

        def note(handler: object, way: str, kind: int, *_: object) -> None:
            seen.append((handler, way, kind))

        monkeypatch.setattr(packet.SSHPacketLogger, "_log_packet", note)

    def sent(self, *handlers: object) -> list[str]:
        """What was sent, of all or of these channels and connections."""
        return [self.NAMES[kind] for handler, way, kind in self.seen
                if way == "Sent" and (not handlers or handler in handlers)]

    def keep(self, *handlers: object) -> None:
        """Forget what was not sent or received by these."""
        self.seen = [one for one in self.seen if one[0] in handlers and one[2] != constants.MSG_CHANNEL_OPEN_CONFIRMATION]

    def end_with(self, last: tuple[str, int]) -> None:
        """Forget what came later."""
        del self.seen[1 + next(at for at, one in enumerate(self.seen) if one[1:] == last) :]

    def trips(self, *handlers: object) -> int:
        """How often something was sent for which something had to come before, and the first time."""
        confirmed = constants.MSG_CHANNEL_OPEN_CONFIRMATION  # which the connection gets for a channel
        ways = [way for handler, way, kind in self.seen if handler in handlers or kind == confirmed]
        return sum(one == "Sent" for one, before in zip(ways, ["Received", *ways], strict=False) if before == "Received")


async def test_the_first_command_waits_three_times_and_each_one_after_it_twice_or_once(
    server: sshd_server.Sshd, transport: ssh.SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = Packets(monkeypatch)
    part = asyncio.Event()
    following = dataclasses.replace(HELLO, script=f"printf '\\n{M} a\\n\\n{M} b\\n'; cat >/dev/null", streams=True)

    def came(name: str, content: bytes) -> bool:
        part.set()
        return True

    await transport.run(server.host(), following, came)
    first = next(handler for handler, _, kind in packets.seen if kind == constants.MSG_CHANNEL_OPEN)
    packets.end_with(("Received", constants.MSG_CHANNEL_DATA))
    assert (packets.sent(first), packets.trips(first)) == (["open", "exec", "data"], 3)
    assert await hello(transport, server.host()) == "hello"
    for lately, sent in ((0.0, ["question", "data"]), (60.0, ["data"])):
        monkeypatch.setattr(uplink, "JUST_NOW", lately)
        ready = await ready_on(transport, server.host())
        packets = Packets(monkeypatch)
        assert await hello(transport, server.host()) == "hello"
        connection = transport._link(server.host()).connection
        packets.keep(ready.channel, connection)
        packets.end_with(("Received", constants.MSG_CHANNEL_DATA))
        assert (packets.sent(), packets.trips(ready.channel, connection)) == (sent, len(sent))


async def test_an_answer_that_has_waited_here_says_nothing_of_now(
    server: sshd_server.Sshd, transport: ssh.SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process may have been stopped since it asked."""
    assert await hello(transport, server.host()) == "hello"
    way = transport._link(server.host()).uplink
    assert way is not None
    clock = [1000.0]
    monkeypatch.setattr(uplink, "now", lambda: clock[0])
    for waited, counts in ((uplink.AT_ONCE / 2, True), (uplink.AT_ONCE * 2, False)):
        asked_at = clock[0]
        clock[0] += waited
        way.heard(asked_at)
        assert way.was_heard_just_now is counts
        clock[0] += 2 * uplink.JUST_NOW
        assert not way.was_heard_just_now


async def test_what_only_looks_waits_for_its_answer_alone(
    link: Link, host: hosts.Host, transport: ssh.SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes back, and it runs."""
    assert await hello(transport, host) == "hello"
    ready = await ready_on(transport, host)
    packets = Packets(monkeypatch)
    link.cut(forth=False)
    looking = asyncio.create_task(hello(transport, host, noting(tmp_path / "ran", LOOK)))
    await until(lambda: runs(tmp_path / "ran") == 1)
    assert packets.sent(ready.channel, transport._link(host).connection)[:2] == ["question", "data"]
    link.restore()
    assert await looking == "hello"
    assert runs(tmp_path / "ran") == 1


@pytest.mark.usefixtures("unheard")
async def test_what_changes_something_waits_for_a_sign_of_life_first(
    server: sshd_server.Sshd, link: Link, host: hosts.Host, transport: ssh.SshTransport, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await hello(transport, host) == "hello"
    ready = await ready_on(transport, host)
    packets = Packets(monkeypatch)
    link.cut(forth=False)
    changing = asyncio.create_task(hello(transport, host, noting(tmp_path / "ran", HELLO)))
    await until(lambda: "question" in packets.sent())
    for _ in range(3):  # much longer than it would need
        assert await hello(transport, server.host()) == "hello"
    assert packets.sent(ready.channel) == []
    assert runs(tmp_path / "ran") == 0
    assert transport._link(host).ready is not None  # the next one is opened meanwhile
    link.restore()
    assert await changing == "hello"
    assert (packets.sent(ready.channel)[0], runs(tmp_path / "ran")) == ("data", 1)


@pytest.mark.usefixtures("unheard")
@KINDS
async def test_a_connection_that_died_unnoticed_has_run_nothing(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path, kind: command.Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await hello(transport, server.host()) == "hello"
    ready = await ready_on(transport, server.host())
    packets = Packets(monkeypatch)
    server.signal_sessions(signal.SIGSTOP)
    asked = asyncio.create_task(hello(transport, server.host(), noting(tmp_path / "ran", kind)))
    await until(lambda: ("data" if kind.looks else "question") in packets.sent())
    assert packets.sent(ready.channel) == (["data"] if kind.looks else [])
    server.signal_sessions(signal.SIGKILL)
    assert await asked == "hello"
    assert (runs(tmp_path / "ran"), server.logins()) == (1, 2)


@pytest.mark.usefixtures("unheard")
@KINDS
async def test_only_what_looks_is_asked_twice(
    server: sshd_server.Sshd, link: Link, host: hosts.Host, transport: ssh.SshTransport, tmp_path: Path,
    kind: command.Command, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link is lost while the host may have got it, and says nothing of that."""
    monkeypatch.setattr(beats, "BEAT", 0.2)
    monkeypatch.setattr(beats, "ANSWER", 2.0)
    monkeypatch.setattr(ssh, "RETURN", 0.5)
    assert await hello(transport, host) == "hello"
    await ready_on(transport, host)
    packets = Packets(monkeypatch)
    link.cut(forth=False)
    asked = asyncio.create_task(hello(transport, host, noting(tmp_path / "ran", kind)))
    await until(lambda: runs(tmp_path / "ran") == 1 if kind.looks else "question" in packets.sent())
    link.lose()
    link.restore()
    assert await asked == "hello"
    assert (runs(tmp_path / "ran"), server.logins()) == (2 if kind.looks else 1, 2)


async def test_what_is_asked_anew_is_given_up_at_once(
    server: sshd_server.Sshd, link: Link, host: hosts.Host, connect: Callable[..., ssh.SshTransport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing runs by then that could end by itself."""
    monkeypatch.setattr(beats, "BEAT", 0.2)
    monkeypatch.setattr(beats, "ANSWER", 2.0)
    monkeypatch.setattr(ssh, "RETURN", 0.5)
    monkeypatch.setattr(wire, "PARTING", 1000.0)
    transport = connect(server, connect_timeout=1000)
    assert await hello(transport, host) == "hello"
    await ready_on(transport, host)
    link.cut()
    asked = asyncio.create_task(hello(transport, host, LOOK))
    await until(lambda: transport._link(host).connection is None)
    asked.cancel()
    await asyncio.wait({asked})
    assert (asked.cancelled(), server.logins()) == (True, 1)
    link.restore()


async def test_what_changes_something_goes_at_once_where_its_session_opens_only_then(
    server: sshd_server.Sshd, transport: ssh.SshTransport, host: hosts.Host, link: Link, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That it opens is the sign of life."""
    assert await hello(transport, host) == "hello"
    ready = await ready_on(transport, host)
    link.cut(forth=False)
    looking = asyncio.create_task(hello(transport, host, noting(tmp_path / "looked", LOOK)))
    await until(lambda: runs(tmp_path / "looked") == 1)
    opening = transport._link(host).ready
    assert opening is not None and not opening.done()
    packets = Packets(monkeypatch)
    changing = asyncio.create_task(hello(transport, host, noting(tmp_path / "ran", HELLO)))
    await until(lambda: transport._link(host).ready is not opening)
    assert (packets.sent(), runs(tmp_path / "ran")) == ([], 0)
    link.restore()
    assert [await looking, await changing] == ["hello", "hello"]
    taken = await opening
    packets.keep(taken.channel, ready.channel, transport._link(host).connection)
    assert [one for one in packets.sent() if one != "close"][:2] == ["exec", "data"]


async def test_a_session_takes_nothing_before_a_program_runs_in_it(
    server: sshd_server.Sshd, transport: ssh.SshTransport
) -> None:
    """Why a shell is started ahead: one can see it in the window that a server gives."""
    assert await hello(transport, server.host()) == "hello"
    connection = transport._link(server.host()).connection
    assert connection is not None
    windows: list[int] = []

    class Seeing(asyncssh.SSHClientSession[bytes]):
        def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
            windows.append(chan._send_window)

    channel, _ = await connection.create_session(Seeing, "cat", encoding=None)
    windows.append(channel._send_window)
    channel.close()
    assert (windows[0], windows[1] >= 64 * 1024) == (0, True)


async def test_each_command_starts_one_session(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    for _ in range(5):
        assert await hello(transport, server.host()) == "hello"
        await ready_on(transport, server.host())
    assert server.log.read_text().count("Starting session: command") == 5 + 1
    assert server.logins() == 1


async def test_one_session_is_kept_ready_however_many_commands_run_at_once(
    server: sshd_server.Sshd, transport: ssh.SshTransport
) -> None:
    assert await asyncio.gather(*[hello(transport, server.host()) for _ in range(20)]) == ["hello"] * 20
    ready = await ready_on(transport, server.host())
    await until(lambda: len(waiting(server)) == 1)
    assert ready.is_open


async def test_it_ends_with_its_connection(
    server: sshd_server.Sshd, connect: Callable[..., ssh.SshTransport]
) -> None:
    transport = connect(server, max_connections=1)
    first, second = (dataclasses.replace(server.host(), name=name) for name in ("web1", "web2"))
    assert await hello(transport, first) == "hello"
    await ready_on(transport, first)
    async with asyncio.timeout(sshd_server.LIMIT):  # it keeps no connection from making room for another
        assert await hello(transport, second) == "hello"
    assert transport._link(first).connection is None
    await ready_on(transport, second)
    await until(lambda: len(waiting(server)) == 1)
    await transport.close()
    await until(lambda: not waiting(server))


async def test_a_shell_that_nobody_asks_any_more_ends_by_itself(
    server: sshd_server.Sshd, transport: ssh.SshTransport, host: hosts.Host, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host may keep a connection for hours whose controller is gone."""
    monkeypatch.setattr(command, "WAITING", 2)
    assert await hello(transport, host) == "hello"
    await ready_on(transport, host)
    await until(lambda: len(waiting(server)) == 1)
    link.cut()
    await until(lambda: not waiting(server))


@KINDS
async def test_one_that_has_waited_as_long_as_it_may_is_replaced_by_the_next(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: command.Command
) -> None:
    monkeypatch.setattr(command, "WAITING", 1)
    for number in range(3):
        assert await hello(transport, server.host(), noting(tmp_path / "ran", kind)) == "hello"
        ready = await ready_on(transport, server.host())
        await until(lambda ready=ready: not ready.is_open)  # type: ignore[misc]
        assert (runs(tmp_path / "ran"), transport._link(server.host()).keeps_ready) == (number + 1, True)
    assert server.logins() == 1


@KINDS
async def test_one_that_ends_while_a_script_is_on_its_way_is_asked_anew_and_replaced(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: command.Command
) -> None:
    """`timeout` ends the shell that reads, which is stopped here, just then."""
    monkeypatch.setattr(command, "WAITING", 3)
    assert await hello(transport, server.host()) == "hello"
    asked, _ = await sent_to_a_shell_that_is_stopped(server, transport, noting(tmp_path / "ran", kind), monkeypatch)
    assert await asked == "hello"
    assert (runs(tmp_path / "ran"), transport._link(server.host()).keeps_ready, server.logins()) == (1, True, 1)


@KINDS
async def test_one_that_the_server_has_closed_is_replaced(
    a_server: Make, connect: Callable[..., ssh.SshTransport], tmp_path: Path, kind: command.Command
) -> None:
    server = a_server("ChannelTimeout session:command=4")  # whole seconds, and the commands themselves must not be closed
    transport = connect(server)
    for number in range(2):
        assert await hello(transport, server.host(), noting(tmp_path / "ran", kind)) == "hello"
        assert runs(tmp_path / "ran") == number + 1
        ready = await ready_on(transport, server.host())
        await until(lambda ready=ready: not ready.is_open)  # type: ignore[misc]
    assert (server.logins(), transport._link(server.host()).keeps_ready) == (1, True)


@KINDS
async def test_one_whose_shell_was_killed_is_replaced(
    server: sshd_server.Sshd, transport: ssh.SshTransport, kind: command.Command
) -> None:
    assert await hello(transport, server.host()) == "hello"
    ready = await ready_on(transport, server.host())
    await until(lambda: len(waiting(server)) == 1)
    os.kill(waiting(server)[0], signal.SIGKILL)
    await until(lambda: not ready.is_open)
    assert await hello(transport, server.host(), kind) == "hello"
    assert (await ready_on(transport, server.host())).is_open
    assert server.logins() == 1


@KINDS
async def test_one_whose_shell_dies_before_it_has_read_is_asked_anew(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path, kind: command.Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its script would have said that it begins, so nothing of it has run."""
    assert await hello(transport, server.host()) == "hello"
    asked, pid = await sent_to_a_shell_that_is_stopped(server, transport, noting(tmp_path / "ran", kind), monkeypatch)
    os.kill(pid, signal.SIGKILL)
    assert await asked == "hello"
    assert (runs(tmp_path / "ran"), server.logins()) == (1, 1)


async def test_what_nobody_waits_for_any_more_is_not_asked_anew(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await hello(transport, server.host()) == "hello"
    asked, pid = await sent_to_a_shell_that_is_stopped(server, transport, noting(tmp_path / "ran", HELLO), monkeypatch)
    asked.cancel()
    await asyncio.wait({asked})
    os.kill(pid, signal.SIGKILL)
    await until(lambda: transport._link(server.host()).users.count == 0)
    assert await hello(transport, server.host()) == "hello"
    assert (asked.cancelled(), runs(tmp_path / "ran")) == (True, 0)


async def sent_to_a_shell_that_is_stopped(
    server: sshd_server.Sshd, transport: ssh.SshTransport, what: command.Command, monkeypatch: pytest.MonkeyPatch
) -> tuple["asyncio.Task[str]", int]:
    """A command whose script lies unread, and the process that would read it."""
    ready = await ready_on(transport, server.host())
    await until(lambda: len(waiting(server)) == 1)
    (pid,) = waiting(server)
    os.kill(pid, signal.SIGSTOP)
    packets = Packets(monkeypatch)
    asked = asyncio.create_task(hello(transport, server.host(), what))
    await until(lambda: packets.sent(ready.channel) == ["data"])
    return asked, pid


@KINDS
@pytest.mark.parametrize("refusal", ["exit 1", "head -c 1 >/dev/null; echo no >&2; exit 1"], ids=["at once", "once it is sent something"])
async def test_where_a_forced_command_lets_no_shell_wait_the_ordinary_way_is_gone(
    a_server: Make, connect: Callable[..., ssh.SshTransport], tmp_path: Path, kind: command.Command, refusal: str
) -> None:
    choice = f'case $SSH_ORIGINAL_COMMAND in *"{WAITING}"*) {refusal};; *) eval "$SSH_ORIGINAL_COMMAND";; esac'
    server = a_server(f"ForceCommand {choice}")
    transport = connect(server)
    for number in range(4):
        done = await transport.run(server.host(), noting(tmp_path / "ran", kind))
        assert (done.status, done.text("a"), done.stderr, runs(tmp_path / "ran")) == (0, "hello", "", number + 1)
    assert not transport._link(server.host()).keeps_ready
    assert server.log.read_text().count("Starting session: forced-command") <= 4 + 2
    assert server.logins() == 1


async def test_where_there_is_room_for_one_session_none_is_kept_ready(
    a_server: Make, connect: Callable[..., ssh.SshTransport]
) -> None:
    server = a_server("MaxSessions 1")
    transport = connect(server)
    link = transport._link(server.host())
    assert await hello(transport, server.host()) == "hello"
    assert link.ready is not None
    await asyncio.wait({link.ready})
    assert not link.keeps_ready
    for _ in range(4):
        assert await hello(transport, server.host()) == "hello"
    assert (link.keeps_ready, link.carries_programs, server.logins()) == (False, True, 1)
    assert server.log.read_text().count("Starting session: command") == 5


HOLD = command.Command("hold", f"printf '\\n{M} held\\n\\n{M} on\\n'; cat >/dev/null", M)


async def held(transport: ssh.SshTransport, host: hosts.Host, done: asyncio.Event) -> "asyncio.Task[command.Result]":
    """A command that goes on until *done*."""
    holds = asyncio.Event()

    def note(name: str, content: bytes) -> bool:
        holds.set()
        return False

    task = asyncio.create_task(transport.run(host, HOLD, note, done))
    await holds.wait()
    await ready_on(transport, host)
    return task


async def test_one_makes_room_for_a_program(
    a_server: Make, connect: Callable[..., ssh.SshTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended whatever it has said that nobody has read."""
    monkeypatch.setattr(sessions, "PARTING", 1000.0)
    server = a_server("MaxSessions 2", 'ForceCommand echo noise; eval "$SSH_ORIGINAL_COMMAND"')
    transport = connect(server)
    done = asyncio.Event()
    holding = await held(transport, server.host(), done)
    stream = await transport.open_program(server.host(), command.Command("dial", "exec cat", M))
    await stream.write(b"said")
    assert await stream.read() + await stream.read() == b"noise\nsaid"
    link = transport._link(server.host())
    assert (link.carries_programs, link.keeps_ready, waiting(server)) == (True, False, [])
    done.set()
    await holding
    stream.close()
    assert await hello(transport, server.host()) == "hello"


async def test_one_makes_room_for_somebody_who_is_attached(
    a_server: Make, connect: Callable[..., ssh.SshTransport]
) -> None:
    server = a_server("MaxSessions 2")
    transport = connect(server)
    done = asyncio.Event()
    holding = await held(transport, server.host(), done)
    session = await transport.attach(server.host(), command.Command("exec", "exit 4", M), None)
    assert await session.wait() == 4
    session.close()
    done.set()
    await holding
    assert await hello(transport, server.host()) == "hello"
    assert server.logins() == 1


async def test_a_new_connection_keeps_one_again(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    assert await hello(transport, server.host()) == "hello"
    link = transport._link(server.host())
    assert await link.drops_ready(for_good=True)
    assert await hello(transport, server.host()) == "hello"
    assert link.ready is None
    server.signal_sessions(signal.SIGKILL)
    assert await hello(transport, server.host()) == "hello"
    assert (await ready_on(transport, server.host())).is_open


async def test_who_follows_leaves_none_behind(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    """It may go on for days."""
    began = asyncio.Event()

    def note(name: str, content: bytes) -> bool:
        began.set()
        return False

    what = dataclasses.replace(HOLD, streams=True)
    following = asyncio.create_task(transport.run(server.host(), what, note))
    await began.wait()
    assert transport._link(server.host()).ready is None
    following.cancel()
    await asyncio.wait({following})


@pytest.mark.parametrize("kilobytes", [1, 3000], ids=["some words", "more than a window"])
async def test_what_a_start_up_file_says_is_no_answer(
    a_server: Make, connect: Callable[..., ssh.SshTransport], kilobytes: int
) -> None:
    noise = f"head -c {1024 * kilobytes} /dev/zero; echo wrong >&2"
    server = a_server(f'ForceCommand {noise}; eval "$SSH_ORIGINAL_COMMAND"')
    transport = connect(server)
    for _ in range(3):
        done = await transport.run(server.host(), HELLO)
        assert (done.status, dict(done.parts), done.stderr) == (0, {"a": b"hello\n", "end": b""}, "wrong\n")


@pytest.mark.usefixtures("unheard")
@KINDS
async def test_who_wants_no_more_leaves_no_session_behind(
    server: sshd_server.Sshd, link: Link, host: hosts.Host, transport: ssh.SshTransport, tmp_path: Path,
    kind: command.Command, monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await hello(transport, host) == "hello"
    ready = await ready_on(transport, host)
    packets = Packets(monkeypatch)
    link.cut(forth=False)
    asked = asyncio.create_task(hello(transport, host, noting(tmp_path / "ran", kind)))
    await until(lambda: ("data" if kind.looks else "question") in packets.sent())
    asked.cancel()
    await asyncio.wait({asked})
    link.restore()
    async with asyncio.timeout(sshd_server.LIMIT):
        await ready.channel.wait_closed()
    assert await hello(transport, host) == "hello"
    assert (runs(tmp_path / "ran"), server.logins()) == (int(kind.looks), 1)


async def test_a_script_of_many_pieces_and_its_payload(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    payload = os.urandom(3 * beats.WAITING)
    script = f"{'# more' * 20_000}\nprintf '\\n{M} a\\n'; head -c {len(payload)}; printf '\\n{M} end\\n'"
    for what in (HELLO, LOOK, HELLO):
        done = await transport.run(server.host(), dataclasses.replace(what, script=script, payload=(payload,)))
        assert (done.status, done.parts["a"] == payload) == (0, True)
        await ready_on(transport, server.host())


async def test_a_command_is_bounded_there_as_anywhere(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    assert await hello(transport, server.host()) == "hello"
    await ready_on(transport, server.host())
    slow = dataclasses.replace(HELLO, script=f"printf '\\n{M} a\\n'; sleep 60", timeout=1)
    assert (await transport.run(server.host(), slow)).status == 124
