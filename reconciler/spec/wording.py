"""How messages quote, list and suggest.

What a spec or a file name holds may be very long or hostile, and a message is one line on somebody's
terminal: everything that is repeated from a file goes through `quote` or `printable`.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

_LONGEST = 80  # characters of a value that a message repeats: enough to know it again
_HEAD = 50


def printable(text: str) -> str:
    r"""The text with everything escaped that would not show, or would move a terminal's cursor.

    >>> printable("a\x1b[2J\udce9")
    'a\\x1b[2J\\udce9'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shorten(text: str) -> str:
    """The text, its middle left out where it is long: the end of a resource id tells as much as its start."""
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]}…{text[_HEAD - _LONGEST :]}"
    return printable(text)


def quote(text: str) -> str:
    r"""The text between double quotes, escaped and shortened.

    >>> print(quote('say "hi"'))
    "say \"hi\""
    """
    return '"{}"'.format(shorten(text).replace('"', '\\"'))


def one_of(words: Iterable[str], *, last: str = "or") -> str:
    """The words as people list them.

    >>> one_of(["a", "b", "c"])
    'a, b or c'
    """
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The one of `words` that was most likely meant, or None. Case, hyphens and underscores do not count.

    >>> nearest("max_batch", ["by", "maxBatch"]), nearest("colour", ["by", "maxBatch"])
    ('maxBatch', None)
    """
    if len(word) > _LONGEST:  # no field is that long, and comparing would take its time
        return None
    by_letters = {letters(each): each for each in words}
    near = difflib.get_close_matches(letters(word), by_letters, n=1, cutoff=0.7)
    return by_letters[near[0]] if near else None


def letters(word: str) -> str:
    """The word as the ear knows it: folded, without hyphens and underscores."""
    return re.sub(r"[-_\s]", "", word).casefold()
