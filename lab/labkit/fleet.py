"""The controller's files: fleet file for lading, known hosts, SSH settings (pure)."""

from collections.abc import Mapping, Sequence

from labkit.topology import REGISTRY, Host, Options

USER = "deploy"


def lading_yaml(hosts: Sequence[Host], options: Options) -> str:
    """The fleet: production is all web hosts, staging is stage1."""
    production = ", ".join(host.name for host in hosts if host.name.startswith("web"))
    staging = [host.name for host in hosts if not host.name.startswith("web")]
    keepalive = ", connect_timeout: 3, keepalive: 1, keepalive_count: 2" if options.fast_keepalive else ""
    lines = [
        "lading: 1",
        "hosts:",
        *(f"  {host.name}: {{address: {host.address}, user: {USER}}}" for host in hosts),
        f"ssh: {{user: {USER}, known_hosts: known_hosts{keepalive}}}",
        "destinations:",
        f"  production: {{hosts: [{production}]}}",
        *(f"  staging: {{hosts: [{', '.join(staging)}]}}" for _ in staging[:1]),
        "registries:",
        f'  "{REGISTRY}": {{username: ci, password: {{env: REG_PASSWORD}}, ca: ca.pem}}',
        "state_dir: auto",
    ]
    return "\n".join(lines) + "\n"


def known_hosts(hosts: Sequence[Host], public_keys: Mapping[str, str], with_addresses: bool) -> str:
    """Every host's key under its name, for the controller's own ssh under its address too."""
    lines = []
    for host in hosts:
        names = f"{host.name},{host.address}" if with_addresses else host.name
        lines.append(f"{names} {' '.join(public_keys[host.name].split()[:2])}\n")
    return "".join(lines)


def ssh_config(options: Options) -> str:
    """What plain `ssh web1` does on the controller."""
    words = [
        f"User {USER}",
        "IdentityFile /root/.ssh/id_ed25519",
        "IdentitiesOnly yes",
        "BatchMode yes",
        "UserKnownHostsFile /root/.ssh/known_hosts",
        "StrictHostKeyChecking yes",
        "ConnectTimeout 5",
    ]
    if options.fast_keepalive:
        words += ["ServerAliveInterval 1", "ServerAliveCountMax 2"]
    return "Host web* stage* ci* 10.88.0.*\n" + "".join(f"    {word}\n" for word in words)
