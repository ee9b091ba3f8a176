"""The lab's network: a bridge in the controller's namespace and a cable to each host.

Its addresses exist in the lab's namespaces only, and there is no way out of them: two labs may use
the same addresses, and no packet of a lab can reach the machine's own network.
"""

import contextlib

from labkit.errors import LabError
from labkit.process import run, wait_until
from labkit.state import Lab
from labkit.topology import CONTROLLER_ADDRESS, CONTROLLER_MAC, PREFIX_LENGTH, Host

CONTROLLER = "ctl"
SILENCE = (
    ("PREROUTING", "-i"),  # before the engine's own rules redirect packets to containers
    ("POSTROUTING", "-o"),
)


def namespaces(lab: Lab) -> list[str]:
    """The network namespaces of this lab that exist."""
    prefix = lab.namespace("")
    names = [line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.strip()]
    return [name for name in names if name.startswith(prefix) and "-" not in name.removeprefix(prefix)]


def make_bridge(lab: Lab) -> None:
    """The controller's namespace with the bridge that all cables end at."""
    namespace = lab.namespace(CONTROLLER)
    if namespace in namespaces(lab):
        return
    run("ip", "netns", "add", namespace)
    _batch(
        namespace,
        "link set lo up",
        f"link add br0 address {CONTROLLER_MAC} type bridge",  # else it is the lowest of its ports', and changes as they come and go
        f"addr add {CONTROLLER_ADDRESS}/{PREFIX_LENGTH} dev br0",
        "link set br0 up",
    )


def plug(lab: Lab, host: Host) -> None:
    """A namespace for the host and a cable to the bridge."""
    namespace = lab.namespace(host.name)
    unplug(lab, host)
    run("ip", "netns", "add", namespace)
    _batch(
        lab.namespace(CONTROLLER),
        f"link add {host.link} type veth peer name eth0 address {host.mac} netns {namespace}",
        f"link set {host.link} master br0 up",
    )
    _batch(
        namespace,
        "link set lo up",
        f"addr add {host.address}/{PREFIX_LENGTH} dev eth0",
        "link set eth0 up",
    )


def unplug(lab: Lab, host: Host) -> None:
    """Remove the host's cable and namespace, with all that its engine had set up in it."""
    run("ip", "-n", lab.namespace(CONTROLLER), "link", "del", host.link, check=False)
    if lab.namespace(host.name) in namespaces(lab):
        run("ip", "netns", "del", lab.namespace(host.name))


def cut(lab: Lab, host: Host) -> None:
    """Pull the cable: the host is unreachable, and both sides could notice."""
    _require(lab, host)
    run("ip", "-n", lab.namespace(CONTROLLER), "link", "set", host.link, "down")


def drop(lab: Lab, host: Host) -> None:
    """Lose every packet of the host without a word: connections stay half-open."""
    _require(lab, host)
    for chain, flag in SILENCE:
        _iptables(lab, host, "-I", chain, flag, "eth0", "-j", "DROP")


def heal(lab: Lab, host: Host) -> None:
    """Undo cut and drop."""
    _require(lab, host)
    run("ip", "-n", lab.namespace(CONTROLLER), "link", "set", host.link, "up")
    for chain, flag in SILENCE:
        with contextlib.suppress(LabError):
            for _ in range(100):  # until the rule is not there any more, however often it was added
                _iptables(lab, host, "-D", chain, flag, "eth0", "-j", "DROP")


def remove_all(lab: Lab) -> None:
    """Remove all namespaces of the lab."""
    for name in namespaces(lab):
        run("ip", "netns", "del", name, check=False)
    wait_until(lambda: not namespaces(lab), f"end of the network of {lab.name}", 10)


def _require(lab: Lab, host: Host) -> None:
    if lab.namespace(host.name) not in namespaces(lab):
        raise LabError(f"{host.name} has no network: it is switched off")


def _iptables(lab: Lab, host: Host, *rule: str) -> None:
    run("nsenter", f"--net=/run/netns/{lab.namespace(host.name)}", "iptables", "-w", "-t", "mangle", *rule)


def _batch(namespace: str, *lines: str) -> None:
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")
