"""Events both ways, with every field filled; the honest whole of a deployment."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import events

VALUES: Mapping[Any, Any] = {
    str: "text", int: 7, float: 1.5, tuple[str, ...]: ("a", "b"), Mapping[str, str]: {"web1": "succeeded"},
    tuple[Mapping[str, str], ...]: ({"field": "image"}, {"field": "user"}),
    Mapping[str, tuple[str, ...]]: {"SHA256:a": ("web1", "web2")},
}


@pytest.mark.parametrize("kind", list(events.KINDS.values()), ids=lambda kind: kind.__name__)
def test_every_field_survives_storage(kind: type[events.Event]) -> None:
    hints = get_type_hints(kind)
    event = kind(**{f.name: VALUES[hints[f.name]] for f in fields(kind)})
    stored = json.loads(json.dumps(events.to_json(event)))
    assert events.from_json(stored) == event
    assert events.from_json({**stored, "data": {**stored["data"], "of_a_later_lading": 1}}) == event


@pytest.mark.parametrize("change", [{"v": 2}, {"kind": "Nonsense"}, {"kind": None}])
def test_what_is_not_known_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not known to this lading"):
        events.from_json({**events.to_json(events.HostLost("d", "h")), **change})


RESULTS = st.lists(st.sampled_from(get_args(events.HostResult)))


@given(RESULTS)
def test_a_whole_is_good_only_if_every_host_is(results: list[events.HostResult]) -> None:
    def whole(found: list[events.HostResult]) -> events.WholeResult:
        return events.Outcome({str(n): events.HostOutcome(one) for n, one in enumerate(found)}).result

    result = whole(results)
    assert (result in ("succeeded", "unchanged")) is (set(results) <= {"succeeded", "unchanged"})
    assert (result == "unknown") is ("unknown" in results)
    assert whole(results[::-1]) == result
    assert result != "failed" or set(results) <= {"untouched", "unchanged"}
    assert result != "rolled_back" or "rolled_back" in results
