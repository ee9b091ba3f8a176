"""Which destination a changing verb goes to: one that was named, or that of a host by what is recorded on that host."""

from collections.abc import Callable, Sequence

from lading import context as contexts
from lading import errors, state
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.inventory import hosts


async def place(
    context: contexts.Context, names: Sequence[str], app: Callable[[hosts.Destination], str]
) -> tuple[hosts.Destination, tuple[hosts.Host, ...]]:
    """The destination and hosts meant by `--to`; *app*: the name of the app under a destination.

    A host in several destinations is looked at: what it says chooses only among those that the fleet file puts it in, and
    for this host alone.

    Raises:
        InputError: a name is wrong, or a host in several destinations has none recorded for the app.
        SettingsError: lading cannot reach one of the hosts as the inventory says.
    """
    inventory = context.settings.inventory
    undecided = inventory.undecided(names)
    recorded: dict[str, str] = {}
    if undecided:
        inventory.choose(names)  # a name that is wrong touches no host
        asked = [inventory.hosts[name] for name in undecided]
        seen = await observe.fleet(context.transport, asked, state_dir=context.settings.state_dir, engines=context.engines, facts=False,
                                   want=wants.RECORDS)
        for name, places in undecided.items():
            found = [one for one in places if _is_there(seen.hosts[name], app, inventory.destinations[one])]
            if len(found) == 1:
                recorded[name] = found[0]
    return inventory.choose_ruled(names, recorded)


def _is_there(seen: state.HostState, app: Callable[[hosts.Destination], str], destination: hosts.Destination) -> bool:
    """Whether a host has the app as that destination's."""
    try:
        name = app(destination)
    except errors.LadingError:  # the app cannot be read with what that destination says
        return False
    current = seen.apps[name].current if name in seen.apps else None
    return current is not None and current.destination == destination.name
