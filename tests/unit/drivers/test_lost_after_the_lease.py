"""A host that is lost between the lease and the look under it is lost: what was begun there is ended, as after every lost answer."""

import asyncio

import pytest

from lading import errors
from lading.drivers import base
from lading.drivers.engine_api import engine
from lading.drivers.shell import bound, store
from lading.inventory import hosts
from lading.state import journal
from lading.transport import base as transports
from lading.transport import command

HERE = hosts.Host("here")
PARTS = {"fence": b"1\n", "phase": b"begun\n", "facts": b"state=/x\n", "others": b"", "end": b""}


class Cut:
    """A transport that is lost after its first answer."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: transports.OnPart | None = None, until: asyncio.Event | None = None
    ) -> command.Result:
        """See `base.Transport`."""
        self.ran.append(what.name)
        if len(self.ran) > 1:
            raise errors.UnreachableError("the connection to here was lost", host=host.name)
        return command.Result(0, PARTS)

    async def close(self) -> None:
        """See `base.Transport`."""


def test_a_link_that_is_cut_after_the_lease() -> None:
    transport = Cut()
    asked = engine.Engine(transport, HERE)
    asked.api_version, asked.info = "1.41", ["id=a", "root=/var/lib/docker"]
    ports = store.ShellStore(bound.Bound(transport, HERE, "/x", asked))
    record = journal.Begun("d1", process="p1", app="shop", to="cafe")
    with pytest.raises(errors.UnreachableError):
        asyncio.run(ports.acquire(base.Claim("shop", record, "ann@laptop", "2026-11-24T10:00:00Z", "", grace=1)))
    assert transport.ran == ["lease", "observe"]
