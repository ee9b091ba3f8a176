"""A suggestion is a slip of the fingers or another tool's word: one that does the opposite is none."""

import pytest

from lading.cli import front, spelling


@pytest.mark.parametrize(("word", "meant"), [
    ("destroy", "remove"), ("down", "remove"), ("delete", "remove"), ("rm", "remove"), ("up", "deploy"), ("push", "deploy"),
    ("status", "where"), ("ps", "where"), ("ls", "where"), ("undo", "rollback"), ("PS", "where"),
    ("depoly", "deploy"), ("dploy", "deploy"), ("rolback", "rollback"), ("reomve", "remove"), ("histroy", "history"),
    ("log", "logs"), ("ru", "run"), ("resart", "restart"), ("xyz", ""), ("employ", "deploy"), ("destory", "remove"), ("us", ""), ("d" * 5000, ""), ("", ""),
])
def test_the_verb_that_was_meant(word: str, meant: str) -> None:
    assert spelling.meant_verb(word, front.VERBS) == meant


def test_all_other_words_mean_verbs_that_there_are_and_are_none() -> None:
    assert set(spelling.OTHERWISE) <= set(front.VERBS)
    words = " ".join(spelling.OTHERWISE.values()).split()
    assert len(words) == len(set(words))
    assert not set(words) & set(front.VERBS)


@pytest.mark.parametrize(("word", "meant"), [("--jsn", "--json"), ("--verson", "--version"), ("--yse", "--yes"), ("--volume", "--volumes"), ("--nope", "")])
def test_the_option_that_was_meant(word: str, meant: str) -> None:
    assert spelling.nearest(word, ["--json", "--version", "--yes", "--to", "--volumes"]) == meant
