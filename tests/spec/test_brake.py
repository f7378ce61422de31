"""Holds in files with errors: which are in force, for which scale sets, and why."""

from typing import Any

import pytest
import yaml

from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.hold import Hold, apply_holds
from reconciler.spec.suspension import Suspension
from tests.stories.world import of_all, spec

BROKEN = File("specs/broken.yaml", b"kind: [")
INVALID_FREEZE = Suspension("spec.freeze is invalid and counts as true")
INVALID_SUSPENSION = Suspension("spec.suspend is invalid and counts as true")


def files(*documents: dict[str, Any]) -> list[File]:
    return [File("specs/all.yaml", yaml.safe_dump_all(documents).encode()), BROKEN]


@pytest.mark.parametrize(
    ("documents", "holds"),
    [
        pytest.param([of_all(freeze=True)], [Hold(None, Suspension())], id="a freeze"),
        pytest.param([of_all(freeze=False)], [], id="no freeze"),
        pytest.param([of_all(maxChange="50%")], [], id="a Fleet without the field freeze"),
        pytest.param(
            [of_all(freeze={"reason": "outage", "by": "ada@example.com"})],
            [Hold(None, Suspension("outage", "ada@example.com"))],
            id="a freeze with its reason",
        ),
        pytest.param(
            [of_all(freeze="yes please")],
            [Hold(None, INVALID_FREEZE)],
            id="a freeze that is neither a boolean nor a mapping",
        ),
        pytest.param(
            [of_all(freeze={"reason": "outage", "until": "tomorrow"})],
            [Hold(None, INVALID_FREEZE)],
            id="a mistake below the freeze",
        ),
        pytest.param([of_all(freeze=None)], [Hold(None, INVALID_FREEZE)], id="an empty freeze"),
        pytest.param(
            [of_all(freeze=True, maxChange="half")],
            [Hold(None, Suspension())],
            id="an error in another field than the freeze",
        ),
        pytest.param([of_all(maxChange="half")], [], id="an error in a Fleet without a freeze"),
        pytest.param([spec(suspend=True)], [Hold("web", Suspension())], id="a suspension"),
        pytest.param(
            [spec(suspend="yes")], [Hold("web", INVALID_SUSPENSION)], id="a suspension with an error"
        ),
        pytest.param(
            [spec(suspend=True, intervall="1h")],
            [Hold("web", Suspension())],
            id="an error in another field than the suspension",
        ),
        pytest.param(
            [spec(), spec("db", suspend="yes")],
            [Hold("db", INVALID_SUSPENSION)],
            id="a suspension of one of two scale sets in a file",
        ),
        pytest.param([spec() | {"metadata": {"name": 7}}], [], id="a scale set without a name"),
    ],
)
def test_the_brakes_of_files_one_of_which_is_broken(
    documents: list[dict[str, Any]], holds: list[Hold]
) -> None:
    assert list(declare(files(*documents)).holds) == holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        pytest.param("freeze: true\n  freeze: false", [Hold(None, INVALID_FREEZE)], id="a duplicate freeze"),
        pytest.param(
            "freeze: true\n  maxChange: 5\n  maxChange: 6",
            [Hold(None, Suspension())],
            id="a duplicate field other than the freeze",
        ),
    ],
)
def test_a_hold_in_a_document_with_a_duplicate_field(text: str, holds: list[Hold]) -> None:
    head = "apiVersion: vmss-reconciler/v1alpha1\nkind: Fleet\nmetadata: {name: fleet}\nspec:\n  "
    assert list(declare([File("fleet.yaml", (head + text).encode())]).holds) == holds


def test_an_existing_hold_stays_in_force() -> None:
    old = declare(files(spec(suspend={"reason": "load test"}), spec("db"))[:1]).scale_sets
    web, db = apply_holds(old, [Hold("db", Suspension("outage")), Hold(None, Suspension("all"))])
    assert (web.suspend, db.suspend) == (Suspension("load test"), Suspension("outage"))
    assert web.fleet.freeze == db.fleet.freeze == Suspension("all")
    assert apply_holds([web, db], []) == (web, db)
