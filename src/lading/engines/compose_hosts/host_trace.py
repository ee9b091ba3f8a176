"""What of one host goes into the trace: masked, cut, no more lines than a person reads; and nothing that may hold an unknown secret."""

import re
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from lading import state, trace
from lading.compose import masking
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.drivers import base as drivers
from lading.engines import base
from lading.health import verdict

LONGEST = 500  # characters of a line
PER_SECOND = 20  # lines, of one step on one host
BURST = 60  # lines that come at once
PER_STEP = 1000  # lines
HEALTH_AGAIN = 5.0  # seconds after which other words of the same check are told
_OF_COMPOSE = re.compile(r"(?:Container|Network|Volume) [\w.-]+ +\w+")


class Shown:
    """What may be shown of the words of programs: without the secrets that an order brings, its logins' among them."""

    def __init__(self, order: base.DeploymentOrder) -> None:
        self._order = order

    @cached_property
    def mask(self) -> masking.Mask:
        """Worked out once for all hosts, where somebody says something."""
        made = self._order.bundle
        logins = {f"login.{number}": login.password for number, login in enumerate(self._order.logins)}
        return masking.Mask({**(made.secrets if made else {}), **logins}, made.release.plain if made else {})

    def __call__(self, text: str) -> str:
        return self.mask(text)

    def unknown(
        self, made: releases.Release, versions: Mapping[str, int], brought: Mapping[str, int]
    ) -> frozenset[str]:
        """The services of a release that have secrets which are not known here.

        *versions*: those that the services have on the host; *brought*: those of the order's bundle.
        """
        known = set(self._order.bundle.secrets) if self._order.bundle is not None else set()
        known = {name for name in known if versions.get(name) == brought.get(name)}
        return frozenset(name for name, spec in made.services.items() if not known.issuperset(spec.secrets))


class HostTrace:
    """Hands on what is said on one host, step by step."""

    def __init__(self, host: str, to: trace.Trace, shown: Shown) -> None:
        self._host, self._to, self._shown = host, to, shown
        self._step = ""
        self._hidden: frozenset[str] = frozenset()
        self._left = self._lost = 0
        self._allowance = float(BURST)
        self._at = 0.0
        self._health: dict[str, _Told] = {}

    def begin(self, step: str, hidden: Collection[str] = ()) -> None:
        """A step begins. *hidden*: services of which nothing is told but what Compose does with them."""
        self.end()
        self._step, self._hidden = step, frozenset(hidden)
        self._left, self._allowance, self._at = PER_STEP, float(BURST), time.monotonic()
        self._health.clear()

    def end(self) -> None:
        """The step has ended; how many lines were lost in it is told."""
        if self._lost:
            count, self._lost = self._lost, 0
            self._to(self._host, self._step, "trace", "", f"{count} line{'s' * (count > 1)} not shown, for there were too many")

    def listens(self, source: trace.Source) -> drivers.Listen | None:
        """Who is told what a program says, if anybody wants to hear it."""
        return self.said if source in self._to.sources else None

    def tell(self, source: trace.Source, text: str) -> None:
        """Tell a line of lading's own, if anybody wants to hear it."""
        if source in self._to.sources:
            self._to(self._host, self._step, source, "", text)

    def said(self, what: drivers.Said) -> None:
        """Tell a line of a program."""
        if not what.text or not self._may_tell(what) or not self._has_room():
            return
        text = self._shown.mask.beginning(what.text) + "…" if what.is_cut else self._shown(what.text)
        self._to(self._host, self._step, what.source, what.service, _one_line(text), what.progress)

    def health(self, verdicts: Sequence[verdict.Verdict], containers: drivers.Containers) -> None:
        """Tell of each service that is not well how it is, with what its last health check said, whenever that changes.

        Of a check that says something else each time, not each time.
        """
        if "health" not in self._to.sources:
            return
        now = time.monotonic()
        for one in verdicts:
            probe = _probe(one.service, containers)
            text = f"{one.why}: {probe}" if probe else one.why
            before, told = self._health.get(one.service), _Told(one.why, bool(probe), text, now)
            if one.word == "good" or (before is not None and not told.is_news_after(before)):
                continue
            self._health[one.service] = told
            is_cut = len(probe.encode()) >= drivers.PROBE_KEPT
            self.said(drivers.Said("health", one.service, text, is_cut=is_cut))

    def _may_tell(self, what: drivers.Said) -> bool:
        if what.source == "pull" or not self._hidden:
            return True
        if what.source == "compose" and _OF_COMPOSE.fullmatch(what.text):
            return True
        return bool(what.service) and what.service not in self._hidden

    def _has_room(self) -> bool:
        """Whether one line more may be told now; else it is lost, and counted."""
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._at) * PER_SECOND)
        self._at = now
        if self._allowance < 1 or self._left < 1:
            self._lost += 1
            return False
        self.end()
        self._allowance -= 1
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of a service's health, and when."""

    why: str
    checked: bool
    text: str
    at: float

    def is_news_after(self, before: "_Told") -> bool:
        """Whether it says something new: its state, or, after a while, what the check says."""
        if (self.why, self.checked) != (before.why, before.checked):
            return True
        return self.text != before.text and self.at - before.at >= HEALTH_AGAIN


def _probe(service: str, containers: drivers.Containers) -> str:
    """What the last health check of the first of a service's containers that is not healthy said."""
    return next((seen.probe for seen in containers if _is_sick(seen, service)), "")


def _is_sick(container: state.ContainerState, service: str) -> bool:
    return container.service == service and container.health != "healthy" and bool(container.probe)


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
