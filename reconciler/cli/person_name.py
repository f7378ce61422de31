"""The name of a person on the command line."""

import click

from reconciler.spec.author import LONGEST_NAME, is_person_name
from reconciler.spec.wording import printable


class PersonName(click.ParamType[str]):
    """The name of a person or an application, in one short line."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_person_name(value):
            self.fail(
                f"{printable(value)!r} is not a name; write 1 to {LONGEST_NAME} printable characters",
                param,
                ctx,
            )
        return value.strip()
