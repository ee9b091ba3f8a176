"""The benches' pure parts: medians and their text, tables, sections of the page, scales and bars of the plots."""

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

import document
import lab_bench
import lab_report
import plot
import scale_bench
import scale_profile
import scale_report

SVG = "{http://www.w3.org/2000/svg}"


def test_a_figure_is_median_lowest_highest_and_needs_a_run() -> None:
    assert document.figure([5.0, 1.0, 2.0]).text(1) == "2.0 (1.0-5.0)"
    assert document.figure([4.0, 1.0]).median == 2.5
    assert document.figure([3 * 2**20, 2**20, 2 * 2**20]).text(0, 1 / 2**20) == "2 (1-3)"
    with pytest.raises(ValueError, match="no run"):
        document.figure([])


def test_a_table_has_as_many_cells_as_heads() -> None:
    assert document.table(["a", "b"], [["1", "x|y"]]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n"
    with pytest.raises(ValueError, match="1 cells under 2"):
        document.table(["a", "b"], [["1"]])


def test_each_bench_writes_its_own_section_and_leaves_the_others() -> None:
    page = document.with_section("# Benchmarks\n\nWritten by hand.\n", "scale", "## Scale\none")
    page = document.with_section(page, "lab", "## Lab\n\\1")
    assert page.index("## Lab") < page.index("## Scale") < page.index("<!-- end: scale -->")
    assert page.startswith("# Benchmarks\n\nWritten by hand.\n\n<!-- bench: lab -->\n## Lab\n\\1\n<!-- end: lab -->\n")
    again = document.with_section(page, "lab", "## Lab\ntwo")
    assert "\ntwo\n" in again and "\\1" not in again and "## Scale\none\n" in again
    assert document.with_section(again, "lab", "## Lab\ntwo") == again


@pytest.mark.parametrize(("high", "marks"), [
    (35.6, [0, 10, 20, 30, 40]), (4.9, [0, 1, 2, 3, 4, 5]), (0.083, [0, 0.02, 0.04, 0.06, 0.08, 0.1]), (5, [0, 1, 2, 3, 4, 5]),
    (0, [0, 1]),
])  # fmt: skip
def test_scales_have_round_marks_and_reach_the_highest(high: float, marks: list[float]) -> None:
    assert plot.ticks(high) == marks


@pytest.mark.parametrize(("value", "text"), [
    (0.0842, "0.084"), (0.53, "0.53"), (2.134, "2.13"), (35.62, "35.6"), (161.9, "162"), (0, "0.000"), (99.96, "100.0"),
])  # fmt: skip
def test_numbers_have_as_many_figures_as_tell(value: float, text: str) -> None:
    assert plot.number(value) == text


def test_bars_are_as_long_as_their_values() -> None:
    shown = [plot.Bar("one & <two>", 2.0, 1.0, 4.0, strong=True), plot.Bar("half", 1.0, 1.0, 1.0)]
    root = ET.fromstring(plot.bars("Wall", "s", {"10 hosts": shown}))
    paper, one, half = root.findall(f"{SVG}rect")
    assert float(one.attrib["width"]) == pytest.approx(2 * float(half.attrib["width"]), abs=0.2)
    assert one.attrib["fill"] != half.attrib["fill"] and paper.attrib["fill"] == "#ffffff"
    texts = [text.text for text in root.findall(f"{SVG}text")]
    assert {"Wall, s", "10 hosts", "one & <two>", "2.00", "1.00"} <= set(texts)


def test_parts_stand_end_to_end() -> None:
    root = ET.fromstring(plot.stacks("Phases", "s", {"1 host": {"lease": 1.0, "roll": 3.0}}))
    _, lease, roll, *_ = root.findall(f"{SVG}rect")
    assert float(roll.attrib["x"]) == pytest.approx(float(lease.attrib["x"]) + float(lease.attrib["width"]), abs=0.2)
    assert float(roll.attrib["width"]) == pytest.approx(3 * float(lease.attrib["width"]), abs=0.3)


def test_lines_rise_with_their_values() -> None:
    root = ET.fromstring(plot.lines("CPU", "hosts", "s", {"lading": [(0, 0), (50, 1), (100, 2)]}))
    first, second, third = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.findall(f"{SVG}circle")]
    assert first[0] < second[0] < third[0] and first[1] > second[1] > third[1]
    assert second[1] - third[1] == pytest.approx(first[1] - second[1], abs=0.2)


