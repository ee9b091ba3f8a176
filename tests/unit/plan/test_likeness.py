"""A running container beside a release's service: every field that is compared is noticed, and no value is shown that may be secret."""

import copy
from typing import Any

import pytest

from lading.plan import likeness

DIGEST = "sha256:" + "a" * 64
IMAGE = f"r.example/app:1@{DIGEST}"
NAMELESS = "f" * 64
OWN = {"Env": ["PATH=/bin", "MODE=image"], "Cmd": ["run"], "Entrypoint": ["/init"], "User": "app", "WorkingDir": "/srv",
       "Labels": {"maker": "us"}, "Volumes": {"/cache": {}}, "Healthcheck": {"Test": ["CMD", "ok"], "Interval": 5_000_000_000}}
SEEN = likeness.Evidence(
    images={"i1": {"Id": "i1", "Config": OWN, "RepoDigests": [f"r.example/app@{DIGEST}"]}},
    lies={"/srv/app/conf": ("- h1 a.conf",), "/srv/app/key": ("x h2",)},
    wanted={"objects/o1": ("- h1 a.conf",), "secrets/file.key/1": ("- h2",)},
    same=frozenset([("project/data", "/srv/app/data")]),
)
HERE = likeness.HERE


def a_service(**more: Any) -> dict[str, Any]:
    """What Compose made of a service that uses everything that is compared."""
    return {
        "image": IMAGE, "command": None, "entrypoint": None, "environment": {"MODE": "file", "PRICE": "1$$", "GONE": None},
        "labels": {"team": "a", "lading.app": "shop"}, "restart": "unless-stopped", "ports": [{"target": 80, "published": "8080", "protocol": "tcp"}],
        "networks": {"default": None}, "healthcheck": {"interval": "5s", "retries": 3}, "secrets": [{"source": "key"}], "configs": [{"source": "text"}],
        "tmpfs": ["/run:size=1m"], "volumes": [
            {"type": "bind", "source": "/etc/hostname", "target": "/host", "read_only": True},
            {"type": "bind", "source": f"{HERE}objects/o1", "target": "/conf", "read_only": True},
            {"type": "bind", "source": f"{HERE}project/data", "target": "/data"},
            {"type": "volume", "source": "rows", "target": "/rows"}, {"type": "volume", "target": "/scratch"}], **more}


def a_tree(**more: Any) -> dict[str, Any]:
    return {"services": {"web": a_service(**more)}, "networks": {"default": {"name": "shop_default"}}, "volumes": {"rows": {"name": "shop_rows"}},
            "secrets": {"key": {"file": f"{HERE}secrets/file.key/1"}}, "configs": {"text": {"content": "x"}}}


