"""A script of which nothing more is wanted ends by itself, and the next one waits for that."""

import asyncio
from pathlib import Path

import pytest

from lading.drivers.shell import bound
from lading.inventory import hosts
from lading.transport import command, local

M = "MARK-5e1f"
END = f"printf '\\n{M} end\\n'\n"


def script(text: str) -> command.Command:
    return command.Command("step", text, M)


async def left(there: bound.Bound, text: str) -> asyncio.Event:
    """A script that runs until the event is set, and is then left to its end."""
    begun, done = asyncio.Event(), asyncio.Event()

    def heard(name: str, content: bytes) -> bool:
        begun.set()
        return False

    what = script(f"printf '\\n{M} up\\n\\n{M} next\\n'; cat >/dev/null; {text}")
    running = asyncio.create_task(there.send(what, heard, done))
    await begun.wait()
    there.leave_to_end(running)
    return done


def test_the_next_script_begins_once_it_has_ended(tmp_path: Path) -> None:
    told = tmp_path / "told"

    async def story() -> None:
        transport = local.LocalTransport()
        there = bound.Bound(transport, hosts.Host("here"), str(tmp_path))
        done = await left(there, f"echo first >>{told}; {END}")
        following = asyncio.create_task(there.send(script(f"echo second >>{told}; {END}")))
        await asyncio.wait({following}, timeout=0.2)
        done.set()
        await following
        await transport.close()

    asyncio.run(story())
    assert told.read_text() == "first\nsecond\n"


@pytest.mark.parametrize("end", [f"printf '\\n{M} refused\\nfence\\n'; {END}", "kill -KILL $$"])
def test_however_it_ends_the_next_one_is_sent(tmp_path: Path, end: str) -> None:
    """Such as what takes back a version that is unwell: it had to do nothing more."""

    async def story() -> command.Result:
        transport = local.LocalTransport()
        there = bound.Bound(transport, hosts.Host("here"), str(tmp_path))
        done = await left(there, end)
        done.set()
        found = await there.send(script(END))
        await transport.close()
        return found

    assert "end" in asyncio.run(story()).parts
