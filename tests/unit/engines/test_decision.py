"""The table of decisions, compared with the executable model of the protocol over all inputs."""

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from lading.engines import decision
from lading.state import journal

MODEL = Path(__file__).parents[3] / "protocol" / "model.py"
WORDS: tuple[decision.Word, ...] = (*get_args(journal.Phase), "silent", "none")
NAMES = ("web1", "web2", "web3")


@pytest.fixture(scope="module")
def model() -> ModuleType:
    """protocol/model.py, which is no part of the package."""
    found = importlib.util.spec_from_file_location("model", MODEL)
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    sys.modules["model"] = made
    found.loader.exec_module(made)
    return made


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_the_table_is_that_of_the_model(
    hosts: int, committed: bool, stop: bool, model: ModuleType
) -> None:
    for words in itertools.product(WORDS, repeat=hosts):
        phases = dict(zip(NAMES, words, strict=False))
        theirs = {name: None if word == "none" else word for name, word in phases.items()}
        expected = model.table(frozenset(model.RULES), theirs, committed, False, stop)
        expected = "in doubt" if expected == "doubt" else expected
        assert decision.decide(phases, committed=committed, stop=stop) == expected, phases
