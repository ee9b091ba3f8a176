"""How a verb ended: what the CLI prints and `--json` shows."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from typing import Any

from lading.dataclass import dataclass
from lading.engines import base
from lading.placement import exclusion


@dataclass(frozen=True, slots=True)
class Ended:
    """One deployment at its end; times are ISO 8601 UTC. *deployment* is empty if there was nothing to do.

    *note*: what its reader should know besides, such as events that the ledger lacks; *reached*: what was asked for is
    there although *result* tells of another deployment, which was taken back for it. *untold*: which webhooks do not know it.
    *versions*: release → its version, of those that were deployed or ran before.
    *excluded*: the hosts that were left out. *verb*: what was asked for; *given_back*: what runs was left running.
    """

    deployment: str
    app: str
    version: str
    release: str
    destination: str
    result: str
    started: str
    finished: str
    actor: str
    reason: str
    report: base.Report
    note: str = ""
    reached: bool = False
    untold: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    excluded: tuple[exclusion.Exclusion, ...] = ()
    verb: str = "deploy"
    given_back: bool = False

    def as_json(self) -> dict[str, Any]:
        """The document of `deploy --json` (DESIGN §3)."""
        return {
            "deployment": self.deployment or None, "app": self.app, "version": self.version, "release": self.release,
            "destination": self.destination, "result": self.result, "started": self.started,
            "finished": self.finished, "actor": self.actor, "reason": self.reason,
            "note": "; ".join(filter(None, [self.note, self.untold])) or None,
            "hosts": {
                name: {key: value if value != "" else None for key, value in asdict(host).items()}
                for name, host in self.report.outcome.hosts.items()
            },
            "excluded": [one.as_json() for one in self.excluded],
        }


def just_now(first: Iterable[Ended]) -> str:
    """What a verb says of deployments that were open, and that it has ended before its own; "" where there were none."""
    words = {"succeeded": "has been finished just now", "rolled_back": "has been taken back just now",
             "unknown": "has been ended just now, but on hosts that do not answer"}
    return "; ".join(
        f"deployment {one.deployment} of {one.app} {one.version} was open and "
        + words.get(one.result, f"has been ended just now: {one.result}") for one in first)
