"""Engines newer than the machine's own, for some of the hosts."""

from labkit.state import Lab
from labkit.topology import Host


def engine_folder(lab: Lab, host: Host) -> str:
    """The folder with the engine a host was asked to run; empty for the machine's own."""
    saved = lab.saved()
    version = saved.options.engines.get(host.name) if saved else None
    return str(lab.base / "engines" / version) if version else ""
