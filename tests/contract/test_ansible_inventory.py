"""Ansible inventories: hosts, variables and patterns are those of the real `ansible-inventory`, `ansible` and its kin."""

import json
import os
import random
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import real_ansible
import yaml
from hypothesis import strategies as st

from lading import errors, settings
from lading.inventory import ansible, hosts

pytestmark = pytest.mark.timeout(900)
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
    begin: str = chance.choice(singles)
    rest = "".join(chance.choice((":", ",", ":&", ":!", ",!", ", &")) + chance.choice(singles) for _ in range(chance.randrange(3)))
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
        for _ in range(12):
            text = a_pattern(shape, chance)
            try:
                asked[text] = real_ansible.our_hosts(inventory, text)
            except errors.InputError:
                continue  # a part without any host: Ansible only warns, see test_what_only_lading_refuses
        for text, theirs in zip(asked, real_ansible.real_hosts(inventory, list(asked)), strict=True):
            assert sorted(asked[text]) == sorted(theirs), text


# --- the corpus: shapes of Ansible's documentation


@pytest.mark.parametrize("shape", sorted(path.stem for path in CORPUS.glob("*.yaml")))
def test_corpus(shape: str, tmp_path: Path) -> None:
    case = yaml.safe_load((CORPUS / f"{shape}.yaml").read_text())
    written(tmp_path / "inventory", case["files"])
    inventory = tmp_path / "inventory" / case.get("inventory", "")
    real_ansible.compare(inventory)
    texts = list(case.get("patterns", {}))
    for text, theirs in zip(texts, real_ansible.real_hosts(inventory, texts), strict=True):
        assert (sorted(theirs), sorted(real_ansible.our_hosts(inventory, text))) == (sorted(case["patterns"][text]),) * 2, text


def test_patterns_mean_what_the_program_ansible_says(tmp_path: Path) -> None:
    case = yaml.safe_load((CORPUS / "many-patterns.yaml").read_text())
    written(tmp_path / "inventory", case["files"])
    for text in ("web:&app:!down", "~web[23]", "web[0:2],app[-1]"):
        assert real_ansible.our_hosts(tmp_path / "inventory" / "hosts", text) == \
            real_ansible.adhoc_hosts(tmp_path / "inventory" / "hosts", text)


@pytest.mark.parametrize(("text", "theirs"), [
    ("web:nobody", ["w1"]), ("web:!nobody", ["w1"]), ("a*", ["app1", "w1"]), ("localhost,web", ["localhost", "w1"]),
])
def test_what_only_lading_refuses_or_reads_more_narrowly(tmp_path: Path, text: str, theirs: list[str]) -> None:
    """Ansible warns of an unknown name and goes on, takes `a*` for `all`, too, and has a localhost that nobody named."""
    written(tmp_path / "inventory", {"hosts": "app1\n[web]\nw1\n"})
    inventory = tmp_path / "inventory" / "hosts"
    assert sorted(real_ansible.adhoc_hosts(inventory, text)) == theirs
    if text == "a*":
        assert real_ansible.our_hosts(inventory, text) == ["app1"]
    else:
        with pytest.raises(errors.InputError):
            real_ansible.our_hosts(inventory, text)


# --- what only Ansible can read

SCRIPT = """#!/bin/sh
echo called >> {calls}
echo '{{"web": {{"hosts": ["d1", "d2"], "vars": {{"tier": "front"}}}}, "site": {{"children": ["web", "none"]}}, "none": {{"hosts": []}},
  "_meta": {{"hostvars": {{"d1": {{"ansible_host": "{address}", "odd": "{{{{ inventory_hostname }}}}-x"}}}}}}}}'
"""


