"""Compose's normal form as typed services: what lading reads of the specification, and what it does without."""

from collections.abc import Mapping
from typing import Any

import pytest

from lading.compose import hooks, overlay, project, reference, services, unheeded


def read(resolved: dict[str, Any], raw: dict[str, Any] | None = None) -> project.Service:
    return services.service("web", resolved, raw or resolved, resolved, {"B", "A"})


def test_what_bind_says_is_kept_unless_it_says_nothing() -> None:
    def options(**written: Any) -> Mapping[str, Any]:
        return services.mounts({"volumes": [{"type": "bind", "source": "./a", "target": "/a", **written}]})[0].options

    assert options() == options(bind={}) == options(bind={"create_host_path": True}) == {}
    assert options(bind={"create_host_path": False}) == {"create_host_path": False}
    assert options(bind={"selinux": "z", "x-why": "RHEL"}) == {"create_host_path": True, "selinux": "z"}


def test_a_service_in_full() -> None:
    one = read({
        "image": "r/web:$$1", "ports": [{"target": 80, "published": "8080", "protocol": "udp", "host_ip": "::1"}, {"target": 9}],
        "volumes": [{"type": "bind", "source": "./a$$b", "target": "/a", "read_only": True}, {"type": "volume", "target": "/anon"}],
        "tmpfs": ["/run:size=1m"], "networks": {"front": None}, "configs": [{"source": "c"}, {"source": "d", "target": "/etc/d"}],
        "secrets": [{"source": "s", "target": "token"}], "depends_on": {"db": {"condition": "service_healthy"}, "x": {}},
        "network_mode": "service:vpn", "ipc": "host", "pid": "service:db", "volumes_from": ["data:ro", "container:other"],
        "restart": "on-failure:3", "healthcheck": {"test": ["CMD", "true"], "interval": "1m30s", "retries": 5, "start_period": "500ms"},
        "stop_grace_period": "2m", "profiles": ["tool"], "platform": "linux/arm64", "build": {"context": "."},
        "deploy": {"replicas": 3, "update_config": {"parallelism": 2, "monitor": "1s", "delay": "10s"}, "rollback_config": {}},
    }, {"env_file": [{"path": "./e.env"}]})
    assert one == project.Service(
        "web", "r/web:$1", one.definition, (project.Port(80, "8080", "udp", "::1"), project.Port(9)),
        (project.Mount("bind", "./a$b", "/a", True), project.Mount("volume", "", "/anon"), project.Mount("tmpfs", "", "/run")),
        ("front",), (project.FileRef("c", "/c"), project.FileRef("d", "/etc/d")), (project.FileRef("s", "/run/secrets/token"),),
        ({"path": "./e.env"},), {"db": "service_healthy", "x": ""}, ("data", "db", "vpn"), "on-failure:3", True,
        project.Health(90.0, 30.0, 5, 0.5), 120.0, 3, project.Rollout(2, 1.0, 10.0), project.Rollout(1, 5.0, 0.0), ("tool",),
        "linux/arm64", True, ("A", "B"))
    assert not one.enabled


def test_which_services_leave_a_container() -> None:
    assert read({}).starts
    assert not read({"scale": 0}).starts
    assert not read({"profiles": ["tools"]}).starts


def test_the_files_of_seccomp_profiles() -> None:
    options = ["seccomp:./a$$b.json", "seccomp=c.json", "seccomp:unconfined", "seccomp=builtin", "seccomp:", "no-new-privileges", "apparmor:own"]
    assert services.seccomp({"security_opt": options}) == ("./a$b.json", "c.json")


def test_a_service_of_nothing() -> None:
    assert read({}) == project.Service("web", "", {}, variables=("A", "B"))


