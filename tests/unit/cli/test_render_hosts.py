"""What a terminal is told where there is nothing to show in a table."""

import pytest

from lading.cli import render_hosts
from lading.queries import drift, where


@pytest.mark.parametrize(("is_deployed", "app", "said"), [
    (True, "", "no drift"), (True, "shop", "no drift"),
    (False, "", "nothing is deployed with lading on these hosts"),
    (False, "shop", "shop is not deployed on these hosts: lading history shop"),
])
def test_that_nothing_drifts_is_said_only_where_something_could(
    is_deployed: bool, app: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    render_hosts.drift(drift.Drift((), is_deployed), app)
    assert capsys.readouterr().out == f"{said}\n"


def test_where_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    render_hosts.where(where.Answer((), ()), "shop")
    assert capsys.readouterr().out == "shop is not deployed on these hosts: lading history shop\n"
