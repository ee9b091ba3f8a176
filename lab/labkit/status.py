"""`lab status`: what runs, at a glance."""

from collections.abc import Sequence

from labkit import cgroup, host, process, registry
from labkit.state import Lab
from labkit.topology import BUILDER, REGISTRY, Host, fleet_hosts

HEADINGS = ("HOST", "ADDRESS", "DEPLOY'S SHELL", "POWER", "ENGINE", "SSHD", "MEMORY")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def report(lab: Lab) -> str:
    """The lab's hosts, its registry, and where its files are."""
    saved = lab.running()
    hosts = fleet_hosts(saved.options)
    if process.recorded(lab.pid_file(BUILDER.name)):
        hosts = [*hosts, BUILDER]
    rows = [HEADINGS, *(_row(lab, machine) for machine in hosts)]
    state = "answering" if registry.answers(lab) else "stopped"
    return f"lab {lab.name} in {lab.root}\nregistry {REGISTRY}: {state}\n\n{table(rows)}"


def _row(lab: Lab, machine: Host) -> tuple[str, ...]:
    on = process.recorded(lab.pid_file(machine.name)) is not None
    memory = cgroup.memory_in_use(lab.layout, lab.name, machine.name) >> 20
    return (
        machine.name,
        machine.address,
        machine.deploy_shell,
        "on" if on else "off",
        (host.engine_version(lab, machine) if on else None) or "-",
        "answering" if on and host.ssh_answers(lab, machine) else "-",
        f"{memory} MiB" if on else "-",
    )
