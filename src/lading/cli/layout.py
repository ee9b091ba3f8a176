"""Where the cells of a table go on a terminal so wide: side by side, broken between words, or as blocks of labelled lines (pure)."""

import unicodedata
from collections.abc import Sequence

from lading.dataclass import dataclass

GAP = 2  # columns of the terminal between two of the table's
READABLE = 16  # columns: a cell is broken over lines no narrower than this, unless all it says is shorter
TALL = 4  # lines; a table with a taller row reads worse than blocks
BREAKS = "/,:@=&?"  # after these a word is broken that is wider than its place


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line: what is shown, with the space behind it; *of*: the cell that it is part of, "" = a heading or label."""

    text: str
    of: str = ""


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which a table can be shown: its columns, and a row of texts for each row.

    The columns in *folded* are broken between words before the others are. What the columns in *below* say stands in lines
    of its own under each row, and in none where it says nothing.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: Sequence[str] = ()
    below: Sequence[str] = ()


def lay(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, folded: Sequence[str] = ()
) -> list[Line]:
    """The lines of a table; *width* = 0: there is no terminal, so that a row is one line however long.

    The columns in *folded* are broken between words before the others are. Nothing is wider than *width*, but for
    a table that has less than a column's label and one letter.
    """
    return lay_first([Shape(columns, rows, folded)], width)


def lay_first(shapes: Sequence[Shape], width: int) -> list[Line]:
    """The first of *shapes* that stands side by side on a terminal so wide; where none does, the first one as blocks."""
    if not shapes[0].columns:
        return []
    tables = (_table(shape, width) for shape in shapes)
    found = next((table for table in tables if table is not None), None)
    if found is not None:
        return found
    return _blocks([name.upper() for name in shapes[0].columns], shapes[0].rows, width)


def _table(shape: Shape, width: int) -> list[Line] | None:
    """The lines of a table; None = it does not stand side by side, or a row of it would be too tall to be read."""
    above = [number for number, name in enumerate(shape.columns) if name not in shape.below]
    heads = [shape.columns[number].upper() for number in above]
    rows = [[row[number] for number in above] for row in shape.rows]
    widths = _side_by_side(heads, rows, width, [shape.columns[number] in shape.folded for number in above])
    if widths is None:
        return None
    head, table = _row(heads, widths, heading=True), [_row(row, widths) for row in rows]
    if width and max(map(len, (head, *table))) > TALL:
        return None
    found = list(head)
    for row, lines in zip(shape.rows, table, strict=True):
        found += [*lines, *_below(shape, row, width)]
    return found


def _below(shape: Shape, row: Sequence[str], width: int) -> list[Line]:
    """What stands under a row, a little to the right."""
    named = dict(zip(shape.columns, row, strict=True))
    told = "; ".join(f"{name}: {named[name]}" for name in shape.below if named.get(name, "-") not in ("", "-"))
    if not told:
        return []
    lines = wrapped(told, width - GAP) if width else [told]
    return [(Piece(" " * GAP), Piece(text, told)) for text in lines]


def beside(rows: Sequence[Sequence[str]], width: int, most: int) -> list[Line]:
    """Rows without headings: the last cell of each takes what the others leave, and no more than *most* lines.

    What is cut off there ends with an ellipsis.
    """
    widths = [max(map(breadth, cells)) for cells in zip(*rows, strict=True)]
    room = max(width - sum(wide + GAP for wide in widths[:-1]), READABLE)
    found: list[Line] = []
    for row in rows:
        last = _cut(wrapped(row[-1], room), room, most) if breadth(row[-1]) > room else [row[-1]]
        parts = [*([cell] for cell in row[:-1]), last]
        found += _lines(row, parts, [*widths[:-1], room])
    return found


def _cut(lines: list[str], room: int, most: int) -> list[str]:
    """The first of *lines*; the last of them says that there are more."""
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    return [*lines[: most - 1], last[: _fitting(last, room - 1)] + "…"]


def breadth(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str, width: int) -> list[str]:
    """The text broken between words into lines of *width*; only a word that is wider is broken itself, after a mark if it has one."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if breadth(joined) <= width:
            lines[-1] = joined
            continue
        parts = _broken(word, width)
        lines += parts if lines[-1] else []
        if not lines[0]:
            lines = parts
    return lines


