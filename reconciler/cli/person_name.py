"""The name of a person on the command line."""

import click

from reconciler.spec.wording import printable

LONGEST = 100  # characters of a name, as in `suspend.by`


class PersonName(click.ParamType[str]):
    """The name of a person or an application, in one short line."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > LONGEST or not value.isprintable() or not value.strip():
            self.fail(
                f"{printable(value)!r} is not a name; write 1 to {LONGEST} printable characters", param, ctx
            )
        return value.strip()
