"""Which destination a changing verb goes to: one that was named, or that of a host by what is recorded on that host."""

from collections.abc import Callable, Sequence

from lading import context as contexts
from lading import errors, state
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.placement import assignment, choices, exclusion


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a changing verb goes: *rows* has every host that came into question, the *chosen* ones first."""

    destination: hosts.Destination
    chosen: tuple[hosts.Host, ...]
    rows: tuple[assignment.Row, ...]


async def place(
    context: contexts.Context, names: Sequence[str], app: Callable[[hosts.Destination], str]
) -> Placed:
    """The destination and hosts meant by `--to`, without those that are excluded; *app*: its name under a destination.

    A host in several destinations is looked at: what it says chooses only among those that the fleet file puts it in, and
    for this host alone.

    Raises:
        InputError: a name is wrong, or a host in several destinations has none recorded for the app.
        SettingsError: lading cannot reach one of the hosts as the inventory says.
        ExcludedError: a host that is named itself is excluded, or all that are meant.
        LedgerError: nobody can say which are.
    """
    inventory, excluded = context.settings.inventory, await context.excluded()
    exclusion.check_named(names, excluded)
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
    destination, meant = inventory.choose_ruled(names, recorded)
    chosen, left = exclusion.leave_out(meant, names, excluded)
    return Placed(destination, chosen, choices.of_names(inventory, names, destination, chosen, left))


def _is_there(seen: state.HostState, app: Callable[[hosts.Destination], str], destination: hosts.Destination) -> bool:
    """Whether a host has the app as that destination's."""
    try:
        name = app(destination)
    except errors.LadingError:  # the app cannot be read with what that destination says
        return False
    current = seen.apps[name].current if name in seen.apps else None
    return current is not None and current.destination == destination.name
