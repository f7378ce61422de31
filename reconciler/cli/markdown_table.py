"""A Markdown table, as forges render it."""

import re
from collections.abc import Sequence

_LONGEST_TEXT = 1_000  # before it is escaped, which makes a character up to twelve

# Characters that would end a cell, be read as markup or as a formula, or refer to something.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|#&~$@]")
# Forges look for addresses, mentions and references in the text that is left after the markup. An invisible
# space in the middle is what they do not look for.
_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[@#!$%&~])(?=\w)", re.IGNORECASE)
_SPACE = "\u200b"
_CODE = re.compile("&#96;(.+?)&#96;")  # two backticks, once escaped


def markdown_table(header: Sequence[str], rows: Sequence[str]) -> str:
    """The table of these rows, or "" if there are none."""
    return "\n".join([row(*header), row(*["---"] * len(header)), *rows]) if rows else ""


def row(*cells: str) -> str:
    """A row of these cells, which must already be escaped."""
    return f"| {' | '.join(cells)} |"


def literal(text: str) -> str:
    """The text on one line, cut if it is too long, and escaped so that a forge shows it literally.

    >>> literal("web_0 | <b> costs $5")
    'web&#95;0 &#124; &#60;b&#62; costs &#36;&#8203;5'
    >>> literal("set `x_y`")
    'set <code>x&#95;y</code>'
    >>> literal("@team, see http://e.vil or www.e.vil")
    '&#64;&#8203;team, see http:&#8203;//e.vil or www&#8203;.e.vil'
    """
    plain = " ".join(text.split())
    if len(plain) > _LONGEST_TEXT:
        plain = f"{plain[:_LONGEST_TEXT]}…"
    apart = _LINK.sub(_SPACE, plain)
    escaped = _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", apart).replace(_SPACE, "&#8203;")
    return _CODE.sub(r"<code>\1</code>", escaped)
