"""Helpers for messages: quoting, lists and suggestions.

Values in specs and file names can be very long or hostile, and a message is one line in a terminal.
Everything that a message repeats from a file must pass through `quote` or `printable`.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

_LONGEST = 80  # characters of a value that a message repeats: enough to recognise it
_HEAD = 50


def printable(text: str) -> str:
    r"""The text with every character escaped that is invisible or controls the terminal.

    >>> printable("a\x1b[2J\udce9")
    'a\\x1b[2J\\udce9'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shorten(text: str) -> str:
    """The text without its middle if it is long: the end of a resource id matters as much as its start."""
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]}…{text[_HEAD - _LONGEST :]}"
    return printable(text)


def quote(text: str) -> str:
    r"""The text in double quotes, escaped and shortened.

    >>> print(quote('say "hi"'))
    "say \"hi\""
    """
    return '"{}"'.format(shorten(text).replace('"', '\\"'))


def ascii_error(text: str) -> str | None:
    """The validation error for a text that must be ASCII, None if it is.

    >>> ascii_error("Canonical"), ascii_error("w\\u0435b")
    (None, 'contains U+0435 CYRILLIC SMALL LETTER IE: use only ASCII characters')
    """
    return character_error(text, str.isascii, "use only ASCII characters")


def character_error(text: str, is_valid: Callable[[str], bool], fix: str) -> str | None:
    """The validation error for a text with a character that is not valid, None if all are.

    A letter of another alphabet may look like the right one, so the message has its number and its name.
    """
    strange = next((each for each in text if not is_valid(each)), None)
    if strange is None:
        return None
    shown = f"U+{ord(strange):04X} {unicodedata.name(strange, '')}"
    return f"contains {shown.strip()}: {fix}"


def one_of(words: Iterable[str], *, last: str = "or") -> str:
    """The words as a list in a sentence.

    >>> one_of(["a", "b", "c"])
    'a, b or c'
    """
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The most similar of `words`, None if none is similar. Case, hyphens and underscores are ignored.

    >>> nearest("max_batch", ["by", "maxBatch"]), nearest("colour", ["by", "maxBatch"])
    ('maxBatch', None)
    """
    if len(word) > _LONGEST:  # no field is that long, and the comparison would be slow
        return None
    by_letters = {letters(each): each for each in words}
    near = difflib.get_close_matches(letters(word), by_letters, n=1, cutoff=0.7)
    return by_letters[near[0]] if near else None


def letters(word: str) -> str:
    """The word with case folded, without hyphens, underscores and spaces."""
    return re.sub(r"[-_\s]", "", word).casefold()
