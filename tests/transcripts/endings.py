"""How each situation must end. Written by hand, so that a transcript that was rewritten without a review fails.

The reason of the last line of each scale set, how many instances run each image, and the number of writes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.stories.fleets import reason
from tests.stories.world import BAD, FIX, NEW, OLD, World


@dataclass(frozen=True, slots=True)
class Ending:
    """`scale_sets` maps each scale set that is shown to its reason and its images. `rest` counts the reasons of the others."""

    scale_sets: Mapping[str, tuple[str, Mapping[str, int]]]
    patches: int
    upgrades: int
    rest: Mapping[str, int] | None = None

    @classmethod
    def of(cls, world: World, shown: frozenset[str]) -> Self:
        names = world.lines()
        requests = Counter(world.requests())
        return cls(
            {name: (reason(world, name), _images(world, name)) for name in names if name in shown},
            requests["VirtualMachineScaleSets_Update"],
            requests["VirtualMachineScaleSets_UpdateInstances"],
            Counter(reason(world, name) for name in names if name not in shown) or None,
        )


def _images(world: World, name: str) -> Mapping[str, int]:
    return Counter(each.image.rpartition(":")[2] for each in world.azure.scale_set(name).instances)


def _of_web(reason: str, images: Mapping[str, int], patches: int, upgrades: int) -> Ending:
    return Ending({"web": (reason, images)}, patches, upgrades)


ENDINGS: Mapping[str, Ending] = {
    # pay requires a rollback target, so its rollout does not begin. That of web does.
    "a-first-rollout-of-one-instance": Ending(
        {"pay": ("NoWayBack", {OLD: 1}), "web": ("UpToDate", {NEW: 1})}, patches=1, upgrades=1
    ),
    # A batch of two becomes healthy. The other four follow, one domain at a time. Serving instances wait for Saturday.
    "the-new-image-remediates-unhealthy-instances": _of_web(
        "OutsideWindow", {NEW: 6, OLD: 4}, patches=1, upgrades=5
    ),
    "the-new-image-does-not-help-unhealthy-instances": _of_web(
        "TooManyUnhealthy", {BAD: 2, OLD: 8}, patches=1, upgrades=1
    ),
    "an-image-that-is-good-in-dev-and-bad-in-prod": Ending(
        {
            "dev": ("UpToDate", {NEW: 2}),
            "prod-00": ("HealthCheckFailed", {NEW: 1, OLD: 1}),
            "prod-01": ("ImageFailedElsewhere", {OLD: 2}),
        },
        patches=3,  # one of them sets only the tag that records the failure
        upgrades=3,
        rest={"ImageFailedElsewhere": 38},
    ),
    # s00 alone is upgraded: to the bad image and back, to the fix, and to the version after the fix.
    "a-fix-is-merged-for-one-of-thirty": Ending(
        {
            "s00": ("UpToDate", {NEW: 2}),
            "s01": ("ImageFailedElsewhere", {OLD: 2}),
            "s29": ("ImageFailedElsewhere", {OLD: 2}),
        },
        patches=4,
        upgrades=6,
        rest={"ImageFailedElsewhere": 27},
    ),
    "the-failed-scale-set-is-suspended": Ending(
        {
            "a": ("HealthCheckFailed", {BAD: 1}),
            "b": ("ImageFailedElsewhere", {OLD: 2}),
            "c": ("ImageFailedElsewhere", {OLD: 2}),
        },
        patches=2,  # one of them sets only the tag
        upgrades=1,
    ),
    "one-host-fails-in-a-large-fleet": Ending(
        {"s05": ("HealthCheckFailed", {NEW: 1, OLD: 1}), "s29": ("UpToDate", {NEW: 1})},
        patches=31,  # one of them sets only the tag
        upgrades=30,
        rest={"UpToDate": 28},
    ),
    "the-pilot-is-the-first-that-can-begin": Ending(
        {
            "a": ("Suspended", {OLD: 2}),
            "b": ("AwaitingApproval", {OLD: 2}),
            "c": ("UpToDate", {}),
            "d": ("UpToDate", {NEW: 2}),
            "e": ("DependencyNotReady", {OLD: 2}),
            "f": ("UpToDate", {NEW: 2}),
            "z": ("Suspended", {OLD: 2}),
        },
        patches=3,
        upgrades=4,
    ),
    "the-pilot-is-suspended": Ending(
        {
            "a": ("Suspended", {NEW: 1, OLD: 1}),
            "b": ("UpToDate", {NEW: 2}),
            "c": ("UpToDate", {NEW: 2}),
        },
        patches=3,
        upgrades=5,
    ),
    # To the bad image and back. The rollback needs no approval.
    "a-rollback-waits-for-no-approval": _of_web("RolloutFailed", {OLD: 5}, patches=2, upgrades=2),
    # The next image is not a fix, so it waits for Saturday.
    "a-deadline-passes-while-approval-is-awaited": _of_web(
        "OutsideWindow", {NEW: 1, OLD: 4}, patches=1, upgrades=1
    ),
    "the-next-version-after-a-rollback": Ending(
        {"a": ("UpToDate", {FIX: 2}), "b": ("UpToDate", {FIX: 2})}, patches=4, upgrades=6
    ),
    "a-fix-while-the-bad-image-fails-a-check": _of_web("UpToDate", {FIX: 5}, patches=3, upgrades=6),
    "a-revert-of-more-than-max-change-allows": Ending(
        {name: ("UpToDate", {OLD: 2}) for name in "abc"}, patches=6, upgrades=12
    ),
    # One batch for ada, two for bob, and one for what is left of each domain.
    "a-domain-picked-by-hand": _of_web("UpToDate", {NEW: 10}, patches=1, upgrades=7),
    # web_19 and the batch of four are upgraded and rolled back.
    "a-bad-batch-before-the-window-closes": _of_web("RolloutFailed", {OLD: 20}, patches=2, upgrades=4),
    # One of the two is rolled back. A repair replaces the other one, by then on the good image.
    "repairs-replace-unhealthy-instances-repeatedly": _of_web(
        "RolloutFailed", {OLD: 6}, patches=2, upgrades=2
    ),
    "an-autoscaler-scales-out-on-a-bad-image": _of_web("RolloutFailed", {OLD: 8}, patches=2, upgrades=5),
    "a-restart-during-a-bad-batch": _of_web("RolloutFailed", {OLD: 10}, patches=2, upgrades=2),
    "a-handover-during-a-bad-batch": _of_web("RolloutFailed", {OLD: 10}, patches=2, upgrades=2),
    "a-soak-of-two-hours-and-a-restart-every-hour": _of_web("UpToDate", {NEW: 2}, patches=1, upgrades=2),
    "a-canary-that-is-unhealthy-five-minutes-in-twenty": _of_web(
        "RolloutFailed", {OLD: 5}, patches=2, upgrades=2
    ),
    "an-image-whose-provisioning-fails": _of_web("RolloutFailed", {OLD: 5}, patches=2, upgrades=2),
    "only-one-of-twenty-instances-in-dev-is-healthy": Ending(
        {"dev": ("HealthCheckFailed", {NEW: 20}), "prod": ("DependencyNotReady", {OLD: 2})},
        patches=1,
        upgrades=5,
    ),
    "a-database-becomes-unhealthy-during-a-rollout": Ending(
        {"database": ("UpToDate", {NEW: 5}), "web": ("UpToDate", {NEW: 5})}, patches=1, upgrades=5
    ),
    "a-standby-scale-set-has-no-instances": Ending(
        {
            "dev": ("UpToDate", {NEW: 2}),
            "dr": ("UpToDate", {}),
            "prod-1": ("UpToDate", {NEW: 2}),
            "prod-2": ("UpToDate", {NEW: 2}),
        },
        patches=4,
        upgrades=6,
    ),
    "dev-is-scaled-to-zero-for-the-night": Ending(
        {
            "dev": ("UpToDate", {}),
            "prod-1": ("UpToDate", {NEW: 2}),
            "prod-2": ("UpToDate", {NEW: 2}),
        },
        patches=3,
        upgrades=6,
    ),
    # Ten tries in half an hour, and four more once the spec of web changes.
    "merges-for-another-scale-set-every-two-minutes": Ending(
        {"web": ("Conflict", {OLD: 5})}, patches=14, upgrades=0, rest={"UpToDate": 1}
    ),
    "no-room-for-a-tag": Ending(
        {"api": ("UpToDate", {NEW: 2}), "pay": ("TooManyTags", {OLD: 2}), "web": ("UpToDate", {NEW: 2})},
        patches=2,
        upgrades=4,
    ),
}
