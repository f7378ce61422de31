"""The options that define a shard: the part of a fleet that a daemon acts for, or that a command is about."""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from reconciler.cli.live_options import Part
from reconciler.cli.selector import Selector
from reconciler.spec.label import Requirement
from reconciler.spec.shape import fields
from reconciler.spec.shard import Shard


class _Name(click.ParamType[str]):
    """A name that follows the rules for names in specs."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        schema = fields("Fleet")["metadata", "name"]
        if not re.search(schema["pattern"], value) or len(value) > schema["maxLength"]:
            self.fail(f"{value!r} {schema['patternErrorMessage']}", param, ctx)
        return value


class _Subscriptions(click.ParamType[tuple[str, ...]]):
    """The ids of subscriptions, separated by commas."""

    name = "subscriptions"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        one = Part("subscription")
        return tuple(one.convert(each.strip(), param, ctx).casefold() for each in value.split(","))


SHARD_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--shard": {
        "type": _Name(),
        "metavar": "NAME",
        "help": "Name of one part of the fleet: the scale sets selected by labels or subscriptions.",
    },
    "--shard-selector": {
        "type": Selector(),
        "metavar": "LABELS",
        "help": "With --shard: the labels of its scale sets, such as region=emea,tier!=db.",
    },
    "--shard-subscriptions": {
        "type": _Subscriptions(),
        "metavar": "IDS",
        "help": "With --shard: the subscriptions of its scale sets, separated by commas.",
    },
}


def shard_of(
    name: str | None, selector: tuple[Requirement, ...] | None, subscriptions: tuple[str, ...] | None
) -> Shard | None:
    """The shard that these options define, or None if none of them is given. Raises UsageError."""
    if not name and not selector and not subscriptions:
        return None
    if not name:
        raise click.UsageError("--shard-selector and --shard-subscriptions need --shard NAME")
    if not selector and not subscriptions:
        raise click.UsageError("--shard needs --shard-selector, --shard-subscriptions, or both")
    return Shard(name, selector or (), subscriptions or ())


def shard_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that define a shard to a command, and pass it `shard`.

    `shard` is None if none of the options is given. Raises UsageError if an option is missing.
    """

    @functools.wraps(command)
    def with_shard(
        *,
        shard: str | None,
        shard_selector: tuple[Requirement, ...] | None,
        shard_subscriptions: tuple[str, ...] | None,
        **others: Any,
    ) -> None:
        command(shard=shard_of(shard, shard_selector, shard_subscriptions), **others)

    for name, settings in reversed(tuple(SHARD_OPTIONS.items())):
        variable = f"VMSS_RECONCILER_{name.removeprefix('--').replace('-', '_').upper()}"
        click.option(name, envvar=variable, show_envvar=True, **settings)(with_shard)
    return with_shard
