"""An exported playbook as text: batches, references to secrets instead of secrets, one folder rule; valid YAML."""

import shlex
from dataclasses import replace
from typing import Any

import yaml

from lading import state
from lading.compose import release
from lading.export import ansible
from lading.inventory import hosts


class Loader(yaml.SafeLoader):
    """YAML with Ansible's one tag."""


Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))
WEB = release.ServiceSpec("web", "reg/web:1@sha256:" + "a" * 64, "c" * 32, {}, secrets=("env.db.env", "var.TOKEN"), health=True)
JOB = release.ServiceSpec("job", "reg/job:1@sha256:" + "b" * 64, "d" * 32, {}, job=True, bake=7)


def a_release(*specs: release.ServiceSpec, **words: Any) -> release.Release:
    made = release.empty("hello")
    secrets = tuple(sorted({name for spec in specs for name in spec.secrets}))
    values = {name: getattr(made, name) for name in made.__dataclass_fields__}
    return release.Release(**{**values, "version": "1.0.0", "secrets": secrets, "services": {s.name: s for s in specs}, **words})


def a_deployment(made: release.Release, *registries: ansible.Registry, state_dir: str = "auto") -> ansible.Deployment:
    numbers = dict.fromkeys(made.secrets, 2)
    return ansible.Deployment(made, "production", (("web1", "web2"), ("web3",)), {f"web{n}": numbers for n in (1, 2, 3)},
                              registries, state_dir)


def play(what: ansible.Deployment) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(ansible.playbook(what), Loader)[0]
    return found


def test_hosts_and_batches_are_the_plans() -> None:
    made = play(a_deployment(a_release(WEB, JOB, forth=release.Pace(2, 30))))
    assert (made["hosts"], made["serial"], made["any_errors_fatal"]) == ("web1,web2,web3", [2, 1], True)
    assert made["tasks"][-1]["ansible.builtin.pause"] == {"seconds": 30}
    assert made["vars"]["app_monitor"] == 7


def test_without_a_delay_nothing_pauses_between_batches() -> None:
    names = [task["name"] for task in play(a_deployment(a_release(JOB)))["tasks"]]
    assert "Wait before the next batch" not in names
    assert "Copy the files that are mounted" not in names


def test_secrets_are_asked_for_and_never_shown() -> None:
    made = play(a_deployment(a_release(WEB, objects={"o" * 64: "./conf"})))
    tasks = {task["name"]: task for task in made["tasks"]}
    for name in ("TOKEN", "PROJECT_DIRECTORY"):
        assert name in tasks[f"Require {name} in the environment"]["ansible.builtin.assert"]["that"]
    for name in ("Keep secret TOKEN", "Keep secret db.env"):
        assert tasks[name]["no_log"] is True
    assert tasks["Keep secret db.env"]["ansible.builtin.copy"]["src"].endswith("}}/db.env")
    assert made["vars"]["app_labels"]["web2"] == {"web": "2.2"}
    assert made["vars"]["app_again"].count("is changed") == 2
    assert "Copy the files that are mounted" in tasks


def test_where_lading_has_a_secret_from_stands_beside_its_name() -> None:
    what = replace(a_deployment(a_release(WEB)), origins={"TOKEN": 'lading has it from the command pass …: TOKEN="$(pass show token)"'})
    assert '#   TOKEN (lading has it from the command pass …: TOKEN="$(pass show token)")\n' in ansible.playbook(what)
    assert "lading has it" not in ansible.playbook(a_deployment(a_release(WEB)))


def test_logins_come_by_reference_and_go_in_every_case() -> None:
    made = play(a_deployment(a_release(JOB), ansible.Registry("reg", "ci", ("env", "REG_PASSWORD")),
                             ansible.Registry("other", "me", ("command", "pass", "show", "it's"))))
    (pull,) = [task for task in made["tasks"] if task["name"] == "Pull what is absent"]
    logins = [task for task in pull["block"] if task["name"].startswith("Log in")]
    assert [task["no_log"] for task in logins] == [True, True]
    assert "'REG_PASSWORD'" in logins[0]["ansible.builtin.command"]["stdin"]
    assert "app_password_command_1" in logins[1]["ansible.builtin.command"]["stdin"]
    assert made["vars"]["app_password_command_1"] == "pass show 'it'\\''s'"
    assert pull["always"][0]["ansible.builtin.file"]["state"] == "absent"


def test_a_named_state_folder_is_not_looked_for() -> None:
    made = play(a_deployment(a_release(JOB), state_dir="/srv/lading"))
    assert made["vars"]["app_folder"] == "/srv/lading/apps/hello"
    assert "Choose the folder, as lading does" not in [task["name"] for task in made["tasks"]]
    assert "nothing" in ansible.playbook(a_deployment(a_release(JOB)))  # of what the environment must hold


