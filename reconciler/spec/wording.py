"""The wording of messages: quoting, lists and suggestions.

Values in specs and file names can be very long or hostile, and a message is one line in a terminal.
Everything that a message repeats from a file must pass through `quote` or `printable`.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

_LONGEST = 80  # characters of a value that a message repeats: enough to recognise it
_HEAD = 50
_SIMILAR = 0.7  # two words are similar if they share this part of their letters, in the same order
_SCHEME = re.compile("([A-Za-z][A-Za-z0-9+.-]*:)?/*")
_PATH = re.compile("^/|:/|//")  # of an address, unlike the */5 of a schedule
_QUERY = re.compile(r"(?<=\S)[?#]\S+")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")  # a JSON Web Token, such as those of Azure


def printable(text: str) -> str:
    r"""The text without tokens, and with invisible and terminal control characters escaped.

    >>> printable("a\x1b[2J\udce9"), printable("refused eyJhbGciOi.eyJzdWIi.c2ln")
    ('a\\x1b[2J\\udce9', 'refused (a token)')
    """
    text = _TOKEN.sub("(a token)", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    r"""The text on one line. Each run of white space becomes one space, and the rest is as in `printable`.

    >>> one_line("first\r\n  second\x07")
    'first second\\x07'
    """
    return printable(" ".join(text.split()))


def shorten(text: str) -> str:
    """The text, without its middle if it is long. The end of a resource id matters as much as its start."""
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]}…{text[_HEAD - _LONGEST :]}"
    return printable(text)


def quote(text: str) -> str:
    r"""The text in double quotes, escaped and shortened, and without any secrets in a URL.

    >>> print(quote('say "hi"'), quote("https:/me:secret@example.com/a?sig=secret"))
    "say \"hi\"" "https:/…@example.com/a?…"
    """
    return '"{}"'.format(shorten(_without_secrets(text)).replace('"', '\\"'))


def _without_secrets(text: str) -> str:
    """The text without the user, password and query of a URL. The URL may be malformed."""
    user_info, _, rest = text.rpartition("@")
    if ":" in user_info or "//" in user_info:
        scheme = _SCHEME.match(user_info)
        text = f"{scheme[0] if scheme and '/' in scheme[0] else ''}…@{rest}"
    return _QUERY.sub(lambda found: f"{found[0][0]}…", text) if _PATH.search(text) else text


def ascii_error(text: str) -> str | None:
    r"""The error if the text is not ASCII, otherwise None.

    >>> ascii_error("Canonical"), ascii_error("w\u0435b")
    (None, 'contains U+0435 CYRILLIC SMALL LETTER IE: use only ASCII characters')
    """
    return character_error(text, str.isascii, "use only ASCII characters")


def character_error(text: str, is_valid: Callable[[str], bool], fix: str) -> str | None:
    """The error for the first invalid character in the text, or None if all characters are valid.

    A letter of another alphabet can look like the right letter, so the message gives its code point and name.
    """
    strange = next((each for each in text if not is_valid(each)), None)
    if strange is None:
        return None
    shown = f"U+{ord(strange):04X} {unicodedata.name(strange, '')}"
    return f"contains {shown.strip()}: {fix}"


def ellipsize(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis if it is longer than `most` characters.

    >>> ellipsize("quota", 5), ellipsize("a long story", 7)
    ('quota', 'a long…')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def count(number: int, noun: str) -> str:
    """The number and the noun, in the singular or the plural.

    >>> count(1, "instance"), count(1240, "instance"), count(2, "batch")
    ('1 instance', '1,240 instances', '2 batches')
    """
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def one_of(words: Iterable[str], *, last: str = "or") -> str:
    """The words joined as a list in a sentence.

    >>> one_of(["a", "b", "c"])
    'a, b or c'
    """
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The most similar of `words`, or None if none is similar. Case, hyphens and underscores are ignored.

    >>> nearest("max_batch", ["by", "maxBatch"]), nearest("colour", ["by", "maxBatch"])
    ('maxBatch', None)
    """
    if len(word) > _LONGEST:  # no field is that long, and the comparison would be slow
        return None
    by_letters = {letters(each): each for each in words}
    wanted = letters(word)
    near = difflib.get_close_matches(wanted, _likely(wanted, by_letters), n=1, cutoff=_SIMILAR)
    return by_letters[near[0]] if near else None


def _likely(wanted: str, words: Iterable[str]) -> list[str]:
    """The words that share enough letters with `wanted` to be worth the slow comparison."""
    known = set(wanted)
    least = _SIMILAR / 2 * len(wanted)
    return [each for each in words if sum(map(each.count, known)) >= least + _SIMILAR / 2 * len(each)]


def letters(word: str) -> str:
    """The word with case folded, without hyphens, underscores and spaces."""
    return "".join(word.split()).replace("-", "").replace("_", "").casefold()
