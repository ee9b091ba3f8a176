"""Normal forms of several versions of Compose: compared as values, without ever showing one, and settled on that of 2.40."""

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lading.compose import dialects, parse

NEW = """
name: shop
services:
  web:
    command: [serve, --password=canary]
    cpus: 0.5
    configs: [{source: c, target: /c, mode: "0440"}, d]
    depends_on: {db: {condition: service_started, required: true}}
    deploy: {replicas: 2, resources: {limits: {cpus: 2, memory: "64"}, reservations: {memory: "1"}}}
    devices: [{source: /dev/null, target: /dev/x, permissions: rwm}, {source: /dev/a, target: /dev/a, permissions: r}]
    environment: {"A:B": canary, N: null, PRICE: "1.50", T: "true"}
    healthcheck: {interval: 1m30s, retries: 3}
    labels: {note: canary, n: "1"}
    networks: {back: {priority: 5}, default: null}
    ports: [{mode: ingress, target: 80, published: "8080", protocol: tcp}]
    read_only: false
    secrets: [{source: s, mode: "0400"}]
    ulimits: {nproc: 5}
    user: "7"
    volumes:
      - {type: bind, source: ./a, target: /a, bind: {create_host_path: true}}
      - {type: bind, source: ./b, target: /b, bind: {propagation: rslave, create_host_path: true}}
      - {type: bind, source: ./d, target: /d, bind: {}}
      - {type: tmpfs, target: /t, tmpfs: {mode: 493}}
      - {type: volume, source: v, target: /v, volume: {}}
networks: {back: {name: shop_back, enable_ipv6: false}, default: {name: shop_default}}
x-team: {mode: 288, size: "1"}
"""


def tree(text: str = NEW) -> dict[str, Any]:
    found: dict[str, Any] = parse.load(text.encode())
    return found


def changed(*pairs: tuple[str, str]) -> dict[str, Any]:
    text = NEW
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return tree(text)


AS_5 = changed(
    ("bind: {create_host_path: true}", "bind: {}"), ("propagation: rslave, create_host_path: true", "propagation: rslave"),
    ("/d, bind: {}", "/d, bind: {create_host_path: false}"),
)
AS_2_24 = changed(
    ("cpus: 0.5", 'cpus: "0.50"'), ("limits: {cpus: 2,", 'limits: {cpus: "2",'), ('mode: "0440"', "mode: 288"), ('mode: "0400"', "mode: 256"),
    ("[{source: /dev/null, target: /dev/x, permissions: rwm}, {source: /dev/a, target: /dev/a, permissions: r}]",
     '["/dev/null:/dev/x", "/dev/a:/dev/a:r"]'),
    ("{mode: ingress, target: 80, published: \"8080\", protocol: tcp}", '{target: 80, published: "8080"}'),
    (", enable_ipv6: false", ""),
)
MEANT = [
    AS_5, AS_2_24,
    changed(("interval: 1m30s", "interval: 90s")),
    changed(("    read_only: false\n", "")),
    changed((", required: true}}", "}}")),
    changed((", volume: {}}", "}")),
    changed(("/d, bind: {}}", "/d}")),
    changed(("tmpfs: {mode: 493}", 'tmpfs: {mode: "0755"}')),
    changed(('published: "8080"', "published: 8080")),
    changed(("read_only: false", 'read_only: "false"')),
    changed(('n: "1"', "n: 1")), changed(('T: "true"', "T: true")),
    changed(("retries: 3", "retries: 3.0")),
    changed(("mode: 493", 'mode: "0o755"')),
]


@pytest.mark.parametrize("theirs", MEANT, ids=range(len(MEANT)))
def test_what_means_the_same_is_no_difference(theirs: dict[str, Any]) -> None:
    assert dialects.difference(tree(), theirs) == dialects.difference(theirs, tree()) == ""


def test_order_of_keys_and_of_sets_says_nothing() -> None:
    theirs = yaml.safe_load(yaml.safe_dump(tree(), sort_keys=True))
    for key in ("devices", "volumes", "configs"):
        theirs["services"]["web"][key].reverse()
    assert dialects.difference(tree(), theirs) == ""


