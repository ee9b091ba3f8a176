"""A host over its shell, as the two ports of drivers/base.py."""

from lading.drivers import base
from lading.drivers.shell import bound, runtime, store
from lading.inventory import hosts
from lading.transport import base as transports


def connect(transport: transports.Transport, state_dir: str) -> base.Connect:
    """How an engine gets at hosts over *transport*; *state_dir*: where lading keeps its state there, a path or "auto"."""

    def ports(host: hosts.Host) -> base.HostDriver:
        one = bound.Bound(transport, host, state_dir)
        return base.HostDriver(store.ShellStore(one), runtime.ShellRuntime(one))

    return ports
