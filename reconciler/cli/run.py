"""`reconciler run`: the daemon, or one round of it."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

import click

from reconciler.cli import table
from reconciler.cli.announcement import announcement
from reconciler.cli.duration import Duration
from reconciler.cli.options import Address, FleetAccess, fleet_options
from reconciler.cli.screen import Screen
from reconciler.cli.verb import Verb
from reconciler.daemon import report
from reconciler.daemon.loop import Loop
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.daemon.store import Store
from reconciler.spec.duration import format_duration
from reconciler.web.server import Pages, StatusServer

_log = logging.getLogger("reconciler")

_LISTEN = ("127.0.0.1", 8080)


class _Stopped(BaseException):
    """SIGTERM or SIGINT asked the process to end."""

    def __init__(self, number: int) -> None:
        self.number = number


@click.command(cls=Verb)
@fleet_options
@click.option(
    "--sweep",
    type=Duration(),
    default="1m",
    show_default=True,
    envvar="VMSS_RECONCILER_SWEEP",
    show_envvar=True,
    help="How often the specs are read and the whole fleet is listed.",
)
@click.option(
    "--requeue-after",
    type=Duration(),
    default="15s",
    show_default=True,
    envvar="VMSS_RECONCILER_REQUEUE_AFTER",
    show_envvar=True,
    help="How soon a scale set that is rolling is looked at again.",
)
@click.option(
    "--source-max-age",
    type=Duration(),
    default="1h",
    show_default=True,
    envvar="VMSS_RECONCILER_SOURCE_MAX_AGE",
    show_envvar=True,
    help="Begin no rollout while the specs could not be read for longer than this.",
)
@click.option(
    "--listen",
    type=Address(),
    metavar="HOST:PORT",
    envvar="VMSS_RECONCILER_LISTEN",
    show_envvar=True,
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
    fleet: FleetAccess,
    sweep: timedelta,
    requeue_after: timedelta,
    source_max_age: timedelta,
    listen: tuple[str, int] | None,
    once: bool,
    until_settled: bool,
    timeout: timedelta | None,
) -> None:
    """Bring every scale set to its spec, and keep it there.

    Runs until SIGTERM or SIGINT, then finishes the ticks under way; whatever it was in the middle of, the
    next start goes on with. With --once or --until-settled, exit 0 when every scale set is as declared (or
    suspended), 1 when one is not. After --once that may be a rollout in progress: run it again.
    """
    if once and until_settled:
        raise click.UsageError("--once and --until-settled cannot be combined")
    if timeout and not until_settled:
        raise click.UsageError("--timeout goes with --until-settled")
    settings = Settings(sweep=sweep, requeue_after=requeue_after, source_max_age=source_max_age)
    reconciler = fleet.reconciler(settings, asks_checks=True)
    store, now = reconciler.store, fleet.session.now
    ends = once or until_settled
    address = listen or (None if ends else _LISTEN)
    try:
        with _stoppable(), _serve(store, settings, address, now) as url, Screen(store) as screen:
            _log.info("%s", announcement(fleet.session))
            if url:
                _log.info("listening at %s", url)
            if once:
                reconciler.once(act=True)
            else:
                _loop(reconciler, settings, until_settled, timeout, fleet.specs)
    except _Stopped as stopped:  # outside the loop, or again while it was ending: waits for no thread
        os._exit(128 + stopped.number)
    if ends and not screen.is_live:
        table.show(table.status(report.store(store)))
    if ends and not _as_declared(store):
        sys.exit(1)


@contextmanager
def _serve(
    store: Store, settings: Settings, address: tuple[str, int] | None, now: Callable[[], datetime]
) -> Iterator[str]:
    """Show the board over HTTP for as long as this lasts. Gives the URL, "" where there is no address."""
    if address is None:
        yield ""
        return
    pages = Pages(store, overdue=max(10 * settings.sweep, timedelta(minutes=10)), now=now)
    try:
        server = StatusServer(pages, *address)
    except OSError as error:
        host, port = address
        raise click.ClickException(
            f"cannot listen at {host}:{port}: {error.strerror}; choose another address with --listen"
        ) from error
    try:
        yield server.url
    finally:
        server.close()


def _loop(
    reconciler: Reconciler, settings: Settings, until_settled: bool, timeout: timedelta | None, specs: Specs
) -> None:
    """Run until told to stop, or settled, or the time is over."""
    store = reconciler.store
    specs.fetch_beside()
    loop = Loop(reconciler, settings)
    loop.start()
    try:
        if not loop.wait(lambda: until_settled and loop.idle and _is_settled(store), timeout) and timeout:
            _log.error("not settled within %s, giving up", format_duration(timeout))
    except _Stopped:
        _log.info("stopping: the ticks under way are finished first; another signal ends at once")
    finally:
        specs.stop.set()  # nothing is lost by a fetch that ends
        loop.stop()


@contextmanager
def _stoppable() -> Iterator[None]:
    """For as long as this lasts, SIGTERM and SIGINT raise _Stopped in the main thread."""
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


def _is_settled(store: Store) -> bool:
    outcomes = [state.outcome for state in store.states()]
    return store.last_sweep is not None and all(each is not None and each.status.settled for each in outcomes)


def _as_declared(store: Store) -> bool:
    """Whether all is well: specs without mistakes, at least read once, and every scale set as they say."""
    if store.last_sweep is None or store.last_sweep.errors:
        return False
    return store.is_as_declared
