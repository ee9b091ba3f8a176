"""One deployment as history shows it: from its events, or from what hosts' journals tell of it (pure)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal

from lading import events, state
from lading.dataclass import dataclass
from lading.ledger import chain
from lading.state import damage, journal

ENDS: Mapping[str, events.HostResult] = {"committed": "succeeded", "undone": "rolled_back"}
UNSURE = ("unknown", "running")
NEWS = ("deploy", "rollback", "adopt", "remove")  # verbs after which another release is there, or none
BY_HAND = ("stop", "start", "scale")  # verbs that leave the release, and say in which number its services run
HAD = ("succeeded", "unchanged", "unwell")  # results on a host that has what was wanted
LEFT_BEHIND = ("succeeded", "partial", *UNSURE)  # results after which hosts may have what was wanted
NOT_BEGUN = "not_begun"  # only the result of a look at hosts; it is not kept, for the next may tell more
LOOK = 2_000  # deployments that one host may tell of at a look; an honest journal shows 500 lines of an app
AGREED = ("verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url", "source", "ran_by")
WITHOUT = " without "  # in an *origin*, before the hosts that have told nothing
_NUMBER = re.compile(r"(\d+) by hand|stopped by hand")
LIMIT = 300  # characters of each word that a host tells
BESIDE = ("keys", "excluded", "by_hand")  # fields of a deployment that its row in the list has not
_ID = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]+\Z")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}\Z")


Decision = Literal["commit", "undo", ""]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; *hosts*: host → result.

    *origin* names the host it was read from, "" = made with this ledger; then those that tell otherwise,
    and those that take part and have told nothing.

    *started* and *ended* are ISO 8601 UTC, *ended* empty while it is open. *actor* is what the caller or the CI says of
    itself; *ran_by* the user and machine that lading ran as; *keys*: fingerprint of an SSH key → hosts that it let in on.
    *excluded*: the hosts that were left out, since somebody had excluded them. *by_hand*: only of what a host has missed: service →
    in which number a person wants it from then on, None = in that of its release.
    The exclusion or inclusion of a host has a row too: of no deployment, with that host alone.
    """

    deployment: str
    verb: str
    app: str
    version: str
    release: str
    destination: str
    actor: str
    reason: str
    commit: str
    url: str
    source: str
    started: str
    ended: str
    result: str
    hosts: Mapping[str, str]
    origin: str = ""
    ran_by: str = ""
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    by_hand: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def by(self) -> str:
        """Who made it: its own word, and beside it the user that lading ran as, where that is another."""
        return f"{self.actor} (run by {self.ran_by})" if self.ran_by not in ("", self.actor) else self.actor

    @property
    def told_by(self) -> str:
        """The hosts that told of it, each of itself; "" if it was made with this ledger."""
        if not self.origin:
            return ""
        first, *without = self.origin.split(WITHOUT)
        silent = {name for names in without for name in names.split(", ")}
        otherwise = first.partition(" (")[2]
        told = ", ".join(host for host in self.hosts if host not in silent)
        return told + (f" ({otherwise}" if otherwise else "")

    def as_json(self) -> dict[str, Any]:
        """One entry of `history --json`; what is not known is null. *keys* are no part of it: only `show` tells them.

        What older ladings made has no *ran_by*; *excluded* is only there where hosts were left out.
        """
        told = {name: getattr(self, name) or None for name in self.__slots__ if name not in BESIDE}
        found = {name: value for name, value in told.items() if value is not None or name != "ran_by"}
        return found | ({"excluded": list(self.excluded)} if self.excluded else {})


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it lies in the ledger; *at* is ISO 8601 UTC with microseconds."""

    event: events.Event
    at: str
    writer: str
    seq: int


def planned(event: events.DeploymentPlanned, at: str) -> Deployment:
    """A deployment whose intent was stored at *at*."""
    return Deployment(
        event.deployment, event.verb, event.app, event.version, event.release, event.destination, event.actor,
        event.reason, event.commit, event.url, event.source, at[:19] + "Z", "", "running",
        dict.fromkeys(event.hosts, "running"), "", event.ran_by, event.keys, tuple(event.excluded),
    )


def requested(event: events.DeploymentRequested, at: str) -> Deployment:
    """A deployment that was asked for at *at*, and of which no host has heard yet."""
    return Deployment(
        event.deployment, event.verb, event.app, event.version, "", event.destination, event.actor, event.reason,
        "", event.url, "", at[:19] + "Z", "", "running", {}, "", event.ran_by,
    )


def of_host(event: events.HostExcluded | events.HostIncluded, at: str) -> Deployment:
    """The row of a host that was excluded or included at *at*."""
    verb, result = ("exclude", "excluded") if isinstance(event, events.HostExcluded) else ("include", "included")
    when = at[:19] + "Z"
    return Deployment("", verb, "", "", "", "", event.actor, event.reason, "", event.url, "", when, when, result,
                      {event.host: result}, "", event.ran_by)


def together(
    rows: Sequence[Deployment], of_hosts: Sequence[Deployment], limit: int
) -> tuple[Deployment, ...]:
    """The newest of both, *limit* in all."""
    whole = sorted([*rows, *of_hosts], key=lambda one: one.started, reverse=True)
    return tuple(whole[:max(limit, 0)])


def behind(missed: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Of the deployments that a host has missed, the oldest first: the last release of each app and destination.

    Beside it what was stopped, started or scaled by hand since, one for each service. They say what the host lacks. One that
    was taken back, or changed nothing, says nothing.
    """
    found: dict[tuple[str, str], dict[str, Deployment]] = {}
    for one in missed:
        key = one.app, one.destination
        if one.result not in LEFT_BEHIND:
            continue
        if one.verb in NEWS:
            found.pop(key, None)
            found[key] = {"": one}
        elif one.verb in BY_HAND:
            wanted: Mapping[str, int | None] = one.by_hand or {"": None}
            single = {f"/{name}": replace(one, by_hand={name: count} if name else {}) for name, count in wanted.items()}
            found[key] = found.get(key, {}) | single
    return tuple(one for group in found.values() for one in group.values())


