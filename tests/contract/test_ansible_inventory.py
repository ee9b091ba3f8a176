"""Ansible inventories: hosts, variables and patterns are those of the real `ansible-inventory`, `ansible` and its kin."""

import json
import os
import random
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import real_ansible
import yaml
from hypothesis import strategies as st

from lading import errors
from lading.inventory import ansible, hosts

CORPUS = Path(__file__).parents[1] / "corpus" / "ansible"
EXAMPLES = int(os.environ.get("LADING_EXAMPLES", "15"))
few = hypothesis.settings(  # no shrinking: each example costs two runs of Ansible
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), database=None,
    phases=[hypothesis.Phase.generate])

GROUPS = ("web", "prod", "old-ones", "db_1", "eu.west")
HOSTS = ("h1", "h2", "h3", "db.example.com", "10.0.0.7", "2001:db8::1", "app[1:3]", "n[01:05:2]-[a:b]", "h4:2222")
KEYS = ("ansible_host", "a", "tier", "b_2", "ansible_port")
INI_VALUES = ("1", "True", "'quoted'", "[1, 2]", "{'a': {'b': (1, 2)}}", "plain text", "0x1F", "1_0", "007", "None", "a=b", "1.5",
              "-3", '"x"', "yes", "", "\\d", "1e3", "3j", "b'bytes'", "...", "it's", "{1}", "x # y", "5 # five", "é", "[", "#c")
YAML_VALUES = ("1", "true", "yes", "'yes'", "012", "1:30", "2024-01-01", "1e3", "1.5", "~", "0x1f", '"q\\n"', "!unsafe x", "[1, [2]]",
               "{a: {b: 1}}", "plain text", "''", ".5", "é", "|\n          two\n          lines")


