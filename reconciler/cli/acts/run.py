"""`reconciler run`: the daemon, or a single pass over the fleet."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import click

from reconciler.acts.page_acts import PageActs
from reconciler.azure.activity_log import last_model_write
from reconciler.checks.reach import MERGED, Allowed
from reconciler.cli import table
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announcement
from reconciler.cli.exit_codes import BY_SIGNAL, FAILURE
from reconciler.cli.hangup import Hangups
from reconciler.cli.leader_election import ElectionOptions
from reconciler.cli.replica import elector
from reconciler.cli.screen import Screen
from reconciler.cli.secret_file import SecretFile
from reconciler.cli.status_table import status
from reconciler.cli.tracing import Tracing, tracing
from reconciler.cluster.elector import Elector
from reconciler.cluster.relay import Relay
from reconciler.daemon import report
from reconciler.daemon.commands import LoopCommands
from reconciler.daemon.jitter import share_of
from reconciler.daemon.last_change import LastChanges
from reconciler.daemon.loop import Loop
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.daemon.store import Store
from reconciler.spec.duration import format_duration
from reconciler.web.page.sign_in import SignIn
from reconciler.web.status import Pages, Probes
from reconciler.web.webhook import Webhooks

if TYPE_CHECKING:
    from reconciler.web.application import Handler
    from reconciler.web.page.routes import PageSite
    from reconciler.web.tls import Certificate

_log = logging.getLogger("reconciler")

_LISTEN = ("127.0.0.1", 8080)


class _WebhookListener(NamedTuple):
    """The address that receives webhooks, and the file with their secret.

    With a certificate, webhooks are received over TLS.
    """

    address: tuple[str, int]
    secret: SecretFile
    certificate: "Certificate | None"


class _PageActions(NamedTuple):
    """How people sign in to the page, and the actions that the page takes for them."""

    sign_in: SignIn
    acts: PageActs


class _Stopped(BaseException):
    """Raised on SIGTERM or SIGINT."""

    def __init__(self, number: int) -> None:
        self.number = number


def act(
    *,
    fleet: FleetAccess,
    sweep: timedelta,
    requeue_after: timedelta,
    source_max_age: timedelta,
    listen: tuple[str, int] | None,
    probe_listen: tuple[str, int] | None,
    sign_in: SignIn | None,
    webhook_listen: tuple[str, int] | None,
    webhook_secret_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    check_hosts: tuple[Allowed, ...],
    election: ElectionOptions | None,
    once: bool,
    until_settled: bool,
    timeout: timedelta | None,
    log_format: str,
    log_level: str,
) -> None:
    """Bring every scale set into line with its spec, and keep it there."""
    if once and until_settled:
        raise click.UsageError("--once and --until-settled cannot be combined")
    if timeout and not until_settled:
        raise click.UsageError("--timeout needs --until-settled")
    certificate = _certificate(tls_cert, tls_key)
    hooks = _hooks(webhook_listen, webhook_secret_file, certificate)
    if hooks and (once or until_settled):
        raise click.UsageError("--webhook-listen cannot be combined with --once or --until-settled")
    if election and (once or until_settled):
        raise click.UsageError("--leader-elect cannot be combined with --once or --until-settled")
    replica = elector(election, webhook_listen) if election else None
    settings = Settings(sweep=sweep, requeue_after=requeue_after, source_max_age=source_max_age)
    reconciler = fleet.reconciler(
        settings,
        check_reach=replace(MERGED, allowed=check_hosts),
        finds_orphans=True,
        leadership=replica,
    )
    store, now = reconciler.store, fleet.session.now
    commands = LoopCommands(reconciler, LastChanges(partial(last_model_write, fleet.session), now))
    page = _PageActions(sign_in, PageActs(store, commands, fleet.session, fleet.specs)) if sign_in else None
    ends = once or until_settled
    address = listen or (None if ends else _LISTEN)
    probes = Probes(store, overdue=max(10 * settings.sweep, timedelta(minutes=10)))
    try:
        with (
            _stoppable(),
            Hangups() as hangups,
            _serve(
                store,
                probes,
                now,
                commands,
                listen=address,
                probe_listen=probe_listen,
                page=page,
                certificate=certificate,
            ) as addresses,
            Screen(store, log_format=log_format, log_level=log_level) as screen,
        ):
            _log.info("%s", announcement(fleet.session))
            for line in addresses:
                _log.info("%s", line)
            if once:
                reconciler.once(act=True)
            else:
                with tracing(os.environ) as traced:
                    _loop(
                        reconciler,
                        settings,
                        until_settled=until_settled,
                        timeout=timeout,
                        specs=fleet.specs,
                        hooks=hooks,
                        hangups=hangups,
                        commands=commands,
                        replica=replica,
                        traced=traced,
                    )
    except _Stopped as stopped:  # before the loop, or a second signal: wait for no thread
        os._exit(BY_SIGNAL + stopped.number)
    if ends and not screen.is_live:
        table.show_status(status(report.store(store)))
    if ends and not _as_declared(store):
        sys.exit(FAILURE)


@contextmanager
def _serve(
    store: Store,
    probes: Probes,
    now: Callable[[], datetime],
    commands: LoopCommands,
    *,
    listen: tuple[str, int] | None,
    probe_listen: tuple[str, int] | None,
    page: _PageActions | None,
    certificate: "Certificate | None",
) -> Iterator[Sequence[str]]:
    """Serve the store and the probes while the context is open. Yields a log line for each address.

    Probes on a separate address are served without TLS.
    """
    lines = []
    with ExitStack() as servers:
        if listen:
            # Like the server, only where something is served.
            from reconciler.web.page.actions import Actions
            from reconciler.web.page.routes import PageSite

            actions = Actions(store, page.sign_in, page.acts, now) if page else None
            headers = page.sign_in.headers if page else ()
            pages = Pages(store, None if probe_listen else probes, commands, headers)
            listener = _listener(pages, listen, "--listen", PageSite(store, now, actions), certificate)
            lines.append(f"listening on {servers.enter_context(listener)}")
        if probe_listen:
            url = servers.enter_context(_listener(probes, probe_listen, "--probe-listen"))
            lines.append(f"probes and metrics on {url}")
        yield lines


@contextmanager
def _listener(
    handler: "Handler",
    address: tuple[str, int],
    option: str,
    site: "PageSite | None" = None,
    certificate: "Certificate | None" = None,
) -> Iterator[str]:
    """Serve a handler, and a site if there is one, while the context is open. Yields the URL."""
    from reconciler.web.server import Server  # takes as long to import as all the rest, and may not be needed

    try:
        server = Server(handler, *address, site=site, certificate=certificate)
    except OSError as error:
        host, port = address
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another address with {option}"
        ) from error
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def _receive(hooks: _WebhookListener | None, on_push: Callable[[bool], bool]) -> Iterator[None]:
    """Receive webhooks while the context is open, unless `hooks` is None."""
    if hooks is None:
        yield
        return
    webhooks = Webhooks(hooks.secret.secret, on_push)
    with _listener(webhooks, hooks.address, "--webhook-listen", certificate=hooks.certificate) as url:
        _log.info("receiving webhooks on %s/hooks/", url)
        yield


def _certificate(tls_cert: Path | None, tls_key: Path | None) -> "Certificate | None":
    """The certificate in these files, or None if neither option is given. Raises UsageError."""
    if tls_cert is None and tls_key is None:
        return None
    if tls_cert is None or tls_key is None:
        raise click.UsageError("--tls-cert and --tls-key must be used together")
    from reconciler.web.tls import Certificate, CertificateError

    try:
        return Certificate(tls_cert, tls_key)
    except CertificateError as error:
        raise click.UsageError(f"--tls-cert, --tls-key: {error}") from error


def _hooks(
    listen: tuple[str, int] | None, secret_file: Path | None, certificate: "Certificate | None"
) -> _WebhookListener | None:
    """The listener for webhooks, or None if neither option is given.

    Raises UsageError if only one of the two options is given.
    """
    if listen and secret_file:
        return _WebhookListener(listen, SecretFile(secret_file), certificate)
    if listen or secret_file:
        raise click.UsageError("--webhook-listen and --webhook-secret-file must be used together")
    return None


def _loop(
    reconciler: Reconciler,
    settings: Settings,
    *,
    until_settled: bool,
    timeout: timedelta | None,
    specs: Specs,
    hooks: _WebhookListener | None,
    hangups: Hangups,
    commands: LoopCommands,
    replica: Elector | None,
    traced: Tracing,
) -> None:
    """Run until a signal arrives, the fleet has settled, or the timeout expires."""
    store = reconciler.store
    loop = Loop(traced.work(reconciler), settings, share_of(specs.remote, socket.gethostname()))
    specs.fetch_beside(loop.sweep_soon, traced.fetch)

    relay = _relay(replica, hooks)

    def read_again() -> None:
        specs.hint()
        loop.sweep_soon()

    def receive(is_relayed: bool) -> bool:
        read_again()
        return relay is None or relay.pass_on(is_relayed=is_relayed)

    def reload() -> None:
        _log.info("SIGHUP: reading the specs and their credentials again")
        specs.forget()
        read_again()

    loop.start()
    commands.loop = loop
    if replica:
        replica.start(loop.sweep_soon)
    try:
        with _receive(hooks, receive), hangups.answer(reload):
            if not loop.wait(lambda: until_settled and loop.idle and _is_settled(store), timeout) and timeout:
                _log.error("not settled within %s; exiting", format_duration(timeout))
    except _Stopped:
        _log.info("stopping after the reconciles in progress; a second signal stops immediately")
    finally:
        specs.stop.set()  # nothing is lost by a fetch that ends
        loop.stop()
        if relay:
            relay.close()
        if replica:
            replica.release()


def _relay(replica: Elector | None, hooks: _WebhookListener | None) -> Relay | None:
    """The relay that passes webhooks on to the leader, or None if there are no replicas or no webhooks."""
    if replica is None or hooks is None:
        return None
    return Relay(replica, hooks.secret.secret, scheme="https" if hooks.certificate else "http")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Make SIGTERM and SIGINT raise _Stopped in the main thread while the context is open."""
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
    """Whether the specs were read without errors, and every scale set is as declared or suspended."""
    if store.last_sweep is None or store.last_sweep.errors:
        return False
    return store.is_as_declared
