"""Plots as SVG, by hand: bars with their span, parts of a whole, lines. Numbers in, text out (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK, PALE, GRID, STRONG, WEAK = "#1f2328", "#59636e", "#e3e6ea", "#0969da", "#9aa5b1"
COLOURS = (STRONG, "#bc4c00", "#1a7f37", "#8250df", "#9a6700", "#59636e", "#cf222e")
WIDTH = 860
FONT = "font-family='-apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its length, the span of the runs behind it, and whether it is the one to look at."""

    label: str
    value: float
    low: float
    high: float
    strong: bool = False


def ticks(high: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to at least *high*, about *wanted* steps of 1, 2 or 5 times a power of ten."""
    if high <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(high / wanted))
    step = next(power * times for times in (1, 2, 5, 10) if power * times * wanted >= high * 0.999)
    return [round(step * number, 10) for number in range(math.ceil(high / step - 1e-9) + 1)]


def number(value: float) -> str:
    """As many figures as tell: 0.084, 0.53, 2.13, 35.6, 162."""
    digits = next((digits for bound, digits in ((0.1, 3), (10, 2), (100, 1)) if value < bound), 0)
    return f"{value:.{digits}f}"


def bars(title: str, unit: str, panels: Mapping[str, Sequence[Bar]]) -> str:
    """Horizontal bars, a panel below the other, each with a scale of its own; the thin line is lowest to highest."""
    left, row, top = 250, 24, 58
    drawn: list[str] = []
    for name, shown in panels.items():
        drawn.append(_text(24, top, name, size=14, weight="600"))
        scale = ticks(max(bar.high for bar in shown))
        wide = (WIDTH - left - 90) / scale[-1]
        foot = top + 14 + row * len(shown)
        for mark in scale:
            x = left + mark * wide
            drawn += [_line(x, top + 8, x, foot, GRID), _text(x, foot + 16, f"{mark:g}", PALE, 11, "middle")]
        for index, bar in enumerate(shown):
            drawn += _bar(bar, left, top + 14 + row * index, row, wide)
        top = foot + 56
    return _svg(f"{title}, {unit}", top - 20, drawn)


def _bar(bar: Bar, left: float, top: float, row: float, wide: float) -> list[str]:
    middle, end = top + row / 2 - 2, left + bar.value * wide
    low, high = left + bar.low * wide, left + bar.high * wide
    weight = "600" if bar.strong else "400"
    return [
        _text(left - 10, middle + 4, bar.label, anchor="end", weight=weight),
        f"<rect x='{left}' y='{top:.1f}' width='{end - left:.1f}' height='{row - 6}' rx='2' "
        f"fill='{STRONG if bar.strong else WEAK}'/>",
        _line(low, middle, high, middle, INK, 1.2), _line(low, middle - 3, low, middle + 3, INK, 1.2),
        _line(high, middle - 3, high, middle + 3, INK, 1.2),
        _text(max(end, high) + 8, middle + 4, number(bar.value), weight=weight),
    ]


def stacks(title: str, unit: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars made of parts, one scale for all; the parts in the order of the first row, in a legend below."""
    left, row, top = 120, 40, 58
    scale = ticks(max(sum(parts.values()) for parts in rows.values()))
    wide, foot = (WIDTH - left - 70) / scale[-1], top + row * len(rows)
    names = list(dict.fromkeys(part for parts in rows.values() for part in parts))
    drawn: list[str] = []
    for mark in scale:
        x = left + mark * wide
        drawn += [_line(x, top - 8, x, foot, GRID), _text(x, foot + 16, f"{mark:g}", PALE, 11, "middle")]
    for index, (label, parts) in enumerate(rows.items()):
        y, x = top + row * index, float(left)
        drawn.append(_text(left - 10, y + 18, label, anchor="end"))
        for name, value in parts.items():
            colour = COLOURS[names.index(name) % len(COLOURS)]
            drawn.append(f"<rect x='{x:.1f}' y='{y}' width='{value * wide:.1f}' height='{row - 12}' fill='{colour}'/>")
            if value * wide > 34:
                drawn.append(_text(x + value * wide / 2, y + 18, number(value), "#ffffff", 12, "middle"))
            x += value * wide
        drawn.append(_text(x + 8, y + 18, number(sum(parts.values())), weight="600"))
    return _svg(f"{title}, {unit}", foot + 66, [*drawn, *_legend(names, left, foot + 44)])


def lines(title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Lines through measured points on linear axes from 0; *x* and *y* name the axes."""
    left, top, right, bottom = 70.0, 60.0, WIDTH - 40.0, 380.0
    across = ticks(max(point[0] for points in series.values() for point in points))
    upward = ticks(max(point[1] for points in series.values() for point in points))
    drawn = [_text(left, top - 14, y, PALE, 12), _text(right, bottom + 36, x, PALE, 12, "end")]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (left + point[0] / across[-1] * (right - left), bottom - point[1] / upward[-1] * (bottom - top))

    for mark in upward:
        height = place((0, mark))[1]
        drawn += [_line(left, height, right, height, GRID), _text(left - 8, height + 4, f"{mark:g}", PALE, 11, "end")]
    for mark in across:
        drawn.append(_text(place((mark, 0))[0], bottom + 18, f"{mark:g}", PALE, 11, "middle"))
    for index, points in enumerate(series.values()):
        colour = COLOURS[index % len(COLOURS)]
        placed = [place(point) for point in points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in placed)
        drawn.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        drawn += [f"<circle cx='{px:.1f}' cy='{py:.1f}' r='3.5' fill='{colour}'/>" for px, py in placed]
    return _svg(title, bottom + 84, [*drawn, *_legend(list(series), left, bottom + 62)])


def _legend(names: Sequence[str], left: float, top: float) -> list[str]:
    """Coloured squares with their names in one line."""
    drawn = []
    for index, name in enumerate(names):
        colour = COLOURS[index % len(COLOURS)]
        drawn += [f"<rect x='{left}' y='{top - 10}' width='11' height='11' rx='2' fill='{colour}'/>", _text(left + 17, top, name)]
        left += 38 + 6.8 * len(name)
    return drawn


def _text(
    x: float, y: float, words: str, colour: str = INK, size: int = 13, anchor: str = "start", weight: str = "400"
) -> str:
    return (f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' font-size='{size}' text-anchor='{anchor}' "
            f"font-weight='{weight}'>{escape(words)}</text>")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0) -> str:
    return (f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
            f"stroke-width='{width}'/>")


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    head = (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' "
            f"height='{height:.0f}' {FONT}>")
    paper = f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>"
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, _text(24, 28, title, size=16, weight="600"), *drawn, "</svg>\n"])