DIFFERENT = [
    ("name: shop", "name: shap", "name"),
    ("[serve, --password=canary]", "[--password=canary, serve]", "services.web.command.0"),
    ("[serve, --password=canary]", "[serve]", "services.web.command"),
    ("[serve, --password=canary]", "serve --password=canary", "services.web.command"),
    ('"A:B": canary', '"A:B": canary1', "services.web.environment.A:B"),
    ("N: null, ", "", "services.web.environment.N"),
    ("N: null", 'N: ""', "services.web.environment.N"),
    ('PRICE: "1.50"', "PRICE: 1.5", "services.web.environment.PRICE"),
    ('T: "true"', "T: [x]", "services.web.environment.T"),
    ("interval: 1m30s", "interval: 91s", "services.web.healthcheck.interval"),
    ("interval: 1m30s", "interval: canary", "services.web.healthcheck.interval"),
    ("interval: 1m30s", "interval: 90", "services.web.healthcheck.interval"),
    ("note: canary", "note: 7", "services.web.labels.note"),
    ('mode: "0440"', "mode: 440", "services.web.configs.0.mode"),
    ("mode: 493", "mode: 755", "services.web.volumes.3.tmpfs.mode"),
    ("mode: 493", "mode: canary", "services.web.volumes.3.tmpfs.mode"),
    ("cpus: 0.5", "cpus: 0.51", "services.web.cpus"),
    ("cpus: 0.5", "cpus: canary", "services.web.cpus"),
    ("permissions: rwm", "permissions: rw", "services.web.devices.1.permissions"),
    ("mode: ingress", "mode: host", "services.web.ports.0.mode"),
    ("read_only: false", "read_only: true", "services.web.read_only"),
    ("    read_only: false\n", "    read_only: false\n    privileged: true\n", "services.web.privileged"),
    ("    read_only: false\n", "    read_only: false\n    canary1: true\n", "services.web.…"),
    ("bind: {create_host_path: true}", "bind: {selinux: z}", "services.web.volumes.0.bind.selinux"),
    ("/d, bind: {}}", "/d, bind: {selinux: z}}", "services.web.volumes.2.bind.selinux"),
    ("propagation: rslave", "propagation: rshared", "services.web.volumes.1.bind.propagation"),
    ("default: null}", "default: {}}", "services.web.networks.default"),
    (", default: null}", "}", "services.web.networks.default"),
    ("enable_ipv6: false", "enable_ipv6: true", "networks.back.enable_ipv6"),
    ("required: true", "required: false", "services.web.depends_on.db.required"),
    ('user: "7"', "user: \"7.0\"", "services.web.user"),
    ('user: "7"', "user: null", "services.web.user"),
    ("ulimits: {nproc: 5}", "ulimits: {nproc: {soft: 5}}", "services.web.ulimits.nproc"),
    ("x-team: {mode: 288", "x-team: {mode: \"0440\"", "x-team.mode"),
]


@pytest.mark.parametrize(("old", "new", "where"), DIFFERENT)
def test_where_two_forms_differ(old: str, new: str, where: str) -> None:
    assert dialects.difference(tree(), changed((old, new))) == where


def test_a_service_may_be_called_like_a_key() -> None:
    ours = {"services": {"labels": {"cpus": 1, "read_only": False}, "x-a": {"cpus": 1}, "none": None}}
    assert dialects.difference(ours, {"services": {"labels": {"cpus": "1"}, "x-a": {"cpus": "1.0"}, "none": None}}) == ""


@pytest.mark.parametrize("theirs", [None, "canary", [1], 7])
def test_what_is_no_form_differs_as_a_whole(theirs: Any) -> None:
    assert dialects.difference(tree(), theirs) == dialects.WHOLE


ODD = {
    "services": {
        "web": {"volumes": ["a:/b"], "devices": ["/dev/${A:-x}:/y"], "ports": ["80"], "secrets": "s", "deploy": None,
                "cpus": "${CPUS}", "configs": [{"source": "a"}]},
        "db": {"deploy": {"resources": {"limits": None}}, "volumes": None}, "none": None,
    },
}  # fmt: skip


def test_what_compose_2_40_wrote_is_settled() -> None:
    assert dialects.settled(tree()) == tree()
    assert dialects.settled(ODD) == ODD
    assert dialects.settled({"name": "a", "services": None}) == {"name": "a", "services": None}


def test_an_older_and_a_newer_form_settle_on_the_same() -> None:
    before = copy.deepcopy(AS_2_24)
    settled = dialects.settled(AS_2_24)
    settled["networks"]["back"]["enable_ipv6"] = False  # 2.24 says nothing of it
    assert settled == tree()
    assert dialects.settled(AS_5, creates=True) == tree()
    del settled["networks"]["back"]["enable_ipv6"]
    assert before == AS_2_24  # and what was given is as it was


def test_a_device_by_its_source_alone() -> None:
    one = dialects.settled({"services": {"a": {"devices": ["/dev/a", "vendor.com/gpu=0"]}}})["services"]["a"]["devices"]
    assert [(each["source"], each["target"], each["permissions"]) for each in one] == [
        ("/dev/a", "/dev/a", "rwm"), ("vendor.com/gpu=0", "vendor.com/gpu=0", "rwm")]


def test_only_a_bind_that_does_not_say_leaves_room() -> None:
    def mounted(*volumes: Any) -> dict[str, Any]:
        return {"services": {"a": {"volumes": list(volumes)}, "b": {}}}

    assert not dialects.leaves_room({}) and not dialects.leaves_room(mounted("a:/b", {"type": "bind", "target": "/a"}))
    assert not dialects.leaves_room(mounted({"type": "bind", "bind": {"create_host_path": True}}))
    assert dialects.leaves_room(mounted({"type": "bind", "bind": {}}))


TEXT = st.text(st.sampled_from("canry:-|>\"' \n#=/$"), max_size=30)
TREE = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "volumes", "ports", "x-y")), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(("services", "a")), TREE, max_size=2), TREE)
def test_no_value_is_ever_shown_and_no_form_breaks_it(ours: dict[str, Any], theirs: Any) -> None:
    shown = dialects.difference(ours, {"services": theirs} if isinstance(theirs, dict) else theirs)
    assert set(shown.replace(dialects.WHOLE, "").replace("services", "").replace("volumes", "").replace("ports", "")) <= set("abxy-.…0123456789")


@given(TREE)
def test_a_form_does_not_differ_from_itself(tree: Any) -> None:
    made = {"services": {"a": tree}}
    assert dialects.difference(made, copy.deepcopy(made)) == "" or "nan" in str(made)
