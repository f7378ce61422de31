"""The figures of the reconciler.

    python -m benchmarks.daemon sweep 1000 20 90
    python -m benchmarks.daemon rollout 1 100 90

The daemon is real except for its threads: `Daemon` runs the loop's schedule on Azure's virtual clock.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import yaml

from benchmarks.apart import AzureApart
from benchmarks.azure import GROUP, NEW, OLD, Azure, Token, image, imports, name
from benchmarks.figures import Figures, tell
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon.git_source import Git
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Directory, Immediate, Reading, Source, Specs
from reconciler.git.repository import Repository
from reconciler.git.revision import branch
from reconciler.simulator import SUBSCRIPTION

_SWEEPS = 5  # their mean is reported
_APART = timedelta(milliseconds=200)  # the loop's, between the reconciles that one sweep requests


class Daemon:
    """A sweep every minute, the reconciles it requests 200 ms apart, and requeued ones at their time."""

    def __init__(self, azure: Azure | AzureApart, source: Source) -> None:
        session = Session(credential=Token(), transport=azure.transport, now=azure.clock.now)
        compute = Compute(session)
        specs = Specs(source, azure.clock.now)
        self._settings = Settings()
        self.reconciler = Reconciler(specs, compute, self._settings)
        self._azure = azure
        self._sweep_at = azure.clock.now()
        self._due: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []  # of the times in `_due`, and of former ones

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Run until `until()`, by default until every scale set is up to date."""
        self.step()
        while not (until or self._is_settled)():
            self.step()

    def step(self) -> None:
        """Advance to the next sweep or reconcile, and run it."""
        following = self._following()
        if following is None or self._sweep_at <= self._due[following]:
            self._wait_until(self._sweep_at)
            self._sweep_at += self._settings.sweep
            for number, each in enumerate(self.reconciler.sweep()):
                self._wake(each, number * _APART)
        else:
            self._wait_until(self._due.pop(following))
            outcome = self.reconciler.reconcile(following)
            if outcome and outcome.requeue_after is not None:
                self._wake(following, outcome.requeue_after)

    def _wake(self, key: str, after: timedelta) -> None:
        at = self._azure.clock.now() + after
        if key not in self._due or at < self._due[key]:
            self._due[key] = at
            heappush(self._heap, (at, key))

    def _following(self) -> str | None:
        """The key of the next reconcile, None if there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)  # it was reconciled earlier
        return self._heap[0][1] if self._heap else None

    def _wait_until(self, moment: datetime) -> None:
        self._azure.sleep(max(moment - self._azure.clock.now(), timedelta()))

    def _is_settled(self) -> bool:
        entries = self.reconciler.store.states()
        return not self._due and all(each.outcome and each.outcome.reason == "UpToDate" for each in entries)


class MovableSource(Immediate):
    """A source of specs that can be switched from a directory to a repository."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def read(self) -> Reading:
        return self.source.read()

    def last(self) -> Reading | None:
        return self.source.last()


def write_specs(directory: Path, sets: int, version: str) -> None:
    """Write a file for each scale set."""
    directory.mkdir()
    for number in range(sets):
        target = {"subscription": SUBSCRIPTION, "resourceGroup": GROUP, "name": name(number)}
        document: dict[str, Any] = {
            "apiVersion": "vmss-reconciler/v1alpha1",
            "kind": "ScaleSet",
            "metadata": {"name": name(number)},
            "spec": {"target": target, "image": {"platform": image(version)}},
        }
        (directory / f"{name(number)}.yaml").write_text(yaml.safe_dump(document))


def git(directory: Path, *arguments: str) -> None:
    """Run git in a directory."""
    subprocess.run(("git", *arguments), cwd=directory, check=True)


def commit(directory: Path, subject: str) -> None:
    """Commit everything in a work tree."""
    person = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com")
    git(directory, "add", ".")
    git(directory, *person, "commit", "--quiet", "--no-gpg-sign", f"--message={subject}")


def commit_specs(directory: Path, clone: Path) -> Git:
    """Return the specs in `directory` from a git repository."""
    git(directory, "init", "--quiet", "--initial-branch=main")
    commit(directory, "Declare the fleet")
    return Git(Repository(f"file://{directory}", branch("main"), "", clone))


def sweep(azure: Azure, scratch: Path, sets: int) -> dict[str, Figures]:
    """Measure the first observation of an up-to-date fleet, then sweeps with specs from either source."""
    write_specs(scratch / "specs", sets, OLD)
    declared = MovableSource(Directory(scratch / "specs"))
    daemon = Daemon(azure, declared)
    before = azure.account()
    daemon.run()
    figures = {"before": before, "first observation": azure.account() - before, "sweep": _mean(azure, daemon)}
    declared.source = commit_specs(scratch / "specs", scratch / "clone")
    daemon.step()  # reads the new commit
    figures["sweep, git"] = _mean(azure, daemon)
    return figures | {"sweep, change": _change(azure, scratch / "specs", daemon)}


def rollout(azure: Azure, scratch: Path, sets: int) -> dict[str, Figures]:
    """Measure a new image for every scale set, merged at one moment, at which the daemon sweeps."""
    write_specs(scratch / "specs", sets, NEW)
    daemon = Daemon(azure, Directory(scratch / "specs"))
    before = azure.account()
    daemon.run()
    assert azure.images() == {NEW}
    return {"before": before, "rollout": azure.account() - before}


def _mean(azure: Azure, daemon: Daemon) -> Figures:
    """Return the mean of one sweep. A settled fleet needs no reconcile after it."""
    before = azure.account()
    for _ in range(_SWEEPS):
        daemon.step()
    return (azure.account() - before) / _SWEEPS


def _change(azure: Azure, specs: Path, daemon: Daemon) -> Figures:
    """Measure a sweep that finds a commit of one spec, and the reconcile that follows from it."""
    change_spec(specs, 0)
    before = azure.account()
    (due,) = daemon.reconciler.sweep()
    daemon.reconciler.reconcile(due)
    return azure.account() - before


def change_spec(specs: Path, number: int) -> None:
    """Commit a change to one spec that needs no step."""
    file = specs / f"{name(number)}.yaml"
    file.write_text(f"{file.read_text()}  interval: 4m\n")
    commit(specs, "Change one spec")


def main(job: str, sets: int, instances: int, upgrade: timedelta) -> None:
    """Run the measurement and print its figures."""
    figures = {"imports": imports()}
    azure = Azure(sets, instances, upgrade)
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        tell(figures | {"sweep": sweep, "rollout": rollout}[job](azure, Path(scratch), sets))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), timedelta(seconds=float(sys.argv[4])))
