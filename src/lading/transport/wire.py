"""What crosses to a host and back, whatever carries it: script and payload out, parts in; bounds, ends, cancellation.

A transport opens a channel, hands it to `Exchange.carry`, and reports what comes (`stdout`, `stderr`, `exited`,
`closed`). `Runner` gives cancelling and limits the same meaning on every transport.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from lading import errors
from lading.inventory import hosts
from lading.transport import base, beats, command

Kept = TypeVar("Kept")
ANSWER_LIMIT = 16 * 1024 * 1024  # bytes of an answer; where parts are taken as they come, of what is held or waited for at once
PART_COST = 512  # bytes that a part takes beside its name and content
STDERR_KEPT = 64 * 1024  # bytes: the last ones
SLACK = 30.0  # seconds beyond the command's own time-out
PARTING = 5.0  # seconds a cancelled command has to end
PROOF = 30.0  # seconds in which the first command of a connection must have begun
_BEGUN, _ELSEWHERE = "lading-begun", "lading-elsewhere"  # parts that only this module sees
_DRAIN = 2.0  # seconds for the rest of the output once the command has ended


def outgoing(what: command.Command, *, proving: bool = False) -> tuple[int, bytes]:
    """How many bytes the host's shell shall read as script, and all bytes for stdin.

    The script goes as one `{ … }`: a script that was cut when the link broke is a syntax error, no line of it is run.
    *proving*: before it does anything, it says that it has begun, and ends if the remote line did not start its shell.
    """
    script = what.script.encode()
    whole = b"{\n" + (_proof(what.marker) if proving else b"") + script + b"\n}\n"
    return len(whole), whole + what.wire()[len(script):]


def _proof(marker: str) -> bytes:
    """A start-up file of the login shell that starts another one (`exec sh`) has it read script and payload itself.

    `sh` would keep up to 8 KiB of a payload to itself, fish would run nothing before its stdin ends.
    """
    return (f"printf '\\n%s %s\\n' {marker} {_BEGUN}; "
            f"[ \"$0\" = {command.OURS} ] || {{ printf '\\n%s %s\\n' {marker} {_ELSEWHERE}; exit 97; }}\n").encode()


def line(host: hosts.Host, what: command.Command, *, proving: bool = False) -> str:
    """The remote line that runs *what* on *host*; *proving* as for `outgoing`."""
    return command.remote_line(outgoing(what, proving=proving)[0], sudo=host.sudo, group=host.sudo_group, timeout=what.timeout)


def attached_line(host: hosts.Host, what: command.Command) -> str:
    """The same where somebody is attached to *what*, for as long as he likes."""
    return command.remote_line(outgoing(what)[0], sudo=host.sudo, group=host.sudo_group, timeout=0)


def waiting_line(host: hosts.Host) -> str:
    """The remote line of a shell on *host* that waits for any script: `to_waiting` says what it reads."""
    return command.waiting_line(sudo=host.sudo, group=host.sudo_group)


def to_waiting(what: command.Command, *, proving: bool = False) -> bytes:
    """All bytes for the stdin of a shell that waits; *proving* as for `outgoing`."""
    size, sent = outgoing(what, proving=proving)
    return f"{size} {what.timeout or ''}\n".encode() + sent


class Parser:
    """Bytes in, complete parts out; the same parts as `command.split_parts`, however the bytes are cut."""

    def __init__(self, marker: str) -> None:
        self._lead = b"\n" + marker.encode() + b" "
        self._buffer = bytearray(b"\n")
        self._scanned = 0
        self._inside = False
        self.begun = False
        """Whether a part's beginning has come."""

    @property
    def held(self) -> int:
        """How many bytes wait for their part's end."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The parts that *data* completes: (name, content)."""
        self._buffer += data
        found = []
        while (at := self._buffer.find(self._lead, self._scanned)) >= 0:
            if self._inside:
                found.append(self._part(at))
            self._inside, self._scanned, self.begun = True, 0, True
            del self._buffer[: at + len(self._lead)]
        self._scanned = max(0, len(self._buffer) - len(self._lead) + 1)
        if not self._inside:
            del self._buffer[: self._scanned]
            self._scanned = 0
        return found

    def end(self) -> list[tuple[str, bytes]]:
        """The part that the end of the output completes, if there is one."""
        last = [self._part(len(self._buffer))] if self._inside else []
        self._buffer.clear()
        self._inside = False
        return last

    def _part(self, size: int) -> tuple[str, bytes]:
        name, _, content = bytes(self._buffer[:size]).partition(b"\n")
        return name.decode("ascii", "replace"), content


