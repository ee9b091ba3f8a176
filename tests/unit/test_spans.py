"""Host names as spans: nothing is lost, and a fleet that counts up is one word."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading import spans

NAMES = st.lists(st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(["web", "db-", "a1b", ""]), st.integers(0, 1200), st.sampled_from(["", ".example", "-x"])),
    st.builds("{}{:03d}{}".format, st.sampled_from(["web", "0"]), st.integers(0, 1200), st.sampled_from(["", ".lan"])),
    st.sampled_from(["db", "web", "9", "007", "h999999999999", "[", "h[1:3]x[1:2]"]),
))


@given(NAMES)
@example([f"h{number}" for number in range(8, 12)])
@example(["h08", "h09", "h10", "h011", "h012"])
@example(["h1", "h2", "h3", "h3", "h2", "h1"])
@example(["x1y2", "x1y3", "x1y4", "x1y5z"])
def test_what_was_packed_is_unpacked(names: list[str]) -> None:
    assert list(spans.unpacked(tuple(spans.packed(names)))) == names


@pytest.mark.parametrize(("names", "words"), [
    ([f"h{number}" for number in range(1, 1001)], ["h[1:1000]"]),
    (["web01", "web02", "web03", "db", "web04"], ["web[01:03]", "db", "web04"]),
    (["web9.lan", "web10.lan", "web11.lan"], ["web[9:11].lan"]),
    (["web1", "web2"], ["web1", "web2"]),
    (["web09", "web10", "web011"], ["web09", "web10", "web011"]),
    ([], []),
])
def test_a_run_is_one_word(names: list[str], words: list[str]) -> None:
    assert spans.packed(names) == words


def test_equal_words_are_one_value() -> None:
    assert spans.unpacked(tuple(["h[1:1000]"])) is spans.unpacked(tuple(["h[1:1000]"]))


@pytest.mark.parametrize("words", [("h[0:999999999]",), ("h[1:60000]", "i[1:60000]")])
def test_a_journal_cannot_name_more_hosts_than_there_are(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="too many hosts"):
        spans.unpacked(words)


def test_what_is_no_span_is_a_name() -> None:
    words = ("h[a:b]", "h[1:2", "h[3:1]", "h[1:2][1:2]", "h[1:9999999999]")
    assert spans.unpacked(words) == ("h[a:b]", "h[1:2", "h[1:2][1:2]", "h[1:9999999999]")
