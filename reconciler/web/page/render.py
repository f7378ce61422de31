"""Renders the pages as HTML. No other module knows the templates.

Every value is treated as text: it is escaped, and invisible or reordering characters are spelled out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconciler import __version__
from reconciler.daemon.status_word import ORDER
from reconciler.rollout.wording import moment
from reconciler.spec.wording import count, printable
from reconciler.web.page.action import Action, Visitor
from reconciler.web.page.heat_map import place_of
from reconciler.web.page.notices import Notice
from reconciler.web.page.words import MEANINGS

COPY_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The policy of a page that is a file of its own."""

_LINK = re.compile(' href="/[^"]*"')
_CODE = re.compile("`([^`]+)`")
_AFTER_MARK = re.compile("(?<=[/:])(?=.)")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page: its title, its parts by id, and `main`, which has all the parts in their frame."""

    title: str
    parts: Mapping[str, str]
    main: str


def _text(value: Any) -> Any:
    """What a template writes for a value."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    return printable(str(value))


def _prose(text: str) -> Markup:
    """A sentence as HTML. Text in backticks becomes code."""
    parts: list[str] = _CODE.split(printable(text))
    parts[1::2] = [Markup("<code>{}</code>").format(_breakable(each)) for each in parts[1::2]]
    return Markup("").join(parts)


def _breakable(text: str) -> Markup:
    """A long id as HTML, which may continue on the next line after a slash or a colon."""
    return Markup("<wbr>").join(_AFTER_MARK.split(printable(text)))


def _command(text: str) -> Markup:
    """A command as HTML, which may continue on the next line after a word, but not inside an option."""
    return Markup(" ").join(Markup("<span>{}</span>").format(each) for each in printable(text).split(" "))


_environment = Environment(
    loader=PackageLoader("reconciler.web.page"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_text,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.globals |= {"MEANINGS": MEANINGS, "STATUSES": ORDER, "version": __version__}
_environment.filters |= {
    "breakable": _breakable,
    "command": _command,
    "grouped": "{:,}".format,
    "iso": datetime.isoformat,
    "place": place_of,
    "moment": moment,
    "parsed": datetime.fromisoformat,
    "plural": count,
    "prose": _prose,
    "slug": str.lower,
}


def macro(template: str, name: str) -> Callable[..., str]:
    """A macro of a template, as a function that returns HTML."""
    found: Callable[..., str] = getattr(_environment.get_template(template).module, name)
    return found


def document(
    rendered: Rendered,
    *,
    version: str,
    at: datetime,
    here: str,
    style: str = "",
    is_live: bool = True,
    visitor: Visitor | None = None,
    permitted: Sequence[Action] = (),
    notice: Notice | None = None,
) -> str:
    """The whole document around a page, whose address is `here`.

    With a `style`, the document is self-contained. If `is_live`, the browser updates the page whenever it
    changes. `visitor` is None if nobody can sign in. All readers get the same HTML inside the frame, and the
    style sheet hides the actions that are not `permitted`.
    """
    main = _LINK.sub("", rendered.main) if style else rendered.main  # nothing is at those addresses
    return _environment.get_template("document.html").render(
        page=rendered,
        main=Markup(main),  # noqa: S704 - made by templates that escape
        serial=version,
        at=at,
        here=here,
        is_static=bool(style),
        is_live=is_live,
        style=Markup(style),  # noqa: S704 - our own file
        policy=COPY_POLICY,
        visitor=visitor,
        permitted=permitted,
        notice=notice and Markup(macro("action.html", "notice")(notice)),  # noqa: S704 - made by a template
    )


def joined(parts: Sequence[str]) -> Markup:
    """Join fragments of HTML that templates have rendered."""
    return Markup("".join(parts))  # noqa: S704 - made by templates that escape
