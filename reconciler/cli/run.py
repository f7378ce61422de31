"""`reconciler run`: the daemon, or one round of it."""

import signal
import sys
from datetime import timedelta
from types import FrameType

import click

from reconciler.cli.options import Duration, Fleet, fleet_options
from reconciler.cli.screen import Screen
from reconciler.daemon.board import Board
from reconciler.daemon.loop import Loop
from reconciler.daemon.outcome import Standing
from reconciler.daemon.reconciliation import Reconciliation
from reconciler.daemon.settings import Settings
from reconciler.web.server import Pages, Server


class _Stopped(BaseException):
    """SIGTERM or SIGINT asked the process to end."""


@click.command()
@fleet_options
@click.option(
    "--sweep",
    type=Duration(),
    default="1m",
    show_default=True,
    envvar="RECONCILER_SWEEP",
    help="How often the specs are read and the whole fleet is listed.",
)
@click.option(
    "--follow-up",
    type=Duration(),
    default="15s",
    show_default=True,
    envvar="RECONCILER_FOLLOW_UP",
    help="How soon a scale set that is rolling is looked at again.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    envvar="RECONCILER_LISTEN",
    help="Where /livez, /readyz, /metrics and /status are served.  [default: 127.0.0.1:8080; "
    "nowhere with --once or --until-settled]",
)
@click.option("--once", is_flag=True, help="One sweep, one tick of every scale set that is due, then end.")
@click.option("--until-settled", is_flag=True, help="End when nothing more will happen by itself.")
@click.option(
    "--timeout", type=Duration(), help="With --until-settled: give up after so long.  [default: never]"
)
def run(
    *,
    fleet: Fleet,
    sweep: timedelta,
    follow_up: timedelta,
    listen: str | None,
    once: bool,
    until_settled: bool,
    timeout: timedelta | None,
) -> None:
    """Bring every scale set to its spec, and keep it there.

    Runs until SIGTERM or SIGINT, then finishes the ticks under way; whatever it was in the middle of, the
    next start goes on with. With --once or --until-settled, exit 0 when every scale set is as declared (or
    suspended), 1 when one is not.
    """
    if once and until_settled:
        raise click.UsageError("--once and --until-settled exclude each other")
    if timeout and not until_settled:
        raise click.UsageError("--timeout goes with --until-settled")
    settings = Settings(sweep=sweep, follow_up=follow_up)
    reconciliation = fleet.reconciliation(settings)
    address = _address(listen) if listen else None if once or until_settled else ("127.0.0.1", 8080)
    with Screen(reconciliation.board):
        if once:
            reconciliation.once(act=True)
            finished = True
        else:
            finished = _loop(reconciliation, settings, address, until_settled, timeout)
    fleet.azure.close()
    if (once or until_settled) and not (finished and _as_declared(reconciliation.board)):
        sys.exit(1)


def _loop(
    reconciliation: Reconciliation,
    settings: Settings,
    address: tuple[str, int] | None,
    until_settled: bool,
    timeout: timedelta | None,
) -> bool:
    """Run until told to stop, or settled. False if the time ran out first."""
    board = reconciliation.board
    pages = Pages(board, overdue=max(10 * settings.sweep, timedelta(minutes=10)))
    server = Server(pages, *address) if address else None
    loop = Loop(reconciliation, settings)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    loop.start()
    try:
        return loop.wait(lambda: until_settled and loop.idle and _settled(board), timeout)
    except _Stopped:
        return False
    finally:
        loop.stop()
        if server:
            server.close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def _settled(board: Board) -> bool:
    outcomes = [entry.outcome for entry in board.entries()]
    return board.last_sweep is not None and all(
        each is not None and each.standing.settled for each in outcomes
    )


def _as_declared(board: Board) -> bool:
    """Whether all is well: specs without mistakes, at least read once, and every scale set as they say."""
    if board.last_sweep is None or board.last_sweep.trouble:
        return False
    outcomes = [entry.outcome for entry in board.entries()]
    return all(each and each.standing in {Standing.READY, Standing.SUSPENDED} for each in outcomes)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(
            f"{text!r} is not of the form HOST:PORT, such as 127.0.0.1:8080", param_hint="--listen"
        )
    return host.strip("[]"), int(port)
