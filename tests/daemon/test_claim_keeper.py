"""The permission to write that follows from a claim."""

from datetime import timedelta

import pytest

from reconciler.azure.failure import NotLeading
from reconciler.azure.session import Session
from reconciler.daemon.claim_keeper import ClaimKeeper, NotClaimed
from reconciler.rollout.claim import CLAIM
from reconciler.rollout.step import Upgrade
from reconciler.spec.scale_set import Target
from tests.build import NEW, OLD
from tests.stories.world import BASE, SUBSCRIPTION, World, fleet, scale_set, spec
from tests.token import Token

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TARGET = Target(SUBSCRIPTION, "shop", "web")


def test_without_a_claim_nothing_may_be_written() -> None:
    assert not ClaimKeeper("ada").permits_write(SECOND, 1)


@pytest.mark.parametrize(
    ("later", "permits"),
    [
        pytest.param(0 * SECOND, True, id="right after it was taken"),
        pytest.param(MINUTE - 12 * SECOND, True, id="as long before its end as a write may take"),
        pytest.param(MINUTE - 11 * SECOND, False, id="a second later than that"),
        pytest.param(MINUTE, False, id="at its end"),
    ],
)
def test_a_write_must_end_before_the_claim_does(later: timedelta, permits: bool) -> None:
    world = World(fleet(scale_set(capacity=1)), spec())
    transport = world.azure.transport()
    session = Session(credential=Token(), transport=transport, now=world.clock.now)
    claim = ClaimKeeper("ada")
    session.fence(claim, "the claim")
    azure = world.compute(session)
    claim.take(azure, TARGET, MINUTE)
    world.clock.advance(later)
    step = Upgrade(("0",), NEW)
    if permits:
        azure.take(TARGET, step)
    else:
        with pytest.raises(NotLeading, match="the claim expired, or was about to"):
            azure.take(TARGET, step)
    sent = [each for each in world.azure.record.requests if each.operation.endswith("UpdateInstances")]
    assert bool(sent) == permits


def test_a_claim_that_is_no_longer_ours_is_left_to_its_holder() -> None:
    world = World(fleet(scale_set(capacity=1)), spec())
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    claim = ClaimKeeper("ada")
    claim.take(world.compute(session), TARGET, MINUTE)
    other = "holder=2;by=bob;until=2026-01-05T09:09:00+00:00"
    world.azure.scale_set("web").set_tags({CLAIM: other})
    claim.give_back(TARGET)
    assert world.azure.scale_set("web").tags[CLAIM] == other


def test_nothing_is_written_while_azure_changes_the_scale_set() -> None:
    world = World(fleet(scale_set(capacity=1)), spec())
    azure = world.compute(Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now))
    claim, web = ClaimKeeper("ada"), world.azure.scale_set("web")

    def change(version: str) -> None:
        web.set_image(f"{':'.join(BASE.values())}:{version}")

    def settle() -> None:
        while web.provisioning_state != "Succeeded":
            world.clock.advance(SECOND)

    change(NEW.version)
    with pytest.raises(NotClaimed, match="Azure is updating the scale set; try again when it has finished"):
        claim.take(azure, TARGET, MINUTE)
    settle()
    until = claim.take(azure, TARGET, MINUTE)
    settle()
    change(OLD.version)
    assert claim.take(azure, TARGET, MINUTE) == until
    settle()
    assert claim.take(azure, TARGET, MINUTE) > until
