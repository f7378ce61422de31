"""What `reconciler plan --base` costs for a change of a whole fleet in three waves.

    python -m benchmarks.planning 1000 20

The simulated Azure runs in the same process, and its CPU does not count.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from benchmarks.azure import GROUP, NEW, OLD, Azure, Token, image, name
from benchmarks.figures import Comment, tell
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.cli import markdown
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Directory, Specs
from reconciler.prediction import report
from reconciler.prediction.declared import Base
from reconciler.prediction.planning import plan_fleet
from reconciler.simulator import SUBSCRIPTION
from reconciler.spec.declared import declare
from reconciler.spec.files import File

_WAVES = 3
_API = "vmss-reconciler/v1alpha1"
_FLEET = {"apiVersion": _API, "kind": "Fleet", "metadata": {"name": "all"}, "spec": {"maxChange": "100%"}}


def specs(sets: int, version: str) -> bytes:
    """The specs of a fleet, in one file."""
    return yaml.safe_dump_all([_FLEET, *(_spec(number, sets, version) for number in range(sets))]).encode()


def _spec(number: int, sets: int, version: str) -> dict[str, Any]:
    target = {"subscription": SUBSCRIPTION, "resourceGroup": GROUP, "name": name(number)}
    spec = {"target": target, "image": {"platform": image(version)}, "wave": number * _WAVES // sets}
    return {"apiVersion": _API, "kind": "ScaleSet", "metadata": {"name": name(number)}, "spec": spec}


def plan(azure: Azure, directory: Path, base: Base) -> str:
    """The comment on the change from `base` to the specs of the directory."""
    session = Session(credential=Token(), transport=azure.transport, now=azure.clock.now)
    planned, _ = plan_fleet(
        Specs(Directory(directory), azure.clock.now),
        Compute(session),
        base,
        settings=Settings(),
        sleep=lambda seconds: azure.sleep(timedelta(seconds=seconds)),
    )
    return markdown.plan(report.plan(planned), (), ())


def main(sets: int, instances: int) -> None:
    """Run the measurement, and print its figures."""
    azure = Azure(sets, instances, timedelta(seconds=90))
    before = declare([File("specs/all.yaml", specs(sets, OLD))]).scale_sets
    base = Base("0" * 40, {each.target.key: each for each in before})
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        (Path(scratch) / "all.yaml").write_bytes(specs(sets, NEW))
        began = azure.account()
        comment = plan(azure, Path(scratch), base)
        cost = azure.account() - began
    assert f"{sets:,} scale sets, {sets * instances:,} instances" in comment
    tell({"plan": Comment(len(comment), cost.cpu, int(cost.requests), cost.peak)})


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
