"""How each registry is reached: lading.yaml first, then what `docker login` stored."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from lading import errors, secrets, settings
from lading.compose import registry_access


def access(
    fleet: settings.Settings, environment: Mapping[str, str], known: secrets.Known | None = None, *, programs: bool = True
) -> Callable[[str], registry_access.Access]:
    """A function from a registry's name to its access; passwords are looked up when it is called, each once.

    *known*: the values that this call of lading has read before.
    Without *programs* none is run for a password: a registry whose login needs one is asked without.

    Raises (when called):
        SettingsError: a password that lading.yaml names by reference cannot be had, or half of a login is missing.
    """

    values = known or secrets.Known(environment, fleet.folder)

    def one(name: str) -> registry_access.Access:
        own = fleet.registries.get(name, settings.RegistrySettings())
        return replace(reached(name, own), by_hosts=own.by_hosts)

    def reached(name: str, own: settings.RegistrySettings) -> registry_access.Access:
        if not programs and own.password is not None and own.password.kind in ("command", "sops"):
            return registry_access.Access(None, own.ca, own.insecure, auth=own.auth)
        if own.username or own.password:
            if not (own.username and own.password):
                lacking = "password: {env: NAME}" if own.username else "username: NAME"
                raise errors.SettingsError(f"registries.{name} has a user or a password, and not the other",
                                           f"add: {lacking}", file=str(fleet.path))
            what = f"the password of registry {name}"
            password = values.read({what: own.password})[what]
            return registry_access.Access(registry_access.Credentials(own.username, password, "lading.yaml"), own.ca, own.insecure, auth=own.auth)
        try:
            stored = secrets.docker_credentials(name, environment, helpers=programs)
        except errors.SettingsError as unusable:
            return registry_access.Access(None, own.ca, own.insecure, unusable.message, auth=own.auth)
        if stored is None:
            return registry_access.Access(None, own.ca, own.insecure, auth=own.auth)
        known = registry_access.Credentials(stored.username, stored.password, stored.origin, stored.identity)
        return registry_access.Access(known, own.ca, own.insecure, auth=own.auth)

    return one
