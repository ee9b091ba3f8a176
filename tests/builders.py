"""Short honest makers of values for unit tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading import state
from lading.compose import project, release
from lading.state import journal

PIN = "@sha256:" + "a" * 64


def a_service(name: str, image: str = "r.example/app:1", **more: Any) -> project.Service:
    definition = {"image": image, **more.pop("definition", {})}
    if more.get("restart"):
        definition.setdefault("restart", more["restart"])
    return project.Service(name, image, definition, networks=more.pop("networks", ("default",)), **more)


def a_reading(*services: project.Service, **more: Any) -> project.Reading:
    networks = more.pop("networks", {"default": project.Resource("default", "shop_default", {})})
    app = project.Project("shop", {s.name: s for s in services}, networks=networks, volumes=more.pop("volumes", {}),
                          configs=more.pop("configs", {}), secrets=more.pop("top_secrets", {}),
                          extension=more.pop("extension", {}))
    values: dict[str, Any] = {
        "version": "1", "directory": ".", "compose_files": ("docker-compose.yml",),
        "files": (project.ShippedFile("docker-compose.yml", b"services: {}\n"),), "binds": {}, "host_data": (),
        "plain": {"VERSION": "1"}, "secrets": {}, "uses": {}, "source": "src", "commit": "", **more,
    }
    return project.Reading(project=app, **values)


def a_release(*services: project.Service, **more: Any) -> release.Release:
    reading = a_reading(*services, **more)
    return release.build(reading, {s.image: s.image + PIN for s in services}).release


def a_container(spec: release.ServiceSpec, **more: Any) -> state.ContainerState:
    values: dict[str, Any] = {
        "app": "shop", "service": spec.name, "id": f"id-{spec.name}", "name": f"shop-{spec.name}-1", "image": spec.image,
        "image_id": "i", "status": "running", "content": spec.content, "owned": True,
        "networks": dict.fromkeys(spec.networks, "n"), "mounts": dict.fromkeys(spec.mounts, "m"), "ports": spec.ports,
        **more,
    }
    return state.ContainerState(**values)


def an_app(made: release.Release, *containers: state.ContainerState, **more: Any) -> state.AppState:
    """An app on a host where *made* is current, and its containers run (or those given)."""
    import json

    raw = json.loads(made.canonical())
    current = state.Current("shop", made.id, made.version, "d1", generations=more.pop("generations", {}))
    running = containers or tuple(a_container(spec) for spec in made.active.values())
    return state.AppState("shop", current, {made.id: raw}, containers=running, objects=frozenset(made.objects), **more)


def last_phase(told: Sequence[journal.Record], deployment: str) -> journal.Phase | None:
    """The phase in which a journal leaves a deployment; None if it does not know it."""
    phases: list[journal.Phase] = ["begun" if isinstance(one, journal.Begun) else one.phase for one in told
                                   if one.deployment == deployment and isinstance(one, journal.Begun | journal.Reached)]
    return phases[-1] if phases else None


def a_journal(*lines: Mapping[str, Any]) -> tuple[journal.Record, ...]:
    """The journal of an app on a host, as lading reads it from its lines."""
    return tuple(map(journal.read, lines))