def written(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- generated inventories


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """Groups with hosts, children, variables; a group contains only later ones, so that there is no circle."""
    values = st.integers(0, 10**6)
    some = st.dictionaries(st.sampled_from(KEYS), values, max_size=3)
    names = draw(st.lists(st.sampled_from(GROUPS), min_size=1, unique=True))
    shape: dict[str, Any] = {}
    for number, name in enumerate(names):
        shape[name] = {
            "hosts": draw(st.dictionaries(st.sampled_from(HOSTS), some, max_size=4)),
            "children": draw(st.lists(st.sampled_from(names[number + 1:]), unique=True, max_size=2)) if names[number + 1:] else [],
            "vars": draw(some), "priority": draw(st.sampled_from([None, None, 2, 10])),
        }
    return {"groups": shape, "loose": draw(st.dictionaries(st.sampled_from(HOSTS), some, max_size=2)),
            "all": draw(some), "files": draw(st.dictionaries(st.tuples(
                st.sampled_from(["group_vars/all", "host_vars/h1", "host_vars/app2", "group_vars/ungrouped",
                                 *(f"group_vars/{name}" for name in GROUPS)]),
                st.sampled_from(["", ".yml", ".yaml", ".json", "/one.yml", "/b/two.yaml", "/skip.txt", "/.hidden"])), some, max_size=5)),
            "order": draw(st.integers(0, 100))}


def ini_text(shape: Mapping[str, Any]) -> str:
    def line(host: str, variables: Mapping[str, int]) -> str:
        words = [shlex.quote(f"{key}={INI_VALUES[value % len(INI_VALUES)]}") for key, value in variables.items()]
        return " ".join([host, *words])

    sections = []
    for name, group in shape["groups"].items():
        sections.append("\n".join([f"[{name}]", *(line(*one) for one in group["hosts"].items())]))
        if group["children"]:
            sections.append("\n".join([f"[{name}:children]", *group["children"]]))
        pairs = [f"{key} = {INI_VALUES[value % len(INI_VALUES)]}" for key, value in group["vars"].items()]
        pairs += [f"ansible_group_priority={group['priority']}"] if group["priority"] else []
        if pairs:
            sections.append("\n".join([f"[{name}:vars]", "# of the group", *pairs]))
    random.Random(shape["order"]).shuffle(sections)
    head = [line(*one) for one in shape["loose"].items()]
    tail = ["[all:vars]", *(f"{key}={INI_VALUES[value % len(INI_VALUES)]}" for key, value in shape["all"].items())]
    return "\n".join([*head, *sections, *tail]) + "\n"


def yaml_text(shape: Mapping[str, Any]) -> str:
    def variables(pad: str, found: Mapping[str, int]) -> list[str]:
        return [f"{pad}{key}: {YAML_VALUES[value % len(YAML_VALUES)]}" for key, value in found.items()]

    def section(pad: str, name: str, found: Mapping[str, Any]) -> list[str]:
        lines = [f"{pad}{name}:"]
        for host, mine in found.items():
            lines += [f"{pad}  {json.dumps(host)}:", *variables(f"{pad}    ", mine)]
        return lines

    lines = []
    for name, group in shape["groups"].items():
        lines += [f"{name}:", *section("  ", "hosts", group["hosts"])]
        lines += ["  children:", *(f"    {child}:" for child in group["children"])]
        lines += ["  vars:", *variables("    ", group["vars"])]
        lines += [f"    ansible_group_priority: {group['priority']}"] if group["priority"] else []
    lines += ["ungrouped:", *section("  ", "hosts", shape["loose"]), "all:", "  vars:", *variables("    ", shape["all"])]
    return "\n".join(lines) + "\n"


def variable_files(shape: Mapping[str, Any]) -> dict[str, str]:
    """group_vars and host_vars; where a file and a folder would have one name, the first stays."""
    files: dict[str, str] = {}
    for (name, suffix), variables in shape["files"].items():
        taken = any(other == name or (suffix == "" and other.startswith(f"{name}/")) for other in files)
        if not taken:
            known = {key: yaml.safe_load(YAML_VALUES[value % len(YAML_VALUES)].replace("!unsafe ", "")) for key, value in variables.items()}
            files[name + suffix] = json.dumps(known, default=str) if suffix == ".json" else yaml.safe_dump(known)
    return files


def a_pattern(shape: Mapping[str, Any], chance: random.Random) -> str:
    """A pattern that has a meaning; subscripts only where Ansible's own order is certain (a group without subgroups)."""
    flat = [name for name, group in shape["groups"].items() if not group["children"] and group["hosts"]]
    singles = ["all", "*", "~h.", "~(app|n0)", "h?", "app*", "n0[13]*", "*.example.com", "[hn]*", *shape["groups"], *shape["groups"]]
    singles += [f"{name}[{part}]" for name in flat for part in ("0", "-1", "0:1", "1:", "0:0", "0:9")]
    begin = chance.choice(singles)
    rest = "".join(chance.choice((":", ",", ":&", ":!", ",!", ", &"))+chance.choice(singles) for _ in range(chance.randrange(3)))
    text = begin + rest
    return text.replace(":", ",") if "," in text and "[" not in text else text


@few
@hypothesis.given(shape=shapes(), form=st.sampled_from(["ini", "yaml"]), seed=st.integers(0, 10**6))
def test_generated_inventories_and_patterns_mean_what_they_mean_to_ansible(shape: dict[str, Any], form: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        inventory = Path(name) / "inventory" / ("hosts" if seed % 2 else f"hosts.{form}")
        written(inventory.parent, {inventory.name: ini_text(shape) if form == "ini" else yaml_text(shape), **variable_files(shape)})
        real_ansible.compare(inventory)
        chance = random.Random(seed)
        asked: dict[str, list[str]] = {}
        while len(asked) < 12 and chance.random() < 0.98:
            text = a_pattern(shape, chance)
            try:
                asked[text] = real_ansible.our_hosts(inventory, text)
            except errors.InputError:
                continue  # a part without any host: Ansible only warns, see test_what_only_lading_refuses
        for text, theirs in zip(asked, real_ansible.real_hosts(inventory, list(asked)), strict=True):
            assert sorted(asked[text]) == sorted(theirs), text
            if "[" in text and not set("*?~").intersection(text) and ":" not in text.replace("[0:", "") and "," not in text:
                assert asked[text] == theirs, text


# --- the corpus: shapes of Ansible's documentation


@pytest.mark.parametrize("shape", sorted(path.stem for path in CORPUS.glob("*.yaml")))
def test_corpus(shape: str, tmp_path: Path) -> None:
    case = yaml.safe_load((CORPUS / f"{shape}.yaml").read_text())
    written(tmp_path / "inventory", case["files"])
    inventory = tmp_path / "inventory" / case.get("inventory", "")
    real_ansible.compare(inventory)
    texts = list(case.get("patterns", {}))
    for text, theirs in zip(texts, real_ansible.real_hosts(inventory, texts) if texts else [], strict=True):
        assert (sorted(theirs), sorted(real_ansible.our_hosts(inventory, text))) == (sorted(case["patterns"][text]),) * 2, text
