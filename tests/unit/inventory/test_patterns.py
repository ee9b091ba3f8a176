"""Ansible's patterns: order, each host once, and what is refused because it means nothing (see also tests/contract)."""

import pytest

from lading import errors
from lading.inventory import patterns

HOSTS = ("w1", "w2", "w3", "d1", "both", "same", "x.y")
GROUPS = {"all": HOSTS, "ungrouped": ("x.y",), "web": ("w1", "w2", "w3"), "db": ("d1",), "prod": ("w3", "d1"), "both": ("w1",),
          "same": ("same",), "none": (), "g.dot": ("w1",)}


@pytest.mark.parametrize(("text", "hosts", "named"), [
    ("web:db", "w1 w2 w3 d1", "web db"), ("db,web", "d1 w1 w2 w3", "db web"), ("web:&prod", "w3", "web prod"), ("web:!prod", "w1 w2", "web"),
    ("!prod:web", "w1 w2", "web"), ("!web", "d1 both same x.y", ""), ("&prod", "w3 d1", "prod"), ("web[0]", "w1", "web"),
    ("web[-1]", "w3", "web"), ("web[1:]", "w2 w3", "web"), ("web[0:1]:db", "w1 w2 d1", "web db"), ("web[1-2]", "w2 w3", "web"),
    ("web[0:0]", "w1", "web"), ("web[2:1]", "", "web"), ("web[7:9]", "", "web"), ("w[12]", None, "is 'w'"), ("w[1-2]*", "w1 w2", ""), ("w?", "w1 w2 w3", ""),
    ("~w[12]", "w1 w2", ""), ("~(we|d)b", "w1 w2 w3 d1", "web db"), ("*", " ".join(HOSTS), ""), ("all:!web", "d1 both same x.y", ""),
    ("all[0]", "w1", ""), ("ungrouped:db", "x.y d1", "ungrouped db"), ("u*:db", None, "matches 'u*'"), ("a*", None, "matches 'a*'"),
    ("same:db", "same d1", "same db"), ("w1:w1", "w1", ""), ("x.y:db", "x.y d1", "db"), ("*.y", "x.y", ""), ("g.dot:db", "w1 d1", "g.dot db"),
    ("web:none", "w1 w2 w3", "web none"), ("web:!none", "w1 w2 w3", "web"), (" web , !prod ", "w1 w2", "web"),
    ("wbe:db", None, "is 'wbe'"), ("web:!old", None, "is 'old'"), ("web:&qqq", None, "is 'qqq'"), ("zz*", None, "matches 'zz*'"),
    ("web:!", None, "nothing behind it"), ("both:web", None, "both a host and a group"), ("~(", None, "no regular expression"), ("web[5]", None, "none of them is [5]"),
    ("none[0]", None, "none of them is [0]"), ("~" + "a" * 600, None, "longer than 500"),
    (":", None, "names nothing"), (" : :", None, "names nothing"), ("", None, "names nothing"),
    ("~", None, "a ~ with nothing behind it"), ("web:!~", None, "a ~ with nothing behind it"),
])
def test_what_a_pattern_means(text: str, hosts: str | None, named: str) -> None:
    if hosts is None:
        with pytest.raises(errors.InputError) as caught:
            patterns.evaluate(text, HOSTS, GROUPS)
        assert named in caught.value.message
    else:
        assert patterns.evaluate(text, HOSTS, GROUPS) == patterns.Found(tuple(hosts.split()), tuple(named.split()))


def test_without_groups_all_means_every_host() -> None:
    assert patterns.evaluate("all:!w1", ("w1", "w2"), {}).hosts == ("w2",)
    with pytest.raises(errors.InputError) as caught:
        patterns.evaluate("qq*", (), {})
    assert caught.value.hint == "known: none"
    with pytest.raises(errors.InputError) as caught:
        patterns.evaluate("wrb:!d", ("web", "d"), {})
    assert caught.value.hint == "did you mean web?"


@pytest.mark.parametrize(("text", "words"), [
    ("a:b", ["a", "b"]), ("a,b:c", ["a", "b:c"]), ("2001:db8::1", ["2001:db8::1"]), ("a[1:2]", ["a[1:2]"]), ("a[1:2]:!b", ["a[1:2]", "!b"]),
    ("a,,b", ["a", "b"]), ("~x.*:y", ["~x.*", "y"]),
])
def test_one_argument_is_split_as_ansible_does(text: str, words: list[str]) -> None:
    assert patterns.split(text) == words


def test_names_with_commas_are_no_pattern() -> None:
    assert [text for text in ("web", "web,db", "a.b-c_d", "web:db", "!x", "a*", "~a", "a[0]", "a?", "&a") if not patterns.is_pattern(text)] == [
        "web", "web,db", "a.b-c_d"]
