"""What each key of a Compose file lets an app do with its hosts: its value decides, a key that nobody knows is refused."""

from typing import Any

import pytest

from lading.compose import keys, rights


def asked(service: dict[str, Any], **top: Any) -> set[str]:
    """The words of what one service asks for."""
    tree = {"name": "shop", "services": {"web": {"image": "x", **service}}, **top}
    return {right.word for right in rights.find(tree)}


def bind(source: str) -> dict[str, Any]:
    return {"volumes": [{"type": "bind", "source": source, "target": "/x", "bind": {"create_host_path": True}}]}


CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "privileged": ({"privileged": True}, {"privileged"}),
    "not privileged": ({"privileged": False}, set()),
    "a hook with root": ({"post_start": [{"command": ["x"], "privileged": True}]}, {"privileged"}),
    "a hook": ({"pre_stop": [{"command": ["x"], "user": "root"}]}, set()),
    "all capabilities": ({"cap_add": ["ALL"]}, {"capability:ALL"}),
    "a capability": ({"cap_add": ["cap_net_admin", "NET_BIND_SERVICE"]}, {"capability:NET_ADMIN"}),
    "the host's network": ({"network_mode": "host"}, {"host-network"}),
    "a container's network": ({"network_mode": "container:db"}, {"foreign-container:db"}),
    "a network by name": ({"network_mode": "other_default"}, {"shared-network:other_default"}),
    "a service's network": ({"network_mode": "service:db"}, set()),
    "no network": ({"network_mode": "none"}, set()),
    "the host's processes": ({"pid": "host"}, {"host-pid"}),
    "a container's processes": ({"pid": "container:db"}, {"foreign-container:db"}),
    "the host's memory": ({"ipc": "host"}, {"host-ipc"}),
    "memory to share": ({"ipc": "shareable"}, set()),
    "the host's name": ({"uts": "host"}, {"host-uts"}),
    "the host's users": ({"userns_mode": "host"}, {"host-userns"}),
    "the host's control groups": ({"cgroup": "host"}, {"host-cgroup"}),
    "its own control group": ({"cgroup": "private"}, set()),
    "another control group": ({"cgroup_parent": "/system"}, {"cgroup-parent:/system"}),
    "a device": ({"devices": [{"source": "/dev/sda", "target": "/dev/x"}]}, {"device:/dev/sda"}),
    "a device in short": ({"devices": ["/dev/kvm:/dev/kvm:rwm"]}, {"device:/dev/kvm"}),
    "device rules": ({"device_cgroup_rules": ["c 1:3 mr"]}, {"device-rules:c 1:3 mr"}),
    "all GPUs": ({"gpus": "all"}, {"gpus"}),
    "reserved GPUs": ({"deploy": {"resources": {"reservations": {"devices": [{"count": -1}]}}}}, {"gpus"}),
    "no seccomp": ({"security_opt": ["seccomp:unconfined"]}, {"security-option:seccomp:unconfined"}),
    "no AppArmor": ({"security_opt": ["apparmor=unconfined"]}, {"security-option:apparmor:unconfined"}),
    "no new privileges": ({"security_opt": ["no-new-privileges:true", "no-new-privileges"]}, set()),
    "new privileges": ({"security_opt": ["no-new-privileges:false"]}, {"security-option:no-new-privileges:false"}),
    "the socket": (bind("/var/run/docker.sock"), {"docker-socket"}),
    "the socket elsewhere": (bind("//srv/x/../../run/docker.sock"), {"docker-socket"}),
    "containerd's": (bind("/run/containerd/containerd.sock"), {"docker-socket"}),
    "its folder": (bind("/run"), {"docker-socket", "host-path:/run"}),
    "the root": (bind("/"), {"docker-socket", "host-path:/"}),
    "the engine's data": (bind("/var/lib/docker"), {"docker-socket", "host-path:/var/lib/docker"}),
    "a path": (bind("/srv/data/./x/"), {"host-path:/srv/data/x"}),
    "a path that goes up": (bind("/srv/../etc"), {"host-path:/etc"}),
    "a home": (bind("~/x"), {"host-path:~/x"}),
    "what ships": (bind("./conf"), set()),
    "a name that begins with dots": (bind("./..data"), set()),
    "what lies above": (bind("./a/../../x"), {"host-path:./a/../../x"}),
    "a pipe": ({"volumes": [{"type": "npipe", "source": "//./pipe/docker_engine", "target": "/x"}]}, {"docker-socket"}),
    "an image": ({"volumes": [{"type": "image", "source": "busybox", "target": "/x"}]}, {"image-mount:busybox"}),
    "a cluster's volume": ({"volumes": [{"type": "cluster", "source": "a", "target": "/x"}]}, {"volume-driver:cluster"}),
    "a new kind of mount": ({"volumes": [{"type": "nvme", "source": "a", "target": "/x"}]}, {"mount:nvme"}),
    "a volume": ({"volumes": [{"type": "volume", "source": "a", "target": "/x"}, {"type": "tmpfs", "target": "/y"}]}, set()),
    "a mount that spreads": ({"volumes": [{"type": "volume", "source": "a", "target": "/x", "bind": {"propagation": "rshared"}}]},
                             {"mount-propagation:rshared"}),
    "a mount that does not": ({"volumes": [{"type": "volume", "target": "/x", "bind": {"propagation": "rprivate"}}]}, set()),
    "masked, in short": ({"volumes": ["${DATA}:/data", "named:/x", "/etc:/e:ro", "${X}"]}, {"host-path:${DATA}", "host-path:/etc:/e"}),
    "a container's volumes": ({"volumes_from": ["container:db:ro", "api"]}, {"foreign-container:db"}),
    "volumes of a variable": ({"volumes_from": ["${FROM}"]}, {"foreign-container:${FROM}"}),
    "a link outside": ({"external_links": ["db:database"]}, {"foreign-container:db"}),
    "sysctls": ({"sysctls": {"net.core.somaxconn": "1"}}, {"sysctl:net.core.somaxconn"}),
    "sysctls as a list": ({"sysctls": ["net.a=1"]}, {"sysctl:net.a"}),
    "sysctls of an endpoint": ({"networks": {"default": {"driver_opts": {"com.docker.network.endpoint.sysctls": "x"}}}},
                               {"sysctl:com.docker.network.endpoint.sysctls"}),
    "an endpoint's option": ({"networks": {"default": {"driver_opts": {"a": "x"}, "aliases": ["b"]}}}, {"network-option:a"}),
    "an endpoint's nothing": ({"networks": {"default": {"driver_opts": {}}}}, set()),
    "a runtime": ({"runtime": "kata"}, {"runtime:kata"}),
    "the usual runtime": ({"runtime": "runc"}, set()),
    "annotations": ({"annotations": {"run.oci.x": "1"}}, {"annotation:run.oci.x"}),
    "a domain account": ({"credential_spec": {"file": "a.json"}}, {"credential-spec"}),
    "a log driver": ({"logging": {"driver": "syslog", "options": {"a": "b"}}}, {"log-driver:syslog"}),
    "the usual log driver": ({"logging": {"driver": "json-file"}}, set()),
    "never killed": ({"oom_score_adj": -1000}, {"out-of-memory"}),
    "killed first": ({"oom_score_adj": 500}, set()),
    "the API": ({"use_api_socket": True}, {"docker-socket"}),
    "models": ({"models": {"llm": None}}, {"models"}),
    "a build with rights": ({"build": {"context": ".", "entitlements": ["security.insecure"]}}, {"build-host"}),
    "a build in the host's network": ({"build": {"context": ".", "network": "host"}}, {"build-host"}),
    "a build": ({"build": {"context": ".", "network": "none", "privileged": False}}, set()),
    "a program of the host": ({"provider": {"type": "x"}}, {"refused:a program on the host, outside containers"}),
    "a key of tomorrow": ({"new_key": 1}, {"refused:lading does not know this key"}),
    "a part of tomorrow": ({"healthcheck": {"run_as_host": True}}, {"refused:lading does not know this key"}),
    "an extension": ({"x-anything": {"privileged": True}}, set()),
}


