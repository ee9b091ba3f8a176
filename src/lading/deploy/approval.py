"""A plan by its hash: what was approved is carried out, or it is refused with the difference."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lading import canonical, disk, errors, events, settings, shape
from lading import context as contexts
from lading.ledger import deployments
from lading.plan import difference, steps

KEPT = 50  # printed plans that stay
LIMIT = 16 << 20
RECENT = 10  # deployments of an app that are looked through


def keep(environment: Mapping[str, str], plan: steps.Plan) -> None:
    """Keep a plan that was shown, so that a later refusal can say what is different; where it cannot be kept, it is not."""
    if plan.unfinished:
        return
    folder = _folder(environment)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{plan.hash}.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(json.dumps(plan.as_json()).encode())
        for old in _printed(folder)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return


async def carried_out_as(context: contexts.Context, plan: steps.Plan) -> str:
    """The deployment that has carried out the approved plan of *plan*'s app already; "" if *plan* is it, or none is known.

    Only the app's last deployments are looked at, and a ledger that cannot be read says nothing.
    """
    wanted = context.approved
    if wanted in ("", plan.hash) or context.ledger is None:
        return ""
    try:
        for row in await context.ledger.history(plan.app, RECENT):
            if row.result == "succeeded" and _is_of(wanted, await context.ledger.events(row.deployment)):
                return row.deployment
    except errors.LedgerError:
        return ""
    return ""


def _is_of(wanted: str, told: Sequence[deployments.Stored]) -> bool:
    """Whether the plan of a deployment is the one that is wanted."""
    return any(isinstance(one.event, events.DeploymentPlanned) and one.event.plan.startswith(wanted) for one in told)


def check(context: contexts.Context, plan: steps.Plan, done: str = "") -> None:
    """Refuse a plan that is not the approved one; without an approval by hash every plan is good here.

    Two plans with the same 12 digits can be made on purpose: a beginning only stands for a plan that this user was shown.
    *done*: the deployment that has carried out the approved one, if one is known.

    Raises:
        PlanChangedError: so it is; what is different is said where the approved plan is known.
        NotConfirmedError: only the beginning of a hash was given, and it is not of one plan that was shown here.
    """
    wanted = context.approved
    if wanted in ("", plan.hash):
        return
    before = _find(context.environment, wanted)
    if before is not None and before["hash"] == plan.hash:
        return
    if before is None and plan.hash.startswith(wanted):
        raise errors.NotConfirmedError(
            f"--plan {wanted} is only the beginning of a hash, and not of one plan that this user was shown here; nothing was changed",
            "give all 64 digits: lading plan prints them with --json, and where stdout is no terminal")
    if done:
        raise errors.PlanChangedError(f"plan {canonical.short(wanted)} was carried out already, as {done}",
                                      f"lading show {done}; what is left to do: the same command with --dry-run in place of --plan")
    unknown = "; what it was is not known here, now it is" if before is None else ""
    told = difference.summary(plan.as_json()) if before is None else difference.between(before, plan.as_json())
    raise errors.PlanChangedError(
        "\n".join([f"the plan is not {canonical.short(wanted)} any more but {canonical.short(plan.hash)}{unknown}:", *told]),
        f"look at it (lading plan, or --dry-run), then --plan {canonical.short(plan.hash)}")


def check_ended(context: contexts.Context, app: str, unfinished: Mapping[str, str]) -> None:
    """Refuse a plan by its hash while another deployment of the app is open: what it leaves behind is not known.

    Raises:
        PlanChangedError: so it is.
    """
    if context.approved and unfinished:
        told = ", ".join(f"{deployment} on {host}" for host, deployment in unfinished.items())
        raise errors.PlanChangedError(
            f"a deployment of {app} is open ({told}), so that no plan of it is certain",
            f"lading resume {app}; then plan again and approve that")


def _folder(environment: Mapping[str, str]) -> Path:
    return settings.state_home(environment) / "plans"


def _printed(folder: Path) -> list[Path]:
    """The plans that are kept, the oldest first."""
    return sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)


def _find(environment: Mapping[str, str], wanted: str) -> Mapping[str, Any] | None:
    """The plan that was shown under a hash; None if this user has not seen it here, or more than one begins so."""
    try:
        found = [path for path in _printed(_folder(environment)) if path.name.startswith(wanted)]
        if len(found) != 1:
            return None
        document: Mapping[str, Any] = shape.parse(disk.read(found[0], limit=LIMIT).decode())
    except (OSError, ValueError):
        return None
    return document if document.get("hash") == found[0].stem else None
