"""PULL by a host's engine itself, while a script holds the app's lock: what is not there, then the tags that spare images."""

from collections.abc import Mapping

from lading import errors
from lading.compose import reference
from lading.drivers import base
from lading.drivers.engine_api import engine, pulling, requests
from lading.drivers.shell import holding, releases, said
from lading.transport import command


async def there(asked: engine.Engine | None, what: base.Pull) -> Mapping[str, bool] | None:
    """Which images a host has; None where a script finds out."""
    if asked is None:
        return None
    try:
        return await pulling.has(asked, list(dict.fromkeys(what.images.values())))
    except (engine.UnspokenError, ValueError, errors.TransportError):
        return None


class ImagePull:
    """What of a pull is still to be done on a host whose engine is asked itself; *there*: image → whether it has it."""

    def __init__(
        self, asked: engine.Engine, what: base.Pull, there: Mapping[str, bool], lines: said.Lines, app: str
    ) -> None:
        self._asked, self._what, self._there, self._lines = asked, what, there, lines
        self._tags = [requests.tag(image, releases.kept_image(app, name, what.folder or what.release))
                      for name, image in what.images.items()]

    def check(self) -> None:
        """An image that nobody pulls must be there.

        Raises:
            Refused: it is not.
        """
        for image, is_there in self._there.items():
            if not is_there and "@" not in image:
                raise base.Refused("absent", image)

    async def work(self, held: holding.Held) -> None:
        """Pull and tag.

        Raises:
            Refused: the registry, or the engine, does not do it.
        """
        lacking = [image for image, is_there in self._there.items() if not is_there]
        if lacking:
            await self._log_in(held)
        for image in lacking:
            await self._pull(image, held)
        try:
            await pulling.do(self._asked, *self._tags, check=held.check)
        except (pulling.PullError, engine.UnspokenError) as wrong:
            raise base.Refused("pull", f"an image cannot be tagged: {wrong}") from wrong

    async def _log_in(self, held: holding.Held) -> None:
        """Whether the registries take the logins: a pull would not say whose it was that they refuse."""
        for login in self._what.logins:
            held.check()
            if login.identity:
                continue
            try:
                await pulling.do(self._asked, requests.check_login(login.username, login.password, login.registry))
            except (pulling.PullError, engine.UnspokenError) as wrong:
                raise base.Refused("login", f"{login.registry}\n{wrong}") from wrong

    async def _pull(self, image: str, held: holding.Held) -> None:
        def told(line: str) -> None:
            self._lines.tell(image, line)

        try:
            await pulling.pull(self._asked, image, self._login(image), told, held.check)
        except (pulling.PullError, engine.UnspokenError) as wrong:
            raise base.Refused("gone" if self._what.kept else "pull", f"{image}\n{wrong}") from wrong

    def _login(self, image: str) -> command.Secret | None:
        """The login for an image's registry, as the engine takes it."""
        registry = reference.parse(image).registry
        for login in self._what.logins:
            if login.registry == registry:
                if login.identity:
                    return requests.entry(login.password, registry)
                return requests.login(login.username, login.password, registry)
        return None
