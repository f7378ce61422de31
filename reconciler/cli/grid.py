"""Lines of text in columns, cut to the width of a terminal.

rich's own tables measure and wrap every cell, which takes many seconds for thousands of rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

Span = tuple[str, str]
"""Text and its style."""
Cell = Sequence[Span]
Line = Sequence[Span]

_GAP = 2
_LEAST = 8  # the width that a name keeps


@dataclass(frozen=True, slots=True)
class Optional:
    """Columns that are omitted if they would leave fewer than `least` cells for the last column.

    Before that, the first column is cut to `name` cells, unless `name` is None.
    """

    names: Collection[str]
    least: int
    name: int | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under a header. Only the edge of the terminal limits the last column.

    On a narrow terminal, columns are omitted in the order of `optional`. If that is not enough, the first
    column is cut in the middle, because names often differ in their last characters.
    """

    header: Sequence[str]
    optional: Sequence[Optional] = ()

    def widths(self, rows: Iterable[Sequence[Cell]]) -> tuple[int, ...]:
        """The width that each column needs to show every cell in full."""
        found = [len(name) for name in self.header]
        for row in rows:
            for number, cell in enumerate(row):
                found[number] = max(found[number], _length(cell))
        return tuple(found)

    def shown(self, natural: Sequence[int], width: int | None) -> Mapping[int, int]:
        """The widths of the columns that fit into `width`, by column number. If `width` is None, all fit."""
        kept = dict(enumerate(natural))
        if width is None:
            return kept
        last = len(natural) - 1
        kept[last] = min(natural[last], _LEAST)
        for each in self.optional:
            name = natural[0] if each.name is None else min(natural[0], each.name)
            if _total({**kept, 0: name, last: min(natural[last], each.least)}) <= width:
                kept[last] = min(natural[last], each.least)
                break
            kept = {number: size for number, size in kept.items() if self.header[number] not in each.names}
        over = _total(kept) - width
        if over > 0:
            kept[0] = max(_LEAST, kept[0] - over)
        kept[last] = max(1, width - _total(kept) + kept[last])
        return kept

    def lines(self, rows: Iterable[Sequence[Cell]], shown: Mapping[int, int]) -> Iterator[Line]:
        header = [((name, "bold"),) for name in self.header]
        for row in (header, *rows):
            yield self.line(row, shown)

    def line(self, row: Sequence[Cell], shown: Mapping[int, int]) -> Line:
        spans: list[Span] = []
        last = max(shown)
        for number, width in shown.items():
            cell = cut(row[number], width) if number else cut_middle(row[number], width)
            spans += cell
            if number != last:
                spans.append((" " * (width - _length(cell) + _GAP), ""))
        return spans


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that a rich console prints without measuring or wrapping them."""

    lines: Sequence[Line]

    def __rich_console__(self, console: Console, _options: ConsoleOptions) -> RenderResult:
        styles: dict[str, Style] = {}
        for line in self.lines:
            for text, name in line:
                yield Segment(text, styles.setdefault(name, console.get_style(name)) if name else None)
            yield Segment.line()


def cut(line: Line, width: int | None) -> Line:
    """The line, or its beginning with an ellipsis if the line is longer than `width`.

    >>> cut([("●●", "green"), (" web", "")], 4)
    [('●●', 'green'), (' …', '')]
    """
    if width is None or _length(line) <= width:
        return line
    left, spans = width - 1, list[Span]()
    for text, style in line:
        part = text if _cells(text) <= left else set_cell_size(text, left)
        spans.append((part, style))
        left -= _cells(part)
        if left <= 0:
            break
    *before, (text, style) = spans
    return [*before, (f"{text}…", style)]


def cut_middle(line: Line, width: int) -> Line:
    """The line in the style of its first part. If it is too long, an ellipsis replaces the middle.

    >>> cut_middle([("search-indexer-nightly-026", "bold")], 16)
    [('search-i…tly-026', 'bold')]
    """
    text = plain(line)
    if _cells(text) <= width or not text.isascii():
        return cut(line, width)
    end = (width - 1) // 2
    return [(f"{text[: width - 1 - end]}…{text[len(text) - end :]}", line[0][1])]


def plain(line: Line) -> str:
    """The text of a line, without its styles."""
    return "".join(text for text, _ in line)


def _total(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _length(line: Line) -> int:
    return sum(_cells(text) for text, _ in line)


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
