"""What a host sends, in any bytes and cuts, is parts or an error that names it, within bounds of memory and time."""

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import errors
from lading.inventory import hosts
from lading.transport import command, wire

M = "lading-0123456789abcdef"
WHAT = command.Command("observe", "", M, timeout=1)
pieces = st.lists(st.one_of(
    st.binary(max_size=8), st.sampled_from([b"\n", M.encode(), f"\n{M} ".encode(), f"\n{M} end\n".encode(), f"\n{M} a\n".encode(),
                                            f"{M} a".encode(), f"\n{M}\n".encode(), "\nü ".encode(), b"\0" * 40])), max_size=12)


@given(pieces, st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_the_same_parts_however_they_are_cut(output: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(output)
    parser, found, at, turn = wire.Parser(M), [], 0, 0
    while at < len(whole):
        found += parser.feed(whole[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    assert [*found, *parser.end()] == command.split_parts(whole, M)


def answer(send: Callable[[wire.Exchange], None]) -> command.Result:
    """What becomes of what *send* makes a host say; then the link is cut."""

    async def work() -> command.Result:
        exchange = wire.Exchange(hosts.Host("web1"), WHAT, None, slack=0.0)
        send(exchange)
        exchange.exited(0)
        exchange.closed()
        return exchange.result()

    return asyncio.run(work())


def test_a_host_that_has_answered_has_shown_that_it_runs_what_it_is_sent() -> None:
    async def proven(said: bytes) -> bool:
        exchange = wire.Exchange(hosts.Host("web1"), WHAT, None)
        exchange.stdout(said)
        exchange.exited(0)
        exchange.closed()
        return exchange.proven

    assert [asyncio.run(proven(said)) for said in (f"\n{M} a\nsaid".encode(), b"said")] == [True, False]


@given(pieces)
def test_any_bytes_are_a_result(output: list[bytes]) -> None:
    def say(exchange: wire.Exchange) -> None:
        for one in output:
            exchange.stdout(one)

    got = answer(say)
    assert dict(got.parts) == dict(command.split_parts(b"".join(output), M))


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"", f"\n{M} a\n".encode() + b"x" * 60000],
                         ids=["one part without end", "before the first part", "many parts of one name"])
def test_an_answer_is_bounded_in_all_that_it_sends(monkeypatch: pytest.MonkeyPatch, chunk: bytes) -> None:
    monkeypatch.setattr(wire, "ANSWER_LIMIT", 1 << 20)

    def flood(exchange: wire.Exchange) -> None:
        exchange.stdout(f"\n{M} a\n".encode() if chunk else b"")
        for _ in range(200):
            exchange.stdout(chunk or b"y" * 65536)
            exchange.stderr(b"z" * 65536)

    tracemalloc.start()
    try:
        with pytest.raises(errors.CommandError, match="web1 answers more than 1 MiB to observe") as caught:
            answer(flood)
        assert (caught.value.host, caught.value.step, "lading check web1" in caught.value.hint) == ("web1", "observe", True)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("chunk", "enough"), [(f"\n{M} a\n".encode() + b"x" * 60000, False), (b"y" * 65536, True)],
                         ids=["parts", "no part"])
def test_a_stream_is_bounded_from_part_to_part(monkeypatch: pytest.MonkeyPatch, chunk: bytes, enough: bool) -> None:
    """What is passed on as it comes, such as logs, may go on for hours; what never becomes a part may not."""
    monkeypatch.setattr(wire, "ANSWER_LIMIT", 1 << 20)

    async def work() -> command.Result:
        exchange = wire.Exchange(hosts.Host("web1"), command.Command("logs", "", M), lambda name, content: False)
        for _ in range(200):
            exchange.stdout(chunk)
        exchange.exited(0)
        exchange.closed()
        return exchange.result()

    if enough:
        with pytest.raises(errors.CommandError, match="more than 1 MiB"):
            asyncio.run(work())
    else:
        assert asyncio.run(work()).parts["a"] == b"x" * 60000


def test_parts_of_many_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_LIMIT", 1 << 20)
    sent = 0

    def flood(exchange: wire.Exchange) -> None:
        nonlocal sent
        for number in range(20_000):
            sent += 1
            exchange.stdout(f"\n{M} {number}\n".encode())
            if exchange._ended.is_set():
                return

    with pytest.raises(errors.CommandError, match="more than 1 MiB"):
        answer(flood)
    assert sent < 3000  # names and the places for them count, not only what they hold


def test_a_host_that_drips_for_ever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> command.Result:
        exchange = wire.Exchange(hosts.Host("web1"), command.Command("observe", "", M, timeout=0), None, slack=0.1)

        async def drip() -> None:
            while True:
                exchange.stdout(f"\n{M} a\n.".encode())
                await asyncio.sleep(0)

        dripping = asyncio.create_task(drip())
        await exchange.wait()
        dripping.cancel()
        return exchange.result()

    with pytest.raises(errors.UnreachableError, match="web1 did not answer observe within 0.1 s") as caught:
        asyncio.run(work())
    assert caught.value.hint
