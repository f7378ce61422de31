"""What may happen to an image in several scale sets. Each docstring introduces its transcript."""

from datetime import timedelta
from typing import Any

from tests.stories.fleets import is_there
from tests.stories.world import BAD, FIX, NEW, OLD, fleet, of_all, platform, scale_set, spec
from tests.transcripts.situations_of_one import ROLLBACK, sicken, window
from tests.transcripts.witness import Witness

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def pairs(*names: str, **changes: Any) -> dict[str, Any]:
    """A fleet of scale sets of two instances."""
    return fleet(*(scale_set(name, capacity=2) for name in names), **changes)


def an_image_that_is_good_in_dev_and_bad_in_prod() -> Witness:
    """dev (wave 0) and forty scale sets of prod (wave 1) have two instances each, and one commit sets the image of all. It
    works in dev. In prod, under load, an instance that runs it becomes unhealthy after a minute."""
    prod = [f"prod-{number:02}" for number in range(40)]
    documents = [spec(name, wave=1, rollout={"soak": "10m"}) for name in prod]
    world = Witness(pairs("dev", *prod), spec("dev"), *documents, shown=["dev", "prod-00", "prod-01"])
    world.run(is_there(world, "Soaking", "prod-00"))
    world.note("the application on prod-00_0 breaks down under the load")
    sicken(world, "0", name="prod-00")
    return world.rest(20 * MINUTE)


THIRTY = [f"s{number:02}" for number in range(30)]


def a_fix_is_merged_for_one_of_thirty() -> Witness:
    """Thirty scale sets of two instances declare the same bad image and onFailure: rollback. It fails in the first one. A
    commit declares a fix for that one alone. A later commit declares the version after the fix."""
    world = Witness(
        pairs(*THIRTY), *(spec(name, BAD, rollout=ROLLBACK) for name in THIRTY), shown=["s00", "s01", "s29"]
    )
    world.run(is_there(world, "RolloutFailed", "s00")).rest(2 * MINUTE)
    for version in (FIX, NEW):
        world.commit(f"a commit sets the image of s00 to {version}", spec("s00", version, rollout=ROLLBACK))
        world.rest(20 * MINUTE)
    world.status()
    return world


def the_failed_scale_set_is_suspended() -> Witness:
    """a, b and c have two instances each and declare the same bad image. It fails in a. A person suspends a, resumes it, and
    scales it in to one instance."""
    world = Witness(pairs("a", "b", "c"), *(spec(name, BAD) for name in "abc"))
    world.run(is_there(world, "HealthCheckFailed", "a")).rest(2 * MINUTE)
    world.commit("a commit suspends a", spec("a", BAD, suspend=True))
    world.rest(20 * MINUTE).status()
    world.commit("a commit resumes a", spec("a", BAD))
    world.rest(5 * MINUTE)
    world.note("a person scales a in to one instance")
    world.azure.scale_set("a").scale_to(1)
    world.rest(15 * MINUTE).status()
    return world


def one_host_fails_in_a_large_fleet() -> Witness:
    """Thirty scale sets declare a good image, and five may roll at once. s05 has two instances and all others have one. The host of s05_0
    fails right after its upgrade, and the instance never becomes healthy again. The Fleet says maxFailedRollouts: 1, which
    equals the default in a fleet of a hundred scale sets."""
    declared = fleet(*(scale_set(name, capacity=2 if name == "s05" else 1) for name in THIRTY))
    fleet_wide = of_all(maxConcurrentRollouts=5, maxFailedRollouts=1)
    world = Witness(declared, fleet_wide, *map(spec, THIRTY), shown=["s05", "s29"])
    world.run(is_there(world, "WaitingForInstances", "s05"))
    world.note("the host of s05_0 fails")
    sicken(world, "0", name="s05")
    return world.run(is_there(world, "UpToDate", "s29")).rest(MINUTE)


def the_pilot_is_the_first_that_can_begin() -> Witness:
    """Six scale sets declare the same image and a soak of five minutes. a is suspended, b awaits an approval, c is scaled to
    zero, d has an instance that was unhealthy before, and e depends on z, which is suspended. f can begin."""
    unhealthy = [{"id": "1", "health": "unhealthy"}]
    declared = fleet(
        scale_set("a", capacity=2),
        scale_set("b", capacity=2),
        scale_set("c", capacity=0),
        scale_set("d", capacity=2, instanceStates=unhealthy),
        scale_set("e", capacity=2),
        scale_set("f", capacity=2),
        scale_set("z", capacity=2),
    )
    soak = {"soak": "5m"}
    world = Witness(
        declared,
        spec("a", rollout=soak, suspend=True),
        spec("b", rollout=soak | {"approval": "start"}),
        spec("c", rollout=soak),
        spec("d", rollout=soak),
        spec("e", rollout=soak, dependsOn=["z"]),
        spec("f", rollout=soak),
        spec("z", FIX, suspend=True),
    )
    world.rest(4 * MINUTE).status()
    return world.rest(26 * MINUTE)


def the_pilot_is_suspended() -> Witness:
    """a, b and c have two instances each, and declare the same image and a soak of ten minutes. a goes first, and is
    suspended during its soak."""
    rollout = {"soak": "10m"}
    world = Witness(pairs("a", "b", "c"), *(spec(name, rollout=rollout) for name in "abc"))
    world.run(is_there(world, "Soaking", "a"))
    world.commit("a commit suspends a", spec("a", rollout=rollout, suspend=True))
    world.rest(5 * MINUTE).status()
    return world.rest(35 * MINUTE)


