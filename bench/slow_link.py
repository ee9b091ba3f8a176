"""A ProxyCommand for a link that is slow: what goes in either direction arrives later by half a round trip."""

import asyncio
import sys


async def late(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float) -> None:
    """Hand on what comes, each piece *delay* seconds after it came."""
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    now = asyncio.get_running_loop().time

    async def take() -> None:
        while data := await source.read(1 << 16):
            await waiting.put((now() + delay, data))
        await waiting.put((now() + delay, b""))

    taking = asyncio.create_task(take())
    while True:
        due, data = await waiting.get()
        await asyncio.sleep(max(0.0, due - now()))
        if not data:
            break
        try:
            target.write(data)
            await target.drain()
        except ConnectionError:  # whoever listened there is gone
            break
    taking.cancel()
    target.close()


async def main(round_trip: float, address: str, port: int) -> None:
    """Join stdin and stdout with a server."""
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    stdout = asyncio.StreamWriter(transport, protocol, None, loop)
    reader, writer = await asyncio.open_connection(address, port)
    ends = [asyncio.create_task(late(stdin, writer, round_trip / 2)), asyncio.create_task(late(reader, stdout, round_trip / 2))]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
