"""A chain of events: what its hashes bind, and which words are found for what was done to it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.ledger import chain


def a_chain(count: int, writer: str = "w") -> tuple[list[chain.Row], chain.Head]:
    rows: list[chain.Row] = []
    head = chain.Head(writer, 0, chain.GENESIS)
    for number in range(1, count + 1):
        row = chain.Row(writer, number, f"2026-01-01T00:00:{number:02}.000000Z", "d", "StateSeen", "web1", "", "{}", head.hash)
        rows.append(replace(row, hash=chain.link(row)))
        head = chain.Head(writer, number, rows[-1].hash)
    return rows, head


def attested(row: chain.Row, **more: Any) -> chain.Attested:
    return replace(chain.Attested("web1", "d", "2026-01-01T00:00:00Z", row.writer, row.seq, row.hash), **more)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_untouched_chain(count: int) -> None:
    rows, head = a_chain(count)
    assert chain.faults(rows, head) == ()
    assert chain.unattested(rows, "w", [attested(row) for row in rows]) == ()


@given(st.integers(1, 8), st.integers(0, 7), st.sampled_from(["at", "deployment", "kind", "host", "step", "data", "prev", "hash"]),
       st.text(max_size=9))
def test_every_field_is_bound(count: int, index: int, field: str, value: str) -> None:
    rows, head = a_chain(count)
    index %= count
    changed = replace(rows[index], **{field: value})  # type: ignore[arg-type]
    if changed == rows[index]:
        return
    rows[index] = changed
    said = " ".join(chain.faults(rows, head))
    assert f"row {index + 1} (" in said
    assert "was changed" in said


@given(st.integers(2, 12), st.data())
def test_any_rows_taken_out_are_missed(count: int, data: st.DataObject) -> None:
    rows, head = a_chain(count)
    gone = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    said = chain.faults([row for index, row in enumerate(rows) if index not in gone], head)
    named: set[int] = set()
    for words in said:
        first, _, last = words.replace(" is missing", "").replace(" are missing", "").partition(" to ")
        named |= set(range(int(first.split()[1]), int(last or first.split()[1]) + 1))
    assert named == {index + 1 for index in gone}


@given(st.permutations(range(6)))
def test_any_new_order_is_named(order: list[int]) -> None:
    rows, head = a_chain(6)
    moved = [replace(rows[old], seq=place + 1) for place, old in enumerate(order)]
    said = chain.faults(moved, head)
    expected = [f"row {old + 1} lies in the place of row {place + 1}: rows were reordered"
                for place, old in enumerate(order) if old != place]
    assert list(said) == expected


def test_a_head_that_was_changed() -> None:
    rows, head = a_chain(3)
    assert chain.faults(rows, replace(head, hash="ff")) == ("row 3 is not the one that the head names: it was replaced",)
    assert chain.faults([], replace(a_chain(0)[1], hash="ff")) == ("the head was changed",)
    [said] = chain.faults(rows, replace(head, seq=2))
    assert said.startswith("rows after 2, where the head says the chain ends")


def test_rows_that_fit_themselves_but_not_their_neighbours() -> None:
    rows, head = a_chain(4)
    forged = replace(rows[1], host="forged")
    rows[1] = replace(forged, hash=chain.link(forged))
    [said] = chain.faults(rows, head)
    assert "does not follow row 2: one of the two was replaced" in said
    first, end = a_chain(2)
    other = replace(first[0], prev="1" * 64)
    first[0] = replace(other, hash=chain.link(other))
    assert "is not the first of this chain" in chain.faults(first, end)[0]


def test_a_far_number_costs_little() -> None:
    rows, head = a_chain(3)
    said = chain.faults([*rows[:2], replace(rows[2], seq=10**15)], head)
    assert "rows 3 to 999999999999999 are missing" in said
    assert "row 3 lies in the place of row 1000000000000000: rows were reordered" in said


def test_what_hosts_attest() -> None:
    rows, _ = a_chain(3)
    [cut] = chain.unattested(rows[:2], "w", [attested(rows[2])])
    assert cut.startswith("web1 attests row 3 (commit of d, 2026-01-01T00:00:00Z), but the ledger ends at row 2")
    [anew] = chain.unattested(rows, "w", [attested(rows[2], hash="ff")])
    assert "with another hash" in anew
    assert chain.unattested(rows, "w", [attested(rows[2], writer="other", hash="ff")]) == ()
    assert chain.unattested([rows[0], rows[2]], "w", [attested(rows[1])]) == (), "missing rows are named by faults"


def test_of_many_faults_the_first_are_named_and_all_are_counted() -> None:
    whole, head = a_chain(3 * chain.NAMED + 6)
    said = chain.faults([row for row in whole if row.seq % 3], head)
    assert said[0] == "row 3 is missing"
    assert (len(said), said[-1]) == (chain.NAMED + 2, "and 1 more gaps")
