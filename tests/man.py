"""Writes the manual pages of man/ from the help of the commands: `make man`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli import main as program
from reconciler.cli.exit_codes import COMMON, OF_VERBS
from reconciler.cli.verbs import HELP

PAGES = Path(__file__).parents[1] / "man"


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    verbs = {f"reconciler-{name}.1": _page(("reconciler", name), program.commands[name]) for name in HELP}
    return {"reconciler.1": _page(("reconciler",), program), **verbs}


def _page(words: tuple[str, ...], command: click.Command) -> str:
    parent = click.Context(program, info_name=words[0], **program.context_settings)
    context = parent if command is program else click.Context(command, info_name=words[-1], parent=parent)
    title = "-".join(words)
    summary, *description = _paragraphs(command.help or "")
    codes = OF_VERBS.get(words[-1], {})
    others = [f"reconciler-{name}" for name in HELP] if words == ("reconciler",) else ["reconciler"]
    lines = [
        f'.TH "{title.upper()}" 1 "" "reconciler {__version__}" "User Commands"',
        ".SH NAME",
        f"{_escaped(title)} \\- {summary[:1].lower()}{summary[1:].rstrip('.')}",
        ".SH SYNOPSIS",
        f".B {_escaped(' '.join(words))}",
        _escaped(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        summary,
        *(line for each in description for line in (".PP", each)),
        *_section("COMMANDS", _commands(words, command)),
        *_section("OPTIONS", _options(command, context)),
        *_section("EXIT STATUS", {**COMMON, **codes} if words == ("reconciler",) else codes),
        ".SH SEE ALSO",
        *_references(others),
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text. Lines that click leaves as they are become a block without filling."""
    for paragraph in re.split(r"\n\s*\n", _dedented(text)):
        if paragraph.startswith("\b"):
            kept = "\n".join(_escaped(line) for line in paragraph.splitlines()[1:])
            yield f".nf\n{kept}\n.fi"
        else:
            yield _escaped(" ".join(paragraph.split()))


def _dedented(text: str) -> str:
    return "\n".join(line.strip(" ") for line in text.strip().splitlines())


def _commands(words: tuple[str, ...], command: click.Command) -> dict[str, str]:
    if not isinstance(command, click.Group):
        return {}
    listed = HELP if words == ("reconciler",) else {}
    return dict(listed) or {name: each.get_short_help_str(200) for name, each in command.commands.items()}


def _options(command: click.Command, context: click.Context) -> dict[str, str]:
    records = [each.get_help_record(context) for each in command.get_params(context)]
    return {names: text for names, text in filter(None, records) if text}


def _section(title: str, rows: Mapping[str, str]) -> list[str]:
    """A section with a list of terms, nothing if there are none."""
    items = [f".TP\n.B {_escaped(term)}\n{_escaped(' '.join(text.split()))}" for term, text in rows.items()]
    return [f".SH {title}", *items] if items else []


def _references(titles: list[str]) -> list[str]:
    """References to other pages, with a comma after each but the last."""
    return [f".BR {_escaped(each)} (1){',' if each != titles[-1] else ''}" for each in titles]


def _escaped(text: str) -> str:
    """Text that roff shows as it is.

    >>> _escaped(".reconcilerignore is read"), _escaped("--specs")
    ('\\\\&.reconcilerignore is read', '\\\\-\\\\-specs')
    """
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def main() -> None:
    """Write the pages, and remove those of commands that are gone."""
    PAGES.mkdir(exist_ok=True)
    wanted = pages()
    for each in PAGES.iterdir():
        if each.name not in wanted:
            each.unlink()
    for name, text in wanted.items():
        (PAGES / name).write_text(text)


if __name__ == "__main__":
    main()
