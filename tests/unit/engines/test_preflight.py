"""What keeps a host from taking a release, in words; whose the project's name is."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from builders import PIN, a_container, a_journal, a_release, a_service, an_app
from lading import state
from lading.compose import project, restore
from lading.engines import preflight
from lading.placement import assignment
from lading.plan import steps

GOOD = state.Facts(engine="20.10.24+dfsg1", compose="v2.24.4-desktop.1", architecture="x86_64", context="default",
                   state_dir="/var/lib/lading", state_fs="ext2/ext3", disk_free=-1, docker_free=50)
WEB = a_service("web", "r/web:1", ports=(project.Port(80, "8080"), project.Port(53, "53", "udp", "10.0.0.1"), project.Port(9)))
MADE = a_release(WEB)
IMAGE = "r/web:1" + PIN
START = steps.HostPlan("h", (steps.StartServices(("web",)),))


def problems(facts: dict[str, Any], *, app: state.AppState | None = None, platforms: dict[str, list[str]] | None = None) -> list[str]:
    seen = state.HostState("h", replace(GOOD, **facts), {"shop": app} if app else {})
    return preflight.problems(MADE, START, seen, platforms or {})


@pytest.mark.parametrize(("facts", "said"), [
    ({}, None), ({"engine": "28.0"}, None), ({"context": "default unix:///run/user/7/docker.sock"}, None), ({"docker_free": 5000}, None),
    ({"engine": "19.03.15"}, "Docker Engine 19.03.15 is too old"), ({"engine": ""}, "Docker Engine (none) is too old"),
    ({"compose": ""}, "the Compose plugin is not installed"), ({"compose": "2.24.3"}, "Compose 2.24.3 is too old"),
    ({"compose": "dev"}, "Compose dev is too old"), ({"tools": ("flock",)}, "flock is not installed"),
    ({"context": "default tcp://elsewhere"}, "DOCKER_HOST is tcp://elsewhere"),
    ({"context": "rootless"}, "context there is rootless"), ({"context": ""}, None), ({"state_fs": "nfs"}, "network file system (nfs)"),
    ({"disk_free": 49}, "49 MiB free for /var/lib/lading"), ({"docker_free": 0}, "0 MiB free for Docker's folder"),
    ({"missing_paths": ("/srv/x",)}, "/srv/x does not exist on the host"), ({"problem": "no daemon", "engine": ""}, "no daemon"),
    ({"ports": {"0.0.0.0:8080/tcp": "edge"}}, "port 8080 is taken by edge"), ({"ports": {":::8080/tcp": "edge"}}, "taken by edge"),
    ({"ports": {"127.0.0.1:8080/tcp": "edge"}}, "port 8080 is taken by edge"), ({"ports": {"0.0.0.0:8080/udp": "dns"}}, None),
    ({"ports": {"0.0.0.0:8080/tcp": "shop"}, "listening": ("0.0.0.0:8080", ":::8080")}, None),
    ({"ports": {"10.0.0.1:8080/tcp": "shop"}, "listening": ("10.0.0.1:8080",)}, None),
    ({"ports": {"10.0.0.1:8080/tcp": "shop"}, "listening": ("10.0.0.1:8080", "10.0.0.2:8080")}, "a program outside Docker"),
    ({"ports": {"0.0.0.0:8080/tcp": "shop", ":::8080/tcp": "shop"}, "listening": ("0.0.0.0:8080", ":::8080")}, None),
    ({"ports": {"127.0.0.1:53/udp": "dns"}}, None), ({"ports": {"10.0.0.1:53/udp": "dns"}}, "port 53 is taken by dns"),
    ({"ports": {"[::]:53/udp": "dns"}}, "port 53 is taken by dns"), ({"ports": {"10.0.0.1:53/tcp": "dns"}}, None),
    ({"listening": ("0.0.0.0:8080",)}, "port 8080 is taken by a program outside Docker"), ({"listening": ("0.0.0.0:53", ":::22")}, None),
    ({"listening": ("127.0.0.1:8080",)}, "port 8080 is taken by"), ({"listening": ("::1:8080",)}, "port 8080 is taken by"),
])
def test_one_thing_at_a_time(facts: dict[str, Any], said: str | None) -> None:
    found = problems(facts)
    assert len(found) == (0 if said is None else 1), found
    assert said is None or said in found[0]


@pytest.mark.parametrize(("known", "used", "said"), [
    ((), True, []), (("edge",), True, []), (("bridge",), False, []),
    (("bridge",), True, ["the external network edge does not exist (docker network create edge)"]),
])
def test_an_external_network_is_there(known: tuple[str, ...], used: bool, said: list[str]) -> None:  # D15
    networks = {"front": project.Resource("front", "edge", {}, external=True), "default": project.Resource("default", "shop_default", {})}
    made = a_release(a_service("web", networks=("front",) if used else ("default",)), networks=networks)
    seen = state.HostState("h", replace(GOOD, known_networks=known))
    assert preflight.problems(made, START, seen, {}) == said


@pytest.mark.parametrize(("engine", "definition", "said"), [
    ("24.0.9", {"healthcheck": {"start_interval": "1s"}}, ["healthcheck.start_interval needs Docker Engine 25.0, the host has 24.0.9"]),
    ("25.0.0", {"healthcheck": {"start_interval": "1s"}, "volumes": ["data:/data"]}, []),
    ("25.0", {"volumes": [{"type": "volume", "source": "a", "target": "/a", "volume": {"subpath": "b"}}]},
     ["volumes.volume.subpath needs Docker Engine 26.0, the host has 25.0"]),
    ("27.1", {"volumes": [{"type": "image", "source": "a", "target": "/a"}]},
     ["volumes: type: image needs Docker Engine 28.0, the host has 27.1"]),
    ("28.0", {"networks": {"a": {"interface_name": "eth7"}, "b": None}},
     ["networks.interface_name needs Docker Engine 28.1, the host has 28.0"]),
    ("24.0", {"networks": {"a": {"mac_address": "02:00:00:00:00:01"}, "b": {"mac_address": "02:00:00:00:00:02"}}},
     ["networks.mac_address on more than one network needs Docker Engine 25.0, the host has 24.0"]),
    ("24.0", {"networks": {"a": {"mac_address": "02:00:00:00:00:01"}, "b": {}}}, []),
])
def test_a_key_that_the_engine_is_too_old_for(engine: str, definition: dict[str, Any], said: list[str]) -> None:  # D15
    made = a_release(a_service("web", definition=definition))
    seen = state.HostState("h", replace(GOOD, engine=engine))
    assert preflight.problems(made, START, seen, {}) == [f"service web: {one}" for one in said]


def test_what_to_type_makes_the_folders_that_are_missing() -> None:  # E10
    missing = replace(GOOD, missing_paths=("/srv/x", "/srv/y"))
    assert preflight.remedy(state.HostState("web1", missing)) == "ssh web1 mkdir -p /srv/x /srv/y"
    odd = replace(GOOD, missing_paths=("/srv/a b",))
    assert shlex.split(shlex.split(preflight.remedy(state.HostState("web1", odd)))[2]) == ["mkdir", "-p", "/srv/a b"]
    assert preflight.remedy(state.HostState("web1", GOOD)) == "lading check web1"


@pytest.mark.parametrize(("published", "listening", "meets"), [
    ("127.0.0.1:8080", "127.0.0.1:8080", True), ("127.0.0.1:8080", "10.0.0.1:8080", False), ("127.0.0.1:8080", "0.0.0.0:8080", True),
    ("127.0.0.1:8080", ":::8080", True), ("0.0.0.0:8080", "10.0.0.1:8080", True), ("0.0.0.0:8080", "::1:8080", False),
    ("0.0.0.0:8080", ":::8080", True), ("::1:8080", "::1:8080", True), ("::1:8080", "0.0.0.0:8080", False),
    ("::1:8080", "127.0.0.1:8080", False), ("8080", "::1:8080", True), ("127.0.0.1:8080", "127.0.0.1:8081", False),
])
def test_a_listener_is_in_the_way_where_its_address_is(published: str, listening: str, meets: bool) -> None:
    address, _, number = published.rpartition(":")
    made = a_release(a_service("web", "r/web:1", ports=(project.Port(80, number, "tcp", address),)))
    seen = state.HostState("h", replace(GOOD, listening=(listening,)), {})
    assert bool(preflight.problems(made, START, seen, {})) == meets


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = problems({"engine": "1", "compose": "", "missing_paths": ("/x",), "listening": ("0.0.0.0:8080",)})
    assert len(found) == 4
    assert [one.why for one in preflight.tooling(replace(GOOD, problem="docker is not installed"))] == ["docker is not installed"]


def test_the_apps_own_port_is_no_conflict() -> None:
    app = an_app(MADE)
    assert problems({"listening": ("0.0.0.0:8080",), "ports": {"0.0.0.0:8080/tcp": "shop"}}, app=app) == []
    assert problems({"listening": ("0.0.0.0:8080",)}, app=app) == []


@pytest.mark.parametrize(("machine", "platforms", "good"), [
    ("x86_64", ["linux/amd64"], True), ("x86_64", ["linux/arm64/v8"], False), ("aarch64", ["linux/arm64/v8"], True),
    ("riscv64", ["linux/riscv64"], True), ("x86_64", [], True), ("armv7l", ["linux/amd64", "linux/arm/v7"], True),
])
def test_architecture(machine: str, platforms: list[str], good: bool) -> None:
    found = problems({"architecture": machine}, platforms={IMAGE: platforms})
    assert found == ([] if good else [f"{IMAGE} is not there for linux/amd64 (only {', '.join(platforms)})"])


def test_an_architecture_by_a_variable() -> None:
    made = a_release(a_service("web", "r/web:1", platform="linux/s390x", definition={"platform": "${P}"}))
    seen = state.HostState("h", GOOD)
    said = [f"{IMAGE} is not there for linux/s390x (only linux/amd64)"]
    assert preflight.problems(made, START, seen, {IMAGE: ["linux/amd64"]}) == said
    kept = restore.from_json(json.loads(made.canonical()))  # nobody knows which one it was
    assert preflight.problems(kept, START, seen, {IMAGE: ["linux/amd64"]}) == []


@pytest.mark.parametrize(("said", "why"), [
    ("Error response from daemon: manifest for r/x:none not found", ""), ("unauthorized: HTTP Basic", ""), ("DENIED: no", ""),
    ("x509: certificate signed by unknown authority", "x509: certificate signed by unknown authority"), ("", "no answer in 15 s"),
])
def test_what_an_engine_says_of_a_registry(said: str, why: str) -> None:
    assert preflight.unreached(said) == why


DAEMON = "Error response from daemon: "
RESOLVE = DAEMON + 'failed to resolve reference "403.example/lading-check:none": '


@pytest.mark.parametrize("said", [
    DAEMON + "manifest for r.example/lading-check:none not found: manifest unknown: manifest unknown",
    DAEMON + "pull access denied for lading-check, repository does not exist or may require 'docker login': denied: requested access",
    DAEMON + 'Head "https://r.example/v2/lading-check/manifests/none": no basic auth credentials',
    DAEMON + 'Get "https://r.example/v2/": unauthorized: authentication required', DAEMON + "unknown: repository team/x not found",
    DAEMON + "received unexpected HTTP status: 403 Forbidden", DAEMON + "error parsing HTTP 404 response body: invalid character 'p'",
    RESOLVE + "unexpected status from HEAD request to https://r.example/v2/x: 401 Unauthorized",
    RESOLVE + "403.example/lading-check:none: not found", RESOLVE + "unexpected status code [manifests none]: 403 Forbidden",
])
def test_an_answer_of_a_registry_means_that_it_is_reached(said: str) -> None:
    assert preflight.unreached(said) == ""


@pytest.mark.parametrize("said", [
    DAEMON + 'Get "https://10.0.0.9:5403/v2/": dial tcp 10.0.0.9:5403: connect: connection refused',
    RESOLVE + 'failed to do request: Head "https://403.example/v2/": dial tcp: lookup 403.example on 127.0.0.53:53: no such host',
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
    DAEMON + 'Get "https://r.example/v2/": dial tcp 10.0.0.9:443: connect: permission denied',
    DAEMON + 'Get "https://r.example/v2/": proxyconnect tcp: dial tcp: lookup proxy: denied: not found',
    DAEMON + 'Get "https://401.example/v2/": context deadline exceeded', DAEMON + "received unexpected HTTP status: 502 Bad Gateway",
    DAEMON + 'Get "https://unauthorized/v2/": read tcp 10.0.0.1:40312->10.0.0.9:401: connection reset by peer',
])
def test_who_was_never_reached_has_not_answered_whatever_its_name_or_port(said: str) -> None:
    assert preflight.unreached(said) == said


SPEC = MADE.services["web"]
OURS = an_app(MADE)
MINE = replace(OURS, current=state.Current("shop", MADE.id, "1", "d", source="git:a", destination="production"))
THEIRS = a_container(SPEC, owned=False, working_dir="/home/bob/shop")
LOST = replace(OURS, current=None, containers=(a_container(SPEC, working_dir="/home/bob/.lading/x"),))


@pytest.mark.parametrize(("app", "take_over", "said"), [
    (None, False, ""), (MINE, False, ""), (replace(MINE, containers=()), False, ""),
    (replace(MINE, containers=(THEIRS,)), True, "containers that lading did not make (shop-web-1, from /home/bob/shop)"),
    (replace(MINE, containers=(replace(THEIRS, working_dir=""),)), False, "from an unknown folder"),
    (replace(MINE, containers=(replace(THEIRS, one_off=True),)), False, ""),
    (LOST, False, "deployed with another state folder (from /home/bob/.lading/x)"),
    (replace(LOST, journal=a_journal({"kind": "begin", "deployment": "d"})), False, ""),
    (replace(LOST, journal=a_journal({"kind": "ended", "deployment": "d", "result": "given back"})), False, "was given back (lading remove --keep-running)"),
    (replace(LOST, containers=(replace(THEIRS, one_off=True),)), False, ""),
    (replace(MINE, current=replace(MINE.current, source="git:b")), False, "belongs to git:b, from where 1 was deployed; this is git:a"),  # type: ignore[type-var]
    (replace(MINE, current=replace(MINE.current, source="git:b", since="2026-11-30T12:00:00Z", actor="ann@laptop")), False,  # type: ignore[type-var]
     "from where 1 was deployed at 2026-11-30T12:00:00Z by ann@laptop; this is git:a"),
    (replace(MINE, current=replace(MINE.current, source="git:b")), True, ""),  # type: ignore[type-var]
    (replace(MINE, current=replace(MINE.current, destination="staging")), False, "for destination staging"),  # type: ignore[type-var]
])
def test_whose_the_project_is(app: state.AppState | None, take_over: bool, said: str) -> None:
    seen = state.HostState("h", GOOD, {"shop": app} if app else {})
    found = preflight.ownership("shop", "git:a", "production", seen, take_over)
    assert said in (found.why if found else "") and bool(found) is bool(said)


@pytest.mark.parametrize(("definition", "said"), [
    ({"network_mode": "container:vpn"}, "network_mode: there is no container vpn"), ({"ipc": "container:vpn"}, "ipc: there is no container vpn"),
    ({"pid": "container:vpn"}, "pid: there is no container vpn"), ({"volumes_from": ["container:vpn:ro", "web"]}, "volumes_from: there is no container vpn"),
    ({"external_links": ["vpn:v"]}, "external_links: there is no container vpn"), ({"external_links": ["vpn"]}, "external_links: there is no container vpn"),
    ({"network_mode": "container:edge"}, ""), ({"network_mode": "container:0123456789ab"}, ""), ({"network_mode": "container:0123"}, "no container 0123"),
    ({"network_mode": "container:${VPN}"}, ""), ({"network_mode": "container:own"}, ""), ({"network_mode": "container:shop-web-1"}, ""),
    ({"network_mode": "service:web", "pid": "host"}, ""),
])
def test_a_container_of_others_is_there(definition: dict[str, Any], said: str) -> None:
    made = a_release(a_service("web", definition=definition), a_service("own", definition={"container_name": "own"}))
    seen = state.HostState("h", replace(GOOD, containers=("0123456789abcdef", "edge")))
    found = preflight.problems(made, START, seen, {})
    assert found == ([] if not said else found) and all(said in one for one in found) and len(found) == bool(said)
    idle = a_release(a_service("web", definition=definition, replicas=0), a_service("own", definition={"container_name": "own"}))
    assert preflight.problems(idle, START, seen, {}) == []


@pytest.mark.parametrize(("runtime", "known", "refused"), [
    ("nvidia", ("runc", "io.containerd.runc.v2"), True), ("nvidia", ("runc", "nvidia"), False), ("nvidia", (), False),
    ("io.containerd.kata.v2", ("runc",), False), ("/usr/bin/crun", ("runc",), False), ("${RUNTIME}", ("runc",), False), ("", ("runc",), False),
])
def test_a_runtime_is_known_to_the_engine(runtime: str, known: tuple[str, ...], refused: bool) -> None:
    made = a_release(a_service("web", definition={"runtime": runtime} if runtime else {}))
    found = preflight.problems(made, START, state.HostState("h", replace(GOOD, runtimes=known)), {})
    assert found == (["the runtime nvidia is not known to Docker (docker info -f '{{json .Runtimes}}')"] if refused else [])


def test_the_paths_that_only_services_of_no_container_mount_need_not_be_there() -> None:
    def mounting(name: str, replicas: int, *paths: str) -> project.Service:
        volumes = [{"type": "bind", "source": path, "target": f"/in{path}"} for path in paths]
        return a_service(name, replicas=replicas, mounts=tuple(project.Mount("bind", path, f"/in{path}") for path in paths),
                         definition={"volumes": [*volumes, "a secret text"]})

    made = a_release(mounting("web", 1, "/srv", "/both"), mounting("idle", 0, "/idle", "/both"), mounting("migrate", 0, "/hook"),
                     extension={"hooks": {"before": {"service": "migrate"}}})
    assert made.absolute_binds == ("/both", "/hook", "/idle", "/srv")
    assert preflight.needed_binds(made, assignment.by_default(made)) == ("/both", "/hook", "/srv")
    assert preflight.needed_binds(made, {"idle": 1, "migrate": 0}) == ("/both", "/hook", "/idle", "/srv")
    alone = a_release(mounting("idle", 0, "/idle"))
    assert preflight.needed_binds(alone, assignment.by_default(alone)) == ()
