"""Whose approval is enough."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.rollout.approval import objection
from reconciler.rollout.decide import decide
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Need, Observed
from reconciler.rollout.persisted import PersistedState, Signature
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.spec.author import Author
from reconciler.spec.scale_set import Approval, Approver, ScaleSet
from tests.build import NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec

ADA, BOB = Author("Ada Löwe", "ada@example.com"), Author("Bob", "bob@example.com")
AT = "at 2026-01-05 09:00 UTC"
ANOTHER = spec(approval=Approval.START, approver=Approver.ANOTHER)
ANYONE = spec(approval=Approval.START)
UNKNOWN = "24.04.202601140 was approved, but rollout.approver requires the approver's name, and none is recorded; run `reconciler approve web` again"


def by(name: str, through: str = "") -> PersistedState:
    return PersistedState(approved=NEW, signature=Signature.of(NEW, name, NOW, through))


def wrote(who: str, signed: str) -> str:
    return (
        f"{who}, who approved 24.04.202601140{signed} {AT}, also wrote the commit that declares it; "
        "another person must run `reconciler approve web`"
    )


@pytest.mark.parametrize(
    ("desired", "persisted", "authors", "said"),
    [
        pytest.param(
            ANYONE,
            PersistedState(),
            None,
            "24.04.202601140 needs approval; run `reconciler approve web`",
            id="nobody has approved it",
        ),
        pytest.param(
            ANOTHER,
            PersistedState(),
            None,
            "24.04.202601140 needs approval by someone other than its author; run `reconciler approve web`",
            id="nobody has, and another is asked for",
        ),
        pytest.param(
            ANOTHER,
            PersistedState(approved=OLD, signature=Signature.of(OLD, "bob", NOW)),
            (ADA,),
            "24.04.202601140 needs approval by someone other than its author; run `reconciler approve web`",
            id="another image is approved",
        ),
        pytest.param(ANYONE, by("ada@example.com"), None, None, id="anyone, whoever the author is"),
        pytest.param(
            ANYONE, PersistedState(approved=NEW), None, None, id="anyone, as an older version wrote it"
        ),
        pytest.param(ANOTHER, by("bob@example.com"), (ADA,), None, id="another"),
        pytest.param(
            ANOTHER, by("bob@example.com"), None, Need.AUTHORS, id="another, as far as is known yet"
        ),
        pytest.param(
            ANOTHER,
            by("ADA@example.com"),
            (ADA,),
            wrote("Ada Löwe <ada@example.com>", " as ADA@example.com"),
            id="the author",
        ),
        pytest.param(
            ANOTHER,
            by("ada löwe"),
            (ADA,),
            wrote("Ada Löwe <ada@example.com>", " as ada löwe"),
            id="the author by name",
        ),
        pytest.param(
            ANOTHER,
            by("bob", "ada@example.com"),
            (ADA,),
            wrote("Ada Löwe <ada@example.com>", " as bob through ada@example.com"),
            id="the author, who says another name",
        ),
        pytest.param(
            ANOTHER,
            by("ada@example.com", "application 7"),
            (ADA,),
            wrote("Ada Löwe <ada@example.com>", " as ada@example.com through application 7"),
            id="the author, through a pipeline",
        ),
        pytest.param(
            ANOTHER,
            by("bob@example.com"),
            (ADA, BOB),
            wrote("Bob <bob@example.com>", " as bob@example.com"),
            id="one of two authors",
        ),
        pytest.param(ANOTHER, by("application 7"), (ADA,), None, id="an application"),
        pytest.param(ANOTHER, PersistedState(approved=NEW), (ADA,), UNKNOWN, id="nobody known"),
        pytest.param(ANOTHER, by(""), (ADA,), UNKNOWN, id="a token that tells nothing"),
        pytest.param(
            ANOTHER,
            PersistedState(approved=NEW, signature=Signature.of(OLD, "bob", NOW)),
            (ADA,),
            UNKNOWN,
            id="a signature of another image",
        ),
        pytest.param(
            ANOTHER,
            by("bob@example.com"),
            (),
            f"24.04.202601140 was approved by bob@example.com {AT}, but rollout.approver cannot be checked, because the author of the commit is unknown; "
            "read the specs from git, with their history",
            id="an author that nobody knows",
        ),
        pytest.param(ANOTHER, by("bob"), (Author("", ""),), None, id="an author without a name"),
    ],
)
def test_which_approval_is_sufficient(
    desired: ScaleSet,
    persisted: PersistedState,
    authors: tuple[Author, ...] | None,
    said: str | Need | None,
) -> None:
    assert objection(desired, persisted, authors) == said


DRIFTED = {"model": model(image=OLD, persisted=by("ada@example.com")), "gates": None}
SICK = {
    "model": model(persisted=by("ada@example.com")),
    "instances": fleet(instance(0), outdated(1, health="unhealthy", since=NOW - timedelta(hours=1))),
    "gates": (),
}


@pytest.mark.parametrize(
    ("approval", "seen"),
    [
        pytest.param(Approval.START, observed(**DRIFTED), id="before the model is set"),
        pytest.param(
            Approval.CANARY,
            observed(**{**SICK, "instances": fleet(instance(0))}),
            id="after the canary",
        ),
        pytest.param(Approval.START, observed(**SICK), id="before what is unhealthy gets it"),
    ],
)
def test_the_authors_are_read_only_if_they_decide(approval: Approval, seen: Observed) -> None:
    assert decide(spec(approval=approval, approver=Approver.ANOTHER), seen) is Need.AUTHORS
    assert decide(spec(approval=approval), seen) is not Need.AUTHORS


@pytest.mark.parametrize(
    ("authors", "is_taken"),
    [pytest.param((BOB,), True, id="another than the author"), pytest.param((ADA,), False, id="the author")],
)
def test_remediation_passes_no_approval_that_is_not_enough(
    authors: tuple[Author, ...], *, is_taken: bool
) -> None:
    closed = Gate("dependencies", "db is Failing", Reason.DEPENDENCY_NOT_READY)
    seen = observed(**{**SICK, "gates": (closed,)}, authors=authors)
    found = decided(spec(approval=Approval.START, approver=Approver.ANOTHER), seen)
    assert (found.step == Upgrade(("1",), NEW)) is is_taken
    assert found.reason is (Reason.UPGRADING if is_taken else Reason.AWAITING_APPROVAL)


def test_an_approval_does_not_count_where_the_fleet_bars_it() -> None:
    barred = replace(ANYONE, fleet=replace(ANYONE.fleet, barred=frozenset({"approve"})))
    found = objection(barred, PersistedState(approved=NEW), None)
    assert found == (
        "24.04.202601140 needs approval, but spec.barredCommands of the Fleet bars `reconciler approve`; merge a "
        "commit instead"
    )
