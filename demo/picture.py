"""`make picture`: docs/demo.svg, drawn from what `make demo` writes to a terminal.

The demo runs on a pseudo-terminal, and what it writes there is replayed. The picture shows two moments: the
one with the most domains at work, and the end.
"""

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from demo.__main__ import ROOT

PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS, ROWS = 118, 40
CHARACTER, LINE, MARGIN = 8.4, 18, 16  # pixels: one character, one line, the frame
COLOURS = {"31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "34": "#58a6ff", "36": "#39c5cf"}
TOKEN = re.compile(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+")
ERASE_LINE, LINE_UP = "\x1b[2K", "\x1b[1A"

Cell = tuple[str, str]  # a character, and the number of its style


@dataclass
class Terminal:
    """What a terminal shows, line by line from the first: as much of one as the demo needs."""

    lines: list[list[Cell]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    style: str = "0"

    def write(self, token: str) -> None:
        match token:
            case "\r":
                self.column = 0
            case "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append([])
            case "\x1b[2K":
                self.lines[self.row] = []
            case "\x1b[1A":
                self.row -= 1
            case _ if token.startswith("\x1b["):
                if token.endswith("m"):
                    self.style = token[2:-1] or "0"
            case _:
                line = self.lines[self.row]
                line += [(" ", "0")] * (self.column - len(line))
                line[self.column : self.column + len(token)] = [(each, self.style) for each in token]
                self.column += len(token)


def moments(written: str) -> Iterator[list[list[Cell]]]:
    """What the terminal shows each time a table is complete, just before it is erased; and at the end."""
    terminal = Terminal()
    before = ""
    for match in TOKEN.finditer(written):
        if match[0] == ERASE_LINE and before != LINE_UP:
            yield [list(line) for line in terminal.lines]
        terminal.write(match[0])
        before = match[0]
    yield terminal.lines


def last_table(lines: list[list[Cell]]) -> list[list[Cell]]:
    """From the last table of scale sets on: its heading is the line before the names of its columns."""
    columns = (number for number, line in enumerate(lines) if plain(line).startswith("SCALE SET"))
    return lines[max(0, max(columns, default=1) - 1) :]


def plain(line: list[Cell]) -> str:
    return "".join(character for character, _ in line).rstrip()


def busy(lines: list[list[Cell]]) -> int:
    """How many domains are at work."""
    return sum(plain(line).count("◐") for line in last_table(lines))


def picture(written: str) -> str:
    """The SVG of what the demo wrote."""
    shown = list(moments(written))
    lines = [
        [(each, "0") for each in "$ make demo"],
        *last_table(max(shown, key=busy)),
        [("…", "2")],
        *last_table(shown[-1]),
    ]
    while not plain(lines[-1]):
        lines.pop()
    return svg(lines)


def svg(lines: list[list[Cell]], title: str = "What make demo shows") -> str:
    """These lines as a picture, each run of one style at its own place, so that no font moves a column."""
    width = round(max(len(plain(line)) for line in lines) * CHARACTER) + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    styles = "".join(f".s{number} {{ fill: {colour} }}\n" for number, colour in COLOURS.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>\n"
        "text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #e6edf3; white-space: pre }\n"
        f".s1 {{ font-weight: bold }}\n.s2 {{ fill: #8b949e }}\n{styles}"
        "</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n'
        f"{''.join(_runs(lines))}"
        "</svg>\n"
    )


def _runs(lines: list[list[Cell]]) -> Iterator[str]:
    for number, line in enumerate(lines):
        column = 0
        for style, cells in groupby(line[: len(plain(line))], key=lambda cell: cell[1]):
            text = "".join(character for character, _ in cells)
            begin, column = column, column + len(text)
            if text.isspace():
                continue
            x, y = MARGIN + begin * CHARACTER, MARGIN + number * LINE + 14
            name = f' class="s{style}"' if style != "0" else ""
            yield (
                f'<text x="{x:.1f}" y="{y}" textLength="{len(text) * CHARACTER:.1f}" '
                f'lengthAdjust="spacingAndGlyphs" xml:space="preserve"{name}>{escape(text)}</text>\n'
            )


def demo() -> str:
    """All that the demo writes to a terminal of COLUMNS by ROWS."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        (sys.executable, "-m", "demo"),
        stdin=its,
        stdout=its,
        stderr=its,
        env={**environment, "TERM": "xterm-256color"},
    ) as process:
        os.close(its)
        decode = codecs.getincrementaldecoder("utf-8")().decode
        written = "".join(decode(part) for part in _parts(ours))
    os.close(ours)
    if process.returncode:
        sys.exit(f"{written}\nthe demo failed, and the picture is as it was")
    return written


def _parts(terminal: int) -> Iterator[bytes]:
    """What comes from a terminal until the last program on it ends, which Linux reports as an error."""
    try:
        while part := os.read(terminal, 65536):
            yield part
    except OSError:
        return


if __name__ == "__main__":
    PICTURE.write_text(picture(demo()))
    print(PICTURE.relative_to(ROOT))
