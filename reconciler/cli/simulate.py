"""`reconciler simulate`: a simulated Azure Resource Manager on this machine, for trying things out."""

import sys
import tempfile
import threading
from pathlib import Path

import click

from reconciler.simulator import FleetError, Simulator, WallClock, read_fleet


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The HTTPS port.  [default: any free one]"
)
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the certificate authority's file is put.  [default: a temporary directory]",
)
def simulate(fleet: Path, port: int, certificates: Path | None) -> None:
    """Serve the scale sets of FLEET (YAML) as Azure would, until interrupted.

    Prints the environment that a client needs: eval it in another shell, and point the client at
    $RECONCILER_ARM_ENDPOINT.
    """
    try:
        simulator = Simulator.load(read_fleet(fleet), WallClock())
    except FleetError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    directory = certificates or Path(tempfile.mkdtemp(prefix="reconciler-simulate-"))
    with simulator.serve(port=port, certificates=directory) as server:
        click.echo(f"export RECONCILER_ARM_ENDPOINT={server.url}")
        for name, value in server.environment.items():
            click.echo(f"export {name}={value}")
        click.echo(f"# {fleet} is served at {server.url}; Ctrl-C ends it", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("# ended", err=True)
