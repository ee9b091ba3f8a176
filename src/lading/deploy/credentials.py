"""How each registry is reached: lading.yaml first, then what `docker login` stored."""

from collections.abc import Callable, Mapping

from lading import secrets, settings
from lading.compose import registry


def access(fleet: settings.Settings, environment: Mapping[str, str]) -> Callable[[str], registry.Access]:
    """A function from a registry's name to its access; passwords are looked up when it is called.

    Raises (when called):
        SettingsError: a password that lading.yaml names by reference cannot be had.
    """

    def one(name: str) -> registry.Access:
        own = fleet.registries.get(name)
        if own is not None and own.username:
            origin = "lading.yaml"
            password = secrets.resolve(own.password, environment) if own.password else ""
            return registry.Access(registry.Credentials(own.username, password, origin), own.ca, own.insecure)
        stored = secrets.docker_credentials(name, environment)
        known = registry.Credentials(*stored, origin="docker login") if stored else None
        return registry.Access(known, own.ca if own else "", own.insecure if own else False)

    return one
