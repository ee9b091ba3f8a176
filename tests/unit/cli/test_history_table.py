"""The table of `history`: side by side at 80 columns; what gives way there stands under its row, and nothing is lost."""

from dataclasses import replace

import pytest

from lading.cli import history_table, layout
from lading.ledger import deployments

ROW = deployments.Deployment(
    "20261130-101503-4f2a", "rollback", "shop", "1.1.0", "f" * 64, "production", "ana@laptop", "", "", "", "git.example/shop",
    "2026-11-30T10:15:03Z", "2026-11-30T10:15:15Z", "rolled_back", {"web1": "rolled_back"}, ran_by="ana@laptop")
WHY = replace(ROW, verb="deploy", actor="ben@example.org", reason="ticket 4711", ran_by="jenkins@ci1")
TOLD = replace(ROW, origin="told by hosts")


def shown(width: int, *rows: deployments.Deployment) -> list[str]:
    lines = layout.lay_first(history_table.shapes(rows), width)
    return ["".join(piece.text for piece in line) for line in lines]


def test_all_of_it_where_there_is_room() -> None:
    assert shown(200, WHY)[0].split("  ")[0] == "DEPLOYMENT (UTC)"
    assert shown(200, WHY)[1].split() == [
        "20261130-101503-4f2a", "deploy", "shop", "1.1.0", "production", "rolled_back", "ben@example.org", "(run", "by", "jenkins@ci1)",
        "ticket", "4711", "-"]


def test_at_80_columns_a_row_is_a_line_and_what_gives_way_is_under_it() -> None:
    assert shown(80, ROW, WHY, TOLD) == [
        "DEPLOYMENT (UTC)      VERB      APP   VERSION  DESTINATION  RESULT       BY",
        "20261130-101503-4f2a  rollback  shop  1.1.0    production   rolled_back  ana",
        "20261130-101503-4f2a  deploy    shop  1.1.0    production   rolled_back  ben",
        "  reason: ticket 4711; run by: jenkins@ci1",
        "20261130-101503-4f2a  rollback  shop  1.1.0    production   rolled_back  ana",
        "  told by: web1",
    ]


@pytest.mark.parametrize(("width", "head", "below"), [
    (72, "DEPLOYMENT (UTC)      APP   VERSION  DESTINATION  RESULT       BY", "  verb: rollback"),
    (66, "DEPLOYMENT (UTC)      APP   VERSION  DESTINATION  RESULT       BY", "  verb: rollback"),
    (65, "DEPLOYMENT (UTC)      VERSION  DESTINATION  RESULT       BY", "  app: shop; verb: rollback"),
    (60, "DEPLOYMENT (UTC)      VERSION  DESTINATION  RESULT       BY", "  app: shop; verb: rollback"),
    (59, "DEPLOYMENT (UTC)  20261130-101503-4f2a", "BY                ana@laptop"),
])
def test_still_narrower_the_verb_then_the_app_give_way_and_blocks_are_the_last(width: int, head: str, below: str) -> None:
    lines = shown(width, ROW)
    assert (lines[0], lines[-1]) == (head, below)


def test_where_a_host_is_excluded_it_says_which_and_when() -> None:
    gone = replace(ROW, deployment="", verb="exclude", app="", version="", destination="", result="-", hosts={"web1": ""})
    assert shown(80, gone)[1].split()[:6] == ["2026-11-30", "10:15Z", "exclude", "-", "-", "web1"]
    without = replace(ROW, excluded=("web2", "web3"))
    assert "production without web2, web3" in shown(200, without)[1]
