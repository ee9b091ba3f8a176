"""Follow a host's snapshots as they come: its services are good long enough, failed, or late."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from lading import state
from lading.compose import ending, release
from lading.health import verdict
from lading.placement import assignment

SILENCE = 30.0  # seconds without a snapshot after which an engine counts as silent


def awaited(made: release.Release, services: Collection[str], limit: int) -> str:
    """What Compose itself waits for while it brings *services* up, in words; "" if they await nothing of each other.

    *limit*: seconds that it may wait.
    """
    words = {ending.COMPLETED: "to end", "service_healthy": "to become healthy"}
    found: set[str] = set()
    for name in services:
        for other, condition in made.services[name].depends_on.items():
            word = words.get(condition.removesuffix(release.AND_RESTART), "")
            if word and other in services:
                found.add(f"{other} {word}")
    return f"waits for {', '.join(sorted(found))} (at most {limit} s)" if found else ""


class Watch:
    """Follows what a host says while services are brought up.

    Each word is given to it, and `True` says that it has seen enough; then ask `why`.

    *placed*: the services of the release *made* that are judged, with their containers.
    *fresh*: those that were just started. *secret_versions*: of its secrets.
    *stop*: whether somebody wants it ended; `stopped`: it said so when it was last asked.
    *tell*: is told what is waited for, whenever that changes.
    """

    def __init__(
        self, made: release.Release, placed: assignment.Placed, fresh: Collection[str],
        secret_versions: Mapping[str, int],
        stop: Callable[[], bool] = lambda: False, tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.made = made
        self.fresh = frozenset(fresh)
        self.expected = {name: verdict.expect(made, name, secret_versions, replicas)
                         for name, replicas in placed.items()}
        self.status = -1
        self.output = ""
        self.verdicts: list[verdict.Verdict] = []
        self.why = "it did not come to an end"
        self.failed: list[str] = []
        self.stop = stop
        self.tell = tell
        self.stopped = False
        self._told = ""
        self._started = self._last_snapshot_at = time.monotonic()
        self._good_since = 0.0

    def started(self, status: int, output: str) -> None:
        """Compose has ended, with its last lines: from now on the services have their time."""
        self.status, self.output = status, output
        self._started = self._last_snapshot_at = time.monotonic()

    def unreadable(self, why: str) -> bool:
        """Take a snapshot that cannot be read: it is never good."""
        now = self._heard()
        self._good_since, self.why = 0.0, why
        return self.stopped or now > self._deadline()

    def snapshot(self, containers: Sequence[state.ContainerState]) -> bool:
        """Take what runs now; containers that were adopted have been recognised."""
        now = self._heard()
        self.verdicts = [verdict.judge(expected, containers, fresh=name in self.fresh)
                         for name, expected in self.expected.items()]
        failed = [one for one in self.verdicts if one.word == "failed"]
        waiting = [one for one in self.verdicts if one.word == "waiting"]
        if failed or (waiting and self.status != 0):
            return self._end(failed or waiting)
        if waiting:
            return self._wait(waiting, now)
        hooked = self._with_failed_hook()
        if hooked:
            return self._end(hooked)
        return self._stay_good(now)

    def is_stalled(self) -> bool:
        """Whether the engine has been silent for too long since Compose ended; then `why`.

        As long as the services have their time it may be silent, unless somebody wants it ended.
        """
        now = time.monotonic()
        self.stopped = self.stop()
        if self.status < 0 or now - self._last_snapshot_at < SILENCE:
            return False
        if not self.stopped and now <= self._deadline():
            return False
        silence = now - self._last_snapshot_at
        self.why = f"the engine has told nothing of the containers for {silence:.0f} s"
        return True

    def _heard(self) -> float:
        """The time of a snapshot; whether somebody wants it ended is asked anew."""
        self.stopped = self.stop()
        self._last_snapshot_at = time.monotonic()
        return self._last_snapshot_at

    def _deadline(self) -> float:
        """When the last of the services has had its time to become good."""
        return self._started + max((self.made.wait(name) for name in self.expected), default=0.0)

    def _wait(self, waiting: list[verdict.Verdict], now: float) -> bool:
        self._good_since = 0.0
        text = f"waits for {', '.join(self._describe(one) for one in waiting)}"
        if text != self._told:
            self._told = text
            self.tell(text)
        late = [one for one in waiting if now - self._started > self.made.wait(one.service)]
        return self._end(late, "time is up: ") if late else self.stopped

    def _describe(self, one: verdict.Verdict) -> str:
        return f"{one.service} ({one.why}; at most {self.made.wait(one.service):.0f} s)"

    def _with_failed_hook(self) -> list[verdict.Verdict]:
        """The services that run though Compose says that they failed: their `post_start` did."""
        if self.status <= 0:
            return []
        why = "Compose says that it failed, perhaps its post_start"
        names = sorted(name for name in self.fresh if name in self.expected)
        return [verdict.Verdict(name, "failed", "running", why) for name in names
                if self.expected[name].spec.definition.get("post_start")]

    def _stay_good(self, now: float) -> bool:
        """Whether all have been good for as long as those that were just started must be."""
        self._good_since = self._good_since or now
        fresh = [name for name in self.fresh if name in self.expected]
        bake = max(map(self.made.bake, fresh), default=0.0)
        if now - self._good_since < bake:
            return self.stopped
        self.why = ""
        return True

    def _end(self, bad: list[verdict.Verdict], lead: str = "") -> bool:
        self.failed = [one.service for one in bad]
        self.why = lead + "; ".join(f"{one.service}: {one.why}" for one in bad)
        lines = self.output.strip().splitlines()
        if lines and self.status != 0:
            self.why += f" ({lines[-1]})"
        return True
