"""Revisions: what is one and the same, and what a decision was about."""

import subprocess
import sys
from typing import Any

import pytest

from reconciler.daemon.revision import Revision
from reconciler.daemon.state import ScaleSetState
from reconciler.spec.problem import Place
from reconciler.spec.suspension import Suspension
from tests.build import FIX, spec
from tests.daemon.states import state

ONE = Revision.of(spec(), "a1")


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(spec(), True, id="no change"),
        pytest.param(spec(labels={"env": "dev"}), True, id="another label"),
        pytest.param(spec(place=Place("other.yaml", 7)), True, id="another line of the file"),
        pytest.param(spec("front", target=spec().target), True, id="another name"),
        pytest.param(spec(image=FIX), False, id="another image"),
        pytest.param(spec(suspend=Suspension()), False, id="suspended"),
        pytest.param(spec(wave=1), False, id="another wave"),
    ],
)
def test_which_changes_of_a_spec_change_its_revision(other: Any, is_same: bool) -> None:
    assert (Revision.of(other, "a1") == ONE) is is_same
    assert Revision.of(other, "b2") != ONE


def test_every_process_computes_the_same_revision() -> None:
    code = "from tests.build import spec; from reconciler.daemon.revision import Revision; print(Revision.of(spec(), 'a1').spec)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ONE.spec


@pytest.mark.parametrize(
    ("known", "observed"),
    [
        pytest.param(ScaleSetState(spec(), "a1"), None, id="no decision yet"),
        pytest.param(state(concluded=ONE), ONE, id="the current spec was decided on"),
        pytest.param(
            state(image=FIX, commit="b2", concluded=ONE), ONE, id="the current spec was not decided on yet"
        ),
        pytest.param(
            state(commit="b2", concluded=ONE),
            Revision.of(spec(), "b2"),
            id="a commit without changes for it counts as observed",
        ),
    ],
)
def test_the_observed_revision(known: ScaleSetState, observed: Revision | None) -> None:
    assert known.observed_revision == observed
