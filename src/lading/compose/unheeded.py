"""What of `deploy:` lading does not carry out, as warnings for the plan (pure)."""

from collections.abc import Collection, Container, Mapping
from typing import Any

from lading.compose import handling, project


def warnings(app: project.Project, sent: Collection[str] = ()) -> tuple[str, ...]:
    """One line for each word that is written in the file and will not happen; *sent*: the images that hosts are sent."""
    said: list[str] = []
    local = app.local_images - frozenset(sent)
    for name, service in sorted(app.services.items()):
        if service.enabled:
            said += _pulling(name, service, local) if service.image not in sent else []
            said += _service(name, service.definition.get("deploy") or {})
    return tuple(said)


def _pulling(name: str, service: project.Service, local: Container[str]) -> list[str]:
    policy = service.definition.get("pull_policy")
    if service.image in local:
        return [f"service {name}: pull_policy: never: each host must have {service.image}; no registry is asked for it, and another "
                "image that gets this name later is not noticed"]
    if policy in ("build", "never"):
        return [f"service {name}: pull_policy: {policy} is not carried out: hosts pull {service.image} by its digest if they lack it"]
    return []


def _service(name: str, deploy: Mapping[str, Any]) -> list[str]:
    said = []
    for key in ("update_config", "rollback_config"):
        config = deploy.get(key) or {}
        if config.get("order", "stop-first") != "stop-first":
            said.append(f"service {name}: {key}.order: {config['order']} is not carried out, {handling.IN_PLACE}")
        if config.get("failure_action", "rollback") != "rollback" and key == "update_config":
            said.append(f"service {name}: {key}.failure_action: {config['failure_action']} is not carried out, {handling.TAKEN_BACK}")
        if config.get("max_failure_ratio"):
            said.append(f"service {name}: {key}.max_failure_ratio is not carried out, one failure is enough")
    if deploy.get("placement"):
        said.append(f"service {name}: deploy.placement is not carried out, {handling.ALL_HOSTS}")
    return said
