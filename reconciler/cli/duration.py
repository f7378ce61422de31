"""A duration on the command line."""

from datetime import timedelta

import click

from reconciler.spec.duration import parse_duration


class Duration(click.ParamType[timedelta]):
    """A duration, written as in specs: 15s, 5m, 1h30m, PT5M."""

    name = "duration"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        length = parse_duration(value)
        if not length:
            self.fail(
                f"{value!r} is not a duration of at least a second; write it like 15s, 5m or 1h30m",
                param,
                ctx,
            )
        return length
