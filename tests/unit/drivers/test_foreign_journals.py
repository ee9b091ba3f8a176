"""A journal that was copied from another host is told from the host's own, also by a look that asks for no facts."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from host_shell import HostShell
from lading import state
from lading.drivers.shell import observation, parsers
from lading.ledger import deployments
from lading.queries import differences, look, summary

INFO = "engine=29.1\nid=OWN:ID\narch=x86_64\nctx=default\nplugin=2.40.3\nruntimes=runc \nroot=/var/lib/docker\n"
ID = "20261128-100000-aaaa"
BEGIN = {"v": 4, "kind": "begin", "deployment": ID, "verb": "deploy", "app": "shop", "host": "web1", "engine": "THEIR:ID"}
OWN = {**BEGIN, "engine": "OWN:ID"}
OLD = {key: value for key, value in BEGIN.items() if key not in ("host", "engine")}
TRICK = {**BEGIN, "reason": '"host":"web2"'}
FOREIGN = "on web1, for the engine THEIR:ID"


def looked(host: HostShell, name: str, *lines: Mapping[str, object], app: str = "shop") -> tuple[state.HostState, bool]:
    """What a host called *name* is seen as, and whether its engine was asked who it is."""
    host.docker({"ps*": "", "info*": INFO, "volume*": ""})
    folder = host.state / "apps" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    host.lines()
    what = observation.observe("M", state_dir=str(host.state), app=app, facts=False, host=name)
    seen = parsers.from_result(name, host.run(what))
    return seen, any(line.startswith("info") for line in host.lines())


@pytest.mark.parametrize(("name", "lines", "app", "foreign", "asked"), [
    ("web2", [BEGIN], "shop", FOREIGN, True), ("web2", [BEGIN], "", FOREIGN, True), ("web2", [TRICK], "", FOREIGN, True),
    ("web2", [OWN], "shop", "", True),  # another fleet file calls it web1
    ("web1", [OWN], "shop", "", False), ("web1", [OWN], "", "", False), ("", [OWN], "", "", True),
    ("web2", [OLD], "shop", "", False), ("web2", [], "", "", False),
    ("web2", [BEGIN, {**OWN, "host": "web2"}], "shop", "", True),  # it goes on as this host's
])
def test_the_engine_is_asked_only_where_a_journal_names_another_host(
    host: HostShell, name: str, lines: list[dict[str, object]], app: str, foreign: str, asked: bool,
) -> None:
    seen, was_asked = looked(host, name, *lines, app=app)
    assert (seen.apps["shop"].foreign, was_asked) == (foreign, asked)


def test_a_host_without_any_app(host: HostShell) -> None:
    host.docker({"ps*": "", "volume*": ""})
    seen = parsers.from_result("web1", host.run(observation.observe("M", state_dir=str(host.state), facts=False)))
    assert (seen.apps, seen.facts.engine_id) == ({}, "")


def test_what_another_hosts_journal_tells_is_believed_by_nobody(host: HostShell) -> None:
    committed = {"v": 4, "kind": "committed", "deployment": ID, "to": "a" * 64, "ledger": {"writer": "w", "seq": 1, "hash": "h"}}
    seen, _ = looked(host, "web2", BEGIN, committed)
    fleet = state.FleetState({"web2": seen})
    assert fleet.untold == {"web2": f"the journal of shop is another host's: it was written {FOREIGN}"}
    assert (deployments.from_journals(fleet), deployments.attested(fleet), deployments.told_of(fleet, ID)) == ((), (), ())
    assert look.repairs(fleet) == [f"shop on web2: its journal is damaged: it is another host's: it was written {FOREIGN}; "
                                   "lading repair web2 shop writes it anew"]
    found = {one.field: one.observed for one in differences.differences("web2", seen.apps["shop"])}
    assert found["journal"] == f"damaged: it is another host's: it was written {FOREIGN}"
    assert found.keys() == {"journal", "lease"}  # no deployment that has not ended
    assert seen.apps["shop"].open is None and "is not ended" not in "".join(summary.lines(fleet, (), {}))
    own = state.FleetState({"web1": replace(seen, apps={"shop": replace(seen.apps["shop"], foreign="")})})
    assert [one.deployment for one in deployments.from_journals(own)] == [ID]
    assert own.untold == {}
    assert own.hosts["web1"].apps["shop"].open is not None


def test_an_end_that_another_host_tells_of_says_nothing_of_this_one() -> None:
    ended = state.journal.Reached(ID, phase="ended", result="unwell")
    assert differences.ended_unwell(state.AppState("shop", journal=(ended,))) == ID
    assert differences.ended_unwell(state.AppState("shop", journal=(ended,), foreign=FOREIGN)) == ""