class Stdin(Protocol):
    """The stdin of a command that has begun."""

    async def say(self, word: bytes) -> None:
        """Send a word, after everything that was sent or is to be sent."""
        ...

    def end(self) -> None:
        """End it, after everything that was sent or is to be sent."""
        ...

    def heard(self) -> None:
        """Take note that something came from the host."""
        ...


class Exchange:
    """One command and its answer."""

    def __init__(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None, slack: float = SLACK,
        until: asyncio.Event | None = None,
    ) -> None:
        self.host = host
        self.what = what
        self.begun = False
        self.cut = False
        """Whether the host was not heard any more, although the connection is not closed."""
        self.proving = False
        """Whether it must show that the host runs what it is sent: the first command of a connection."""
        self.left = False
        """Whether nobody waits for its end any more."""
        self._on_part = on_part
        self.until = until
        self._limit = what.timeout + slack
        self._parser = Parser(what.marker)
        self._parts: dict[str, bytes] = {}
        self._kept = 0
        self._came = 0  # bytes; of a stream, since its last whole part
        self._errors = bytearray()
        self._proves = False
        self._status: int | None = None
        self._draining: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._stdin: Stdin | None = None
        self._ended = asyncio.Event()
        self._start = time.monotonic()

    def begin(self, stdin: Stdin) -> None:
        """From now on the command runs."""
        self._stdin = stdin
        self.begun = True

    async def carry(self, channel: beats.Channel, *, waiting: bool = False) -> None:
        """Send script and payload, beat if the command answers that, and wait for the end.

        *waiting*: to a shell that waits for any script. That one always says that it has begun: else it may be asked anew.
        """
        self._proves = self.proving or waiting
        sent = to_waiting(self.what, proving=True) if waiting else outgoing(self.what, proving=self.proving)[1]
        feeding = beats.Feeding(channel, sent)
        self.begin(feeding)
        tasks = [asyncio.create_task(self._feed(feeding))]
        if self.until is not None:
            tasks.append(asyncio.create_task(self.end_once_told(self.until)))

        def watch() -> None:
            tasks.append(asyncio.create_task(self._watch(feeding)))

        loop = asyncio.get_running_loop()
        later = [loop.call_later(beats.BEAT, watch)] if self.what.beats else []
        if self.proving:
            later.append(loop.call_later(PROOF, self._check_proof))
        try:
            await self.wait()
        finally:
            for one in later:
                one.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def withdraw(self) -> None:
        """The command is asked anew, by another channel: the host has not begun it, as far as is known."""
        if self._draining is not None:
            self._draining.cancel()
        self.begun = False
        self._stdin = None
        self._status, self._failure = None, None
        self._ended.clear()
        self._errors.clear()

    @property
    def answers(self) -> bool:
        """Whether something of the answer has come."""
        return self._parser.begun

    @property
    def proven(self) -> bool:
        """Whether the host has begun to run what it was sent."""
        return self._parser.begun and not isinstance(self._failure, errors.ShellError)

    def _check_proof(self) -> None:
        if not self._parser.begun:
            self.fail(self._no_shell(f"runs nothing of what it is sent within {PROOF:g} s: its login shell, or one of the "
                                     "shell's start-up files, starts another shell or reads what is meant for the command"))

    def _no_shell(self, why: str) -> errors.ShellError:
        name = self.host.name
        return errors.ShellError(
            f"{name} {why}", "look for `exec`, `read` and the like in .bashrc, .profile or config.fish there, and keep them to "
            "interactive shells: case $- in *i*) …", host=name, step=self.what.name)

    async def _feed(self, feeding: beats.Feeding) -> None:
        try:
            await feeding.send()
        except Exception as failure:
            self.fail(failure)

    async def end_once_told(self, until: asyncio.Event) -> None:
        """End the command's stdin when *until* is set; see `beats.Ending`."""
        await until.wait()
        if self._stdin is not None and isinstance(until, beats.Ending) and until.word:
            await self._stdin.say(until.word)
        self.end_input()

    async def _watch(self, feeding: beats.Feeding) -> None:
        await feeding.until_cut()
        self.lose()

    def lose(self) -> None:
        """The host is not heard any more: end the exchange, although the connection is not closed."""
        self.cut = True
        self.fail(self._lost())

    def end_input(self) -> None:
        """End the command's stdin."""
        if self._stdin is not None:
            self._stdin.end()

    def heard(self) -> None:
        """Take note that the link stands."""
        if self._stdin is not None:
            self._stdin.heard()

    def stdout(self, data: bytes) -> None:
        """Take what the command wrote."""
        self.heard()
        if not self._ended.is_set():
            self._came += len(data)
            self._take(lambda: self._parser.feed(data))

    def stderr(self, data: bytes) -> None:
        """Take what the command complained."""
        self.heard()
        self._errors += data
        del self._errors[:-STDERR_KEPT]

    def exited(self, status: int) -> None:
        """The command ended; what it left in the background may hold its output open, but not for long."""
        self._status = status
        self._draining = asyncio.get_running_loop().call_later(_DRAIN, self._finish)

    def closed(self) -> None:
        """Nothing more will come."""
        if self._status is None:
            self.fail(self._lost())
        self._finish()

    def _lost(self) -> errors.UnreachableError:
        name, step = self.host.name, self.what.name
        return errors.UnreachableError(
            f"the connection to {name} was lost while {step} ran",
            "what it did there is unknown; see with: lading where", host=name, step=step,
        )

    def fail(self, failure: BaseException) -> None:
        """End the exchange with *failure*."""
        if not self._ended.is_set():
            self._failure = failure
            self._ended.set()

    def _finish(self) -> None:
        if not self._ended.is_set():
            self._take(self._parser.end)
            self._ended.set()

    def _take(self, more: Callable[[], list[tuple[str, bytes]]]) -> None:
        try:
            for name, content in more():
                if self._proves and name == _BEGUN:
                    continue
                if self._proves and name == _ELSEWHERE:
                    raise self._no_shell("reads what it is sent in another shell than the one that lading starts: a start-up file "
                                         "of the login shell has `exec`")
                self._keep(name, content)
                if self._on_part is not None:
                    self._came = 0
                    if self._on_part(name, content):
                        self.end_input()
            self._check_size()
        except Exception as failure:
            self.fail(failure)

    def _keep(self, name: str, content: bytes) -> None:
        before = self._parts.get(name)
        self._kept += len(content) - (len(before) if before is not None else -len(name) - PART_COST)
        self._parts[name] = content

    def _check_size(self) -> None:
        if max(self._parser.held + self._kept, self._came) > ANSWER_LIMIT:
            raise errors.CommandError(
                f"{self.host.name} answers more than {ANSWER_LIMIT // 1024 // 1024} MiB to {self.what.name}",
                f"what a file in lading's folder or docker says there is too large: lading check {self.host.name}",
                host=self.host.name, step=self.what.name,
            )

    async def wait(self) -> None:
        """Wait for the end, or for the overall limit."""
        try:
            async with asyncio.timeout(self._limit):
                await self._ended.wait()
        except TimeoutError:
            self.fail(errors.UnreachableError(
                f"{self.host.name} did not answer {self.what.name} within {self._limit:g} s",
                "what it did there is unknown; see with: lading where", host=self.host.name, step=self.what.name,
            ))

    def result(self) -> command.Result:
        """What the host answered.

        Raises:
            TransportError: it did not.
        """
        if self._failure is not None:
            raise self._failure
        text = self._errors.decode("utf-8", "replace")
        return command.Result(self._status or 0, self._parts, text, time.monotonic() - self._start)


class Runner:
    """Runs exchanges so that cancelling means the same everywhere; knows what still runs."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, exchange: Exchange, carry: Coroutine[None, None, None]) -> command.Result:
        """Run *carry*, which opens the channel, begins the exchange and waits for its end."""
        task = self.keep(carry)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                raise errors.UnreachableError(
                    f"the connection to {exchange.host.name} was closed", host=exchange.host.name
                ) from None
            await asyncio.shield(self.keep(self._part(exchange, task)))
            raise
        return exchange.result()

    async def _part(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        exchange.left = True
        if not exchange.begun:
            task.cancel()
        exchange.end_input()
        if exchange.begun and exchange.what.changes:
            return
        await asyncio.wait({task}, timeout=PARTING)
        task.cancel()

    def keep(self, work: Coroutine[Any, Any, Kept]) -> asyncio.Task[Kept]:
        """Run *work* even if nobody waits for it any more, until `close`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # an exception nobody waits for is no news

    async def close(self) -> None:
        """Stop listening to what still runs; on the hosts, commands with `changes` go on."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
