"""A process with a deployment on a host: what it asks there, step by step, over the real scripts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_shell import Answers, HostShell
from lading import state
from lading.compose import release as releases
from lading.drivers import base
from lading.plan import steps
from lading.state import journal

MADE = releases.empty("shop")
C1 = state.ContainerState("", "", "c1", "", "", "", "running")
"""The one container that DOCKER shows."""
SHOWN = json.dumps({"id": "c1", "state": {"Status": "running"}})
DOCKER: Answers = {
    "compose*config*": "services: {}\n", "compose*up*": "Started\n", "ps -aq*": "c1\n", "ps*": "",
    "container inspect*oneoff*": f"= c1 running 0 0 \n{SHOWN}\n", "container inspect*": SHOWN, "image rm*": "",
}


@dataclass
class Enough:
    """A watcher that has seen enough after some snapshots."""

    snapshots: int = 1
    status: int = -1
    output: str = ""
    seen: list[Any] = field(default_factory=list)

    def started(self, status: int, output: str) -> None:
        """See `base.Watcher`."""
        self.status, self.output = status, output

    def snapshot(self, containers: base.Containers) -> bool:
        """See `base.Watcher`."""
        self.seen.append(tuple(containers))
        return len(self.seen) >= self.snapshots

    def unreadable(self, why: str) -> bool:
        """See `base.Watcher`."""
        self.seen.append(why)
        return True


@dataclass
class Party:
    """One process that works on one deployment of a host."""

    host: HostShell
    deployment: str = "d1"
    process: str = "p1"
    held: base.Hold | None = None
    told: list[str] = field(default_factory=list)
    listen: base.Listen | None = None

    @property
    def hold(self) -> base.Hold:
        """What it holds."""
        assert self.held is not None
        return self.held

    def claim(self, record: journal.Begun | journal.Taken, **more: Any) -> base.Claim:
        """A claim of this process."""
        values = {"holder": "ann@laptop", "since": "2026-11-24T10:00:00Z", "url": "https://ci/1", "grace": 0, **more}
        return base.Claim("shop", record, **values)

    def acquire(self, record: journal.Begun | journal.Taken, **more: Any) -> base.Acquired:
        """Ask for the lease."""
        claim = self.claim(record, **more)
        acquired = self.host.ask(lambda ports: ports.store.acquire(claim, self.told.append))
        self.held = acquired.hold
        return acquired

    def begin(self, **more: Any) -> base.Acquired:
        """Begin the deployment here."""
        return self.acquire(journal.Begun(self.deployment, process=self.process, app="shop", to="cafe"), **more)

    def take(self, **more: Any) -> base.Acquired:
        """Take the deployment over, or take its lease anew."""
        return self.acquire(journal.Taken(self.deployment, process=self.process), **more)

    def upload(self) -> base.HostForm:
        """Stage the release, which lies there already."""
        (self.host.app() / "releases" / MADE.id).mkdir(parents=True, exist_ok=True)
        what = base.Upload(MADE, None, (), {}, (), state.AppState("shop"))
        return self.host.ask(lambda ports: ports.store.upload(self.hold, what))

    def roll(self, watcher: Enough | None = None, **more: Any) -> Enough:
        """Bring one service up, and look once."""
        values: dict[str, Any] = {"steps": (steps.StartServices(("web",)),), "release": MADE, "app": state.AppState("shop"), **more}
        what = base.Roll(secret_versions={}, patience=60, **values)
        seen = watcher or Enough()
        self.host.ask(lambda ports: ports.runtime.roll(self.hold, what, seen, self.told.append, self.listen))
        return seen

    def undo(self, **more: Any) -> Enough:
        """Bring it back."""
        return self.roll(verb="undo", **more)

    def prepare(self, expected: base.Containers | None = (C1,)) -> base.Containers | None:
        """Be prepared."""
        return self.host.ask(lambda ports: ports.store.prepare(self.hold, expected))

    def commit(self, by_hand: Mapping[str, int] | None = None, **more: Any) -> None:
        """Commit the release."""
        record = journal.Reached(self.deployment, phase="committed", to=MADE.id, version="1", **more)
        what = base.Commit(record, MADE, state.Current("shop", MADE.id, "1", self.deployment, by_hand=by_hand or {}),
                           state.Deployed(self.deployment), state.AppState("shop"), {})
        self.host.ask(lambda ports: ports.store.commit(self.hold, what))

    def finish(
        self, result: base.Result = "well", expected: base.Containers | None = (C1,), **more: Any
    ) -> base.Containers | None:
        """End it."""
        values: dict[str, Any] = {"releases": (), "objects": (), "secrets": (), "app": state.AppState("shop"),
                                  "release": MADE, **more}
        what = base.Pruned(**values)
        return self.host.ask(lambda ports: ports.store.finish(self.hold, result, expected, what))

    def close(self, **more: Any) -> None:
        """End it as undone."""
        record = journal.Reached(self.deployment, phase="undone")
        self.host.ask(lambda ports: ports.store.close(self.hold, record, **more))

    def leave(self) -> None:
        """Give the lease back."""
        self.host.ask(lambda ports: ports.store.leave(self.hold))

    def confirm(self) -> journal.Phase:
        """Ask whether the lease is still held."""
        return self.host.ask(lambda ports: ports.store.confirm(self.hold))

    def come_to(self, phase: journal.Phase) -> "Party":
        """Begin, and go on until the deployment is in this phase."""
        self.host.docker(DOCKER)
        for reached, step in (("begun", self.begin), ("staged", self.upload), ("rolled", self.roll),
                              ("prepared", self.prepare), ("committed", self.commit), ("ended", self.finish)):
            step()
            if reached == phase:
                break
        self.host.lines()
        return self


def uptime() -> float:
    """Seconds since this machine has started."""
    return float(Path("/proc/uptime").read_text().split()[0])


def set_lease(host: HostShell, values: Mapping[str, object]) -> None:
    """Change the file `lease`."""
    (host.app() / "lease").write_text("".join(f"{key}={value}\n" for key, value in {**host.lease(), **values}.items()))


def kinds(host: HostShell) -> list[str]:
    """The words of the journal's lines."""
    return [line["kind"] for line in host.journal()]
