"""What may happen during the rollout of one scale set. Each docstring introduces its transcript."""

from datetime import timedelta
from typing import Any

from reconciler.daemon.pick_request import PickRequest
from reconciler.simulator import Status
from tests.checks.endpoint import serve_endpoint
from tests.stories.fleets import is_there
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, fleet, platform, scale_set, spec
from tests.transcripts.witness import Witness

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
URN = ":".join(BASE.values())
ROLLBACK = {"onFailure": "rollback"}


def ten(**changes: Any) -> dict[str, Any]:
    """Two instances in each of five update domains."""
    return scale_set(capacity=10, **changes)


def window(schedule: str, duration: str) -> dict[str, Any]:
    return {"kind": "allow", "schedule": schedule, "duration": duration, "timeZone": "UTC"}


SATURDAY = window("0 2 * * SAT", "4h")


def sicken(world: Witness, *ids: str, name: str = "web") -> None:
    for each in ids:
        world.azure.scale_set(name).instance(each).sicken()


def approve(world: Witness, version: str, name: str = "web") -> None:
    """What `reconciler approve` writes."""
    world.note(f"a person approves {version} for {name}")
    world.azure.scale_set(name).set_tags({"vmss-reconciler-approved": f"{URN}:{version}"})


def pick(world: Witness, by: str, place: str, *ids: str) -> None:
    """What `reconciler upgrade --yes` asks of the daemon."""
    offer = world.reconciler.pick(PickRequest("web", by, place, ids))
    going = ", ".join(each.seen.id for each in offer.instances if not each.obstacle)
    option = f'--domain "{place}"' if place else f"--instances {','.join(ids)}"
    world.note(f"{by} runs reconciler upgrade web {option} --yes", f"next: {going}")


def a_domain_picked_by_hand() -> Witness:
    """web has ten instances in five update domains. The spec sets a soak of two minutes. During the first batch, ada picks
    update domain 3. Once those have been upgraded, bob picks one instance each of two domains."""
    world = Witness(fleet(ten()), spec(rollout={"soak": "2m"}))
    world.run(lambda: world.has_upgraded(1))
    pick(world, "ada", "update domain 3")
    world.run(lambda: world.has_upgraded(2)).run(is_there(world, "Soaking"))
    pick(world, "bob", "", "9", "1")
    return world.run()


def a_first_rollout_of_one_instance() -> Witness:
    """web and pay have one instance each. Their models follow latest, so neither has a known rollback target. Both specs say
    onFailure: rollback, and that of pay also says requireWayBack: true."""
    follows = {"image": platform("latest")}
    declared = fleet(
        scale_set("pay", capacity=1, **follows),
        scale_set("web", capacity=1, **follows),
        images={"platform": [{**BASE, "versions": [OLD]}]},
    )
    world = Witness(
        declared, spec("pay", rollout=ROLLBACK | {"requireWayBack": True}), spec(rollout=ROLLBACK)
    )
    world.azure.publish(f"{URN}:{NEW}")
    world.plan()
    return world.rest(10 * MINUTE)


def _after_a_certificate_expired(version: str) -> Witness:
    world = Witness(fleet(ten()), spec(version=OLD, rollout={"windows": [SATURDAY]})).run()
    world.note("the certificate in the image expires, and web_0 to web_5 stop answering")
    sicken(world, *"012345")
    world.rest(2 * MINUTE)
    world.commit(
        f"a commit sets the image of web to {version}", spec(version=version, rollout={"windows": [SATURDAY]})
    )
    return world.rest(40 * MINUTE)


def the_new_image_remediates_unhealthy_instances() -> Witness:
    """web has ten instances in five update domains, and a window on Saturday. On Monday a certificate in its image
    expires, and six of the ten become unhealthy. An image with a new certificate is merged."""
    return _after_a_certificate_expired(NEW)


def the_new_image_does_not_help_unhealthy_instances() -> Witness:
    """web has ten instances in five update domains, and a window on Saturday. On Monday six of the ten become unhealthy. The
    image that is merged makes instances unhealthy too."""
    return _after_a_certificate_expired(BAD)


def a_rollback_waits_for_no_approval() -> Witness:
    """web has five instances in five update domains. The spec says approval: start and onFailure: rollback. A person has
    approved the new image, and it makes the first instance unhealthy. Nobody is there to approve the rollback."""
    rollout = ROLLBACK | {"approval": "start"}
    world = Witness(fleet(scale_set(capacity=5)), spec(version=BAD, rollout=rollout))
    world.run(is_there(world, "AwaitingApproval"))
    approve(world, BAD)
    return world.rest(25 * MINUTE)


