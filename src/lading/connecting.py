"""How hosts are reached and worked on: transports and engine; loaded when hosts are asked."""

from collections.abc import Callable, Mapping

from lading import settings
from lading.drivers.engine_api import engine as engine_api
from lading.drivers.shell import driver
from lading.engines import base as engines
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.transport import ansible, ansible_session, base, local, reaching, routed, ssh, telling, under_way

Tell = Callable[[str], None]


def build_transport(
    fleet: settings.Settings, environment: Mapping[str, str], tell: Tell | None = None,
    noted: under_way.UnderWay | None = None,
) -> base.Transport:
    """How this fleet's hosts are reached: each over the transport that is said for it.

    *noted*: knows meanwhile who has not answered.
    """
    by_name: dict[str, base.Transport] = {"ssh": over_ssh(fleet, environment, tell)}
    wanted = {host.transport for host in fleet.inventory.hosts.values()}
    if "ansible" in wanted:
        by_name["ansible"] = _over_ansible(fleet, environment)
    if hosts.LOCAL in wanted:
        by_name[hosts.LOCAL] = local.LocalTransport(environment=local.login_environment(environment))
    transport = routed.RoutedTransport(by_name) if len(by_name) > 1 else by_name["ssh"]
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
) -> ssh.SshTransport:
    """Connections as the fleet file wants them."""
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
