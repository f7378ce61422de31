"""An option that must be given. Its error shows how."""

from typing import Any

import click


class RequiredOption(click.Option):
    """A required option with an example, which the error shows if the option is missing."""

    def __init__(self, *args: Any, example: str, **settings: Any) -> None:
        """`example` is the option with a value, as a person types it."""
        super().__init__(*args, required=True, **settings)
        self.example = example

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value of the option. Raises MissingParameter with the example."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter as error:
            raise click.MissingParameter(f"For example: {self.example}", ctx, self) from error
