"""Transports are made when a host is first reached by them, or when they are loaded ahead."""

import asyncio

import pytest

from lading.inventory import hosts
from lading.transport import base, command, routed

WHAT = command.Command("look", "", "M")


class Noting:
    """A transport that notes what becomes of it."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self.name, self.noted = name, noted
        noted.append(f"{name} made")

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None, until: asyncio.Event | None = None
    ) -> command.Result:
        self.noted.append(f"{self.name} runs")
        return command.Result(0, {}, "")

    async def close(self) -> None:
        self.noted.append(f"{self.name} closed")


@pytest.mark.parametrize("ahead", [False, True])
def test_each_is_made_once_and_only_what_was_made_is_closed(ahead: bool) -> None:
    noted: list[str] = []
    over = routed.RoutedTransport({"ssh": lambda: Noting("ssh", noted), "local": lambda: Noting("local", noted)})

    async def work() -> None:
        if ahead:
            over.load()
        for _ in range(2):
            await over.run(hosts.Host("web1"), WHAT)
        await over.close()

    asyncio.run(work())
    made = ["ssh made", "local made"] if ahead else ["ssh made"]
    assert noted == [*made, "ssh runs", "ssh runs", *(f"{one.split()[0]} closed" for one in made)]
