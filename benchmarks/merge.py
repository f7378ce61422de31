"""The time from a merge to the first PATCH, in seconds, of the real program with a repository over HTTP.

    python -m benchmarks.merge 5

The daemon sweeps at its default interval. It runs beside a simulated Azure that is served over HTTPS.
"""

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.daemon import commit, git
from reconciler.daemon.loop import SWEEPS_APART
from reconciler.daemon.settings import Settings
from tests.cli.program import Azure, Daemon, azure, until, write_specs
from tests.git.forge import Forge, serve
from tests.stories.world import NEW, OLD, scale_set, spec

_SECRET = "benchmark"  # noqa: S105 - the daemon listens on the loopback interface
_SWEEP = Settings().sweep


@dataclass(slots=True)
class Site:
    """A daemon, its Azure, and the forge that it follows. Each merge moves the next scale set."""

    azure: Azure
    forge: Forge
    tree: Path
    daemon: Daemon
    merged: int = 0

    def merge(self) -> None:
        """Push a commit that moves a scale set to another image."""
        push(self.tree, spec(_name(self.merged), NEW))
        self.merged += 1

    def send_webhook(self) -> None:
        """Post a push as GitLab does."""
        (url,) = [line.split(" on ")[1] for line in self.daemon.log() if "receiving webhooks on " in line]
        headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": _SECRET}
        with urllib.request.urlopen(urllib.request.Request(f"{url}gitlab", b"{}", headers)):
            pass

    def patched_at(self) -> datetime | None:
        """When the first PATCH of the last merge arrived."""
        path = f"/{_name(self.merged - 1)}"
        requests = self.azure.simulator.record.requests
        return next(
            (each.at for each in requests if each.method == "PATCH" and each.path.endswith(path)), None
        )

    def settle(self) -> datetime:
        """Wait until each scale set is as declared. Returns when the last sweep began."""
        names = [_name(number) for number in range(self.merged)]
        until(lambda: all(self.azure.images(each) == {NEW} for each in names), self.daemon.log)
        until(lambda: {each["status"] for each in self.daemon.status()["scaleSets"]} == {"Ready"})
        return self.swept_at()

    def swept_at(self) -> datetime:
        return datetime.fromisoformat(self.daemon.status()["sweep"]["at"])


def _name(number: int) -> str:
    return f"web-{number}"


def push(tree: Path, *documents: Mapping[str, Any]) -> None:
    """Commit specs, and push them."""
    write_specs(tree / "specs", *documents)
    commit(tree, "Declare scale sets")
    git(tree, "push", "--quiet", "origin", "HEAD:refs/heads/main")


@contextmanager
def site(merges: int) -> Iterator[Site]:
    """A daemon at its default interval that has nothing to do, and scale sets for so many merges."""
    names = [_name(number) for number in range(merges)]
    with (
        tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch,
        azure(*(scale_set(name, capacity=1) for name in names)) as served,
    ):
        root = Path(scratch)
        bare, tree = root / "remotes" / "fleet.git", root / "tree"
        for directory, *options in ((bare, "--bare"), (tree,)):
            directory.mkdir(parents=True)
            git(directory, "init", "--quiet", "--initial-branch=main", *options)
        for name in ("allowFilter", "allowAnySHA1InWant"):
            git(bare, "config", f"uploadpack.{name}", "true")
        git(tree, "remote", "add", "origin", str(bare))
        push(tree, *(spec(name, OLD) for name in names))
        (root / "secret").write_text(_SECRET)
        with serve(bare.parent) as forge:
            hooks = ("--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", "secret")
            options = ["--git", forge.url(), "--sweep", f"{_SWEEP.total_seconds():g}s", *hooks]
            with Daemon(*options, env=served.environment, cwd=root) as daemon:
                daemon.started()
                until(lambda: len(daemon.status()["scaleSets"]) == merges)
                yield Site(served, forge, tree, daemon)


def webhook(one: Site, after_sweep: timedelta) -> float:
    """The seconds from a webhook to the PATCH, so long after a sweep."""
    swept = one.settle()
    if after_sweep < SWEEPS_APART:
        one.send_webhook()
        until(lambda: one.swept_at() > swept)
        swept = one.swept_at()
    _sleep_until(swept + after_sweep)
    one.merge()
    began = datetime.now(UTC)
    one.send_webhook()
    return (until(one.patched_at, one.daemon.log) - began).total_seconds()


def poll(after_sweep: timedelta) -> tuple[float, float]:
    """The seconds to the PATCH, from the poll that finds a commit, and from its merge.

    The merge comes so long after a sweep.
    """
    with site(1) as one:
        _sleep_until(one.settle() + after_sweep)
        one.merge()
        merged, asked = datetime.now(UTC), len(one.forge.requests)
        while len(one.forge.requests) == asked:
            time.sleep(0.002)
        polled = datetime.now(UTC)
        patched = until(one.patched_at, one.daemon.log)
        return (patched - polled).total_seconds(), (patched - merged).total_seconds()


def _sleep_until(moment: datetime) -> None:
    time.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))


def main(times: int) -> None:
    """Measure each way so many times, and print the seconds."""
    with site(2 * times) as one:
        quiet = [webhook(one, 2 * SWEEPS_APART) for _ in range(times)]
        busy = [webhook(one, timedelta()) for _ in range(times)]
    # At once, because each waits for most of an interval and costs little.
    with ThreadPoolExecutor(times) as pool:
        moments = [_SWEEP * (number + 0.5) / times for number in range(times)]
        from_poll, from_merge = zip(*pool.map(poll, moments), strict=True)
    found = {"webhook": quiet, "webhook after another": busy, "poll": from_poll, "merge": from_merge}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
