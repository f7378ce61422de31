"""`reconciler simulate`: a simulated Azure Resource Manager on this machine, for trying things out."""

import shlex
import signal
import threading
from pathlib import Path

import click

from reconciler.cli.failure import fail
from reconciler.simulator import FleetError, Simulator, WallClock, read_fleet


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The HTTPS port.  [default: any free one]"
)
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="Where the certificate authority's file is put.  [default: a temporary directory]",
)
def simulate(fleet: Path, port: int, certificates: Path | None) -> None:
    """Serve a fleet file as Azure would, until interrupted.

    FLEET is YAML. Prints the environment that a client needs: eval it in another shell, and every verb there
    talks to this Azure.
    """
    try:
        declared = read_fleet(fleet)
    except FleetError as error:
        fail(str(error))
    try:
        server = Simulator.load(declared, WallClock()).serve(port=port, certificates=certificates)
    except FleetError as error:
        fail(f"{fleet}: {error}")
    except OSError as error:
        where = error.filename or f"port {port}"
        fail(f"{where}: {error.strerror}; choose another with --port or --certificates")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end it the same way
    with server:
        try:
            for name, value in {"RECONCILER_ARM_ENDPOINT": server.url, **server.environment}.items():
                click.echo(f"export {name}={shlex.quote(value)}")
            click.echo(f"# {fleet} is served at {server.url}; Ctrl-C ends it", err=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("# ended", err=True)
