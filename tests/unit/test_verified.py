"""What `ledger verify` says at its end: never that all is well where a host contradicts or could not be asked."""

from collections.abc import Mapping
from typing import Any

import pytest

from lading.cli import history
from lading.ledger import chain, contradictions
from lading.queries import history as past

HEAD = chain.Head("w", 3, "h")
WEB2 = contradictions.Contradiction("web2", "shop", "it has no record of shop", contradictions.Committed("d", "r", "t"))


@pytest.mark.parametrize(("more", "ok", "end"), [
    ({}, True, "intact: 3 rows of writer w in here"),
    ({"contradicting": (WEB2,)}, False, "intact: 3 rows of writer w in here, but contradicted by web2"),
    ({"unreachable": {"web1": "no route"}}, True, "intact: 3 rows of writer w in here, as far as it was checked"),
    ({"faults": ("row 2 is missing",), "contradicting": (WEB2,)}, False, "damaged: 3 rows of writer w in here, but contradicted by web2"),
])
def test_the_last_line_keeps_nothing_back(capsys: pytest.CaptureFixture[str], more: Mapping[str, Any], ok: bool, end: str) -> None:
    found = past.Verified(**{"faults": (), "head": HEAD, "place": "here", **more})
    assert history._verified_json(found)["ok"] is ok
    history._verified(found)
    assert capsys.readouterr().out.splitlines()[-1] == end
