"""Judge a host's snapshots as they come: good for long enough, failed, or too late."""

import time
from collections.abc import Callable, Collection, Mapping

from lading import shape, state
from lading.compose import release
from lading.drivers.shell import observation
from lading.plan import rollout

SILENCE = 30.0  # seconds without a snapshot after which an engine counts as silent


class Watch:
    """Follows one `roll` command: give it the parts, it says when to stop; then ask `why`.

    *made*: the release; *judged*: its services that count; *fresh*: those that were just started; *numbers*: secret
    generations; *adopted*: containers without labels of lading's; *stop*: whether somebody wants it ended (*stopped*: it
    said so when last asked); *tell*: is told what is waited for, whenever that changes.
    """

    def __init__(
        self, made: release.Release, judged: Collection[str], fresh: frozenset[str], numbers: Mapping[str, int],
        adopted: Mapping[str, state.Adopted], stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.made = made
        self.specs = {name: made.services[name] for name in judged}
        self.fresh = fresh
        self.numbers = numbers
        self.adopted = adopted
        self.status = -1
        self.output = ""
        self.verdicts: list[rollout.Verdict] = []
        self.why = "it did not come to an end"
        self.failed: list[str] = []
        self.stop = stop
        self.tell = tell
        self.told = ""
        self.stopped = False
        self._started = self._told = time.monotonic()
        self._good_since = 0.0
        self._containers = ""

    def on_part(self, name: str, content: bytes) -> bool:
        """Take one part of the answer; True = seen enough."""
        text = content.decode("utf-8", "replace")
        self.stopped = self.stop()
        if name == "up":
            status, _, self.output = text.partition("\n")
            self.status = shape.whole(status.strip(), 1)
            self._started = self._told = time.monotonic()
        elif name == "gone":
            self.tell(text.strip())
        elif name == "containers":
            self._containers = text
        elif name == "tick":
            self._told = time.monotonic()
            return self._judge(self._told)
        return False

    def give_up(self) -> bool:
        """Whether, after `up`, the engine has told nothing for SILENCE, and the services have had their time, or it is to stop; that is `why`."""
        now = time.monotonic()
        self.stopped = self.stop()
        if self.status < 0 or now - self._told < SILENCE or not (self.stopped or now - self._started > self._patience()):
            return False
        self.why = f"the engine has told nothing of the containers for {now - self._told:.0f} s"
        return True

    def _patience(self) -> float:
        return max((self.made.wait(name) for name in self.specs), default=0.0)

    def _judge(self, now: float) -> bool:
        try:
            containers = state.recognised(observation.parse_containers(self._containers), self.adopted)
        except ValueError as unread:  # what cannot be read is never good
            self._good_since, self.why = 0.0, str(unread)
            return self.stopped or now - self._started > self._patience()
        self.verdicts = [
            rollout.judge(spec, release.generation_label(spec, self.numbers), containers, ends=self.made.endings[name],
                          fresh=name in self.fresh)
            for name, spec in self.specs.items()
        ]
        bad = [v for v in self.verdicts if v.word == "failed"]
        waiting = [v for v in self.verdicts if v.word == "waiting"]
        if bad or (waiting and self.status != 0):
            return self._end(bad or waiting)
        if waiting:
            self._good_since = 0.0
            self._say(waiting)
            late = [v for v in waiting if now - self._started > self.made.wait(v.service)]
            return self._end(late, "time is up: ") if late else self.stopped
        hooked = sorted(name for name in self.fresh if name in self.specs and self.specs[name].definition.get("post_start"))
        if self.status > 0 and hooked:
            return self._end([rollout.Verdict(name, "failed", "running", "Compose says that it failed, perhaps its post_start")
                              for name in hooked])
        self._good_since = self._good_since or now
        bake = max((self.made.bake(name) for name in self.fresh if name in self.specs), default=0.0)
        if now - self._good_since >= bake:
            self.why = ""
            return True
        return self.stopped

    def _say(self, waiting: list[rollout.Verdict]) -> None:
        words = [f"{v.service} ({v.why}; at most {self.made.wait(v.service):.0f} s)" for v in waiting]
        text = f"waits for {', '.join(words)}"
        if text != self.told:
            self.told = text
            self.tell(text)

    def _end(self, bad: list[rollout.Verdict], lead: str = "") -> bool:
        self.failed = [v.service for v in bad]
        said = self.output.strip().splitlines() if self.status != 0 else []
        self.why = lead + "; ".join(f"{v.service}: {v.why}" for v in bad) + (f" ({said[-1]})" if said else "")
        return True