def a_deadline_passes_while_approval_is_awaited() -> Witness:
    """web has five instances in five update domains. The spec says approval: canary, deadline: 2h and onFailure: rollback.
    Nobody approves. Hours later the next image is merged, with a window on Saturday."""
    rollout = ROLLBACK | {"approval": "canary", "deadline": "2h", "canary": {"instances": 1}}
    world = Witness(fleet(scale_set(capacity=5)), spec(rollout=rollout)).rest(3 * HOUR)
    world.commit(
        f"a commit sets the image of web to {FIX}, and a window on Saturday",
        spec(version=FIX, rollout=rollout | {"windows": [SATURDAY]}),
    )
    return world.rest(HOUR)


def a_fix_while_the_bad_image_fails_a_check() -> Witness:
    """web has five instances in five update domains. A check asks the application whether it works. The new image makes
    the first instance unhealthy, and from then on the check fails. A fix is merged."""
    with serve_endpoint() as place:
        checks = {"checks": [{"name": "smoke", "http": {"url": f"{place.url}/healthz"}}]}
        world = Witness(
            fleet(scale_set(capacity=5)),
            spec(version=BAD, rollout=checks),
            names={place.url: "http://web.example.com"},
        )
        world.run(is_there(world, "HealthCheckFailed"))
        world.note("the check smoke begins to fail, because of web_0")
        place.status = 503
        world.rest(5 * MINUTE)
        world.commit(f"a commit sets the image of web to {FIX}", spec(version=FIX, rollout=checks))
        world.rest(10 * MINUTE)
        world.note("the check smoke passes again")
        place.status = 200
        return world.run()


def a_bad_batch_before_the_window_closes() -> Witness:
    """web has 20 instances in five update domains, and web_19 is unhealthy. The window is open from 03:00 to 03:20. The spec
    says onFailure: rollback. The new image makes its instances unhealthy. The first batch of four is started shortly before
    the window closes."""
    rollout = ROLLBACK | {"windows": [window("0 3 * * *", "20m")]}
    states = [{"id": "19", "health": "unhealthy"}]
    world = Witness(
        fleet(scale_set(capacity=20, instanceStates=states)), spec(version=OLD, rollout=ROLLBACK)
    ).rest(HOUR)
    world.commit(f"a commit sets the image of web to {BAD}", spec(version=BAD, rollout=rollout))
    return world.rest(20 * HOUR)


def repairs_replace_unhealthy_instances_repeatedly() -> Witness:
    """web has six instances in five update domains. Azure replaces an instance that has been unhealthy for ten minutes, so
    none is ever old enough for the health.timeout of 20m. The spec says progressDeadline: 30m and onFailure: rollback. The
    new image makes its instances unhealthy."""
    rollout = ROLLBACK | {"progressDeadline": "30m"}
    repaired = scale_set(capacity=6, automaticRepairs={"grace": "10m", "action": "replace"})
    world = Witness(fleet(repaired), spec(version=BAD, rollout=rollout, health={"timeout": "20m"}))
    return world.rest(HOUR)


def an_autoscaler_scales_out_on_a_bad_image() -> Witness:
    """web has four instances in four update domains. The spec says onFailure: rollback. The new image makes its instances
    unhealthy, so the load on the others rises. An autoscaler doubles the scale set, and the added instances run the new image."""
    world = Witness(fleet(scale_set(capacity=4)), spec(version=BAD, rollout=ROLLBACK))
    world.run(lambda: world.has_upgraded(1))
    world.rest(2 * MINUTE)
    world.note("an autoscaler scales web out to eight instances")
    world.azure.scale_set("web").scale_to(8)
    return world.rest(40 * MINUTE)


def _during_a_bad_batch() -> Witness:
    world = Witness(fleet(ten()), spec(version=BAD, rollout=ROLLBACK))
    return world.run(lambda: world.has_upgraded(1)).rest(3 * MINUTE)


def a_restart_during_a_bad_batch() -> Witness:
    """web has ten instances in five update domains. The spec says onFailure: rollback. The new image makes its instances
    unhealthy. The daemon is killed while it waits for the first batch, and another one starts."""
    world = _during_a_bad_batch()
    world.note("the daemon is killed, and another one starts")
    world.restart()
    return world.rest(30 * MINUTE)


def a_handover_during_a_bad_batch() -> Witness:
    """web has ten instances in five update domains. The spec says onFailure: rollback. The new image makes its instances
    unhealthy. While the first daemon waits for the first batch, a second one starts. The first one ends two minutes
    later."""
    world = _during_a_bad_batch()
    world.note("a second daemon starts beside the first one")
    world.join(timedelta(seconds=7))
    world.rest(2 * MINUTE)
    world.note("the first daemon ends")
    del world.daemons[0]
    return world.rest(30 * MINUTE)