def test_the_inventory_keeps_the_order() -> None:
    text = ansible.inventory({"web2": {"ansible_host": "10.0.0.2"}, "web1": {}})
    assert list(yaml.safe_load(text)["all"]["hosts"]) == ["web2", "web1"]


def test_a_host_is_reached_as_lading_reaches_it() -> None:
    host = hosts.Host("web1", "10.0.0.1", "deploy", 2222, sudo=True, key_file="/k", connect_timeout=7, proxy_command="nc {{x}} %h %p")
    assert ansible.connection([host], pinned=True) == {
        "ansible_host": "10.0.0.1", "ansible_port": 2222, "ansible_user": "deploy", "ansible_become": True,
        "ansible_ssh_private_key_file": "/k", "ansible_timeout": 7,
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=yes -o 'UserKnownHostsFile=\"{{ inventory_dir }}/known_hosts\"' "
                                   "-o 'ProxyCommand=nc {{ '{' }}{{ '{' }}x}} %h %p'"}
    assert ansible.connection([hosts.Host("web1")], pinned=False) == {"ansible_host": "web1"}


def test_hosts_of_the_openssh_configuration_keep_the_keys_known_there() -> None:
    told = ansible.connection([hosts.Host("web1", known_hosts="/more")], pinned=True)["ansible_ssh_common_args"]
    assert '"{{ inventory_dir }}/known_hosts" "~/.ssh/known_hosts" "~/.ssh/known_hosts2" "/more"' in told


def test_a_way_by_two_hosts_is_kept_whole() -> None:
    way = [hosts.Host("web1", "10.0.0.1"), hosts.Host("near", "10.0.0.2", "ops", 2200), hosts.Host("far", key_file="/far key")]
    told = ansible.connection(way, pinned=False)["ansible_ssh_common_args"]
    (_, first) = shlex.split(told)
    words = shlex.split(first.removeprefix("ProxyCommand="))
    assert words[:3] + words[5:] == ["ssh", "-W", "[%h]:%p", "-p", "2200", "-l", "ops", "10.0.0.2"]
    assert shlex.split(words[4].removeprefix("ProxyCommand=")) == ["ssh", "-W", "[%%h]:%%p", "-i", "/far key", "far"]


def test_the_teams_inventory_is_named_in_the_place_of_its_own() -> None:
    made = a_deployment(a_release(JOB))
    fields = {name: getattr(made, name) for name in made.__dataclass_fields__}
    text = ansible.playbook(ansible.Deployment(**{**fields, "inventories": (ansible.TEAMS, "inventory.yml")}))
    assert "ansible-playbook -i INVENTORY -i inventory.yml playbook.yml\n#\n# INVENTORY is" in text
    assert "INVENTORY" not in ansible.playbook(made)


def test_adopted_containers_that_nothing_touches_are_told() -> None:
    web, job, old = (state.ContainerState("app", name, f"{name}-id", "n", "i", "sha256:1", "running", adopted=True)
                     for name in ("web", "job", "old"))
    made = a_release(WEB, JOB)
    assert ansible.left_alone(made, (web, job, old), ()) == ["job", "web"]
    assert ansible.left_alone(made, (web, job), ("web",)) == ["job"]
    assert ansible.left_alone(made, (replace(web, adopted=False), replace(job, adopted=False)), ()) == []


def test_what_people_wrote_is_neither_filled_in_nor_templated() -> None:
    what = a_deployment(a_release(JOB), ansible.Registry("reg", "{{ me }}", ("command", "sh", "-c", "echo $P # user@CORP@x @APP@ {{ 7 }}")),
                        state_dir="/srv/@APP@\u2028")
    text = ansible.playbook(what)
    assert """app_password_command_0: !unsafe "sh -c 'echo $P # user@CORP@x @APP@ {{ 7 }}'"\n""" in text
    assert 'login, -u, !unsafe "{{ me }}", --password-stdin, "reg"]' in text
    assert play(what)["vars"]["app_state"] == "/srv/@APP@\u2028"
    assert 'app_again: "{{' in ansible.playbook(a_deployment(a_release(WEB)))  # what is lading's own is filled in


def test_keys_that_are_pinned_by_name_count_for_the_address() -> None:
    web, odd = hosts.Host("web1", "10.0.0.1"), hosts.Host("web2", "10.0.0.2", port=2222)
    text = "# all\n\nweb1 ssh-ed25519 K1\n@revoked web2 ssh-rsa K2\n10.0.0.2 ssh-rsa K3\n[web2]:2222,[10.0.0.2]:2222 ssh-rsa K4\n"
    more = ansible.pins(text, [web, odd, web, hosts.Host("web3")]).removeprefix(text)
    assert more == "10.0.0.1 ssh-ed25519 K1\n@revoked [10.0.0.2]:2222 ssh-rsa K2\n[10.0.0.2]:2222 ssh-rsa K3\n"