def the_next_version_after_a_rollback() -> Witness:
    """a and b have two instances each, and a window from 10:00 to 12:00. The specs say onFailure: rollback. On Monday the new
    image fails in a and is rolled back. In the afternoon the next version is merged."""
    rollout = ROLLBACK | {"windows": [window("0 10 * * *", "2h")]}
    world = Witness(pairs("a", "b"), *(spec(name, BAD, rollout=rollout) for name in "ab")).rest(5 * HOUR)
    world.commit(
        f"a commit sets the image of a and b to {FIX}", *(spec(name, FIX, rollout=rollout) for name in "ab")
    )
    return world.rest(21 * HOUR)


def a_revert_of_more_than_max_change_allows() -> Witness:
    """a, b and c have two instances each, and the Fleet says maxChange: 1. Three commits have brought them to the new image.
    A day later its application fails in a and b, and one commit reverts all three."""
    world = Witness(
        pairs("a", "b", "c"), of_all(maxChange=1), *(spec(name, OLD, rollout=ROLLBACK) for name in "abc")
    )
    world.run()
    for name in "abc":
        world.commit(f"a commit sets the image of {name} to {NEW}", spec(name, rollout=ROLLBACK))
        world.rest(2 * MINUTE).run()
    world.rest(24 * HOUR)
    world.note("the application fails on a_0 and b_0")
    sicken(world, "0", name="a")
    sicken(world, "0", name="b")
    world.rest(5 * MINUTE)
    world.commit(
        f"a commit sets the image of a, b and c to {OLD}",
        *(spec(name, OLD, rollout=ROLLBACK) for name in "abc"),
    )
    return world.rest(15 * MINUTE)


def only_one_of_twenty_instances_in_dev_is_healthy() -> Witness:
    """dev (wave 0) has 20 instances and prod (wave 1) has two, with a window that opens at 11:00. dev is up to date by then, but
    19 of its instances have become unhealthy."""
    rollout = {"windows": [window("0 11 * * *", "2h")]}
    world = Witness(
        fleet(scale_set("dev"), scale_set("prod", capacity=2)),
        spec("dev"),
        spec("prod", wave=1, rollout=rollout),
    )
    world.run(is_there(world, "UpToDate", "dev")).rest(5 * MINUTE)
    world.note("the application fails on dev_1 to dev_19")
    sicken(world, *(str(number) for number in range(1, 20)), name="dev")
    world.azure.scale_set("dev").bump_etag()
    return world.rest(3 * HOUR)


def a_database_becomes_unhealthy_during_a_rollout() -> Witness:
    """web depends on database. Each has five instances in five update domains, and database is on the new image. During the
    rollout of web an instance of database becomes unhealthy, and later it is healthy again."""
    declared = fleet(scale_set("database", capacity=5, image=platform(NEW)), scale_set(capacity=5))
    world = Witness(declared, spec("database"), spec(dependsOn=["database"]))
    world.run(lambda: world.has_upgraded(2))
    world.note("the application on database_0 stops answering")
    sicken(world, "0", name="database")
    world.rest(30 * MINUTE)
    world.note("database_0 is healthy again")
    world.azure.scale_set("database").instance("0").heal()
    return world.run()


def a_standby_scale_set_has_no_instances() -> Witness:
    """dr and dev (wave 0), prod-1 and prod-2 (wave 1) declare the same image. dr is for disaster recovery and has no instances. All
    others have two."""
    names = ("dev", "prod-1", "prod-2")
    declared = fleet(scale_set("dr", capacity=0), *(scale_set(name, capacity=2) for name in names))
    prod = [spec(name, wave=1) for name in names[1:]]
    world = Witness(declared, spec("dr"), spec("dev"), *prod)
    world.run(is_there(world, "AwaitingPilot", "prod-2")).why("prod-2")
    return world.run()


def dev_is_scaled_to_zero_for_the_night() -> Witness:
    """dev (wave 0), prod-1 and prod-2 (wave 1) have two instances each, and prod has a window at 22:00. dev runs the new image
    all day, and is scaled to zero at 19:00."""
    rollout = {"windows": [window("0 22 * * *", "2h")]}
    prod = [spec(name, wave=1, rollout=rollout) for name in ("prod-1", "prod-2")]
    world = Witness(pairs("dev", "prod-1", "prod-2"), spec("dev"), *prod).rest(10 * HOUR)
    world.note("dev is scaled to zero for the night")
    world.azure.scale_set("dev").scale_to(0)
    world.run(is_there(world, "AwaitingPilot", "prod-2")).why("prod-2")
    return world.run()


SITUATIONS = (
    an_image_that_is_good_in_dev_and_bad_in_prod,
    a_fix_is_merged_for_one_of_thirty,
    the_failed_scale_set_is_suspended,
    one_host_fails_in_a_large_fleet,
    the_pilot_is_the_first_that_can_begin,
    the_pilot_is_suspended,
    the_next_version_after_a_rollback,
    a_revert_of_more_than_max_change_allows,
    only_one_of_twenty_instances_in_dev_is_healthy,
    a_database_becomes_unhealthy_during_a_rollout,
    a_standby_scale_set_has_no_instances,
    dev_is_scaled_to_zero_for_the_night,
)
