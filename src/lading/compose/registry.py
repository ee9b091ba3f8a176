"""Registries: tag → index digest, platforms, labels, of many images at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from lading import errors, loading
from lading.compose import reference, registry_access

if TYPE_CHECKING:  # loaded in `_client`
    from lading.compose import registry_client

RESOLVE_LIMIT = 300.0  # seconds that all images together may take
T = TypeVar("T")


async def resolve(
    images: Sequence[str], access: Callable[[str], registry_access.Access]
) -> dict[str, registry_access.Pinned]:
    """The digests of *images*, each asked of its own registry, all at once.

    Raises:
        RegistryError: one is not there (with the nearest tags), or its registry does not answer as it should.
    """
    return await _each(images, access, lambda client, image: client.pin(image))


async def findable(
    images: Sequence[str], access: Callable[[str], registry_access.Access]
) -> dict[str, registry_access.Pinned]:
    """The digests of those of *images* that can be had: of the others nobody needs one."""
    found: dict[str, registry_access.Pinned] = {}
    for answer in await asyncio.gather(*(resolve([image], access) for image in images), return_exceptions=True):
        if isinstance(answer, errors.RegistryError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        found |= answer
    return found


async def contents(
    images: Sequence[str], access: Callable[[str], registry_access.Access]
) -> dict[str, frozenset[str] | None]:
    """What is under the tags of *images*, see `Registry.contents` of `registry_client`, all at once.

    Raises:
        RegistryError: a registry does not answer as it should, or does not let us look.
    """
    return await _each(images, access, lambda client, image: client.contents(image))


async def tags(
    images: Sequence[str], access: Callable[[str], registry_access.Access]
) -> dict[str, tuple[str, ...]]:
    """The tags that the repositories of *images* have, all at once; () of one that is not there.

    Raises:
        RegistryError: a registry does not answer as it should, or does not let us look.
    """
    return await _each(images, access, lambda client, image: client.tags(reference.parse(image).repository))


async def labels(
    images: Sequence[str], access: Callable[[str], registry_access.Access]
) -> dict[str, Mapping[str, str]]:
    """The labels of *images*, from their configurations in their registries, all at once.

    Raises:
        RegistryError: as `resolve`.
    """
    return await _each(images, access, lambda client, image: client.labels(image))


async def _each(
    images: Sequence[str], access: Callable[[str], registry_access.Access],
    ask: Callable[["registry_client.Registry", str], Awaitable[T]],
) -> dict[str, T]:
    """What *ask* answers for each image."""
    names = dict.fromkeys(reference.parse(image).registry for image in images)
    clients = {name: _client(name, access(name)) for name in names}
    try:
        asked = (ask(clients[reference.parse(image).registry], image) for image in images)
        async with asyncio.timeout(RESOLVE_LIMIT):
            found = await asyncio.gather(*asked, return_exceptions=True)
    except TimeoutError as late:
        raise errors.RegistryError(f"{', '.join(names)}: the digests of {len(images)} images take more than {RESOLVE_LIMIT:g} s",
                                   "look at the registry; no host was contacted") from late
    finally:
        for client in clients.values():
            await client.close()
    if lost := next((one for one in found if isinstance(one, BaseException)), None):
        raise lost
    return {image: one for image, one in zip(images, found, strict=True) if not isinstance(one, BaseException)}


async def ping(name: str, access: registry_access.Access) -> None:
    """Whether a registry answers, and lets us in.

    Raises:
        RegistryError: it does not.
    """
    client = _client(name, access)
    try:
        await client.ping()
    finally:
        await client.close()


def _client(name: str, access: registry_access.Access) -> "registry_client.Registry":
    """Who asks one registry.

    Raises:
        RegistryError: it is not asked from here, or the file of its CA cannot be used.
    """
    with loading.later():  # HTTP and TLS are loaded by verbs that ask a registry, once they ask
        from lading.compose import registry_client
    return registry_client.Registry(name, access)