@pytest.mark.parametrize("case", CASES)
def test_a_service(case: str) -> None:
    service, wanted = CASES[case]
    assert asked(service) == wanted


TOP: dict[str, tuple[dict[str, Any], set[str]]] = {
    "its own": ({"networks": {"default": {"name": "shop_default"}}, "volumes": {"data": {"name": "shop_data"}}}, set()),
    "a network of others": ({"networks": {"front": {"name": "edge", "external": True}}}, {"shared-network:edge"}),
    "the host's": ({"networks": {"front": {"name": "host", "external": True}}}, {"host-network"}),
    "a volume of others": ({"volumes": {"data": {"name": "bank_data"}}}, {"shared-volume:bank_data"}),
    "an external volume": ({"volumes": {"data": {"external": True}}}, {"shared-volume:data"}),
    "macvlan": ({"networks": {"lan": {"name": "shop_lan", "driver": "macvlan", "driver_opts": {"parent": "eth0"}}}},
                {"network-driver:macvlan", "network-option:parent"}),
    "an MTU": ({"networks": {"lan": {"name": "shop_lan", "driver_opts": {"com.docker.network.driver.mtu": "1400"}}}}, set()),
    "a network's nothing": ({"networks": {"lan": {"name": "shop_lan", "driver_opts": None}}}, set()),
    "a bind as a volume": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"type": "none", "o": "ro, bind", "device": "/etc"}}}},
                           {"host-path:/etc"}),
    "the socket as a volume": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"o": "bind", "device": "/run/docker.sock"}}}},
                               {"docker-socket"}),
    "an overlay": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"type": "overlay", "o": "lowerdir=/:/x"}}}}, {"mount:overlay"}),
    "nfs": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"type": "nfs", "o": "addr=h", "device": ":/x"}}}}, {"mount:nfs"}),
    "of no type": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"device": "/dev/sda1"}}}}, {"mount:unknown"}),
    "memory": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}}}, set()),
    "no options": ({"volumes": {"d": {"name": "shop_d", "driver_opts": {}}}}, set()),
    "a plug-in": ({"volumes": {"d": {"name": "shop_d", "driver": "rexray"}}}, {"volume-driver:rexray"}),
    "nothing of a volume": ({"volumes": {"d": None}}, {"shared-volume:d"}),
    "Swarm's secret": ({"secrets": {"s": {"external": True}}}, {"refused:only Swarm has it"}),
    "a secret": ({"secrets": {"s": {"file": "a", "external": False}}, "configs": {"c": {"content": "a"}}}, set()),
    "a part of tomorrow": ({"anew": {}}, {"refused:lading does not know this key"}),
}