@pytest.mark.parametrize(("resolved", "restart", "written"), [
    ({"restart": "no"}, "no", True), ({"deploy": {"restart_policy": {"condition": "none"}}}, "no", True), ({}, "", False),
    ({"deploy": {"restart_policy": {}}}, "no", True), ({"deploy": {"restart_policy": {"condition": "on-failure"}}}, "on-failure", True),
    ({"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}}, "no", True),
    ({"restart": "no", "deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}}, "always", True),
    ({"restart": "unless-stopped", "deploy": {"restart_policy": {"max_attempts": 3}}}, "no", True),
    ({"restart": "unless-stopped", "deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}, "on-failure:3", True),
    ({"restart": "unless-stopped", "deploy": {"replicas": 1}}, "unless-stopped", True),
])
def test_restart_in_one_vocabulary(resolved: dict[str, Any], restart: str, written: bool) -> None:
    one = read(resolved)
    assert (one.restart, one.restart_written) == (restart, written)


@pytest.mark.parametrize(("resolved", "count"), [
    ({}, 1), ({"scale": 2}, 2), ({"deploy": {"replicas": 3}}, 3), ({"scale": 0, "deploy": {"replicas": 3}}, 0),
    ({"deploy": {"mode": "global", "replicas": 3}}, 1), ({"deploy": {"mode": "global-job"}}, 1),
])
def test_replicas(resolved: dict[str, Any], count: int) -> None:
    assert services.replicas(resolved) == count


@pytest.mark.parametrize("check", [None, {}, {"disable": True, "test": ["CMD", "x"]}, {"test": ["NONE"]}])
def test_no_health_check(check: dict[str, Any] | None) -> None:
    assert read({"healthcheck": check}).health is None


@pytest.mark.parametrize(("text", "wanted"), [
    ("1m30s", 90.0), ("1h", 3600.0), ("2.5s", 2.5), (".5s", 0.5), ("5us", 5e-6), ("5µs", 5e-6), ("7ns", 7e-9), ("soon", 0.0), (None, 0.0),
    ("1..s", 0.0), ("", 0.0),
])
def test_durations(text: str | None, wanted: float) -> None:
    assert services.seconds(text) == pytest.approx(wanted)


HOOK = {"service": "tool"}


@pytest.mark.parametrize(("extension", "path", "said"), [
    ({}, None, ""), ({"hooks": {"before": HOOK}}, None, ""), ({"hooks": {"before": {**HOOK, "command": ["a", "b"], "timeout": "90s"}}}, None, ""),
    ({"hooks": []}, "hooks", "one key, `before`"), ({"hooks": {"after": HOOK}}, "hooks", "one key"), ({"hooks": {}}, "hooks", "one key"),
    ({"hooks": {"before": None}}, "hooks.before", "needs a `service:`"), ({"hooks": {"before": {"service": 7}}}, "hooks.before", "needs"),
    ({"hooks": {"before": {**HOOK, "cmd": "x"}}}, "hooks.before.cmd", "does not know `cmd`"),
    ({"hooks": {"before": {**HOOK, "command": 7}}}, "hooks.before.command", "text or a list"),
    ({"hooks": {"before": {**HOOK, "command": ["a", 7]}}}, "hooks.before.command", "text or a list"),
    ({"hooks": {"before": {**HOOK, "timeout": "soon"}}}, "hooks.before.timeout", "'soon' is no duration"),
    ({"hooks": {"before": {**HOOK, "timeout": "1..s"}}}, "hooks.before.timeout", "no duration"),
])
def test_the_shape_of_hooks(extension: dict[str, Any], path: str | None, said: str) -> None:
    found = list(hooks.faults(extension))
    assert [".".join(where) for where, _ in found] == ([path] if path else [])
    assert all(said in why for _, why in found)


def test_hooks() -> None:
    assert hooks.before({}) is None
    assert hooks.before({"hooks": {"before": HOOK}}) == hooks.Hook("tool")
    assert hooks.before({"hooks": {"before": {**HOOK, "command": "x", "timeout": "2m"}}}) == hooks.Hook("tool", "x", 120.0)


def test_what_is_not_carried_out_is_said() -> None:
    config = {"order": "start-first", "failure_action": "pause", "max_failure_ratio": 0.5}
    loud = project.Service("loud", "r", {"deploy": {"update_config": config, "rollback_config": config, "placement": {"constraints": ["x"]}}})
    idle = project.Service("idle", "r", loud.definition, profiles=("tool",))
    calm = project.Service("calm", "r", {"deploy": {"update_config": {"order": "stop-first", "failure_action": "rollback", "parallelism": 1}}})
    lines = unheeded.warnings(project.Project("shop", {"loud": loud, "idle": idle, "calm": calm, "bare": project.Service("bare", "r", {})}))
    said = [line.removeprefix("service loud: ").partition(" is not")[0] for line in lines]
    assert said == ["update_config.order: start-first", "update_config.failure_action: pause", "update_config.max_failure_ratio",
                    "rollback_config.order: start-first", "rollback_config.max_failure_ratio", "deploy.placement"]


def test_the_overlay_as_text() -> None:
    text = overlay.write({"services": {"web": {"image": "r/ü:1", "build": overlay.RESET, "no": {}, "on": [], "a b": {"x": 1}, "volumes": [
        {"type": "bind"}], "env_file": overlay.Override([{"path": "a"}]), "deploy": overlay.Override({"k": overlay.RESET})}}})
    assert text.removeprefix(overlay.HEADER) == """services:
  web:
    image: "r/ü:1"
    build: !reset null
    "no": {}
    "on": []
    "a b":
      x: 1
    volumes:
      - {"type": "bind"}
    env_file: !override
      - {"path": "a"}
    deploy: !override
      k: !reset null
"""
    assert overlay.literal("${A} $$") == "$${A} $$$$"


def test_a_reference_with_a_digest() -> None:
    digest = "sha256:" + "0" * 64
    assert reference.parse(f"r.example/a@{digest}") == reference.Reference("r.example", "a", "", digest)
    assert reference.pinned(f"a:1@{digest}", "sha256:new") == "a:1@sha256:new"
    assert reference.full(f"r.example/a:1@{digest}") == f"r.example/a@{digest}"
    assert [reference.full(text) for text in ("redis", "team/app:2")] == [
        "docker.io/library/redis:latest", "docker.io/team/app:2"]
