"""The engine of this machine, for images that it alone has: what it knows of them, and their archives; by docker's client."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

from lading import errors, process, shape
from lading.compose import sent
from lading.drivers import base as drivers

PATIENCE = 60.0  # seconds that the engine may take to answer
PIECE = 256 * 1024  # bytes of an archive that are read at once
AT_ONCE = 8  # archives that are read at once: the engine writes each to its disk first
_ABSENT = ("no such image", "not found")
_START = "start Docker here (systemctl start docker), or see DOCKER_HOST and: docker context ls"


class LocalEngine:
    """The engine that docker's client of this user finds, asked for each image once.

    *wholly*: there is no registry, so that all images are taken from here; else those that no
    registry gave it.
    """

    def __init__(self, environment: Mapping[str, str], *, wholly: bool) -> None:
        self.wholly = wholly
        self._environment = environment
        self._known: dict[str, sent.Local | None] = {}
        self._reading = asyncio.Semaphore(AT_ONCE)

    async def taken(self, images: Collection[str]) -> dict[str, sent.Local]:
        """Those of *images* that are taken from here.

        Raises:
            InputError: the engine does not answer; or it lacks one, and there is no registry.
        """
        wanted = [image for image in dict.fromkeys(images) if image not in self._known]
        if wanted:
            self._known |= await self._ask(wanted)
        found = {image: known for image in images if (known := self._known[image]) is not None}
        if not self.wholly:
            return {image: one for image, one in found.items() if not one.is_pulled}
        for image in images:
            if image not in found:
                raise errors.InputError(
                    f"this machine's engine does not have {image}, and lading.yaml says that there is no registry",
                    f"docker build or docker pull {image} here, or docker load; or name registries: in lading.yaml")
        return found

    async def check(self, images: Mapping[str, str]) -> None:
        """Refuse if an image is not what it was when the plan was made: image → its id then.

        Raises:
            RefusedError: so it is.
            InputError: the engine does not answer.
        """
        now = await self._ask(list(images))
        for image, id in images.items():
            one = now[image]
            if one is None or one.id != id:
                raise errors.RefusedError(
                    f"{image} is another image on this machine than when the plan was made: "
                    f"{id[:19]}, now {one.id[:19] if one is not None else 'it is gone'}",
                    "run the command again: the new plan is of what is there now", step="plan")

    def source(self, image: str, what: sent.Local) -> drivers.Sent:
        """An image as it can be sent to hosts."""
        return drivers.Sent(image, what.id, what.size, lambda: self._open(image, what.id))

    async def _open(self, image: str, id: str) -> AsyncGenerator[bytes, None]:
        async with self._reading:
            try:
                async for piece in process.pieces(["docker", "save", id], env=self._environment, size=PIECE):
                    yield piece
            except process.ProgramMissingError as missing:
                raise _no_client() from missing
            except process.ProgramFailedError as failed:
                raise errors.InputError(f"docker save {image}: {failed}", f"try by hand: docker save {id[:19]} | wc -c") from failed

    async def _ask(self, images: Sequence[str]) -> dict[str, sent.Local | None]:
        """What the engine has of *images*; all are asked for at once, and if it lacks some, each by itself."""
        whole = await self._inspect(images)
        if whole is not None and len(whole) == len(images):
            return dict(zip(images, whole, strict=True))
        if len(images) == 1:
            return {images[0]: None}
        each = [await self._ask([image]) for image in images]
        return {image: one for found in each for image, one in found.items()}

    async def _inspect(self, images: Sequence[str]) -> list[sent.Local] | None:
        """The images in this order; None if it lacks one.

        Raises:
            InputError: the engine does not answer, or not as Docker does.
        """
        argv = ["docker", "image", "inspect", "--", *images]
        try:
            done = await asyncio.to_thread(process.run, argv, env=self._environment, timeout=PATIENCE)
        except process.ProgramMissingError as missing:
            raise _no_client() from missing
        except process.ProgramTimeoutError as late:
            raise errors.InputError(f"this machine's engine does not answer within {PATIENCE:g} s", _START) from late
        if done.status:
            if any(word in done.error_text.lower() for word in _ABSENT):
                return None
            said = done.error_text.splitlines()[-1:] or [f"docker image inspect ended with status {done.status}"]
            raise errors.InputError(f"this machine's engine, which images are to be sent from: {said[0]}", _START)
        try:
            found = shape.parse_list(done.stdout.decode("utf-8", "replace"))
            return [sent.inspected(one, image) for image, one in zip(images, found, strict=True)]
        except ValueError as wrong:
            raise errors.InputError(f"docker image inspect {' '.join(images)} here: {wrong}", "docker version") from wrong


def _no_client() -> errors.InputError:
    return errors.InputError(
        "images are to be sent from this machine's engine, and the docker client is not installed here",
        "install docker-cli or docker.io")