@pytest.mark.parametrize("option", ["--looks", "--hosts"])
def test_what_is_no_list_of_numbers_is_refused(option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench", option, "3,1"])
    assert getattr(scale_bench.options(), option[2:]) == [1, 3]
    monkeypatch.setattr("sys.argv", ["bench", option, "x"])
    with pytest.raises(SystemExit):
        scale_bench.options()
    assert "'x' is no list of numbers" in capsys.readouterr().err


@pytest.mark.parametrize("options", [scale_bench.options, lab_bench.options])
def test_no_page_is_written_of_no_rounds(
    options: Callable[[], object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--repeat", "0"])
    with pytest.raises(SystemExit):
        options()
    assert "'0' is no number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("hosts", ["50", "50,50", "50,100,200"])
def test_a_profile_needs_two_different_numbers_of_hosts(
    hosts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--hosts", hosts])
    with pytest.raises(SystemExit):
        scale_profile.main()
    assert "--hosts takes two different numbers" in capsys.readouterr().err


def test_what_hosts_take_at_rest_is_told_apart() -> None:
    floor = lab_report.Run("ssh cold", 1, True, wall=2.0, cpu=0.1, memory=1, hosts_cpu=1.0, hosts_resting=0.1)
    mine = lab_report.Run("lading", 1, True, wall=4.0, cpu=1.0, memory=1, hosts_cpu=1.6, hosts_resting=0.1)
    assert (floor.hosts_work, mine.hosts_work) == pytest.approx((0.8, 1.2))
    assert lab_report.Run("lading", 1, True, wall=40.0, cpu=1.0, memory=1, hosts_cpu=1.6, hosts_resting=0.1).hosts_work == 0.0
    aims = lab_report.aims_table([floor, mine], [1])
    assert "| 1 host: at most 1.35 of the floor's CPU on hosts, health checks left out | 1.50: **missed** |" in aims


def test_a_profile_tells_what_each_host_adds_from_what_is_the_same_for_any() -> None:
    few = [{"start": 1.0, "asyncio": 0.3}, {"start": 1.0, "asyncio": 0.2}, {"start": 1.0, "asyncio": 0.1}]
    many = [{"start": 1.0, "asyncio": 0.5, "ledger": 0.1}] * 3
    assert scale_profile.table(10, 20, {10: few, 20: many}).splitlines()[2:] == [
        "| asyncio | 30.0 ms | 75% | -0.10 s |",
        "| ledger | 10.0 ms | 25% | -0.10 s |",
        "| start | 0.0 ms | 0% | 1.00 s |",
        "| together | 40.0 ms | | 0.80 s |",
    ]


def test_a_long_history_is_judged_at_the_most_hosts_that_both_were_tried_on() -> None:
    def run(variant: str, hosts: int, cpu: float) -> scale_report.Run:
        return scale_report.Run(variant, hosts, wall=1.0, cpu=cpu, memory=1, servers=1.0)

    long = scale_report.LONG_HISTORY
    runs = [run("lading", 50, 1.0), run("lading", 200, 4.0), run("lading", 1000, 9.0), run(long, 50, 9.0), run(long, 200, 4.8)]
    looks = [scale_report.Look(200, wall, 1.0, 1, 1.0, 1.0, variant) for wall, variant in ((2.0, "lading"), (2.1, long))]
    rows = {row[0]: row[1:] for row in scale_report.with_long_history(runs, looks)}
    assert rows["after a long history, a deployment to 200 hosts: controller's CPU at most 1.10 of without"] == ["1.20", "**missed**"]
    assert rows["after a long history, `lading where` over 200 hosts: time at most 1.10 of without"] == ["1.05", "reached"]
    assert scale_report.with_long_history(runs[:3], looks[:1]) == []
