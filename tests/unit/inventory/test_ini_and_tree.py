"""Inventory files, as INI and as trees: what is wrong is said with its line. What they mean: tests/contract and its corpus."""

from typing import Any

import pytest

from lading.inventory import groups, ini, tree


def located(value: Any, line: int = 1) -> groups.Variable:
    """A tree whose every mapping entry is one line further down."""
    place = groups.Place("f", line)
    if isinstance(value, dict):
        return groups.Variable({key: located(one, line + number) for number, (key, one) in enumerate(value.items(), 1)}, place)
    return groups.Variable(value, place)


def read_ini(text: str) -> groups.Groups:
    into = groups.Groups()
    ini.read(text, "f", into)
    into.settle()
    return into


def read_tree(value: Any) -> tuple[groups.Groups, list[str]]:
    into = groups.Groups()
    notes = tree.read(located(value), into)
    into.settle()
    return into, notes


@pytest.mark.parametrize(("text", "line", "why"), [
    ("[a b]\n", 1, "is no section"), ("h\n[a:hostz]\n", 2, "no kind of section"), ("[a:vars]\nx\n[a]\n", 2, "KEY=VALUE"),
    ("[a:vars]\nx=1\n", 1, "declared nowhere"), ("[a:children]\nb\n", 2, "names the group b"), ("[a:children]\nb c\n", 2, "name of a group"),
    ("[a:children]\na\n", 2, "contain each other"), ("[a:children]\nb\n[b:children]\na\n", 4, "contain each other"), ("[a:children]\nall\n", 2, "every host"),
    ("h x\n", 1, "KEY=VALUE pairs"), ("h x='1\n", 1, "No closing quotation"), ("h[1:\n", 1, "not a host line"), ("\n\nh[5:1]\n", 3, "counts nothing"),
    ("[a]\n[a:vars]\nansible_group_priority=x\n", 3, "whole number"),
])
def test_what_is_wrong_in_ini(text: str, line: int, why: str) -> None:
    with pytest.raises(groups.InventoryError) as caught:
        read_ini(text)
    assert (caught.value.place, why in caught.value.message) == (groups.Place("f", line), True), caught.value.message


def test_a_group_may_be_named_as_a_child_before_it_is_declared() -> None:
    found = read_ini("[top:children]\nlater\nnow\n[now]\nn\n[later]\nl\n[other:children]\nlater\n# x\n; y\n")
    assert (found.members("top"), found.members("other")) == (("n", "l"), ("l",))


@pytest.mark.parametrize(("text", "value"), [
    ("5", 5), ("(1, 2)", [1, 2]), ("{'a': {1}}", {"a": [1]}), ("...", "..."), ("1j", "1j"), ("b'x'", "x"), ("007", "007"), ("yes", "yes"),
    ("(" * 300, "(" * 300), ("None", None), ("'\\d'", "\\d"),
])
def test_values_of_ini_are_python_literals_or_text(text: str, value: object) -> None:
    assert ini.typed(text) == value


@pytest.mark.parametrize(("value", "line", "why"), [
    ([], 1, "an inventory must be a mapping, not a list"), ({"": None}, 2, "must have a name"), ({"a": "x"}, 2, "not a text"), ({1: None}, 2, "quotation marks"),
    ({"a": {"hosts": {1: None}}}, 4, "quotation marks"), ({"a": {"hosts": ["h"]}}, 3, "hosts of the group a must be a mapping, not a list"),
    ({"a": {"hosts": {"h[5:1]": None}}}, 4, "not a host"), ({"a": {"hosts": {"h": 5}}}, 4, "variables of h must be a mapping, not 5"),
    ({"a": {"children": {"a": None}}}, 4, "contain each other"), ({"a": {"vars": {"ansible_group_priority": None}}}, 4, "whole number"),
])
def test_what_is_wrong_in_a_tree(value: Any, line: int, why: str) -> None:
    with pytest.raises(groups.InventoryError) as caught:
        read_tree(value)
    assert (caught.value.place, why in caught.value.message) == (groups.Place("f", line), True), (caught.value.message, caught.value.place)


def test_a_text_is_short_for_a_mapping_and_unknown_keys_are_told() -> None:
    found, notes = read_tree({"a": {"hosts": "h", "children": "b", "hostz": {"x": None}}, "b": None})
    assert (found.members("a"), list(found.descendants("a"))) == (("h",), ["a", "b"])
    values = read_tree({"a": {"vars": {"v": {"deep": 1}}, "hosts": {"h": {"own": [1]}}}})[0].variables({}, {})["h"]
    assert {key: one.value for key, one in values.items()} == {"v": {"deep": 1}, "own": [1]}
    assert notes == ["hostz in the group a means nothing: only vars, children and hosts do (f:5)"]


def test_the_value_that_holds_is_the_one_nearest_to_the_host() -> None:
    found = read_ini("[top:children]\nmid\n[mid]\nh own=h\n[side]\nh\n[loose]\n[top:vars]\na=top\n[mid:vars]\na=mid\n[side:vars]\na=side\nansible_group_priority=2\n")
    given = found.variables({"all": {"a": groups.Variable("file", groups.Place("g", 7))}}, {"h": {"own": groups.Variable("file", groups.Place("v"))}})
    assert {key: (one.value, one.place.file) for key, one in given["h"].items()} == {"a": ("file", "g"), "own": ("file", "v")}
    assert found.variables({}, {})["h"]["a"].value == "mid"  # deeper than side, whatever the priority of side


def test_a_host_in_no_group_is_ungrouped_and_its_first_port_counts() -> None:
    found = read_ini("loose:22\nh:1\n[g]\nh:2\n[all]\ntop\n")
    assert found.all_members() == {"all": ("top", "loose", "h"), "ungrouped": ("loose", "top"), "g": ("h",)}
    assert found.hosts["h"]["ansible_port"].value == 1
    assert found.places["h"] == groups.Place("f", 2)


def test_a_variable_of_a_host_that_is_called_like_a_group_is_the_groups() -> None:
    found = read_ini("[g]\ng x=1\nother\n")
    assert found.variables({}, {})["other"]["x"].value == 1