def bind(source: str, target: str, *, writable: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Destination": target, "RW": writable}


def a_container() -> dict[str, Any]:
    """What `docker inspect` shows of the same, as a playbook started it."""
    return {
        "Id": "c1", "Name": "/shop-web-1", "Image": "i1", "State": {"Running": True}, "NetworkSettings": {"Networks": {"shop_default": {}}},
        "Config": {"Image": "r.example/app:1", "Env": ["PATH=/bin", "MODE=file", "PRICE=1$"], "Cmd": ["run"], "Entrypoint": ["/init"],
                   "User": "app", "WorkingDir": "/srv", "Hostname": "c1", "Labels": {"maker": "us", "team": "a", "com.docker.compose.service": "web"},
                   "Healthcheck": {"Test": ["CMD", "ok"], "Interval": 5_000_000_000, "Retries": 3}},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}, "NetworkMode": "shop_default", "Tmpfs": {"/run": "size=1m"},
                       "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        "Mounts": [bind("/etc/hostname", "/host"), bind("/srv/app/conf", "/conf"), bind("/srv/app/data", "/data", writable=True),
                   bind("/srv/app/key", "/run/secrets/key"), {"Type": "volume", "Name": "shop_rows", "Destination": "/rows", "RW": True},
                   {"Type": "volume", "Name": NAMELESS, "Destination": "/scratch", "RW": True},
                   {"Type": "volume", "Name": NAMELESS, "Destination": "/cache", "RW": True}],
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The container with the value at *path* (a/b/0) another one."""
    made: Any = copy.deepcopy(a_container())
    at, *rest = path.split("/")[::-1]
    part = made
    for word in rest[::-1]:
        part = part[int(word)] if isinstance(part, list) else part.setdefault(word, {})
    part[int(at) if isinstance(part, list) else at] = value
    return dict(made)


def found(raw: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    return likeness.differences(a_tree(**more), "web", raw, SEEN, IMAGE)


def test_what_is_just_so_does_not_differ() -> None:
    assert found(a_container()) == []


@pytest.mark.parametrize(("path", "value", "expected"), [
    ("Config/User", "root", ("user", "root", "app")),
    ("Config/WorkingDir", "/", ("working_dir", "/", "/srv")),
    ("Config/StopSignal", "SIGINT", ("stop_signal", "SIGINT", "SIGTERM")),
    ("Config/StopTimeout", 3, ("stop_grace_period", "3", "10")),
    ("Config/Tty", True, ("tty", "True", "False")),
    ("HostConfig/Privileged", True, ("privileged", "True", "False")),
    ("HostConfig/RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 3}, ("restart", "on-failure:3", "unless-stopped")),
    ("HostConfig/Memory", 7, ("mem_limit", "7", "0")),
    ("HostConfig/NanoCpus", 500_000_000, ("cpus", "0.5", "0.0")),
    ("HostConfig/CapAdd", ["NET_ADMIN"], ("cap_add", "NET_ADMIN", "")),
    ("HostConfig/ExtraHosts", ["a:1.2.3.4"], ("extra_hosts", "a:1.2.3.4", "")),
    ("HostConfig/PortBindings", None, ("ports", "", ":8080->80/tcp")),
    ("NetworkSettings/Networks", {"other": {}}, ("networks", "other", "shop_default")),
    ("Config/Cmd", ["canary"], ("command", "***", "changed")),
    ("Config/Entrypoint", None, ("entrypoint", "***", "changed")),
    ("Config/Healthcheck", None, ("healthcheck", "***", "changed")),
    ("Config/Env", ["PATH=/bin", "MODE=canary", "PRICE=1$"], ("environment MODE", "***", "changed")),
    ("Config/Env", ["PATH=/bin", "MODE=file"], ("environment PRICE", "", "changed")),
    ("Config/Env", ["PATH=/bin", "MODE=file", "PRICE=1$", "GONE=canary"], ("environment GONE", "***", "not there")),
    ("Config/Labels", {"maker": "us", "team": "canary"}, ("label team", "***", "changed")),
    ("Mounts/0", bind("/etc/other", "/host"), ("mount /host", "bind /etc/other (read only)", "bind /etc/hostname (read only)")),
    ("Mounts/0", bind("/etc/hostname", "/host", writable=True), ("mount /host", "bind /etc/hostname", "bind /etc/hostname (read only)")),
    ("Mounts/1", bind("/srv/app/old", "/conf"), ("mount /conf", "bind /srv/app/old (read only)", "bind what ships (read only)")),
    ("Mounts/2", bind("/srv/other", "/data", writable=True), ("mount /data", "bind /srv/other", "bind project/data")),
    ("Mounts/3", bind("/srv/app/conf", "/run/secrets/key"), ("mount /run/secrets/key", "bind /srv/app/conf (read only)", "bind what ships (read only)")),
    ("Mounts/4", {"Type": "volume", "Name": "x", "Destination": "/rows"}, ("mount /rows", "volume x", "volume shop_rows")),
    ("Mounts/6/Destination", "/more", ("mount /more", "volume", "none")),
    ("HostConfig/Tmpfs", None, ("mount /run", "none", "tmpfs")),
    ("Image", "i2", ("image", "r.example/app:1", "r.example/app:1 (sha256:aaaaaaaaaaaa)")),
])
def test_every_field_is_noticed(path: str, value: Any, expected: tuple[str, str, str]) -> None:
    if path == "Image":  # nothing is known of it, so that its defaults are not either
        assert expected in found(changed(path, value))
    else:
        assert found(changed(path, value)) == [expected]


def test_another_image_is_named_by_its_digest() -> None:
    other = likeness.Evidence({"i1": {"Config": OWN, "RepoDigests": ["r.example/app@sha256:" + "b" * 64]}}, SEEN.lies, SEEN.wanted, SEEN.same)
    assert likeness.differences(a_tree(), "web", a_container(), other, IMAGE) == [
        ("image", "r.example/app:1 (sha256:bbbbbbbbbbbb)", "r.example/app:1 (sha256:aaaaaaaaaaaa)")]


@pytest.mark.parametrize(("more", "fields"), [
    ({"user": "x", "working_dir": "/", "stop_signal": "SIGINT", "stop_grace_period": "1m"},
     {"user", "working_dir", "stop_signal", "stop_grace_period"}),
    ({"entrypoint": ["/other"]}, {"entrypoint", "command"}),  # an entrypoint of one's own takes the image's command away
    ({"command": ["x"]}, {"command"}),
    ({"healthcheck": {"disable": True}}, {"healthcheck"}),
    ({"hostname": "h", "container_name": "c", "pid": "host", "ipc": "service:web"}, {"hostname", "container_name", "pid"}),
    ({"network_mode": "host", "networks": None}, {"network_mode"}),
    ({"logging": {"driver": "syslog", "options": {"tag": "a"}}}, {"logging"}),
    ({"deploy": {"resources": {"limits": {"cpus": "0.5", "memory": "7"}}}}, {"cpus", "mem_limit"}),
    ({"restart": None, "deploy": {"restart_policy": {"condition": "none"}}}, {"restart"}),
    ({"extra_hosts": ["a=1.2.3.4"], "cap_drop": ["CAP_CHOWN"]}, {"extra_hosts", "cap_drop"}),
    ({"configs": [{"source": "more", "target": "/etc/more"}]}, {"mount /etc/more"}),
])
def test_what_only_the_file_has_is_noticed(more: dict[str, Any], fields: set[str]) -> None:
    tree = a_tree(**more)
    tree["configs"]["more"] = {"file": f"{HERE}objects/o1"}
    assert {field for field, _, _ in likeness.differences(tree, "web", a_container(), SEEN, IMAGE)} == fields


def test_keys_that_are_not_compared_are_named() -> None:
    tree = a_tree(ulimits={"nofile": 1}, sysctls={}, build={"context": "."}, networks={"default": {"aliases": ["a"]}}, **{"x-a": 1})
    assert likeness.unread(tree, "web") == ["configs.text", "networks.default", "ulimits"]
