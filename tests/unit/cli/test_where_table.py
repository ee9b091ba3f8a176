"""The table of `where`: eight columns, one-shots only where they failed, and what gives way at 80 columns."""

from dataclasses import replace
from typing import Any

import pytest

from lading.cli import where_table
from lading.queries import listing

TODAY = "2026-11-28"
WEB = listing.Row(
    "shop", "web", "web1", "shop-web-1", "1.3.0", "f" * 64, "r.example/shop:1.3.0", "sha256:" + "ab" * 32, "healthy",
    "2026-11-28T10:00:30Z", "20261128-100000-aaaa", "ann@laptop", destination="production", app_version="1.3.0", label="1.3",
)
SILENT = listing.Row("", "", "web3", "", "", "", "", "", "unknown", "", "", "", ("no route",), silent=True)
ONCE = replace(WEB, service="migrate", state="completed", one_shot=True)


def made(*rows: listing.Row, wide: bool = False, width: int = 200) -> where_table.Table:
    return where_table.made(rows, wide=wide, width=width, today=TODAY)


def test_the_eight_columns() -> None:
    table = made(WEB, SILENT)
    assert table.columns == ("app", "dest", "service", "host", "version", "state", "since", "by")
    assert table.rows == (
        ("shop", "production", "web", "web1", "1.3.0", "healthy", "2026-11-28 10:00Z", "ann@laptop"),
        ("-", "-", "-", "web3", "?", "unknown", "-", "-"),
    )


def test_wide() -> None:
    table = made(replace(WEB, drift=("image: r.example/shop:1.3.1",)), SILENT, wide=True, width=80)
    assert table.columns[8:] == ("image", "digest", "label", "release", "deployment", "drift")
    assert table.rows[0][6:] == (
        "2026-11-28 10:00Z", "ann@laptop", "r.example/shop:1.3.0", "abababababab", "1.3", "f" * 12, "20261128-100000-aaaa",
        "image: r.example/shop:1.3.1")
    assert table.rows[1][8:] == ("-", "-", "-", "-", "-", "no route")


@pytest.mark.parametrize(("more", "words"), [
    ({}, "healthy"),
    ({"drift": ("image: other",)}, "healthy, drifted"),
    ({"drift": ("health: unhealthy",), "state": "unhealthy"}, "unhealthy"),
    ({"drift": ("restarts: Docker restarted it 3 times",), "restarts": 3}, "healthy, restarted 3×"),
    ({"drift": ("state: exited",), "state": "exited", "restarts": 1, "unwell": True}, "exited, drifted, restarted 1×, unwell"),
    ({"drift": ("missing: nothing",), "state": "missing"}, "missing"),
    ({"state": "completed", "restarts": 2}, "completed"),
])
def test_the_state_in_words(more: dict[str, Any], words: str) -> None:
    assert made(replace(WEB, **more)).rows[0][5] == words


def test_adopted_is_said_beside_the_version() -> None:
    assert made(replace(WEB, adopted=True)).rows[0][4] == "1.3.0 (adopted)"


def test_one_shots_that_ended_well_are_left_out_and_those_that_failed_are_not() -> None:
    failed = replace(ONCE, state="exited")
    runs = replace(ONCE, state="running")
    assert where_table.chosen([WEB, ONCE, failed, runs], everything=False) == [failed, runs, WEB]
    assert where_table.chosen([WEB, ONCE], everything=True) == [ONCE, WEB]


def test_the_hosts_of_a_service_stand_below_each_other() -> None:
    rows = [replace(WEB, host=host, service=service) for host in ("web2", "web1") for service in ("db", "web")]
    shown = where_table.chosen([SILENT, *rows], everything=False)
    assert [(row.service, row.host) for row in shown] == [
        ("db", "web2"), ("db", "web1"), ("web", "web2"), ("web", "web1"), ("", "web3")]


def test_what_is_about_no_container_is_a_note_and_no_row() -> None:
    edited = replace(SILENT, app="shop", host="web1", drift=("file: edited by hand",), silent=False)
    unfinished = replace(edited, drift=("deployment: not ended; next: lading resume shop",))
    rows = [WEB, SILENT, edited, unfinished]
    assert where_table.chosen(rows, everything=True) == [WEB, SILENT]
    assert where_table.notes(rows) == ["shop on web1: file: edited by hand"]


def test_what_is_too_wide_gives_way_first_machines_of_people_then_times() -> None:
    row = replace(WEB, drift=("image: other",))
    before = replace(row, since="2026-11-01T09:00:00Z", actor="")
    full = made(row, before)
    assert made(row, before, width=full.width) == full
    people = made(row, before, width=full.width - 1)
    assert [line[6:] for line in people.rows] == [("2026-11-28 10:00Z", "ann"), ("2026-11-01 09:00Z", "-")]
    days = made(row, before, width=80)
    assert [line[6:] for line in days.rows] == [("10:00Z", "ann"), ("2026-11-01", "-")]
    assert days.width <= 80


def test_hosts_that_are_alike_share_a_row_where_they_are_many() -> None:
    few = [replace(WEB, host=f"web{number}") for number in range(1, 9)]
    assert len(made(*few).rows) == 8
    many = [replace(WEB, host=f"web{number:02}", since=f"2026-11-28T10:00:{number:02}Z") for number in range(1, 51)]
    odd = replace(WEB, host="web51", version="1.0.0")
    table = made(*many, odd)
    assert [line[3:7] for line in table.rows] == [
        ("web[01:50]", "1.3.0", "healthy", "2026-11-28 10:00Z"), ("web51", "1.0.0", "healthy", "2026-11-28 10:00Z")]
    twice = made(*many, *(replace(row, container="shop-web-2") for row in many))
    assert [line[3:6] for line in twice.rows] == [("web[01:50]", "1.3.0", "healthy (100 containers)")]