def numbers(changes: Iterable[Mapping[str, str]]) -> dict[str, int | None]:
    """Service → the number that a person wants of it, by the changes of a plan; None: that of its release."""
    found: dict[str, int | None] = {}
    for one in changes:
        if one.get("field") == "containers":
            by_hand = _NUMBER.search(one.get("new", ""))
            found[one.get("service", "")] = int(by_hand[1] or 0) if by_hand is not None else None
    return found


def still_missed(missed: Iterable[Deployment], host: str, own: Iterable[Deployment]) -> list[Deployment]:
    """What a host has missed, without that after which it took part again: it then had what was wanted last.

    *own*: deployments of the same apps, in which it may have taken part. What was done by hand stays missed where only this
    host was deployed to: that says nothing of the others.
    """
    last: dict[tuple[str, bool], str] = {}
    for one in own:
        if one.verb not in NEWS or one.hosts.get(host) not in HAD:
            continue
        for by_hand in (False, True)[:1 + (len(one.hosts) > 1)]:
            last[one.app, by_hand] = max(last.get((one.app, by_hand), ""), one.started)
    return [one for one in missed if one.started >= last.get((one.app, one.verb in BY_HAND), "")]


def ended(row: Deployment, event: events.DeploymentEnded, at: str) -> Deployment:
    """The same, ended."""
    return replace(row, ended=at[:19] + "Z", result=event.result, hosts=dict(event.hosts))


def decided(happened: Iterable[events.Event]) -> Decision:
    """Which way a deployment went by its events: to commit or back; "" = it was left before that.

    Once a host was seen to commit, nobody is taken back.
    """
    found: Decision = ""
    for event in happened:
        if isinstance(event, events.HostCommitted):
            return "commit"
        step = event.step if isinstance(event, events.StepStarted) else ""
        if step == "commit":
            found = "commit"
        elif step == "undo" or isinstance(event, events.HostUndone):
            found = "undo"
    return found


def listed(story: Iterable[tuple[events.Event, str]], told: Sequence[Deployment]) -> Deployment | None:
    """A deployment as the list has it: by its events (each with its time) and by what each host *told* of itself.

    What was made with this ledger stays as its events say; only what they leave open on a host is that host's to tell.
    """
    row, ends = None, []
    for event, at in story:
        if isinstance(event, events.DeploymentRequested):
            row = requested(event, at)
        elif isinstance(event, events.DeploymentPlanned) and event.verb != "resume":
            row = planned(event, at)
        elif isinstance(event, events.DeploymentEnded):
            row = ended(row, event, at) if row else None
            ends.append((event, at))
    if row is not None:
        for one in told:
            row = merged(row, one)
        return row
    row = joined(told)
    for event, at in ends:  # this ledger resumed what another began
        row = _settled(row, event, at) if row else None
    return row


