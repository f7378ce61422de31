"""The options that select live scale sets, by subscription and resource group."""

import re
from collections.abc import Callable
from typing import Any

import click

from reconciler.spec.shape import fields


class Part(click.ParamType[str]):
    """A part of a target, in the form that the spec schema requires."""

    def __init__(self, field: str) -> None:
        self.name = field

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        schema = fields("ScaleSet")["spec", "target", self.name]
        is_one = re.search(schema["pattern"], value)
        if not is_one or len(value) > schema.get("maxLength", len(value)):
            self.fail(f"{value!r} {schema['patternErrorMessage']}", param, ctx)
        return value


def subscription_option(description: str) -> Callable[[Any], Any]:
    """The option --subscription, which is passed as `subscriptions`."""
    return click.option(
        "--subscription",
        "subscriptions",
        type=Part("subscription"),
        metavar="ID",
        multiple=True,
        help=description,
    )


resource_group_option = click.option(
    "--resource-group",
    "resource_groups",
    type=Part("resourceGroup"),
    metavar="NAME",
    multiple=True,
    help="Only scale sets in this resource group (repeatable); needs no role on the subscription.",
)
