"""What a commit costs that changes one spec among many: one blob, one parse, one scale set that is reconciled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon.git_source import Git
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.simulator import Simulator, VirtualClock
from tests.git.remote import Remote
from tests.git.standin import StandIn
from tests.stories.world import NEW, OLD, fleet, scale_set, spec
from tests.token import Token

NAMES = [f"web-{number:02}" for number in range(30)]


def merge(remote: Remote, *documents: Mapping[str, Any]) -> str:
    for each in documents:
        remote.write(f"specs/{each['metadata']['name']}.yaml", yaml.safe_dump(each))
    return remote.push()


def settled(remote: Remote) -> tuple[Reconciler, Specs]:
    """A daemon that has reconciled each of these scale sets, all of them as declared."""
    merge(remote, *(spec(name, OLD) for name in NAMES))
    azure = Simulator.load(fleet(*(scale_set(name, capacity=1) for name in NAMES)), VirtualClock())
    specs = Specs(Git(remote.repository()), azure.clock.now)
    session = Session(credential=Token(), transport=azure.transport(), now=azure.clock.now)
    reconciler = Reconciler(specs, Compute(session), Settings())
    for key in reconciler.sweep():
        reconciler.reconcile(key)
    assert reconciler.sweep() == ()
    return reconciler, specs


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn.make(tmp_path / "bin")
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(spec("web-07", NEW), id="another image"),
        pytest.param(spec("web-07", OLD, interval="4m"), id="another interval"),
    ],
)
def test_a_commit_that_changes_one_spec_costs_one_of_each(
    empty: Remote, standin: StandIn, changed: Mapping[str, Any]
) -> None:
    reconciler, specs = settled(empty)
    assert len(standin.take_blobs()) == len(NAMES)
    before = {id(each) for each in specs.scale_sets}
    commit = merge(empty, changed)
    assert [key.rpartition("/")[2] for key in reconciler.sweep()] == ["web-07"]
    assert len(standin.take_blobs()) == 1
    assert [each.name for each in specs.scale_sets if id(each) not in before] == ["web-07"]
    assert specs.commit == commit


def test_a_commit_with_an_error_in_one_spec_reads_one_blob_and_reconciles_nothing(
    empty: Remote, standin: StandIn
) -> None:
    reconciler, specs = settled(empty)
    standin.take_blobs()
    commit = merge(empty, spec("web-07", OLD, interval="soon"))
    assert (reconciler.sweep(), len(standin.take_blobs())) == ((), 1)
    assert specs.refused
    assert specs.refused.commit == commit


def test_a_commit_that_changes_no_spec_reads_no_blob_and_reconciles_nothing(
    empty: Remote, standin: StandIn
) -> None:
    reconciler, specs = settled(empty)
    standin.take_blobs()
    empty.write("README.md", "about the fleet\n")
    commit = empty.push()
    assert (reconciler.sweep(), standin.take_blobs(), specs.commit) == ((), [], commit)