@pytest.mark.parametrize("case", TOP)
def test_the_project(case: str) -> None:
    top, wanted = TOP[case]
    assert asked({}, **top) == wanted


def test_a_secret_value_is_not_shown() -> None:
    tree = {"services": {"web": {"cap_add": ["SYS_ADMIN"], **bind("/secret/place")}}}
    shown = {"services": {"web": {"cap_add": ["SYS_ADMIN"], **bind("${PLACE}")}}}
    found = {right.word: right for right in rights.find(tree, shown)}
    assert set(found) == {"capability:SYS_ADMIN", "host-path:…"}
    assert found["host-path:…"].argument == "/secret/place"
    assert {one.word for one in rights.find(tree, {"services": {"web": {"volumes": ["x"]}}})} == {"capability:…", "host-path:…"}


GIVES = [
    ("privileged", {"privileged": True}, True),
    ("host-path", bind("/etc"), True),
    ("host-path:/etc", bind("/etc"), True),
    ("host-path:/etc/", bind("/etc/x"), True),
    ("host-path:/", bind("/etc/x"), True),
    ("host-path:/etc", bind("/etcetera"), False),
    ("host-path:/srv/a", bind("/srv/a/../b"), False),
    ("host-path:/srv", bind("../../srv"), False),  # that is beside the app's folder
    ("host-path:../../srv", bind("../../srv"), True),
    ("host-path:../../srv", bind("/srv"), False),
    ("host-path:/srv", bind("${SRV}/x"), False),
    ("host-path:/srv", bind("/srv/$${X}"), False),
    ("host-path:/var/run", bind("/var/run/docker.sock"), False),
    ("host-path", bind("/"), False),  # the socket lies below
    ("docker-socket", bind("/var/run/docker.sock"), True),
    ("capability:cap_net_admin", {"cap_add": ["NET_ADMIN"]}, True),
    ("capability:NET_ADMIN", {"cap_add": ["ALL"]}, False),
    ("capability:ALL", {"cap_add": ["SYS_ADMIN"]}, True),
    ("capability", {"cap_add": ["ALL"]}, True),
    ("device:/dev/kvm", {"devices": ["/dev/sda"]}, False),
    ("refused", {"provider": {"type": "x"}}, False),
    ("refused:lading does not know this key", {"tomorrow": 1}, False),
]


@pytest.mark.parametrize(("allowed", "service", "wanted"), GIVES)
def test_what_an_entry_gives(allowed: str, service: dict[str, Any], wanted: bool) -> None:
    found = rights.find({"name": "shop", "services": {"web": service}})
    assert (rights.lacking(found, [allowed]) == ()) is wanted


def test_every_right_has_its_words_and_a_key() -> None:
    found = rights.find({"name": "shop", "services": {"web": {"privileged": True, "provider": {"type": "x"}}}})
    assert [(one.service, one.place, one.says) for one in found] == [
        ("web", "services.web.privileged", rights.RIGHTS["privileged"]),
        ("web", "services.web.provider", "a program on the host, outside containers")]
    named = {word for rule in keys.TABLE.values() for word in rights.RIGHTS if f"`{word}" in rule.word}
    assert named == set(rights.RIGHTS)
