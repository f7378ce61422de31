"""`make demo`: the real program against a simulated Azure.

It serves a simulated Azure Resource Manager on loopback, and commits specs/ to a git repository. `reconciler
run` gets both through its options and environment, as it would in production.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reconciler.cli.console import wide_console
from reconciler.simulator import Domain, Simulator, WallClock, read_fleet
from reconciler.simulator.server import Server
from reconciler.spec.declared import declare
from reconciler.spec.directory import read_paths

ROOT = Path(__file__).parent.parent
FLEET = ROOT / "demo" / "fleet.yaml"
REFUSED = "batch"


def main() -> int:
    """Run the demo. Exit code 0 if the fleet ends as expected."""
    console = wide_console()
    simulator = Simulator.load(read_fleet(FLEET), WallClock())
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as scratch:
        repository = commit_specs(Path(scratch))
        with simulator.serve(certificates=Path(scratch)) as server:
            console.print(f"A simulated Azure runs at {server.url}; {repository} contains specs/.\n")
            run_daemon(server, repository)
    console.print()
    console.print(result(simulator))
    return verdict(console, simulator)


def commit_specs(scratch: Path) -> Path:
    """A git repository with one commit: the specs of this project."""
    repository = scratch / "fleet.git"
    shutil.copytree(ROOT / "specs", repository / "specs")
    person = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "specs"),
        (*person, "commit", "--quiet", "--no-gpg-sign", "--message=Move the fleet to the January image"),
    ):
        subprocess.run(("git", *command), cwd=repository, check=True)
    return repository


def run_daemon(server: Server, repository: Path) -> None:
    """Run the daemon until the fleet is settled. It exits 1, because one scale set is refused."""
    subprocess.run(
        (
            *daemon_command(server, repository),
            "--until-settled",
            "--timeout",
            "2m",
            "--listen",
            "127.0.0.1:0",
        ),
        env={**os.environ, **server.environment},
        check=False,
    )


def daemon_command(server: Server, repository: Path) -> tuple[str, ...]:
    """The daemon, at the pace of a demo."""
    return (
        *(sys.executable, "-m", "reconciler.cli", "run"),
        *("--git", f"file://{repository}", "--arm-endpoint", server.url),
        *("--sweep", "5s", "--requeue-after", "2s"),
    )


def result(simulator: Simulator) -> Table:
    """The result for every scale set, by the record of the simulator rather than of the daemon."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in (
        "RECORD OF AZURE",
        "INSTANCES",
        "IMAGES NOW",
        "UPGRADE CALLS",
        "MOST DOMAINS UNAVAILABLE AT ONCE",
    ):
        table.add_column(column)
    for name in names():
        images = simulator.record.images(name)
        table.add_row(
            name,
            str(len(images)),
            ", ".join(sorted({short(image) for image in images.values()})),
            str(sum(is_upgrade_of(name, each.path) for each in simulator.record.requests)),
            str(simulator.record.max_unavailable_domains(name, key=domain_key)),
        )
    return table


def verdict(console: Console, simulator: Simulator) -> int:
    """Check the record: every declared image is rolled out, and never were two domains unavailable."""
    declared = {each.name: str(each.image) for each in declare(read_paths([ROOT / "specs"]).files).scale_sets}
    followed = {
        name for name, image in declared.items() if set(simulator.record.images(name).values()) == {image}
    }
    overlapped = [
        name for name in declared if simulator.record.max_unavailable_domains(name, key=domain_key) > 1
    ]
    if followed != declared.keys() - {REFUSED} or overlapped:
        wrong = sorted((declared.keys() - followed - {REFUSED}) | set(overlapped))
        console.print(f"\nUnexpected result for {', '.join(wrong)}. Please report it.")
        return 1
    console.print(
        f"\n{len(followed)} scale sets were rolled to the images in specs/, one domain at a time. "
        f"{REFUSED} was refused, for the reason above."
    )
    return 0


def names() -> list[str]:
    return [scale_set["name"] for scale_set in read_fleet(FLEET)["scaleSets"]]


def short(image: str) -> str:
    return image.replace(":", "/").rsplit("/", 1)[-1]


def is_upgrade_of(name: str, path: str) -> bool:
    return path.lower().endswith(f"/{name}/manualupgrade")


def domain_key(domain: Domain) -> tuple[object, ...]:
    return (domain.zone, domain.placement_group, domain.update_domain)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
