"""`reconciler upgrade` without a daemon: this process takes the steps itself, under a claim."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import click

from reconciler.azure.failure import AzureFailure
from reconciler.checks.reach import MERGED
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail, show_error
from reconciler.cli.named import unknown_name
from reconciler.cli.pick_text import check_all_reached, show_offer
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.daemon import report
from reconciler.daemon.claim_keeper import ClaimKeeper, NotClaimed
from reconciler.daemon.claimed_upgrade import ClaimedUpgrade
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickRefused
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState


def upgrade_alone(
    fleet: FleetAccess,
    request: PickRequest,
    server: str,
    *,
    is_trial: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Print a note that no daemon responds. Then upgrade the picked instances, or show what would happen."""
    announce(fleet.session)
    click.echo(f"no daemon responds at {server}; this command upgrades the instances itself", err=True)
    claim, azure, settings = ClaimKeeper(request.by), fleet.azure(), Settings()
    own = fleet.reconciler(
        settings, azure=azure, check_reach=None if is_trial else MERGED, forecasts=False, claim=claim
    )
    state = _state(own, request.name)
    if is_trial and (skipped := skipped_checks_note([state.desired])):
        click.echo(skipped, err=True)
    upgrade = ClaimedUpgrade(own, azure, claim, settings, sleep=sleep, tell=click.echo)
    try:
        upgrade.check(state)
        offer = report.pick_offer(own.pick(replace(request, is_trial=True)))
        show_offer(offer, report.state(state), is_trial=is_trial)
        if is_trial:
            return
        end = upgrade.run(request)
    except (PickRefused, NotClaimed, AzureFailure) as failure:
        fail(f"{request.name}: {failure}")
    click.echo(f"{request.name}: {end.message if end else 'nothing is left to upgrade'}")
    if end and not end.is_served:
        sys.exit(FAILURE)
    check_all_reached(offer)


def _state(own: Reconciler, name: str) -> ScaleSetState:
    """The scale set as it is now. Ends the command if the specs have errors, or do not declare it."""
    store = own.once(act=False)
    if errors := store.last_sweep.spec_errors if store.last_sweep else ():
        for line in errors:
            show_error(line)
        fail("nothing was upgraded: the specs have errors or cannot be read; fix them first")
    states = store.states()
    state = states.by_name(name)
    if state is None:
        fail(unknown_name(name, [each.desired.name for each in states]))
    return state
