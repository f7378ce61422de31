"""The rollouts that have a transcript. Each docstring introduces its transcript: the fleet, the spec, the events."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from reconciler.simulator import OperationFails
from tests.stories.fleets import is_there
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, fleet, of_all, platform, scale_set, spec
from tests.transcripts import situations_of_fleets, situations_of_one
from tests.transcripts.witness import Witness

MINUTE = timedelta(minutes=1)
URN = ":".join(BASE.values())


def five(**changes: Any) -> dict[str, Any]:
    """One instance in each of five update domains."""
    return scale_set(capacity=5, **changes)


def pair(name: str) -> dict[str, Any]:
    """One instance in each of two update domains."""
    return scale_set(name, capacity=2)


def a_good_rollout() -> Witness:
    """web has ten instances in five update domains. The spec sets nothing but the image."""
    return Witness(fleet(scale_set(capacity=10)), spec()).run()


def upgrades_without_the_updating_state() -> Witness:
    """web has five instances in five update domains. The spec sets nothing but the image. The scale set still
    reports Succeeded while Azure upgrades instances, so the daemon relies on the state of the instances."""
    return Witness(fleet(five(), provisioningStateDuringUpgrade="Succeeded"), spec()).run()


def upgrades_by_zone() -> Witness:
    """web has six instances in three zones, and two update domains in each zone. The spec puts zone 3 first."""
    declared = scale_set(capacity=6, zones=["1", "2", "3"])
    return Witness(fleet(declared), spec(rollout={"order": ["zone 3"]})).run()


def upgrades_by_placement_group() -> Witness:
    """web has six instances in two placement groups. Both groups number their update domains from 0, and equal numbers
    in different groups are different domains. The spec sets nothing but the image."""
    return Witness(fleet(scale_set(capacity=6, placementGroupSize=3)), spec()).run()


def upgrades_of_a_flexible_scale_set() -> Witness:
    """web is a Flexible scale set of six instances in three zones. It has no update domains, and its instances have
    names of their own. The spec sets nothing but the image."""
    declared = scale_set(capacity=6, orchestration="Flexible", zones=["1", "2", "3"])
    return Witness(fleet(declared), spec()).run()


def a_canary_that_fails() -> Witness:
    """web has five instances in five update domains. The spec sets a canary of one instance. The new image makes it
    unhealthy, and the rollout is on hold (onFailure: hold, the default)."""
    world = Witness(fleet(five()), spec(version=BAD, rollout={"canary": {"instances": 1}}))
    return world.run(is_there(world, "HealthCheckFailed")).rest(15 * MINUTE)


def a_failed_rollout_holds_until_its_fix() -> Witness:
    """web has ten instances in five update domains. The new image makes its instances unhealthy, and the rollout is on
    hold (onFailure: hold, the default). A fix is merged, and the unhealthy instances get it first."""
    world = Witness(fleet(scale_set(capacity=10)), spec(version=BAD))
    world.run(is_there(world, "HealthCheckFailed")).rest(2 * MINUTE)
    world.commit(f"a commit sets the image of web to {FIX}", spec(version=FIX))
    return world.run()


def a_failed_rollout_with_rollback() -> Witness:
    """web has ten instances in five update domains. The spec says onFailure: rollback. An instance of the third domain
    becomes unhealthy after its upgrade, and the upgraded instances return in reverse order."""
    world = Witness(fleet(scale_set(capacity=10)), spec(rollout={"onFailure": "rollback"}))
    world.run(lambda: world.has_upgraded(3)).run(is_there(world, "WaitingForInstances"))
    world.note("the application on web_7 stops answering")
    world.azure.scale_set("web").instance("7").sicken()
    return world.run()


def a_failed_rollout_with_repin() -> Witness:
    """web has five instances in five update domains. The spec says onFailure: repin and sets a canary of one instance.
    The new image makes the canary unhealthy. The model returns to the old
    image, and so does the canary. An instance that is added later runs the old image."""
    rollout = {"onFailure": "repin", "canary": {"instances": 1}}
    world = Witness(fleet(five()), spec(version=BAD, rollout=rollout)).run()
    world.note("a person scales web out to six instances")
    world.azure.scale_set("web").scale_to(6)
    return world.rest(5 * MINUTE)


def a_rollout_within_windows() -> Witness:
    """web has five instances in five update domains. The spec has a window that opens at minutes 5 and 25 of every hour,
    for four minutes. The batch in progress when it closes is completed."""
    window = {"kind": "allow", "schedule": "5,25 * * * *", "duration": "4m", "timeZone": "UTC"}
    return Witness(fleet(five()), spec(rollout={"windows": [window]})).run()


def soaks_and_a_bake_time() -> Witness:
    """web has three instances in three update domains. The spec sets a canary of one instance that soaks for ten
    minutes, a soak of three minutes for every other batch, and a bake time of eight minutes."""
    rollout = {"canary": {"instances": 1, "soak": "10m"}, "soak": "3m", "bakeTime": "8m"}
    return Witness(fleet(scale_set(capacity=3)), spec(rollout=rollout)).run()


def an_approval_after_the_canary() -> Witness:
    """web has three instances in three update domains. The spec says approval: canary, so the rollout waits for a person
    after its first batch."""
    world = Witness(fleet(scale_set(capacity=3)), spec(rollout={"approval": "canary"}))
    world.run(is_there(world, "AwaitingApproval")).rest(4 * MINUTE)
    world.note(f"a person approves {NEW}")
    world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": f"{URN}:{NEW}"})
    return world.run()


def an_image_that_never_boots() -> Witness:
    """web has ten instances in five update domains. The new image never boots, so Azure keeps reporting Updating for
    its instances and for the scale set. A fix is merged and is rolled out anyway."""
    declared = fleet(scale_set(capacity=10))
    declared["images"]["bad"] = [{"image": f"{URN}:{BAD}", "boots": "never"}]
    world = Witness(declared, spec(version=BAD))
    world.run(is_there(world, "HealthCheckFailed")).rest(5 * MINUTE)
    world.commit(f"a commit sets the image of web to {FIX}", spec(version=FIX))
    return world.run()


def one_scale_set_at_a_time() -> Witness:
    """a and b have two instances each. The Fleet says maxConcurrentRollouts: 1."""
    return Witness(fleet(pair("a"), pair("b")), of_all(maxConcurrentRollouts=1), spec("a"), spec("b")).run()


def dev_before_prod() -> Witness:
    """dev (wave 0) and prod (wave 1) have two instances each, and one commit sets the image of both. It makes instances
    of dev unhealthy, so it never reaches prod. A fix is merged, and reaches dev and then prod."""

    def both(version: str) -> list[dict[str, Any]]:
        return [spec("dev", version, wave=0), spec("prod", version, wave=1)]

    world = Witness(fleet(pair("dev"), pair("prod")), *both(BAD))
    world.run(is_there(world, "HealthCheckFailed", "dev")).rest(5 * MINUTE)
    world.commit(f"a commit sets the image of dev and prod to {FIX}", *both(FIX))
    return world.run()


def an_urgent_image() -> Witness:
    """dev (wave 0) and prod (wave 1) have two instances each. Both have a window on Saturday, a soak of an hour and a bake
    time of a day. One commit sets the image of both, and the Fleet declares this image urgent for an hour."""
    saturday = {"kind": "allow", "schedule": "0 3 * * SAT", "duration": "4h", "timeZone": "UTC"}
    rollout = {"windows": [saturday], "soak": "1h", "bakeTime": "24h"}
    world = Witness(fleet(pair("dev"), pair("prod")))
    until = (world.clock.now() + 60 * MINUTE).isoformat(timespec="seconds")
    urgent = {"image": platform(NEW), "reason": "CVE-2026-1 is being exploited", "by": "ada", "until": until}
    both = (spec("dev", wave=0, rollout=rollout), spec("prod", wave=1, rollout=rollout))
    world.merge(of_all(urgent=urgent), *both)
    return world.run()


def an_eviction_during_a_rollout() -> Witness:
    """web has five Spot instances in five update domains. The spec sets nothing but the image. An instance that has not
    been upgraded yet is evicted while another one is being upgraded. Later it is started again."""
    world = Witness(fleet(five(spot=True, evictionPolicy="Deallocate")), spec())
    world.run(lambda: world.has_upgraded(2))
    world.note("Azure evicts web_4, which is deallocated")
    world.azure.scale_set("web").instance("4").evict()
    world.run()
    world.note("a person starts web_4")
    world.azure.scale_set("web").instance("4").start()
    return world.rest(2 * MINUTE).run()


def a_manual_change_of_the_model() -> Witness:
    """web has five instances in five update domains. The spec sets nothing but the image. During the rollout a person
    manually sets the image of the model back."""
    world = Witness(fleet(five()), spec())
    world.run(lambda: world.has_upgraded(2)).run(is_there(world, "WaitingForInstances"))
    world.note(f"a person sets the image of the model to {OLD}")
    world.azure.scale_set("web").set_image(f"{URN}:{OLD}")
    return world.run()


def a_restart_during_a_rollout() -> Witness:
    """web has five instances in five update domains. The spec sets nothing but the image. The daemon is killed right after
    it has requested an upgrade, and another one continues."""
    world = Witness(fleet(five()), spec())
    world.run(lambda: world.has_upgraded(2))
    world.note("the daemon is killed, and another one starts")
    world.restart()
    return world.run()


def a_failed_change_of_the_model() -> Witness:
    """web has five instances in five update domains. The spec sets nothing but the image. Azure accepts the PATCH of the
    model, but its operation fails. No instance is upgraded before the PATCH is repeated."""
    world = Witness(fleet(five()), spec())
    failure = OperationFails(
        "MarketplacePurchaseEligibilityFailed", "Marketplace purchase eligibility failed."
    )
    world.azure.faults.arm("VirtualMachineScaleSets_Update", failure)
    return world.run()


ROLLOUTS: dict[str, Callable[[], Witness]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        a_good_rollout,
        upgrades_without_the_updating_state,
        upgrades_by_zone,
        upgrades_by_placement_group,
        upgrades_of_a_flexible_scale_set,
        a_canary_that_fails,
        a_failed_rollout_holds_until_its_fix,
        a_failed_rollout_with_rollback,
        a_failed_rollout_with_repin,
        a_rollout_within_windows,
        soaks_and_a_bake_time,
        an_approval_after_the_canary,
        an_image_that_never_boots,
        one_scale_set_at_a_time,
        dev_before_prod,
        an_urgent_image,
        an_eviction_during_a_rollout,
        a_manual_change_of_the_model,
        a_restart_during_a_rollout,
        a_failed_change_of_the_model,
        *situations_of_one.SITUATIONS,
        *situations_of_fleets.SITUATIONS,
    )
}
