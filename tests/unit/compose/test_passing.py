"""Which variables of the caller's environment a project is given."""

import pytest

from lading import errors
from lading.compose.passing import Passing, fault


@pytest.mark.parametrize(("entries", "passed"), [
    ((), {"VERSION"}),
    (("APP_A",), {"VERSION", "APP_A"}),
    (("APP_*",), {"VERSION", "APP_A", "APP_B"}),
    (("APP_*", "-APP_B"), {"VERSION", "APP_A"}),
    (("-APP_B", "APP_*"), {"VERSION", "APP_A", "APP_B"}),
    (("APP_*", "-APP_*", "APP_B"), {"VERSION", "APP_B"}),
    (("APP_[AC]",), {"VERSION", "APP_A"}),
    (("app_a",), {"VERSION"}),
    (("*",), {"VERSION", "APP_A", "APP_B", "HOME"}),
])
def test_of_all_entries_that_match_the_last_one_counts(entries: tuple[str, ...], passed: set[str]) -> None:
    environment = dict.fromkeys(("VERSION", "APP_A", "APP_B", "HOME", "REG_PASSWORD"), "x")
    own = frozenset({"REG_PASSWORD"})
    for cut in range(len(entries) + 1):  # the destination's entries come after those of the top level
        passing = Passing(entries[:cut], entries[cut:], own)
        assert set(passing.passed(environment)) == passed


def test_what_lading_yaml_reads_is_never_passed_on() -> None:
    assert not Passing(("*", "TOKEN"), own=frozenset({"TOKEN", "VERSION"})).passed({"TOKEN": "x", "VERSION": "1"})


def test_withheld_is_what_the_caller_has_and_did_not_type() -> None:
    passing = Passing(("A",))
    assert passing.withheld(["A", "B", "B", "C", "D"], {"A": "1", "B": "2", "C": ""}, {"D": "3"}) == ["B", "C"]
    assert passing.withheld(["B", "C"], {"B": "2", "C": ""}, {"B": "3"}) == ["C"]


def refusal(passing: Passing, **spots: tuple[str, int]) -> errors.ComposeError:
    return passing.refusal(spots)


def test_one_name_with_its_place_and_the_line_to_add() -> None:
    wrong = refusal(Passing(), TOKEN=("compose.yaml", 7))
    assert (wrong.file, wrong.line) == ("compose.yaml", 7)
    assert wrong.message == "TOKEN (compose.yaml:7) is in your environment, and lading.yaml does not pass it on"
    assert wrong.hint == "in lading.yaml: pass_env: [TOKEN]; or a value here: -e TOKEN=VALUE; or without it, for the value of the destination or the default: env -u TOKEN lading …"


def test_all_names_at_once_beside_what_is_there() -> None:
    wrong = refusal(Passing(("APP_*", "-APP_KEY", "PLAIN")), APP_KEY=("a.yml", 1), TOKEN=("", 0))
    assert wrong.message == "APP_KEY (a.yml:1), TOKEN are in your environment, and lading.yaml does not pass them on"
    assert 'in lading.yaml: pass_env: ["APP_*", -APP_KEY, PLAIN, APP_KEY, TOKEN]' in str(wrong.hint)


def test_the_line_is_for_the_destination_where_that_takes_it_out() -> None:
    passing = Passing(("TOKEN",), ("-TOKEN",), destination="production")
    assert passing.withheld(["TOKEN"], {"TOKEN": "x"}, {}) == ["TOKEN"]
    wrong = refusal(passing, TOKEN=("c.yml", 2))
    assert str(wrong.hint).startswith("in lading.yaml, under destinations.production: pass_env: [-TOKEN, TOKEN];")


def test_what_lading_yaml_reads_is_said_apart() -> None:
    passing = Passing(own=frozenset({"REG_PASSWORD"}))
    wrong = refusal(passing, REG_PASSWORD=("c.yml", 2))
    assert wrong.message == "REG_PASSWORD (c.yml:2): lading.yaml itself reads that ({env: REG_PASSWORD}), so no Compose file gets it"
    assert wrong.hint == "another name in the file instead of REG_PASSWORD"
    both = refusal(passing, REG_PASSWORD=("c.yml", 2), TOKEN=("d.yml", 3))
    assert (both.file, both.line) == ("d.yml", 3)
    assert "TOKEN (d.yml:3) is in" in both.message and "REG_PASSWORD (c.yml:2): lading.yaml itself" in both.message


@pytest.mark.parametrize(("entry", "good"), [
    ("NAME", True), ("APP_*", True), ("-NAME", True), ("-APP_?", True), ("[!A]*", True),
    ("", False), ("-", False), ("--NAME", False), ("A B", False), ("A=1", False), ("$A", False),
])
def test_entries(entry: str, good: bool) -> None:
    assert (fault(entry) == "") is good
