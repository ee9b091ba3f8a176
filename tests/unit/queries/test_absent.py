"""An excluded host in `where`, `drift` and in words: neither silent nor well."""

from dataclasses import replace

from builders import a_release, a_service, an_app
from lading import state
from lading.cli import where_table
from lading.ledger import deployments
from lading.placement import exclusion
from lading.queries import absent, listing, summary

DEAD = exclusion.Exclusion("web2", "its disk is dead", "ann@laptop", "2026-11-30T10:16:59Z")
WORDS = "web2 is excluded since 2026-11-30 10:16Z by ann@laptop: its disk is dead"
FIRST = deployments.Deployment(
    "d1", "deploy", "shop", "1.1.0", "r1", "production", "ann", "", "", "", "", "2026-11-30T11:00:00Z", "", "succeeded", {"web1": "succeeded"},
    excluded=("web2",))
SECOND = replace(FIRST, deployment="d2", version="1.2.0", release="r2")
BLOG = replace(FIRST, deployment="d3", app="blog", verb="remove")
NOTHING, TWO = absent.Absent(DEAD), absent.Absent(DEAD, (FIRST, SECOND))
PLACES = {"production": ("web1", "web2"), "staging": ("stage1",)}


def test_a_row_says_what_it_misses_of_each_app() -> None:
    [row] = absent.rows(TWO, "")
    assert (row.app, row.host, row.destination, row.state, row.app_version, row.release) == (
        "shop", "web2", "production", "excluded", "1.2.0", "r2")
    assert (row.words, row.silent, row.drifted) == ("excluded, misses 1.2.0", False, False)
    assert row.drift == (DEAD.words, "missed: d1, d2")
    assert row.as_json()["excluded"] == {"reason": "its disk is dead", "actor": "ann@laptop", "since": DEAD.since, "missed": (
        {"deployment": "d1", "verb": "deploy", "version": "1.1.0", "result": "succeeded"},
        {"deployment": "d2", "verb": "deploy", "version": "1.2.0", "result": "succeeded"})}
    gone, shop = absent.rows(absent.Absent(DEAD, (BLOG, SECOND)), "")
    assert (gone.app, gone.words, shop.app) == ("blog", "excluded, misses remove", "shop")


def test_where_it_has_missed_nothing_one_row_says_that_it_is_excluded() -> None:
    for one, app in ((NOTHING, "shop"), (NOTHING, ""), (absent.Absent(DEAD, (BLOG,)), "shop")):
        [row] = absent.rows(one, app)
        assert (row.app, row.words, row.drift, row.app_version) == (app, "excluded", (DEAD.words,), "")


def test_in_words() -> None:
    tail = "; once it is well: lading hosts include web2"
    assert absent.line(TWO) == f"{WORDS}; it misses shop 1.2.0 of production{tail}"
    assert absent.line(NOTHING) == f"{WORDS}; it has missed nothing that is known here{tail}"
    both = absent.Absent(DEAD, (BLOG, SECOND))
    assert absent.line(both) == f"{WORDS}; it misses that blog was removed from production, shop 1.2.0 of production{tail}"
    assert absent.line(both, "blog") == f"{WORDS}; it misses that blog was removed from production{tail}"


def test_what_was_stopped_there_or_has_not_ended_is_told() -> None:
    stop = replace(SECOND, deployment="d4", verb="stop", by_hand={"web": 0})
    alone = absent.Absent(DEAD, (stop,))
    assert absent.line(alone).startswith(f"{WORDS}; it misses that web of shop was stopped in production; once")
    [row] = absent.rows(alone, "")
    assert (row.words, row.app_version, row.drift[1]) == ("excluded, misses stop", "", "missed: d4")
    both = absent.Absent(DEAD, (SECOND, replace(stop, verb="scale", by_hand={"web": 3}), replace(stop, verb="start", by_hand={})))
    assert [row.words for row in absent.rows(both, "")] == ["excluded, misses 1.2.0"]
    assert "shop 1.2.0 of production, that web of shop was scaled to 3 in production, that shop was started in" in absent.line(both)
    running = absent.Absent(DEAD, (replace(SECOND, result="running"),))
    assert "it misses shop 1.2.0 of production (deployment d2 is not ended);" in absent.line(running)


def test_that_it_has_missed_nothing_is_said_only_where_it_is_so() -> None:
    restarted = absent.Absent(DEAD, (replace(SECOND, verb="restart"),))
    assert "; what it has missed has left nothing behind: restart d2; once" in absent.line(restarted)
    assert "missed nothing" in absent.line(restarted, "blog")


def test_to_drift_it_is_a_difference() -> None:
    [found] = absent.found(TWO, "shop")
    assert found.as_json() == {"host": "web2", "app": "shop", "service": "", "field": "excluded",
                               "declared": "shop 1.2.0 of production", "observed": DEAD.words}
    [found] = absent.found(NOTHING, "")
    assert (found.app, found.declared, found.observed) == ("", "", DEAD.words)


def said(*left: absent.Absent, app: str = "") -> list[str]:
    made = a_release(a_service("web", "r.example/shop:1.2.0"), version="1.2.0")
    there = an_app(made)
    assert there.current is not None
    there = replace(there, current=replace(there.current, destination="production"))
    seen = state.FleetState({"web1": state.HostState("web1", apps={"shop": there})})
    rows = listing.host_rows(seen.hosts["web1"], app)
    return list(summary.lines(seen, rows, PLACES, app, left))


def test_a_line_in_words_counts_it_out() -> None:
    assert said(TWO) == ["shop production: 1.2.0 on web1; web2 is excluded", absent.line(TWO)]
    other = absent.Absent(replace(DEAD, host="stage1"))
    assert said(other, TWO, app="shop") == ["shop production: 1.2.0 on web1; web2 is excluded", absent.line(other), absent.line(TWO)]


def test_several_are_counted_out_together() -> None:
    places = {"production": ("web1", "web2", "web3")}
    also = absent.Absent(replace(DEAD, host="web3"))
    group = summary._Group("shop", "production", {"1": ["web1"]})
    group.excluded = [one.host for one in (TWO, also) if one.host in places["production"]]
    assert summary._line(group) == "shop production: 1 on web1; web2, web3 are excluded"


def test_in_the_table_it_comes_last_and_no_note_repeats_it() -> None:
    rows = absent.rows(TWO, "")
    silent = listing.Row("", "", "web9", "", "", "", "", "", "unknown", "", "", "", ("no route",), silent=True)
    web = replace(silent, app="zoo", service="web", host="web1", state="running", silent=False)
    assert [row.host for row in where_table.chosen([*rows, silent, web], everything=False)] == ["web1", "web9", "web2"]
    assert where_table.notes(rows) == []
    table = where_table.made(rows, wide=False, width=200, today="2026-11-30")
    assert table.rows == (
        ("shop", "production", "-", "web2", "-", "excluded, misses 1.2.0", "2026-11-30 10:16Z", "ann@laptop"),)