def _settled(row: Deployment, event: events.DeploymentEnded, at: str) -> Deployment:
    """A deployment that only hosts told of, with the end that this ledger's own events tell."""
    known = {host: result for host, result in event.hosts.items() if result not in UNSURE}
    hosts = {**row.hosts, **known}
    settled = replace(row, hosts=hosts, result=_whole(hosts), ended=at[:19] + "Z")
    return _without(settled, [host for host in event.hosts if host not in hosts])


def _without(row: Deployment, silent: Sequence[str]) -> Deployment:
    """A deployment that hosts told of, with participants that have told nothing: it may be open there."""
    if not silent:
        return row
    hosts = {**row.hosts, **dict.fromkeys(silent, "unknown")}
    origin = f"{row.origin}{WITHOUT}{', '.join(silent)}"
    return replace(row, hosts=hosts, result=_whole(hosts), origin=origin)


def unheard(rows: Sequence[Deployment], seen: state.FleetState) -> tuple[Deployment, ...]:
    """The rows after a look at hosts; where only hosts told of one, its silent participants are unknown.

    Who answers and has nothing of it has nothing open: what is open is in the part of a journal that is seen.
    """
    elsewhere = frozenset(row.deployment for row in rows if row.origin)
    named = _participants(seen, elsewhere)
    answered = {name for name, host in seen.hosts.items() if not host.untold}
    found = []
    for row in rows:
        known = {*row.hosts, *answered}
        silent = [name for name in named.get(row.deployment, ()) if name not in known]
        found.append(_without(row, silent))
    return tuple(found)


