"""The picture of the demo shows what a terminal would, and the one that is kept is whole."""

import xml.etree.ElementTree as ET

import pytest

from demo.picture import PICTURE, Terminal, moments, picture, plain

TABLE = "10:00 UTC\r\n\x1b[1mSCALE SET\x1b[0m  DOMAINS\r\nweb        {}\r\n1 scale set"
ERASED = "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K"
WRITTEN = ERASED.join(TABLE.format(domains) for domains in ("○○", "◐○", "●◐", "●●")) + "\r\ndone & dusted\r\n"


@pytest.mark.parametrize(
    "tokens, lines",
    [
        pytest.param(["ab", "\r", "\n", "c"], ["ab", "c"], id="two lines"),
        pytest.param(["ab", "\r", "c"], ["cb"], id="a line is written over"),
        pytest.param(["a", "\r", "\n", "b", "\x1b[1A", "c"], ["ac", "b"], id="a line above is written to"),
        pytest.param(["ab", "\r", "\x1b[2K", "c"], ["c"], id="a line is erased"),
        pytest.param(["\x1b[?25l", "\x1b[32m", "a", "\x1b[0m"], ["a"], id="what shows nothing"),
    ],
)
def test_a_terminal_shows(tokens: list[str], lines: list[str]) -> None:
    terminal = Terminal()
    for token in tokens:
        terminal.write(token)
    assert [plain(line) for line in terminal.lines] == lines


def test_each_table_is_a_moment() -> None:
    shown = ["\n".join(map(plain, lines)) for lines in moments(WRITTEN)]
    assert [text.split()[6] for text in shown] == ["○○", "◐○", "●◐", "●●"]


def test_the_picture_shows_the_busiest_moment_and_the_end() -> None:
    texts = ["".join(each.itertext()) for each in ET.fromstring(picture(WRITTEN)).iter() if each.text]  # noqa: S314
    assert "web        ◐○" in texts
    assert "web        ●●" in texts
    assert "web        ○○" not in texts
    assert texts[-1] == "done & dusted"


def test_the_picture_that_is_kept_shows_the_demo() -> None:
    texts = "\n".join("".join(each.itertext()) for each in ET.parse(PICTURE).iter())  # noqa: S314
    assert "$ make demo" in texts
    assert "batch was refused" in texts
