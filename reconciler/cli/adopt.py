"""`reconciler adopt`: write a spec, with the current image, for each live scale set that has none."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.live_options import (
    resource_group_option,
    subscription_option,
)
from reconciler.cli.options import azure_options
from reconciler.cli.source import specs_options
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1)
@subscription_option("Subscription of the scale sets (repeatable).  [required]")
@resource_group_option
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("specs"),
    show_default=True,
    help="Directory to write specs to.",
)
@click.option(
    "--share-images",
    is_flag=True,
    help="Write one Image document for each image that several scale sets use, and refer to it.",
)
@click.option(
    "--take-over",
    "is_take_over",
    is_flag=True,
    help="Claim scale sets that the specs declare for this fleet. Writes no spec.",
)
@click.option(
    "--from", "former", metavar="FLEET", help="With --take-over: only scale sets that belong to this fleet."
)
@specs_options
@azure_options
def adopt(**given: Any) -> None:
    """Write a spec for each live scale set that has none.

    NAMES are the names of scale sets, and may contain * and ?. The default is all scale sets. Each spec
    declares the image that its scale set is on, so that nothing changes. If a daemon would change or refuse a
    scale set, its spec is suspended and gives the reason. Scale sets that belong to other controllers (AKS,
    Service Fabric managed clusters, Azure DevOps pools, Cluster API and others) get no spec. Existing files
    stay unchanged.

    With --share-images, the specs of scale sets on the same image refer to one Image document.
    Changing its version then moves all of these scale sets. If a document in the directory already declares
    the image, it is reused.

    With --take-over, NAMES are the names of specs in force, and * means all of them. Each scale set then
    belongs to the fleet that these specs declare (metadata.name of the Fleet), even if another fleet has
    claimed it. Scale sets claimed by a shard of this fleet stay with that shard, unless --from names it, for
    example shop/emea. The claim is recorded in the tag vmss-reconciler-state, so the command needs permission
    to write tags.
    """
    from reconciler.cli.acts.adopt import act

    act(**given)
