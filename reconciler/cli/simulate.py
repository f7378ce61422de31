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
from reconciler.cli.failure import fail
from reconciler.cli.table import count
from reconciler.cli.verb import Verb
from reconciler.simulator import FleetError, Simulator, WallClock, check_fleet, locate, read_fleet


class _Wrapper(Verb):
    """A command whose arguments may end in `--` and another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args and args.index("--") == len(args) - 1:
            raise click.UsageError("COMMAND is missing after --", ctx)  # for example an empty variable
        behind = args[args.index("--") + 1 :] if "--" in args else []
        remaining = super().parse_args(ctx, args)  # which empties args
        command = ctx.params["command"]
        if command and list(command) != behind:
            raise click.UsageError(f"unexpected argument {command[0]!r}; write -- before COMMAND", ctx)
        return remaining


class _Port(click.IntRange):
    """A port number, 0 for any free port."""

    name = "port number"

    def __init__(self) -> None:
        super().__init__(0, 65535)


@click.command(cls=_Wrapper)
@click.argument("fleet", type=click.Path(path_type=Path))
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("--port", type=_Port(), default=0, help="HTTPS port.  [default: any free port]")
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="Directory for the file of the certificate authority.  [default: a temporary directory]",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="File to write the environment to, for other shells to source. It exists only while the fleet is "
    "served.",
)
@click.option(
    "--check", is_flag=True, help="Print every error in FLEET and serve nothing. Exit 1 if there are any."
)
def simulate(
    fleet: Path,
    command: tuple[str, ...],
    port: int,
    certificates: Path | None,
    env_file: Path | None,
    *,
    check: bool,
) -> None:
    """Serve a fleet file as Azure would, to COMMAND or until interrupted.

    FLEET is YAML. COMMAND starts once the fleet is served, with an environment that directs clients to this
    Azure. When COMMAND ends, the simulation ends with its exit code. Without COMMAND, the environment is
    printed, to paste into another shell. Do not redirect it to a file, because that would exist, and be
    empty, before the fleet is served. Use --env-file.
    """
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
        sys.exit(1)
    click.echo(f"{fleet}: no errors")


def _end_by_interrupt(*numbers: signal.Signals) -> None:
    """Make these signals end the command as Ctrl-C does, so that files are removed."""
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
    """Keep the environment in a file inside the context. The file is never visible in part."""
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
