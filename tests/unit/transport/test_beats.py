"""Bytes for a command that answers them, at the true times, by a clock of the test's own."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine

import pytest

from lading import errors
from lading.inventory import hosts
from lading.transport import beats, command, wire

M = "MARK-0b1e"
LONG = 1000.0  # seconds


def test_something_long_goes_out_as_fast_as_it_arrives_and_no_beat_waits_long_for_it() -> None:
    least, most = beats.WINDOW
    pace = beats.Pace()
    for rate, seconds in ((100e6, 0.1), (100e3, 1.5), (20e3, 1.5), (1e6, 1.5)):  # bytes a second: it becomes slow, and fast again
        for _ in range(12):
            pace.arrived(pace.window / rate)
        assert least <= pace.window <= most
        assert pace.window == least or pace.window / rate <= seconds
    pace.arrived(1.0)
    assert pace.window == 2**19  # about half a second's


class _Clock(selectors.DefaultSelector):
    """Never waits: the time that was to be waited has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    """A loop by that clock."""

    def __init__(self) -> None:
        self.clock = _Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def at_once(work: Coroutine[None, None, None]) -> None:
    """Do what may take many seconds by the loop's clock."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(work)


def now() -> float:
    return round(asyncio.get_running_loop().time(), 3)


class Host:
    """The other end: what it was sent, and when; *answers* says how."""

    def __init__(self, *, changes: bool = False, beats: bool = True, payload: int = 0) -> None:
        self.what = command.Command("roll", "true", M, (bytes(payload),), timeout=int(LONG), changes=changes, beats=beats)
        self.exchange = wire.Exchange(hosts.Host("web1"), self.what, None, slack=0.0)
        self.pieces: list[int] = []
        self.beaten: list[float] = []
        self.reached: list[float] = []
        self.ended: list[float] = []
        self.per_piece = 0.0
        self.answers: Callable[[], None] = lambda: None
        self.reachable = True

    async def write(self, data: bytes) -> None:
        self.pieces.append(len(data))
        await asyncio.sleep(self.per_piece)

    def beat(self) -> None:
        self.beaten.append(now())
        self.answers()

    async def reach(self) -> None:
        self.reached.append(now())
        if not self.reachable:
            await asyncio.Event().wait()

    def write_eof(self) -> None:
        self.ended.append(now())

    def say(self) -> None:
        self.exchange.stdout(f"\n{M} beat\n".encode())

    def close(self) -> None:
        self.exchange.exited(0)
        self.exchange.closed()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)


def lost(exchange: wire.Exchange) -> bool:
    with pytest.raises(errors.UnreachableError, match="^the connection to web1 was lost while roll ran$") as caught:
        exchange.result()
    assert caught.value.hint == "what it did there is unknown; see with: lading where"
    return exchange.cut


def test_a_byte_every_ten_seconds_as_long_as_it_is_answered() -> None:
    async def work() -> None:
        host = Host()
        host.answers = lambda: host.after(9.9, host.say)  # late, but in time
        host.after(45, host.close)
        await host.exchange.carry(host)
        assert host.beaten == [10, 20, 30, 40]
        assert host.exchange.result().parts == {"beat": b""}
        assert not host.exchange.cut

    at_once(work())


def test_a_byte_that_is_not_answered_is_a_cut() -> None:
    async def work() -> None:
        host = Host()
        host.answers = lambda: host.say() if len(host.beaten) < 3 else None
        await host.exchange.carry(host)
        assert (host.beaten, now()) == ([10, 20, 30], 40)
        assert lost(host.exchange)

    at_once(work())


def test_whatever_comes_is_an_answer() -> None:
    async def work() -> None:
        host = Host()
        host.answers = lambda: host.after(5, lambda: host.exchange.stderr(b"pulling\n"))
        host.after(35, host.close)
        await host.exchange.carry(host)
        assert (host.beaten, host.exchange.cut) == ([10, 20, 30], False)

    at_once(work())


def test_a_command_that_answers_none_gets_none() -> None:
    async def work() -> None:
        host = Host(beats=False)
        host.after(500, host.close)
        await host.exchange.carry(host)
        assert (host.beaten, host.reached, host.exchange.result().status) == ([], [], 0)

    at_once(work())


def test_behind_a_payload_that_gets_on_no_byte_is_sent_and_none_is_missed() -> None:
    async def work() -> None:
        host = Host(payload=10 * beats.PIECE)
        host.per_piece, host.reachable = 9.0, False  # slow; a question would wait behind it
        host.answers = host.say
        host.after(125, host.close)
        await host.exchange.carry(host)
        assert max(host.pieces) <= beats.PIECE and sum(host.pieces) > 10 * beats.PIECE
        assert host.beaten == [100, 110, 120]  # 11 pieces have gone after 99 seconds
        assert not host.exchange.cut

    at_once(work())


def test_a_payload_that_does_not_get_on_is_a_cut_unless_the_host_can_be_reached() -> None:
    async def work() -> None:
        for reachable in (False, True):
            host = Host(payload=1)
            began = now()
            host.per_piece, host.reachable = LONG, reachable
            host.after(95, host.close)
            await host.exchange.carry(host)
            assert now() - began == (95 if reachable else 20)
            assert host.beaten == []
            assert host.exchange.cut if reachable is False else not host.exchange.cut

    at_once(work())


def test_stdin_ends_after_the_payload_and_no_byte_comes_after_its_end() -> None:
    async def work() -> None:
        host = Host(payload=3 * beats.PIECE, changes=True)
        host.per_piece = 1.0
        host.after(0.5, host.exchange.end_input)
        host.after(35, host.close)
        await host.exchange.carry(host)
        assert (sum(host.pieces) > 3 * beats.PIECE, host.ended) == (True, [4])
        assert (host.beaten, host.reached) == ([], [10, 20, 30])  # but the link is watched on
        assert host.exchange.result().status == 0

    at_once(work())


def test_an_end_between_two_bytes() -> None:
    async def work() -> None:
        host = Host()
        host.answers = host.say
        host.after(15, host.exchange.end_input)
        host.reachable = False
        await host.exchange.carry(host)
        assert (host.beaten, host.ended, host.reached, now()) == ([10], [15], [20], 30)
        assert lost(host.exchange)

    at_once(work())


def test_a_channel_that_is_closed_takes_no_more() -> None:
    class Closed(Host):
        async def write(self, data: bytes) -> None:
            raise BrokenPipeError

        def write_eof(self) -> None:
            raise BrokenPipeError

        def beat(self) -> None:
            super().beat()
            raise BrokenPipeError

    async def work() -> None:
        host = Closed()
        host.after(15, host.exchange.end_input)
        host.after(16, host.close)
        await host.exchange.carry(host)
        assert host.exchange.result().status == 0

    at_once(work())


def test_what_a_channel_raises_is_raised() -> None:
    class Broken(Host):
        async def write(self, data: bytes) -> None:
            raise KeyError(len(data))

    async def work() -> None:
        host = Broken()
        await host.exchange.carry(host)
        with pytest.raises(KeyError):
            host.exchange.result()

    at_once(work())
