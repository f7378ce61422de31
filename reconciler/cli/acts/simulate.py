"""`reconciler simulate`: a simulated Azure Resource Manager on this machine, for tests and trials."""

import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from reconciler.cli.child import run_command
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.simulator import FleetError, Simulator, WallClock, check_fleet, locate, read_fleet
from reconciler.spec.wording import count


def act(
    fleet: Path,
    command: tuple[str, ...],
    port: int,
    certificates: Path | None,
    env_file: Path | None,
    *,
    check: bool,
) -> None:
    """Serve a fleet file as Azure would, while COMMAND runs or until interrupted."""
    if check:
        _check(fleet, {"COMMAND": command, "--env-file": env_file, "--certificates": certificates})
        return
    try:
        declared = read_fleet(fleet)
    except FleetError as error:
        fail(str(error))
    if env_file and env_file.exists():
        fail(f"{env_file}: the file already exists; remove it, or choose another with --env-file")
    _end_by_interrupt(signal.SIGTERM, signal.SIGHUP)
    try:
        server = Simulator.load(declared, WallClock()).serve(port=port, certificates=certificates)
    except FleetError as error:
        fail("\n".join(locate(fleet, error)))
    except OSError as error:
        where = error.filename or f"port {port}"
        fail(f"{where}: {error.strerror}; choose another with --port or --certificates")
    environment = {"VMSS_RECONCILER_ARM_ENDPOINT": server.url, **server.environment}
    with server, _environment_file(env_file, environment):
        if command:
            if sys.stdin.isatty() and sys.stderr.isatty():  # it may be a shell, which says nothing of its own
                click.echo(f"# {fleet} is served at {server.url} until {command[0]} ends", err=True)
            sys.exit(run_command(command, environment))
        try:
            if not env_file:
                click.echo(_exports(environment), nl=False)
            click.echo(f"# {fleet} is served at {server.url}; Ctrl-C ends it", err=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("# ended", err=True)


def _check(fleet: Path, of_serving: Mapping[str, object]) -> None:
    for name in (name for name, value in of_serving.items() if value):
        raise click.UsageError(f"--check and {name} cannot be combined: --check serves nothing")
    errors = check_fleet(fleet)
    for error in errors:
        click.echo(error)
    if errors:
        click.echo(count(len(errors), "error"), err=True)
        sys.exit(FAILURE)
    click.echo(f"{fleet}: no errors")


def _end_by_interrupt(*numbers: signal.Signals) -> None:
    """Make these signals end the command as Ctrl-C does, so that its files are removed."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _exports(environment: Mapping[str, str]) -> str:
    """
    >>> _exports({"NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": "/a place/ca.pem"})
    "export NO_PROXY=127.0.0.1\\nexport SSL_CERT_FILE='/a place/ca.pem'\\n"
    """
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


@contextmanager
def _environment_file(path: Path | None, environment: Mapping[str, str]) -> Iterator[None]:
    """Keep the environment in a file while the context is open. The file is never visible half-written."""
    if path is None:
        yield
        return
    try:
        _replace(path, _exports(environment))
    except OSError as error:
        fail(f"{path}: {error.strerror}; choose another file with --env-file")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    """Write a file atomically. Raises OSError."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
