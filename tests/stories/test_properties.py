"""Safety and liveness, from any state that an interruption, people and bad luck can leave a scale set in."""

from collections.abc import Hashable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.simulator import Domain
from tests.stories.world import BASE, NEW, OLD, World, fleet, platform, scale_set, spec

OLD_URN = f"{':'.join(BASE.values())}:{OLD}"
NEW_URN = f"{':'.join(BASE.values())}:{NEW}"

# How an instance may be found: on which image, and in what state.
FOUND: list[dict[str, Any]] = [
    {},  # as the model is
    {"image": OLD_URN},
    {"image": NEW_URN},
    {"image": OLD_URN, "health": "unhealthy"},
    {"image": OLD_URN, "provisioning": "failed"},
    {"image": OLD_URN, "power": "deallocated"},
    {"image": NEW_URN, "power": "deallocated"},
    {"image": OLD_URN, "latestModelApplied": False},
]

TOPOLOGIES: list[tuple[dict[str, Any], str]] = [
    ({}, "auto"),
    ({"placementGroupSize": 4}, "auto"),
    ({"zones": ["1", "2", "3"]}, "auto"),
    ({"zones": ["1", "2", "3"]}, "zone"),
    ({"zones": ["1", "2"], "zonalUpdateDomains": False}, "auto"),
    ({"faultDomains": 3}, "faultDomain"),
    ({}, "batch"),
]


@st.composite
def interrupted(draw: st.DrawFn) -> tuple[World, str, int]:
    """A world in any state, the ordering its spec goes by, and after how many steps the daemon is killed."""
    topology, by = draw(st.sampled_from(TOPOLOGIES))
    capacity = draw(st.integers(1, 16))
    states = [
        {"id": str(number)} | draw(st.sampled_from(FOUND))
        for number in range(capacity)
        if draw(st.booleans())
    ]
    found = scale_set(
        capacity=capacity,
        image=platform(draw(st.sampled_from([OLD, NEW]))),
        health=draw(st.sampled_from(["extension", "probe", "none"])),
        instanceStates=[state for state in states if len(state) > 1],
        protected=[str(number) for number in draw(st.sets(st.integers(0, capacity - 1), max_size=2))],
        **topology,
    )
    batch = draw(st.sampled_from(["20%", "100%", 1, 3]))
    world = World(fleet(found), spec(rollout={"by": by, "maxBatch": batch}))
    return world, by, draw(st.integers(0, 40))


def key(by: str) -> Any:
    """What counts as one domain under an ordering."""

    def of(domain: Domain) -> Hashable:
        if by == "batch":
            return "all"
        if by == "faultDomain":
            return (domain.zone, domain.placement_group, domain.fault_domain)
        return (domain.zone, domain.placement_group, domain.update_domain)

    return of


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(interrupted())
def test_from_any_state_a_rollout_finishes_and_never_has_two_domains_away(
    found: tuple[World, str, int],
) -> None:
    world, by, steps = found
    for _ in range(steps):
        world.step()
    world.restart()
    world.run(limit=timedelta(hours=24))

    assert world.azure.record.most_domains_away("web", key=key(by)) <= 1
    stays = {
        each.id
        for each in world.azure.scale_set("web").instances
        if each.state[1] == "deallocated" or each.id in world.declared["scaleSets"][0]["protected"]
    }
    images = world.azure.record.images("web")
    assert {id_ for id_, image in images.items() if image != NEW_URN} <= stays
    assert world.lines()["web"].startswith(("UpToDate: ", "InstancesLeftOut: "))

    upgrades = [
        x.body["instanceIds"] for x in world.azure.record.requests if x.operation == "scaleSets.manualUpgrade"
    ]
    assert all(upgrades), "an empty list of instance ids reached Azure"
    asked = len(world.requests())
    world.rest(timedelta(minutes=30))
    assert set(world.requests()[asked:]) <= {"scaleSets.list"}, "a settled fleet was not left in peace"