def a_soak_of_two_hours_and_a_restart_every_hour() -> Witness:
    """web has two instances in two update domains and no health source, so Azure reports no time of its health. The spec says
    soak: 2h. The daemon is restarted every hour."""
    world = Witness(fleet(scale_set(capacity=2, health="none")), spec(rollout={"soak": "2h"}))
    for _ in range(3):
        world.rest(HOUR)
        world.note("the daemon is restarted")
        world.restart()
    return world.rest(HOUR)


def a_canary_that_is_unhealthy_five_minutes_in_twenty() -> Witness:
    """web has five instances in five update domains. The spec says onFailure: rollback, and sets a canary of one instance
    that soaks for 30 minutes. On the new image the canary is unhealthy for five minutes in every twenty."""
    rollout = ROLLBACK | {"canary": {"instances": 1, "soak": "30m"}}
    world = Witness(fleet(scale_set(capacity=5)), spec(rollout=rollout))
    world.run(is_there(world, "Soaking"))
    world.note("web_0 is healthy for 15 minutes and unhealthy for 5 minutes, in turn")
    flapping = world.azure.scale_set("web").instance("0").flap(15 * MINUTE, 5 * MINUTE)
    world.run(is_there(world, "Upgrading"), limit=HOUR)
    world.note("web_0 runs another image, and is healthy on it")
    flapping.end()
    return world.rest(10 * MINUTE)


def an_image_whose_provisioning_fails() -> Witness:
    """web has five instances in five update domains. The spec says onFailure: rollback. An instance on the new image does not
    boot, and Azure reports that its provisioning failed."""
    declared = fleet(scale_set(capacity=5))
    declared["images"]["bad"] = [{"image": f"{URN}:{BAD}", "boots": "fails"}]
    return Witness(declared, spec(version=BAD, rollout=ROLLBACK)).rest(30 * MINUTE)


def merges_for_another_scale_set_every_two_minutes() -> Witness:
    """web has five instances in five update domains. Azure answers every change of its model with 409. Every two minutes a
    commit changes api and leaves web unchanged. Then a commit declares another image for web."""
    world = Witness(
        fleet(scale_set(capacity=5), scale_set("api", capacity=2)), spec(), spec("api", OLD), shown=["web"]
    )
    conflict = Status(409, "Conflict", "Another operation is in progress.")
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update", conflict, times=None, when=lambda each: each.path.endswith("/web")
    )
    world.rest(MINUTE)
    world.note("from now on a commit every two minutes changes the spec of api")
    for number in range(15):
        world.rest(2 * MINUTE)
        world.merge(spec("api", OLD, rollout={"soak": f"{number + 1}m"}))
    world.commit(f"a commit sets the image of web to {FIX}", spec(version=FIX))
    return world.rest(3 * MINUTE)


def no_room_for_a_tag() -> Witness:
    """web, pay and api have two instances each. web and pay have 50 tags, as many as Azure allows, and api has 48. The specs
    of pay and api say onFailure: rollback. That of web says hold and sets a deadline."""

    def tagged(name: str, count: int) -> dict[str, Any]:
        return scale_set(name, capacity=2, tags={f"owner-{number}": "x" for number in range(count)})

    world = Witness(
        fleet(tagged("web", 50), tagged("pay", 50), tagged("api", 48)),
        spec("web", rollout={"deadline": "4h"}),
        spec("pay", rollout=ROLLBACK),
        spec("api", rollout=ROLLBACK),
    )
    world.plan()
    return world.rest(15 * MINUTE)


SITUATIONS = (
    a_first_rollout_of_one_instance,
    the_new_image_remediates_unhealthy_instances,
    the_new_image_does_not_help_unhealthy_instances,
    a_rollback_waits_for_no_approval,
    a_deadline_passes_while_approval_is_awaited,
    a_fix_while_the_bad_image_fails_a_check,
    a_bad_batch_before_the_window_closes,
    a_domain_picked_by_hand,
    repairs_replace_unhealthy_instances_repeatedly,
    an_autoscaler_scales_out_on_a_bad_image,
    a_restart_during_a_bad_batch,
    a_handover_during_a_bad_batch,
    a_soak_of_two_hours_and_a_restart_every_hour,
    a_canary_that_is_unhealthy_five_minutes_in_twenty,
    an_image_whose_provisioning_fails,
    merges_for_another_scale_set_every_two_minutes,
    no_room_for_a_tag,
)
