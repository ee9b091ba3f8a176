"""A host over its shell and its engine's API, as the two ports of drivers/base.py."""

from lading.drivers import base
from lading.drivers.engine_api import engine
from lading.drivers.shell import bound, runtime, store
from lading.inventory import hosts
from lading.transport import base as transports


def connect(
    transport: transports.Transport, state_dir: str, engines: engine.Engines | None = None
) -> base.Connect:
    """How a deployment gets at hosts over *transport*.

    *state_dir*: where lading keeps its state there, a path or "auto"; *engines*: by whom their
    engines are asked themselves, None = by scripts.
    """

    def ports(host: hosts.Host) -> base.HostDriver:
        dockerd = engines.of(host) if engines is not None else None
        one = bound.Bound(transport, host, state_dir, dockerd)
        return base.HostDriver(store.ShellStore(one), runtime.ShellRuntime(one))

    return ports
