"""The ansible.cfg that holds for an inventory: how hosts are reached, and whether it changes how inventories are read."""

import configparser
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from lading.dataclass import dataclass
from lading.inventory import groups

SETTINGS = {  # section → keys that change which hosts, groups and variables an inventory has
    "defaults": ("hash_behaviour", "precedence", "inventory_ignore_extensions", "inventory_ignore_patterns",
                 "force_valid_group_names", "yaml_valid_extensions", "vars_plugins_enabled", "vars_plugins"),
    "inventory": ("enable_plugins", "ignore_extensions", "ignore_patterns"),
}
REACHES = {  # section and key → the variable that says the same of one host
    ("defaults", "remote_user"): "ansible_user", ("defaults", "private_key_file"): "ansible_private_key_file",
    ("ssh_connection", "ssh_args"): "ansible_ssh_args", ("ssh_connection", "ssh_common_args"): "ansible_ssh_common_args",
    ("ssh_connection", "ssh_extra_args"): "ansible_ssh_extra_args",
}
VARIABLES = (
    "ANSIBLE_HASH_BEHAVIOUR", "ANSIBLE_PRECEDENCE", "ANSIBLE_INVENTORY_IGNORE", "ANSIBLE_INVENTORY_IGNORE_REGEX",
    "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS", "ANSIBLE_YAML_FILENAME_EXT", "ANSIBLE_VARS_ENABLED", "ANSIBLE_VARS_PLUGINS",
    "ANSIBLE_INVENTORY_ENABLED", "ANSIBLE_INVENTORY_PLUGINS",
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The file that holds, if there is one; *reason*: what makes Ansible read inventories other than by default, or "".

    *connection*: variables of hosts that say nothing of it themselves.
    """

    file: Path | None
    reason: str
    connection: Mapping[str, str] = field(default_factory=dict)


def find(inventory: Path, environment: Mapping[str, str], fleet: Path) -> Configuration:
    """ANSIBLE_CONFIG, else ansible.cfg beside the inventory, beside the fleet file, the user's own, the system's.

    Raises:
        InventoryError: it cannot be read.
    """
    set_here = next((name for name in VARIABLES if environment.get(name)), "")
    file = _file(inventory, environment, fleet)
    parser = _parsed(file) if file is not None else configparser.ConfigParser()
    reason = f"the environment sets {set_here}" if set_here else ""
    for section, key in ((section, key) for section, keys in SETTINGS.items() for key in keys):
        if not reason and parser.has_option(section, key):
            reason = f"it sets {key} in [{section}], which changes how inventories are read"
    reaches = {variable: parser.get(*where).strip() for where, variable in REACHES.items() if parser.has_option(*where)}
    return Configuration(file, reason, {name: value for name, value in reaches.items() if value})


def _parsed(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",), strict=False)
    try:
        parser.read_string(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError, configparser.Error) as wrong:
        raise groups.InventoryError(f"ansible.cfg cannot be read: {wrong}", groups.Place(str(file))) from wrong
    return parser


def _file(inventory: Path, environment: Mapping[str, str], fleet: Path) -> Path | None:
    named = environment.get("ANSIBLE_CONFIG", "")
    if named:
        path = Path(named).expanduser()
        path = path / "ansible.cfg" if path.is_dir() else path
        return path if path.is_file() else None
    for folder in (inventory if inventory.is_dir() else inventory.parent, fleet):
        if not folder.is_dir() or folder.stat().st_mode & 0o002:  # anybody could have put it there
            continue
        if (folder / "ansible.cfg").is_file():
            return folder / "ansible.cfg"
    home = Path(environment.get("HOME") or "~").expanduser() / ".ansible.cfg"
    return next((one for one in (home, Path("/etc/ansible/ansible.cfg")) if one.is_file()), None)
