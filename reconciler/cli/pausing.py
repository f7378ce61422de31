"""The options that `pause` and `resume` share."""

import re
from collections.abc import Sequence

import click

from reconciler.spec.fleet import PauseTag
from reconciler.spec.label import Requirement

_GROUP = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/?", re.IGNORECASE)


class ResourceGroup(click.ParamType[PauseTag]):
    """The id of a resource group."""

    name = "resource group"

    def convert(
        self, value: str | PauseTag, param: click.Parameter | None, ctx: click.Context | None
    ) -> PauseTag:
        if isinstance(value, PauseTag):
            return value
        if found := _GROUP.fullmatch(value):
            return PauseTag(*found.groups())
        error = f"{value!r} is not the id of a resource group, such as /subscriptions/ID/resourceGroups/NAME"
        return self.fail(error, param, ctx)


pause_tag_option = click.option(
    "--pause-tag",
    type=ResourceGroup(),
    metavar="ID",
    envvar="VMSS_RECONCILER_PAUSE_TAG",
    show_envvar=True,
    help="With --all: the id of the resource group to tag, so that the specs need not be read.",
)


def check_scope(
    names: Sequence[str], selector: tuple[Requirement, ...] | None, *, is_all: bool, is_tag_given: bool
) -> None:
    """Raise UsageError unless either the fleet or some scale sets are named."""
    if is_all and (names or selector is not None):
        raise click.UsageError("--all cannot be combined with names or --selector")
    if not (is_all or names or selector is not None):
        raise click.UsageError("pass names, --selector, or --all for the whole fleet")
    if is_tag_given and not is_all:
        raise click.UsageError("--pause-tag needs --all")
