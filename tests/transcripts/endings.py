"""How each situation must end, said apart from its transcript: one that is written anew without a look at it is caught.

The reason of the last line about each scale set, how many instances run which image, and how many writes it took.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.stories.fleets import reason
from tests.stories.world import BAD, FIX, NEW, OLD, World


@dataclass(frozen=True, slots=True)
class Ending:
    """`scale_sets` are the reason and the images by name, of those that are shown; `rest` the reasons of all others."""

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
    # pay, which asks for a way back, is not begun, and says why; web is.
    "a-set-of-one-on-its-first-rollout": Ending(
        {"pay": ("NoWayBack", {OLD: 1}), "web": ("UpToDate", {NEW: 1})}, patches=1, upgrades=1
    ),
    # A batch of two heals; so the other four follow, one domain at a time, and those that serve wait for Saturday.
    "the-new-image-is-the-cure": _of_web("OutsideWindow", {NEW: 6, OLD: 4}, patches=1, upgrades=5),
    "the-new-image-is-no-cure": _of_web("TooManyUnhealthy", {BAD: 2, OLD: 8}, patches=1, upgrades=1),
    "an-image-that-is-fine-in-dev-and-bad-in-prod": Ending(
        {
            "dev": ("UpToDate", {NEW: 2}),
            "prod-00": ("HealthCheckFailed", {NEW: 1, OLD: 1}),
            "prod-01": ("ImageFailedElsewhere", {OLD: 2}),
        },
        patches=3,  # one of the tags alone: that the image failed
        upgrades=3,
        rest={"ImageFailedElsewhere": 38},
    ),
    # There and back, the fix, and the version after the fix: all of it in s00.
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
    "the-one-that-failed-is-suspended": Ending(
        {
            "a": ("HealthCheckFailed", {BAD: 1}),
            "b": ("ImageFailedElsewhere", {OLD: 2}),
            "c": ("ImageFailedElsewhere", {OLD: 2}),
        },
        patches=2,  # one of the tags alone
        upgrades=1,
    ),
    "one-host-fails-in-a-large-fleet": Ending(
        {"s05": ("HealthCheckFailed", {NEW: 1, OLD: 1}), "s29": ("UpToDate", {NEW: 1})},
        patches=31,  # one of the tags alone
        upgrades=30,
        rest={"UpToDate": 28},
    ),
    "the-next-is-the-pilot-where-others-cannot-begin": Ending(
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
    # There and back, without an approval of the way back.
    "a-sick-instance-returns-though-all-await-approval": _of_web(
        "RolloutFailed", {OLD: 5}, patches=2, upgrades=2
    ),
    # The next image is no fix: it waits for Saturday.
    "a-deadline-passes-because-nobody-approved": _of_web(
        "OutsideWindow", {NEW: 1, OLD: 4}, patches=1, upgrades=1
    ),
    "the-next-version-after-a-rollback": Ending(
        {"a": ("UpToDate", {FIX: 2}), "b": ("UpToDate", {FIX: 2})}, patches=4, upgrades=6
    ),
    "a-fix-behind-a-check-that-the-bad-image-closes": _of_web("UpToDate", {FIX: 5}, patches=3, upgrades=6),
    "a-revert-of-more-than-max-change-allows": Ending(
        {name: ("UpToDate", {OLD: 2}) for name in "abc"}, patches=6, upgrades=12
    ),
    # web_19 and the batch of four went there, and came back.
    "a-bad-batch-as-the-window-closes": _of_web("RolloutFailed", {OLD: 20}, patches=2, upgrades=4),
    # One of the two returns; a repair replaces the other, by then onto the good image.
    "repairs-replace-the-sick-again-and-again": _of_web("RolloutFailed", {OLD: 6}, patches=2, upgrades=2),
    "an-autoscaler-doubles-onto-a-bad-image": _of_web("RolloutFailed", {OLD: 8}, patches=2, upgrades=5),
    "a-restart-in-the-middle-of-a-bad-batch": _of_web("RolloutFailed", {OLD: 10}, patches=2, upgrades=2),
    "a-handover-in-the-middle-of-a-bad-batch": _of_web("RolloutFailed", {OLD: 10}, patches=2, upgrades=2),
    "a-soak-of-two-hours-and-a-restart-every-hour": _of_web("UpToDate", {NEW: 2}, patches=1, upgrades=2),
    "a-canary-that-is-sick-five-minutes-in-twenty": _of_web("RolloutFailed", {OLD: 5}, patches=2, upgrades=2),
    "an-image-that-cannot-boot": _of_web("RolloutFailed", {OLD: 5}, patches=2, upgrades=2),
    "one-healthy-instance-of-twenty-in-dev": Ending(
        {"dev": ("HealthCheckFailed", {NEW: 20}), "prod": ("DependencyNotReady", {OLD: 2})},
        patches=1,
        upgrades=5,
    ),
    "the-database-falls-sick-in-the-middle-of-a-rollout": Ending(
        {"database": ("UpToDate", {NEW: 5}), "web": ("UpToDate", {NEW: 5})}, patches=1, upgrades=5
    ),
    "a-set-for-disasters-has-no-instances": Ending(
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
    # In half an hour ten tries, and four more once web itself changes.
    "a-merge-every-two-minutes-elsewhere": Ending(
        {"web": ("Conflict", {OLD: 5})}, patches=14, upgrades=0, rest={"UpToDate": 1}
    ),
    "no-room-for-a-tag": Ending(
        {"api": ("UpToDate", {NEW: 2}), "pay": ("TooManyTags", {OLD: 2}), "web": ("UpToDate", {NEW: 2})},
        patches=2,
        upgrades=4,
    ),
}