def _participants(seen: state.FleetState, chosen: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Deployment → the hosts that take part, as most of those say that tell of it."""
    said: dict[str, Counter[tuple[str, ...]]] = {}
    for _, record in _lines(seen):
        if isinstance(record, journal.Begun) and record.deployment in chosen:
            said.setdefault(record.deployment, Counter())[record.participants] += 1
    most = {deployment: counted.most_common(1)[0][0] for deployment, counted in said.items()}
    return {deployment: tuple(filter(_NAME.match, names)) for deployment, names in most.items()}


def merged(known: Deployment, told: Deployment) -> Deployment:
    """A deployment that this ledger made, with what hosts tell of it: only results that it does not know itself."""
    news = {host: result for host, result in told.hosts.items()
            if result not in UNSURE and known.hosts.get(host) in UNSURE}
    if not news:
        return known
    results = {**known.hosts, **news}
    result = "running" if "running" in results.values() else _whole(results)
    closed = "" if result == "running" else max(told.ended, known.ended)
    return replace(known, hosts=results, result=result, ended=closed)


def begun_nowhere(row: Deployment, seen: state.FleetState) -> bool:
    """Whether a deployment that was asked for here has begun on no host: all would tell, and none does.

    Without a plan it has no hosts: the plan is stored before any of them is touched.
    """
    if row.origin or row.result != "running":
        return False
    if set(row.hosts.values()) - {"running"} or told_of(seen, row.deployment):
        return False
    return all(_would_tell(seen.hosts.get(name), row) for name in row.hosts)


def _would_tell(host: state.HostState | None, row: Deployment) -> bool:
    """Whether a host shows the part of its journal in which a deployment would be."""
    if host is None or host.untold:
        return False
    app = host.apps.get(row.app)
    if app is None:
        return True
    if app.foreign or "journal" in app.lost:
        return False
    return len(app.journal) < damage.WINDOW or app.journal[0].deployment < row.deployment


def saw_begin(happened: Iterable[events.Event]) -> bool:
    """Whether events tell of more than what comes before the first lease."""
    early = (events.DeploymentRequested, events.DeploymentPlanned, events.HostChecked)
    return not all(isinstance(event, early) for event in happened)


def not_begun(row: Deployment) -> Deployment:
    """The same, begun on no host: its process is gone, or still waits for an answer."""
    return replace(row, result=NOT_BEGUN, hosts=dict.fromkeys(row.hosts, "untouched"))


def joined(told: Sequence[Deployment]) -> Deployment | None:
    """What several hosts tell of one deployment, each of itself, in one; None if nobody tells of it.

    What they must agree on is taken from the most of them; those that tell otherwise are named.
    """
    if not told:
        return None
    views: dict[tuple[str, ...], list[Deployment]] = {}
    for one in told:
        views.setdefault(tuple(getattr(one, name) for name in AGREED), []).append(one)
    most = max(views.values(), key=len)
    agreed = [host for one in most for host in one.hosts]
    results = {host: result for one in told for host, result in one.hosts.items()}
    others = ", ".join(host for host in results if host not in agreed)
    origin = f"host {agreed[0]}" + (f" ({others}: otherwise)" if others else "")
    return replace(most[0], hosts=results, result=_whole(results), ended=max(one.ended for one in told), origin=origin)


def _whole(results: Mapping[str, Any]) -> str:
    return events.Outcome({host: events.HostOutcome(result) for host, result in results.items()}).result


def from_journals(seen: state.FleetState) -> tuple[Deployment, ...]:
    """What each host's journals tell of deployments, each host of itself alone, whoever else may have taken part.

    Of one host at most the LOOK latest; words are bounded and printable; lines of an odd shape are left out, and journals
    that are another host's.
    """
    return tuple(one for name, host in seen.hosts.items() for one in _told_by(name, host))


def _told_by(name: str, host: state.HostState) -> list[Deployment]:
    found: dict[str, Deployment] = {}
    for app in host.apps.values():
        for record in () if app.foreign else app.journal:
            known = found.get(record.deployment)
            if isinstance(record, journal.Begun):
                found |= {record.deployment: _begun(name, record.raw)} if _is_shaped(record.raw) else {}
            elif known is not None and isinstance(record, journal.Reached) and _tells_an_end(record):
                result = _result(record)
                until = max(known.ended, _word(record.raw, "at"))
                found[record.deployment] = replace(
                    known, hosts={name: result}, result=_whole({name: result}), ended=until)
    return sorted(found.values(), key=lambda one: one.started)[-LOOK:]


def _tells_an_end(record: journal.Reached) -> bool:
    """Whether it says how a deployment goes out: a commit is not undone any more, though it may not have ended."""
    return record.phase in journal.CLOSED or record.phase == "committed"


def _result(record: journal.Reached) -> events.HostResult:
    """How a deployment went on a host, by the record that tells its end."""
    if record.kind in ENDS:
        return ENDS[record.kind]
    if record.result == "unwell":
        return "unwell"
    return "succeeded" if record.result in ("well", *journal.GONE) else "untouched"


def _lines(seen: state.FleetState) -> Iterator[tuple[str, journal.Record]]:
    """Host and record of all journals that were read, and are the host's own."""
    return ((name, record) for name, host in seen.hosts.items() for app in host.apps.values() if not app.foreign
            for record in app.journal)


def _word(line: Mapping[str, Any], key: str) -> str:
    """A word of a line, bounded, without what would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(line.get(key) or "")[:LIMIT])


def _is_shaped(line: Mapping[str, Any]) -> bool:
    """Whether the names in a beginning are names."""
    names = [str(line.get(key) or "") for key in ("deployment", "verb", "app", "to")]
    return bool(names[0]) and all(_NAME.match(name) for name in names if name)


def _begun(host: str, line: Mapping[str, Any]) -> Deployment:
    def word(key: str) -> str:
        return _word(line, key)

    when = _ID.match(word("deployment"))
    started = "{}-{}-{}T{}:{}:{}Z".format(*when.groups()) if when else word("at")
    return Deployment(
        word("deployment"), word("verb"), word("app"), word("version"), "" if word("verb") == "remove" else word("to"),
        word("destination"), word("actor"), word("reason"), word("commit"), word("url"), word("source"), started, "",
        "unknown", {host: "unknown"}, f"host {host}", word("ran_by"),
    )


def told_of(seen: state.FleetState, deployment: str) -> tuple[tuple[str, journal.Record], ...]:
    """(host, record) of all that the journals tell of one deployment, in the order of each host."""
    return tuple((host, record) for host, record in _lines(seen) if record.deployment == deployment)


def attested(seen: state.FleetState) -> tuple[chain.Attested, ...]:
    """What the hosts' journals say of ledgers: the head of the committing ledger, in each `committed`."""
    found = []
    begun: dict[tuple[str, str], Mapping[str, Any]] = {}
    for host, record in _lines(seen):
        line = record.raw
        head, deployment = line.get("ledger"), _word(line, "deployment")
        if isinstance(record, journal.Begun):
            begun[host, deployment] = line
        if record.kind == "committed" and isinstance(head, Mapping) and isinstance(head.get("seq"), int):
            begin = begun.get((host, deployment), {})
            found.append(chain.Attested(host, deployment, _word(line, "at"), _word(head, "writer"), head["seq"],
                                        _word(head, "hash"), _word(begin, "actor"), _word(begin, "ran_by")))
    return tuple(found)
