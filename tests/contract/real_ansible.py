"""What the real Ansible says of an inventory, and what lading's own reading of the same files says, as comparable values."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.inventory import ansible, configuration, patterns

BIN = Path(sys.executable).parent
QUIET = {"ANSIBLE_NOCOWS": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_DEPRECATION_WARNINGS": "0", "ANSIBLE_LOCALHOST_WARNING": "0",
         "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Said:
    """Direct hosts and children of each group, and all variables of each host."""

    members: Mapping[str, list[str]]
    variables: Mapping[str, Mapping[str, Any]]


def run(program: str, inventory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A program of Ansible, in an empty folder beside the inventory's own: no group_vars of a playbook."""
    folder = inventory.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    argv = [str(BIN / program), "-i", str(inventory), *words]
    return subprocess.run(argv, capture_output=True, text=True, cwd=folder, env={**os.environ, **QUIET}, timeout=120, check=False)


def real(inventory: Path) -> Said:
    """What `ansible-inventory --list` says."""
    done = run("ansible-inventory", inventory, "--list")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))
    variables = said.pop("_meta")["hostvars"]

    def below(name: str) -> set[str]:
        group = said.get(name, {})
        return {*group.get("hosts", ()), *(host for child in group.get("children", ()) for host in below(child))}

    return Said({name: sorted(below(name)) for name in said}, variables)


def ours(inventory: Path, wanted: frozenset[str]) -> Said:
    """What lading reads from the same files."""
    found = ansible.static(inventory, wanted, configuration.Configuration(None, ""))
    plain = {host: {key: one.value for key, one in mine.items()} for host, mine in found.variables.items()}
    variables = json.loads(json.dumps(plain, default=lambda value: value.isoformat()))
    return Said({name: sorted(members) for name, members in found.members.items()}, variables)


def compare(inventory: Path) -> None:
    """Hosts, groups and variables are the same; Ansible lists no empty groups and no hosts without variables."""
    said = real(inventory)
    wanted = frozenset(key for mine in said.variables.values() for key in mine)
    mine = ours(inventory, wanted | {"never_set"})
    assert {name: hosts for name, hosts in mine.members.items() if hosts} == {n: hosts for n, hosts in said.members.items() if hosts}
    assert {host: v for host, v in mine.variables.items() if v} == {host: v for host, v in said.variables.items() if v}


def real_hosts(inventory: Path, texts: Sequence[str]) -> list[list[str]]:
    """The hosts that each pattern means, as one run of `ansible-playbook --list-hosts` shows: a play for each pattern."""
    if not texts:  # Ansible refuses a playbook without plays
        return []
    plays = inventory.parent / "elsewhere" / "plays.yml"
    plays.parent.mkdir(exist_ok=True)
    plays.write_text(json.dumps([{"name": f"play{number}", "hosts": text, "gather_facts": False} for number, text in enumerate(texts)]))
    done = run("ansible-playbook", inventory, "--list-hosts", str(plays))
    assert done.returncode == 0, done.stdout + done.stderr
    blocks = re.split(r"^  play #\d+ .*$", done.stdout, flags=re.M)[1:]
    assert len(blocks) == len(texts), done.stdout
    return [re.findall(r"^      (\S+)$", block, re.M) for block in blocks]


def adhoc_hosts(inventory: Path, text: str) -> list[str]:
    """The hosts that a pattern means, as `ansible PATTERN --list-hosts` shows."""
    done = run("ansible", inventory, text, "--list-hosts")
    assert done.returncode == 0, done.stderr
    return re.findall(r"^    (\S+)$", done.stdout, re.M)


def our_hosts(inventory: Path, text: str) -> list[str]:
    """The hosts that a pattern means to lading."""
    found = ansible.static(inventory, frozenset(), configuration.Configuration(None, ""))
    return list(patterns.evaluate(text, tuple(found.variables), found.members).hosts)
