"""`reconciler upgrade`: upgrade hand-picked instances of a scale set next."""

from typing import Any

import click

from reconciler.cli.options import fleet_on_demand, server_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


class Ids(click.ParamType[tuple[str, ...]]):
    """The ids of instances, separated by commas."""

    name = "ids"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        ids = tuple(each.strip() for each in value.split(","))
        if not all(ids):
            self.fail(f"{value!r} is no list of ids; separate them by commas, such as 3,7", param, ctx)
        return ids


@click.command(cls=Verb)
@click.argument("name", shell_complete=complete_names)
@click.option(
    "--domain",
    metavar="DOMAIN",
    help="An update domain, a zone or a fault domain: 3, or its name as in `status NAME --watch`.",
)
@click.option("--instances", type=Ids(), metavar="IDS", help="Instances by id, separated by commas: 3,7.")
@click.option("-y", "--yes", is_flag=True, help="Upgrade. Without this option, only show what would happen.")
@click.option("--no-wait", is_flag=True, help="With --yes: do not wait until the instances are upgraded.")
@server_option
@fleet_on_demand
def upgrade(**given: Any) -> None:
    """Upgrade hand-picked instances of a scale set next.

    NAME is the name of its spec. The running daemon upgrades these instances to the declared image before all
    others, in as many batches as `rollout.maxBatch` requires. Every other rule of the rollout applies, so
    they wait for windows, approvals, the canary and unhealthy instances. After that, the rollout continues in
    its usual order. The command reaches the daemon only from the same host, for example through `kubectl
    port-forward`. If nothing listens there, it upgrades the instances itself. Meanwhile, it claims the scale
    set with the tag vmss-reconciler-claim.
    """
    from reconciler.cli.acts.upgrade import act

    act(**given)
