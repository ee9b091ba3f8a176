"""One deployment as history shows it: from its events, or from what hosts' journals tell of it (pure)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lading import events, state
from lading.ledger import chain

ENDS: Mapping[str, events.HostResult] = {"committed": "succeeded", "undone": "rolled_back"}
_ID = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]+\Z")


Decision = Literal["commit", "undo", ""]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; *hosts*: host → result; *origin* names the host it was read from, "" = made with this ledger.

    *started* and *ended* are ISO 8601 UTC, *ended* empty while it is open.
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

    def as_json(self) -> dict[str, Any]:
        """One entry of `history --json`; what is not known is null."""
        return {name: getattr(self, name) or None for name in self.__slots__}


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
        dict.fromkeys(event.hosts, "running"),
    )


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


def merged(known: Deployment, told: Deployment) -> Deployment:
    """What the ledger knows and what hosts tell, in one: an end in the ledger's own events stands, else hosts decide.

    What is known of a host stays when it is not told of again; what was unknown at the end may be told later.
    """
    if not known.origin and known.ended and "unknown" not in known.hosts.values():
        return known
    unsure = ("unknown", "running")
    results = {**known.hosts, **{host: result for host, result in told.hosts.items()
                                 if result not in unsure or known.hosts.get(host, "unknown") == "unknown"}}
    result = "running" if "running" in results.values() else _whole(results)
    closed = "" if result == "running" else max(told.ended, known.ended)
    return replace(known, hosts=results, result=result, ended=closed)


def _whole(results: Mapping[str, Any]) -> str:
    return events.Outcome({host: events.HostOutcome(result) for host, result in results.items()}).result


def from_journals(seen: state.FleetState) -> tuple[Deployment, ...]:
    """All deployments that the hosts' journals tell of, joined over hosts.

    A participant that was asked and does not answer is "unknown"; one that was not asked is not there.
    """
    found: dict[str, Deployment] = {}
    for host, line in _lines(seen):
        key, kind = str(line.get("deployment", "")), str(line.get("kind", ""))
        if kind == "begin":
            known = found.setdefault(key, _begun(host, line, seen))
            found[key] = replace(known, hosts={**known.hosts, host: "unknown"})
        elif key in found and (kind in ENDS or kind == "ended"):
            last = "succeeded" if line.get("result") in ("removed", "given back") else "untouched"
            hosts = {**found[key].hosts, host: ENDS.get(kind, last)}
            found[key] = replace(found[key], hosts=hosts, ended=max(found[key].ended, str(line.get("at", ""))))
    return tuple(replace(one, result=_whole(one.hosts)) for one in found.values())


def _lines(seen: state.FleetState) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Host and line of all journals that were read."""
    return ((name, line) for name, host in seen.hosts.items() for app in host.apps.values() for line in app.journal)


def _begun(host: str, line: Mapping[str, Any], seen: state.FleetState) -> Deployment:
    def word(key: str) -> str:
        return str(line.get(key) or "")

    when = _ID.match(word("deployment"))
    started = "{}-{}-{}T{}:{}:{}Z".format(*when.groups()) if when else word("at")
    silent = [name for name in line.get("participants", ()) if name in seen.hosts and not seen.hosts[name].reachable]
    return Deployment(
        word("deployment"), word("verb"), word("app"), word("version"), "" if word("verb") == "remove" else word("to"),
        word("destination"), word("actor"), word("reason"), word("commit"), word("url"), word("source"), started, "",
        "unknown", dict.fromkeys(silent, "unknown"), f"host {host}",
    )


def journal(seen: state.FleetState, deployment: str) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """(host, line) of all that the journals tell of one deployment, in the order of each host."""
    return tuple((host, line) for host, line in _lines(seen) if line.get("deployment") == deployment)


def attested(seen: state.FleetState) -> tuple[chain.Attested, ...]:
    """What the hosts' journals say of ledgers: the head of the committing ledger, in each `committed`."""
    found = []
    for host, line in _lines(seen):
        head = line.get("ledger")
        if line.get("kind") == "committed" and isinstance(head, Mapping) and isinstance(head.get("seq"), int):
            found.append(chain.Attested(host, str(line.get("deployment", "")), str(line.get("at", "")),
                                        str(head.get("writer", "")), head["seq"], str(head.get("hash", ""))))
    return tuple(found)
