"""How hosts are reached and worked on: transports and engine; loaded when hosts are asked."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lading import loading, settings
from lading.drivers.engine_api import engine as engine_api
from lading.drivers.shell import driver
from lading.engines import base as engines
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.transport import ansible, ansible_session, base, local, reaching, routed, telling, under_way

if TYPE_CHECKING:  # SSH is loaded when a host is reached by it
    from lading.transport import ssh

Tell = Callable[[str], None]


def build_routes(
    fleet: settings.Settings, environment: Mapping[str, str], tell: Tell | None = None
) -> routed.RoutedTransport:
    """How this fleet's hosts are reached: each over the transport that is said for it."""
    ways: dict[str, Callable[[], base.Transport]] = {
        "ssh": lambda: over_ssh(fleet, environment, tell),
        "ansible": lambda: _over_ansible(fleet, environment),
        hosts.LOCAL: lambda: local.LocalTransport(environment=local.login_environment(environment)),
    }
    wanted = {host.transport or "ssh" for host in fleet.inventory.hosts.values()}
    return routed.RoutedTransport({name: way for name, way in ways.items() if name in wanted})


def follow(
    routes: base.Transport, tell: Tell | None = None, noted: under_way.UnderWay | None = None
) -> base.Transport:
    """The same, of which somebody is told; *noted*: knows meanwhile who has not answered."""
    transport = routes
    if noted is not None:
        transport = under_way.FollowedTransport(transport, noted)
    return telling.TellingTransport(transport, tell) if tell is not None else transport


def build_engines(transport: base.Transport, tell: Tell | None = None) -> engine_api.Engines:
    """By whom the engines of hosts are asked themselves."""
    return engine_api.Engines(transport, tell or _silent)


def build_engine(
    fleet: settings.Settings, transport: base.Transport, asked: engine_api.Engines
) -> engines.Engine:
    """Who carries orders out over *transport*, and asks hosts' engines by *asked*."""
    return coordinator.ComposeHosts(driver.connect(transport, fleet.state_dir, asked))


def over_ssh(
    fleet: settings.Settings, environment: Mapping[str, str], tell: Tell | None = None
) -> "ssh.SshTransport":
    """Connections as the fleet file wants them."""
    with loading.later(), loading.without_optional_libraries():  # SSH is a quarter of all there is
        from lading.transport import ssh
    return ssh.SshTransport(
        environment=environment, user=fleet.ssh.user, known_hosts=str(fleet.ssh.known_hosts),
        connect_timeout=fleet.ssh.connect_timeout, keepalive=fleet.ssh.keepalive,
        keepalive_count=fleet.ssh.keepalive_count, parallel=fleet.ssh.parallel,
        max_connections=fleet.ssh.max_connections, lookup=fleet.inventory.hosts.get,
        tell=tell or _silent)


def _silent(text: str) -> None:
    """Tells nobody."""


def _over_ansible(
    fleet: settings.Settings, environment: Mapping[str, str]
) -> ansible.AnsibleTransport:
    told = fleet.ansible
    reach = ansible_session.Reach(
        told.inventory, told.config, told.vault_password_file, told.vault_password_command,
        str(fleet.ssh.known_hosts), fleet.ssh.keepalive or reaching.KEEPALIVE, environment.get("XDG_RUNTIME_DIR", ""))
    return ansible.AnsibleTransport(reach, user=fleet.ssh.user, lookup=fleet.inventory.hosts.get)