class Place:
    """A folder with an inventory in it, and a home of its own; every read is one call of lading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.environment = {"PATH": f"{real_ansible.BIN}:{os.environ['PATH']}", "HOME": str(folder / "home"),
                            "XDG_CACHE_HOME": str(self.cache), "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "password")}
        written(folder, {"password": "sesame\n", "home/.keep": ""})

    def read(self, name: str = "inventory", labels: tuple[str, ...] = ("tier",), **environment: str) -> hosts.Inventory:
        return ansible.read(self.folder / name, labels, self.environment | environment, self.folder)

    def script(self, address: str) -> Path:
        """An inventory that is a program, and notes that it was called."""
        path = self.folder / "inventory"
        path.write_text(SCRIPT.format(calls=self.folder / "calls", address=address))
        path.chmod(0o755)
        return self.folder / "calls"

    def encrypt(self, name: str, text: str) -> None:
        """A file that is encrypted by ansible-vault."""
        written(self.folder, {name: text})
        subprocess.run([real_ansible.BIN / "ansible-vault", "encrypt", "--vault-password-file", self.folder / "password",
                        self.folder / name], check=True, capture_output=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "fleet")


def test_a_program_is_asked_each_time_never_from_a_store(place: Place) -> None:
    calls = place.script("192.0.2.1")
    found = place.read()
    assert (found.hosts["d1"].address, found.hosts["d2"].labels, found.groups["site"]) == ("192.0.2.1", {"tier": "front"}, ("d1", "d2"))
    assert found.choose(["site:!d2"])[0].hosts == ("d1",)
    before = calls.read_text()
    place.script("192.0.2.99")
    assert place.read().hosts["d1"].address == "192.0.2.99"
    assert len(calls.read_text()) > len(before)
    assert not place.cache.exists()


def test_a_program_whose_answer_is_wrong(place: Place) -> None:
    written(place.folder, {"inventory": "#!/bin/sh\necho broken >&2\nexit 3\n"})
    (place.folder / "inventory").chmod(0o755)
    with pytest.raises(errors.SettingsError, match="program that prints an inventory, and ansible-inventory cannot read it") as caught:
        place.read()
    assert (caught.value.file, "by hand: ansible-inventory -i" in caught.value.hint) == (str(place.folder / "inventory"), True)


def test_a_plug_in(place: Place) -> None:
    written(place.folder / "inventory", {
        "1-hosts": "[web]\nw1 zone=eu\nw2 zone=us\n",
        "2-more.yml": "plugin: ansible.builtin.constructed\nkeyed_groups: [{prefix: zone, key: zone}]\ncompose: {tier: \"'t-' + zone\"}\n"})
    found = place.read()
    assert (found.groups["zone_eu"], found.hosts["w2"].labels) == (("w1",), {"tier": "t-us"})


def test_templates_and_vaulted_values_are_filled_in_by_ansible(place: Place) -> None:
    done = subprocess.run(
        [real_ansible.BIN / "ansible-vault", "encrypt_string", "--vault-password-file", place.folder / "password", "--name", "ansible_user",
         "operator"], check=True, capture_output=True, text=True)
    written(place.folder / "inventory", {
        "hosts": "[web]\nw1\nw2 ansible_host=192.0.2.2\n[web:vars]\ndomain=example.com\n[db]\nd1\n",
        "group_vars/web.yml": 'ansible_host: "{{ inventory_hostname }}.{{ domain }}"\ntier: "{{ \'a\' ~ 1 }}"\n' + done.stdout,
        "group_vars/db.yml": 'secret: "{{ never_asked }}"\n'})
    found = place.read()
    assert {name: (one.address, one.user, one.labels) for name, one in found.hosts.items()} == {
        "w1": ("w1.example.com", "operator", {"tier": "a1"}), "w2": ("192.0.2.2", "operator", {"tier": "a1"}), "d1": ("", "", {})}
    assert not place.cache.exists()


def test_a_vaulted_file_is_opened_once_and_only_what_is_asked_for_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.encrypt("inventory/group_vars/web/vault.yml", "ansible_user: operator\ndb_password: canary-8841\nansible_password: canary-8841\n")
    written(place.folder / "inventory", {"hosts": "[web]\nw1 tier=front\n"})
    first = place.read()
    assert (first.hosts["w1"].user, first.hosts["w1"].labels) == ("operator", {"tier": "front"})
    (kept,) = (place.cache / "lading" / "inventory").iterdir()
    assert (kept.stat().st_mode & 0o777, "canary" in kept.read_text()) == (0o600, False)
    with monkeypatch.context() as without_ansible:
        without_ansible.setattr("sys.executable", "/nowhere/python")
        assert place.read(PATH="/nowhere") == first
    kept.write_text(kept.read_text().replace("operator", "changed"))
    assert place.read().hosts["w1"].user == "changed"  # it does come from there
    kept.chmod(0o644)
    assert place.read().hosts["w1"].user == "operator"  # and not if others could have written it
    written(place.folder / "inventory", {"hosts": "[web]\nw2 tier=back\n"})
    assert list(place.read().hosts) == ["w2"]
    kept.write_text("{")
    kept.chmod(0o600)
    assert list(place.read().hosts) == ["w2"]


def test_an_encrypted_inventory_is_not_kept_for_it_may_configure_a_plug_in(place: Place) -> None:
    place.encrypt("inventory/hosts", "[web]\nw1 tier=front\n")
    assert place.read().hosts["w1"].labels == {"tier": "front"}
    assert not place.cache.exists()


def test_templates_that_a_program_prints_are_filled_in(place: Place) -> None:
    place.script("192.0.2.1")
    assert place.read(labels=("odd",)).hosts["d1"].labels == {"odd": "d1-x"}


def test_a_vaulted_file_without_its_password(place: Place) -> None:
    place.encrypt("inventory/host_vars/w1.yml", "ansible_user: operator\n")
    written(place.folder / "inventory", {"hosts": "w1\n"})
    with pytest.raises(errors.SettingsError, match="encrypted by ansible-vault, and ansible-inventory cannot read it: .*vault") as caught:
        place.read(ANSIBLE_VAULT_PASSWORD_FILE="")
    assert caught.value.file == str(place.folder / "inventory/host_vars/w1.yml")


@pytest.mark.parametrize(("config", "groups"), [
    ("[defaults]\nforce_valid_group_names = always\n", {"web_1"}),
    ("[inventory]\nignore_extensions = .ini\n", {"other"}),
])
def test_an_ansible_cfg_that_changes_how_inventories_are_read(place: Place, config: str, groups: set[str]) -> None:
    files = {"inventory/hosts.ini": "[web-1]\nw1\n"} if "force" in config else {"inventory/hosts.ini": "[w]\nw1\n", "inventory/o": "[other]\no1\n"}
    written(place.folder, {"ansible.cfg": config, **files})
    assert set(place.read().group_names()) == groups


def test_what_an_ansible_cfg_says_of_how_hosts_are_reached(place: Place) -> None:  # F6
    config = "[defaults]\nremote_user = ops\nprivate_key_file = keys/ops\n[ssh_connection]\nssh_args = -F own -4 -o ConnectTimeout=7\n"
    written(place.folder, {"ansible.cfg": config, "inventory": "[web]\nw1\nw2 ansible_user=me ansible_ssh_private_key_file=/k\n"})
    found = place.read().hosts
    assert (found["w1"].user, found["w1"].key_file) == ("ops", str(place.folder / "keys/ops"))
    assert (found["w2"].user, found["w2"].key_file) == ("me", "/k")
    assert {(one.ssh_config, one.family, one.connect_timeout) for one in found.values()} == {(str(place.folder / "own"), "inet", 7)}
    (place.folder / "lading.yaml").write_text("lading: 1\ninventory: inventory\nssh: {user: fleet}\n")
    read = settings.load(place.folder / "lading.yaml", place.environment).inventory.hosts
    assert (read["w1"].user, read["w2"].user, read["w1"].key_file) == ("", "me", str(place.folder / "keys/ops"))


def test_without_ansible_only_static_files_can_be_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    written(place.folder, {"static": "[web]\nw1\n", "aws.yml": "plugin: amazon.aws.aws_ec2\n", "templated": "w1 ansible_host='{{ x }}'\n"})
    assert place.read("static", PATH="").groups["web"] == ("w1",)
    for name, line, why in (("aws.yml", 0, r"configures a plug-in \(amazon.aws.aws_ec2\)"), ("templated", 1, "ansible_host of w1 is a template")):
        with pytest.raises(errors.SettingsError, match=f"{why}.*: to read it takes Ansible, and ansible-inventory is neither") as caught:
            place.read(name, PATH="")
        assert (caught.value.hint, caught.value.file, caught.value.line) == (
            "pip install 'lading[ansible]'", str(place.folder / name), line)


def test_the_fleet_file_names_the_password_of_a_vault(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", place.environment["PATH"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.cache))
    written(place.folder / "inventory", {"hosts": "[web]\nweb1\n"})
    place.encrypt("inventory/group_vars/web/vault.yml", "ansible_user: operator\n")
    (place.folder / "lading.yaml").write_text("lading: 1\ninventory: inventory\nansible: {vault_password_file: password}\n")
    assert settings.load(place.folder / "lading.yaml", os.environ).inventory.hosts["web1"].user == "operator"
