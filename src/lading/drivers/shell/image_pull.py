"""PULL and tag by a host's engine itself, while a script there holds the app's lock."""

from collections.abc import Mapping

from lading import errors
from lading.compose import reference
from lading.drivers import base
from lading.drivers.engine_api import engine, pulling, requests
from lading.drivers.shell import lock, releases, said
from lading.transport import command


async def there(
    dockerd: engine.Engine | None, what: base.Pull, seen: Mapping[str, bool]
) -> Mapping[str, bool] | None:
    """Which images a host has; None where a script finds out.

    *seen*: image → whether it was there under the lease, which is asked only of the others.
    """
    if dockerd is None:
        return None
    images = list(dict.fromkeys(what.images.values()))
    if all(image in seen for image in images):
        return {image: seen[image] for image in images}
    try:
        return await pulling.has(dockerd, images)
    except (engine.UnavailableError, ValueError, errors.TransportError):
        return None


class ImagePull:
    """What of a pull is still to be done on a host whose engine is asked itself.

    *there*: image → whether the host has it.
    """

    def __init__(
        self, dockerd: engine.Engine, what: base.Pull, there: Mapping[str, bool],
        lines: said.Lines, app: str,
    ) -> None:
        self._dockerd, self._what, self._there, self._lines = dockerd, what, there, lines
        self._tags = []
        for service, image in what.images.items():
            kept = releases.kept_image(app, service, what.folder or what.release)
            self._tags.append(requests.tag(image, kept))

    def check(self) -> None:
        """An image that nobody pulls must be there.

        Raises:
            Refused: it is not.
        """
        for image, is_there in self._there.items():
            if not is_there and "@" not in image:
                raise base.Refused("absent", image)

    @property
    def only_tags(self) -> bool:
        """Whether all images are there."""
        return all(self._there.values())

    async def tag(self, held: lock.Held) -> None:
        """Tag.

        Raises:
            Refused: the engine does not do it.
        """
        try:
            await pulling.carry_out(self._dockerd, *self._tags, check=held.check)
        except (pulling.PullError, engine.UnavailableError) as wrong:
            raise base.Refused("pull", f"an image cannot be tagged: {wrong}") from wrong

    async def tag_or_pull(self, held: lock.Held) -> None:
        """Tag what was seen to be there; where one of them has gone since, it is pulled.

        Raises:
            Refused: as `tag`, `check` and `work`.
        """
        try:
            await self.tag(held)
        except base.Refused:
            now = await there(self._dockerd, self._what, {})
            if now is None or all(now.values()):
                raise
            self._there = now
            self.check()
            await self.work(held)

    async def work(self, held: lock.Held) -> None:
        """Pull and tag.

        Raises:
            Refused: the registry, or the engine, does not do it.
        """
        lacking = [image for image, is_there in self._there.items() if not is_there]
        if lacking:
            await self._log_in(held)
        for image in lacking:
            await self._pull(image, held)
        await self.tag(held)

    async def _log_in(self, held: lock.Held) -> None:
        """Try the logins: a pull would not say which of them a registry refuses."""
        for login in self._what.logins:
            held.check()
            if login.identity:
                continue
            trial = requests.check_login(login.username, login.password, login.registry)
            try:
                await pulling.carry_out(self._dockerd, trial, check=held.check)
            except (pulling.PullError, engine.UnavailableError) as wrong:
                raise base.Refused("login", f"{login.registry}\n{wrong}") from wrong

    async def _pull(self, image: str, held: lock.Held) -> None:
        def told(line: str) -> None:
            self._lines.tell(image, line)

        try:
            await pulling.pull(self._dockerd, image, self._login(image), told, held.check)
        except (pulling.PullError, engine.UnavailableError) as wrong:
            kind = "gone" if self._what.kept else "pull"
            raise base.Refused(kind, f"{image}\n{wrong}") from wrong

    def _login(self, image: str) -> command.Secret | None:
        """The login for an image's registry, as the engine takes it."""
        registry = reference.parse(image).registry
        for login in self._what.logins:
            if login.registry != registry:
                continue
            if login.identity:
                return requests.entry(login.password, registry)
            return requests.login(login.username, login.password, registry)
        return None