def _broken(word: str, width: int) -> list[str]:
    parts = []
    while breadth(word) > width:
        end = _fitting(word, width)
        mark = max(word.rfind(mark, 0, end) for mark in BREAKS) + 1
        parts.append(word[: mark or end])
        word = word[mark or end:]
    return [*parts, word] if word else parts


def _fitting(word: str, width: int) -> int:
    """How many letters of a word that is too wide fit; at least one, for a terminal has no less."""
    end = 1
    while end < len(word) and breadth(word[: end + 1]) <= width:
        end += 1
    return end


def _side_by_side(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, folded: Sequence[bool]) -> list[int] | None:
    """The width of each column; None = they do not stand side by side."""
    columns = [[head, *cells] for head, *cells in zip(heads, *rows, strict=True)]
    natural = [max(map(breadth, cells)) for cells in columns]
    room = width - GAP * (len(columns) - 1)
    if not width or sum(natural) <= room:
        return natural
    least = [max(_longest_word(cells), min(wide, READABLE)) for cells, wide in zip(columns, natural, strict=True)]
    some = [low if may else wide for low, wide, may in zip(least, natural, folded, strict=True)]
    for floor in (some, least):
        if sum(floor) <= room:
            return _widened(floor, natural, room - sum(floor))
    return None


def _longest_word(cells: Sequence[str]) -> int:
    words = [word for cell in cells for word in cell.split()]
    return max(map(breadth, words), default=0)


def _widened(floor: Sequence[int], natural: Sequence[int], spare: int) -> list[int]:
    """The columns with what is left over given to those that are short of it, by how much they are."""
    short = [wide - low for wide, low in zip(natural, floor, strict=True)]
    whole = sum(short)
    return [low + spare * lack // whole for low, lack in zip(floor, short, strict=True)]


def _row(cells: Sequence[str], widths: Sequence[int], *, heading: bool = False) -> list[Line]:
    """A row's lines, its cells broken where they are wider than their columns."""
    parts = [wrapped(cell, width) if breadth(cell) > width else [cell] for cell, width in zip(cells, widths, strict=True)]
    return _lines([""] * len(cells) if heading else cells, parts, widths)


def _lines(cells: Sequence[str], parts: Sequence[Sequence[str]], widths: Sequence[int]) -> list[Line]:
    """The lines of cells that are broken into *parts*; no space behind the last one of a line."""
    found = []
    for number in range(max(map(len, parts))):
        texts = [lines[number] if number < len(lines) else "" for lines in parts]
        last = max((place for place, text in enumerate(texts) if text), default=-1)
        pieces = [Piece(text + " " * ((width - breadth(text) + GAP) if place < last else 0), cells[place])
                  for place, (text, width) in enumerate(zip(texts, widths, strict=True)) if place <= last]
        found.append(tuple(pieces))
    return found


def _blocks(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Line]:
    """Each row as a block: a line for each cell that says something, its column's name in front; the first is its heading."""
    label = max(map(breadth, heads)) + GAP
    room = max(width - label, 1)
    found: list[Line] = []
    for number, row in enumerate(rows):
        found += [()] if number else []
        for column, (head, cell) in enumerate(zip(heads, row, strict=True)):
            if cell not in ("", "-"):
                found += _labelled(head, cell, label, room, "" if not column else cell)
    return found


def _labelled(head: str, cell: str, label: int, room: int, of: str) -> list[Line]:
    """A cell with its column's name in front, as a part of *of*."""
    lines = enumerate(wrapped(cell, room))
    leads = ((("" if place else head), text) for place, text in lines)
    return [(Piece(lead + " " * (label - breadth(lead))), Piece(text, of)) for lead, text in leads]
