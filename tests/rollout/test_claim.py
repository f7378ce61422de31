"""A claim of `reconciler upgrade`: its tag, how long it holds, and what the next write leaves of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.rollout.claim import CLAIM, Claim, claim_in, claim_length, claim_text
from reconciler.rollout.decide import decide
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import foreign_claim
from reconciler.rollout.step import PatchModel
from tests.build import NOW, OLD, fleet, model, observed, spec

MINUTE = timedelta(minutes=1)
LENGTH = claim_length(spec().health.timeout)
CLAIMED = Claim("4f0c", "ada", NOW + MINUTE)
OVER, FORGED = (
    replace(CLAIMED, until=NOW),
    replace(CLAIMED, until=NOW + LENGTH + timedelta(hours=1, seconds=1)),
)


@pytest.mark.usefixtures("tokyo")
def test_the_tag_gives_the_claim_back() -> None:
    text = claim_text(CLAIMED)
    assert text == "holder=4f0c;by=ada;until=2026-01-05T09:01:00+00:00"
    assert claim_in({CLAIM.upper(): text}) == CLAIMED
    assert claim_in({"team": text}) is None


@pytest.mark.parametrize(
    ("claim", "is_kept"),
    [
        pytest.param(CLAIMED, True, id="it holds"),
        pytest.param(OVER, False, id="it is over"),
        pytest.param(FORGED, False, id="it ends too late"),
        pytest.param(None, True, id="there is none"),
    ],
)
def test_what_the_next_write_leaves_of_a_claim(claim: Claim | None, is_kept: bool) -> None:
    state = PersistedState(fleet="shop", claim=claim)
    left = state.without_expired_claim(NOW, LENGTH)
    assert left == (state if is_kept else PersistedState(fleet="shop"))


@pytest.mark.parametrize(
    ("claim", "left"),
    [pytest.param(OVER, None, id="it is over"), pytest.param(CLAIMED, CLAIMED, id="our own still holds")],
)
def test_what_a_change_of_the_model_leaves_of_a_claim(claim: Claim, left: Claim | None) -> None:
    seen = observed(
        model=model(image=OLD, persisted=PersistedState(claim=claim)),
        holder="4f0c",
        instances=fleet(rest="outdated"),
    )
    decision = decide(spec(), seen)
    step = getattr(decision, "step", None)
    assert isinstance(step, PatchModel), decision
    assert step.persisted is not None
    assert step.persisted.claim == left


@pytest.mark.parametrize(
    ("by", "who"),
    [
        pytest.param("ada", "ada is running", id="by name"),
        pytest.param("", "someone is running", id="by nobody known"),
    ],
)
def test_a_claim_of_another_process_names_its_person(by: str, who: str) -> None:
    held = model(persisted=PersistedState(claim=replace(CLAIMED, by=by)))
    refused = foreign_claim(held, holder="2")
    assert refused is not None
    assert refused.reason is Reason.CLAIMED
    assert who in refused.message
