"""A time on the command line, given directly or as a duration from now."""

from datetime import UTC, datetime

import click

from reconciler.spec.duration import parse_duration


class Until(click.ParamType[datetime]):
    """A duration from now, such as 2h, or a time with a zone, such as 2027-01-02T08:00Z."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        if length := parse_duration(value):
            return (now + length).replace(microsecond=0)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail(
                f"{value!r} is neither a duration such as 2h nor a time such as 2027-01-02T08:00Z", param, ctx
            )
        if at <= now:
            self.fail(f"{value} is in the past", param, ctx)
        return at
