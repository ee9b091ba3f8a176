"""The options of lading.yaml, each defined once: type, default, help; and an example of them all (pure)."""

from collections.abc import Iterator

from lading import by_reference
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One option: dotted path (NAME stands for any name), type in words, default, help, an example value."""

    path: str
    type: str
    default: str
    help: str
    example: str = ""


def _source(path: str, what: str, *, kinds: tuple[str, ...] = by_reference.KINDS) -> Iterator[Option]:
    """The options of a value by reference: one of *kinds*, with what belongs to it."""
    told = {
        "command": ("list", f"the command that prints {what}; it gets no terminal and no input"),
        "file": ("path", f"the file that holds {what}, relative to this file"),
        "env": ("text", f"the environment variable that holds {what}"),
        "age": ("path", f"the age file that holds {what} (lading[age])"),
        "sops": ("path", f"the SOPS file that holds {what}; the program sops decrypts it"),
    }
    for kind in kinds:
        yield Option(f"{path}.{kind}", told[kind][0], "none", told[kind][1])
    if "age" in kinds:
        yield Option(f"{path}.key", "text or list", "none",
                     "with age: the identity file, relative to this file; with sops: the key in the file, or the keys that lead to it")
        yield Option(f"{path}.timeout", "seconds", str(by_reference.TIMEOUT), "how long it may take to be had")


SOON = ("env", "file")  # what can be had at once: at the end of a deployment nothing is waited for
OPTIONS = (
    Option("lading", "integer", "(required)", "the format of this file", "1"),
    Option("hosts.NAME.address", "text", "the name, by ~/.ssh/config", "address or name to connect to", "10.0.0.11"),
    Option("hosts.NAME.user", "text", "ssh.user", "SSH user on this host"),
    Option("hosts.NAME.port", "port", "22", "SSH port"),
    Option("hosts.NAME.jump", "text", "none", "another host, or user@host, to go through"),
    Option("hosts.NAME.sudo", "yes/no", "no", "run commands through sudo -n"),
    Option("hosts.NAME.sudo_group", "text", "none", "run commands through sudo -n -g GROUP: as the user who logs in, with this group (docker)"),
    Option("hosts.NAME.transport", "text", "its destinations'", "how commands reach it: ssh or ansible; or local: it is this machine"),
    Option("hosts.NAME.labels", "mapping", "none", "what is said about the host"),
    Option("inventory.path", "path", "none", "an Ansible inventory instead of `hosts:`, relative to this file: a file, a folder, "
           "a program; in short `inventory: PATH`"),
    Option("inventory.labels", "list", "none", "the host variables of it that become labels"),
    Option("ssh.user", "text", "as OpenSSH", "SSH user of hosts that name none", "deploy"),
    Option("ssh.known_hosts", "path", "known_hosts", "pinned host keys, relative to this file; meant to be committed"),
    Option("ssh.connect_timeout", "seconds", "as OpenSSH, else 10", "how long a connection may take to open"),
    Option("ssh.keepalive", "seconds", "as OpenSSH, else 15", "how long a silent host is left alone before it is asked for a sign of life"),
    Option("ssh.keepalive_count", "integer", "3", "after so many unanswered in a row it counts as lost"),
    Option("ssh.parallel", "integer", "64",
           "hosts that are worked on at once; logs that are followed do not count"),
    Option("ssh.max_connections", "integer", "1100", "connections that stay open at once, idle ones included"),
    Option("destinations.NAME.hosts", "list", "(required)", "the hosts meant by this name: hosts, groups, patterns", "[web1]"),
    Option("destinations.NAME.labels", "mapping", "none", "what is said about the destination"),
    Option("destinations.NAME.variables", "mapping", "none", "variables for the apps that go there"),
    Option("destinations.NAME.confirm", "yes/no", "no", "a person must approve the plan: y at a terminal or `--plan HASH`; `--yes` does not do"),
    Option("destinations.NAME.allow", "list", "any, shown in the plan",
           "what apps may do with its hosts, in the words of reference/rights.md; all else is refused there"),
    Option("destinations.NAME.project", "text", "{app}", "pattern of the project's name there, such as {app}-{dest}"),
    Option("destinations.NAME.profiles", "list", "COMPOSE_PROFILES of a tracked .env",
           "profiles of the Compose files whose services are started there; `--profile` counts more"),
    Option("destinations.NAME.transport", "text", "the fleet's", "how commands reach its hosts: ssh or ansible"),
    *_source("destinations.NAME.secrets.NAME", "the secret variable of this name for the apps that go there"),
    *_source("destinations.NAME.notify.url", "the address of a webhook", kinds=SOON),
    Option("destinations.NAME.notify.kind", "text", "generic", "what it is told, once a deployment there has ended: generic (signed JSON) or slack; "
           "`notify:` is one webhook, or a list of them, and `url: https://…` the address itself"),
    *_source("destinations.NAME.notify.secret", "what signs the JSON of a generic one", kinds=SOON),
    Option("destinations.NAME.pass_env", "list", "none", "as `pass_env` below, for the apps that go there; read after it"),
    Option("registries.NAME.username", "text", "none", "user of the registry NAME (host:port); "
           "`registries: none`: the fleet has none, and the images of its apps are sent from this machine's engine"),
    *_source("registries.NAME.password", "the password"),
    Option("registries.NAME.ca", "path", "the system's", "certificate of its CA, relative to this file"),
    Option("registries.NAME.auth", "text", "the registry's own", "another host that may be sent its credentials, over HTTPS, to give tokens"),
    Option("registries.NAME.insecure", "yes/no", "no", "plain HTTP is allowed"),
    Option("registries.NAME.resolve", "text", "controller",
           "who asks it for digests: controller; or host, where only the hosts reach it: "
           "then all chosen hosts must agree"),
    Option("transport", "text", "ssh", "how commands reach hosts: ssh, or ansible: by Ansible's connections (lading[ansible])"),
    Option("ansible.inventory", "list", "hosts of this file", "Ansible inventories, relative to this file; a host goes by its name there"),
    Option("ansible.config", "path", "as Ansible finds it", "an ansible.cfg, relative to this file"),
    Option("ansible.vault_password_file", "path", "none", "file with the vault password, relative to this file"),
    Option("ansible.vault_password_command", "list", "none", "the command that prints the vault password"),
    Option("pass_env", "list", "none", "variables of the caller's environment that Compose files may use, besides VERSION: names, patterns such as APP_*, "
           "and -NAME, which takes one out; the last entry that matches counts. Never those that this file reads by {env: NAME}"),
    Option("source", "text", "none", "whose the apps are that lie in no Git repository with an address; their hosts record it, and refuse another's"),
    Option("state_dir", "text", "auto", "lading's folder on hosts: auto, or an absolute path"),
    Option("ledger", "text", "sqlite", "where the history is kept: sqlite, in the user's state folder, or {url: {env: NAME}}: "
           "in PostgreSQL, at the URL in the environment variable NAME"),
)


def example() -> str:
    """An annotated fleet file that loads, made from OPTIONS."""
    lines: list[str] = []
    seen: list[str] = []
    for option in OPTIONS:
        parts = option.path.replace("NAME", {"hosts": "web1", "destinations": "production"}.get(
            option.path.split(".")[0], "registry.example:5000")).split(".") if "registries" not in option.path else [
            "registries", '"registry.example:5000"', *option.path.split(".")[2:]]
        for depth in range(len(parts) - 1):
            head = ".".join(parts[: depth + 1])
            if head not in seen:
                seen.append(head)
                live = parts[0] not in ("registries", "inventory", "ansible") and not {"secrets", "notify"} & {*parts}
                lines.append(f"{'' if live else '# '}{'  ' * depth}{parts[depth]}:")
        value = option.example or (option.default if not option.default.startswith("(") else "")
        lead = "" if option.example else "# "
        lines.append(f"{lead}{'  ' * (len(parts) - 1)}{parts[-1]}: {value}  # {option.help} ({option.type})")
    return "\n".join(lines) + "\n"
