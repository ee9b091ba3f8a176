"""What a host keeps of an app beside its journal: both ways, and what is refused."""

from dataclasses import replace

import pytest

from lading import state


def test_current_both_ways() -> None:
    current = state.Current("shop", "cafe", "1", "d1", "ann@laptop", "then", "git:repo", "production", {"var.P": 2})
    assert state.current_from_json(current.as_json()) == current
    assert "adopted" not in current.as_json()  # what was never adopted is written as before
    adopted = replace(current, adopted={"c1": state.Adopted("cafe", "r/web:1", "1.2")})
    assert state.current_from_json(adopted.as_json()) == adopted


def test_numbers_by_hand_have_a_format_of_their_own() -> None:
    current = state.Current("shop", "c" * 64, "1", "d1")
    assert (current.as_json()["v"], "by_hand" in current.as_json()) == (2, False)
    scaled = replace(current, by_hand={"web": 3, "db": 0})
    assert (scaled.as_json()["v"], scaled.as_json()["by_hand"]) == (3, {"db": 0, "web": 3})
    assert state.current_from_json(scaled.as_json()) == scaled != current
    assert state.hash_of_current(scaled) != state.hash_of_current(current)


@pytest.mark.parametrize("wrong", [{"web": -1}, {"web": "3"}, {"web": True}, ["web"], "web"])
def test_what_is_no_number_by_hand_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="by_hand"):
        state.current_from_json({**state.Current("shop", "cafe", "1", "d1").as_json(), "by_hand": wrong})


@pytest.mark.parametrize("key", ["release", "app", "deployment"])
def test_a_name_in_current_leads_nowhere_else(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is not what it should be"):
        state.current_from_json({**state.Current("shop", "r1", "1", "d1").as_json(), key: "../x"})


def test_a_note_of_another_shape_is_refused() -> None:
    with pytest.raises(state.NewerError):
        state.deployed_from_json({"v": 2, "deployment": "d"})
    for wrong in ({"deployment": "d"}, {"v": 1}, {"v": 1, "deployment": "d", "behind": "x"}):
        with pytest.raises(ValueError):
            state.deployed_from_json(wrong)


def test_a_release_says_its_format() -> None:
    kept = state.release_from_json("r1", {"v": 1, "files": {}})
    assert kept == {"v": 1, "files": {}}
    assert hash(kept) != hash(state.release_from_json("r1", {"v": 1, "files": {}}))  # it is its own
    with pytest.raises(state.NewerError, match="release r1 has format 2, this lading knows 1"):
        state.release_from_json("r1", {"v": 2})
    with pytest.raises(ValueError, match="release r1 has no format"):
        state.release_from_json("r1", {})
