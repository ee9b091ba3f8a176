"""Registries asked while the project is still read, for images that its files name for certain."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lading.compose import registry, registry_access

Digests = dict[str, registry_access.Pinned]
AT_ONCE = 20  # images, as many as one registry is asked of at once


class AskedAhead:
    """What registries say of images, asked from the moment this is made until it is left.

    What nobody takes was asked for nothing: no answer of theirs, and no failure, counts.
    """

    def __init__(
        self, images: Iterable[str], access: Callable[[str], registry_access.Access]
    ) -> None:
        self._asking: dict[str, asyncio.Task[Digests]] = {}
        for image in list(dict.fromkeys(images))[:AT_ONCE]:
            task = asyncio.create_task(registry.resolve([image], access))
            task.add_done_callback(noted)
            self._asking[image] = task

    async def take(self, images: Iterable[str]) -> Digests:
        """The digests of those of *images* that were asked for.

        Raises:
            RegistryError: as `registry.resolve`.
        """
        found: Digests = {}
        for answer in await asyncio.gather(*self._of(images), return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            found |= answer
        return found

    def _of(self, images: Iterable[str]) -> Iterator[asyncio.Task[Digests]]:
        return (self._asking[image] for image in images if image in self._asking)

    async def leave(self) -> None:
        """Ask no more."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)


def noted(task: asyncio.Future[Any]) -> None:
    """Take note of how something ended: asyncio would report a failure that nobody has taken."""
    if not task.cancelled():
        task.exception()
