"""docs/benchmarks.md: each bench writes its own section between markers; medians, tables (pure but for `put`)."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
ORDER = ("lab", "scale")  # of the sections on the page


@dataclass(frozen=True, slots=True)
class Figure:
    """What repeated runs gave: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 2, factor: float = 1.0) -> str:
        """"4.67 (4.30-5.70)", each times *factor*."""
        return "{:.{d}f} ({:.{d}f}-{:.{d}f})".format(
            self.median * factor, self.low * factor, self.high * factor, d=digits
        )


def figure(values: Sequence[float]) -> Figure:
    """The figure of some runs.

    Raises:
        ValueError: there was none.
    """
    if not values:
        raise ValueError("no run to take a median of")
    return Figure(statistics.median(values), min(values), max(values))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Raises:
        ValueError: a row has more or fewer cells than *head*.
    """
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells under {len(head)} heads: {row}")
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def with_section(page: str, name: str, text: str) -> str:
    """*page* with the section *name* replaced, or put in its place by ORDER; all else stays as it is."""
    begin, end = f"<!-- bench: {name} -->\n", f"<!-- end: {name} -->\n"
    new = f"{begin}{text.strip()}\n{end}"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if found.search(page):
        return found.sub(lambda _: new, page)
    later = [page.find(f"<!-- bench: {other} -->\n") for other in ORDER[ORDER.index(name) + 1:]]
    at = min((place for place in later if place >= 0), default=len(page))
    return f"{page[:at].rstrip()}\n\n{new}\n{page[at:]}".rstrip() + "\n"


def put(name: str, text: str) -> None:
    """Write the section *name* of the page; a page that is not there is begun."""
    page = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    PAGE.write_text(with_section(page, name, text))
