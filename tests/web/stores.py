"""Frozen stores for the pages: a small fleet in which everything occurs, and a large one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconciler.daemon.conditions import conditions
from reconciler.daemon.history import Ending, History, RolloutRecord
from reconciler.daemon.in_force import Behind, RefusedCommit
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.seen_instance import seen_instances
from reconciler.daemon.state import Change, PickState, ScaleSetState
from reconciler.daemon.store import CommitNote, Store, Sweep
from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.forecast import Batch, Forecast, PredictedWait
from reconciler.rollout.counts import count_instances
from reconciler.rollout.domains import grouping
from reconciler.rollout.gate import Gate
from reconciler.rollout.member import members
from reconciler.rollout.observed import Instance, Observed
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.pick import Pick
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Approval
from tests.build import NEW, NOW, OLD, instance, model, outdated, spec
from tests.daemon.states import outcome, state, store_of

COMMIT = "5d41402abc4b2a76b9719d911017c592e0d7a2f6"
EARLIER = "7d793037a0760186574b0282f2f435e70b1c9a20"
BAD = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601200")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

HOSTILE = '<img src=x onerror="alert(1)">\u202e</script><script>alert(2)</script>"\'&{{7*7}}'
"""A text that must stay a text wherever it is shown."""


def observed(
    name: str,
    instances: Sequence[Instance],
    reason: str,
    message: str,
    *,
    model_image: PlatformImage | None = NEW,
    told: dict[str, Any] | None = None,
    **changes: Any,
) -> ScaleSetState:
    """A scale set whose instances were listed at NOW. `told` are fields of its outcome."""
    instances = [replace(each, name=each.name.replace("web_", f"{name}_")) for each in instances]
    desired = changes.pop("desired", None) or spec(name, **changes.pop("spec", {}))
    seen_model = model(image=model_image, capacity=len(instances))
    found = members(desired, seen_model, Observed(NOW), instances)
    counts = count_instances(found, grouping(desired.rollout.by, desired.rollout.order, instances))
    values: dict[str, Any] = {
        "outcome": outcome(name, reason, commit=COMMIT, message=message, counts=counts, **(told or {})),
        "counts": counts,
        "model": seen_model,
        "instances": seen_instances(instances, seen_model.health_source, NOW),
        "instances_at": NOW,
        "known_at": NOW,
        "since": NOW - 12 * MINUTE,
    }
    made = state(name, commit=COMMIT, desired=desired, decided=desired, **(values | changes))
    published = replace(made.published, conditions=conditions(made))
    return replace(made, published=published)


def forecast(*domains: str, each: int, total: int, ends: bool = True, wait: Reason | None = None) -> Forecast:
    """A forecast of a batch every ten minutes."""
    batches = tuple(
        Batch(
            domain,
            tuple(map(str, range(each))),
            NOW + 10 * MINUTE * number,
            is_canary=False,
            unavailable=each,
        )
        for number, domain in enumerate(domains)
    )
    length = 10 * MINUTE * len(domains)
    begins = NOW + (2 * HOUR if wait else timedelta())
    waits = (PredictedWait(wait, NOW, begins if wait is Reason.OUTSIDE_WINDOW else None),) if wait else ()
    return Forecast(
        batches,
        0,
        each,
        total,
        begins if ends else None,
        begins + length if ends else None,
        length,
        waits,
        Reason.UP_TO_DATE,
        BatchDuration(3 * MINUTE, timedelta(), is_assumed=True),
    )


def record(
    before: PlatformImage | None, image: PlatformImage, began: timedelta, **changes: Any
) -> RolloutRecord:
    """A rollout that began so long ago."""
    values: dict[str, Any] = {"commit": COMMIT, "batches": 2, "instances": 16}
    return RolloutRecord(image, image, before=before, began=NOW - began, **(values | changes))


PAST = record(None, OLD, 30 * HOUR, commit=EARLIER, ended=NOW - 29 * HOUR, ending=Ending.SUCCEEDED)


def rolling_instances(of: int = 40) -> tuple[Instance, ...]:
    """Two of five update domains are done, and the third is under way."""
    return tuple(_rolling(number) for number in range(of))


def _rolling(number: int) -> Instance:
    domain = number % 5
    place = {"fault_domain": number // 5 % 3}
    if domain < 2:
        return instance(number, protected=number == 11, **place)
    if domain == 2:
        return outdated(number, provisioning="updating", since=NOW - 3 * MINUTE, **place)
    return outdated(number, power="deallocated" if number == 14 else "running", **place)


def varied() -> Store:
    """A fleet in which every status occurs, and what goes with it."""
    rolling = rolling_instances()
    batch = tuple(each.id for each in rolling if each.update_domain == 2)
    zonal = tuple(
        instance(n, zone=str(n % 3 + 1), update_domain=None, fault_domain=None, health="unhealthy" if n in {1, 4} else "healthy")
        if n < 6
        else outdated(n, zone=str(n % 3 + 1), update_domain=None, fault_domain=None)
        for n in range(18)
    )  # fmt: skip
    checkout = {"labels": {"tier": "checkout", "region": "westeurope"}}
    refused = RefusedCommit(
        "9" * 40, "Add the queue workers", "Grace", "specs/queue.yaml:7:3: spec.image is missing", 1
    )
    states = [
        observed("canary", tuple(map(instance, range(4))), "UpToDate", "all 4 instances run 24.04.202601140", spec={"labels": {"tier": "canary"}}, history=History((record(OLD, NEW, 3 * HOUR, ended=NOW - 2 * HOUR, ending=Ending.SUCCEEDED, instances=4), PAST)), change=Change(COMMIT, NOW - 3 * HOUR, is_held=False)),
        observed(
            "checkout-api", rolling, "WaitingForInstances",
            "waiting for checkout-api_2, checkout-api_7, checkout-api_12 and checkout-api_17 (all updating) and 4 more in update domain 2 to become healthy; 16 of 40 instances up to date",
            told={"requeue_after": timedelta(seconds=15), "gates": (Gate("windows", "open until 2026-01-05 18:00 UTC"), Gate("pilot", "24.04.202601140 has already been proven in canary"))},
            spec={**checkout, "wave": 1},
            forecast=forecast("update domain 3", "update domain 4", each=8, total=40),
            attempt=Attempt(Upgrade(batch, NEW), NOW - 3 * MINUTE, ""),
            history=History((record(OLD, NEW, 25 * MINUTE, batches=3, instances=24, batch_since=NOW - 3 * MINUTE, longest=6 * MINUTE), PAST)),
            change=Change(COMMIT, NOW - 3 * HOUR, is_held=False),
        ),
        observed(
            "checkout-worker", zonal, "HealthCheckFailed",
            "checkout-worker_1 and checkout-worker_4 (both unhealthy) in zone 2 did not become healthy within 10m; the rollout is on hold until these instances recover",
            spec={**checkout, "wave": 1},
            history=History((record(OLD, NEW, 50 * MINUTE, batches=1, instances=6, is_failing=True), PAST)),
            change=Change(COMMIT, NOW - 3 * HOUR, is_held=False), since=NOW - 31 * MINUTE,
        ),
        observed("reports", tuple(map(outdated, range(10))), "OutsideWindow", "the rollout to 24.04.202601140 is waiting because no window opens until 2026-01-05 11:00 UTC", model_image=OLD, told={"until": NOW + 2 * HOUR, "gates": (Gate("windows", "no window opens until 2026-01-05 11:00 UTC", Reason.OUTSIDE_WINDOW, NOW + 2 * HOUR),)}, spec={"wave": 2, "labels": {"tier": "batch"}}, forecast=forecast("update domain 0", "update domain 1", "update domain 2", "update domain 3", "update domain 4", each=2, total=10, wait=Reason.OUTSIDE_WINDOW), change=Change(COMMIT, NOW, is_held=False)),
        observed("billing", tuple(map(outdated, range(20))), "AwaitingApproval", "the rollout is waiting because 24.04.202601140 needs approval; run `reconciler approve billing`", model_image=OLD, told={"gates": (Gate("approval", "24.04.202601140 needs approval; run `reconciler approve billing`", Reason.AWAITING_APPROVAL),)}, spec={"wave": 2, "approval": Approval.START}, forecast=forecast("update domain 0", "update domain 1", each=4, total=20, ends=False, wait=Reason.AWAITING_APPROVAL), change=Change(COMMIT, NOW, is_held=False)),
        observed("search", tuple(map(outdated, range(15))), "ImageFailedElsewhere", "the rollout is waiting because 24.04.202601140 failed in scale set checkout-worker (spec.maxFailedRollouts allows 0 of 21 scale sets); declare another image, or run `reconciler retry --image 24.04.202601140`", model_image=OLD, spec={"wave": 2}, change=Change(COMMIT, NOW, is_held=False)),
        observed("legacy", tuple(map(outdated, range(6))), "Suspended", "Ada has suspended the scale set (moving to the new network); no changes until spec.suspend is removed", model_image=OLD, spec={"wave": 2}),
        observed("catalog", tuple(map(outdated, range(6))), "Paused", "the scale set was paused by Grace at 2026-01-05 08:20 UTC (checkout is down); no changes until `reconciler resume catalog` is run", model_image=OLD, spec={"wave": 2}),
        state("queue", None, desired=spec("queue", wave=2), commit=COMMIT, behind=Behind(refused, refused.error, 1, None, ("9" * 40, NOW))),
        *(observed(f"edge-{n:02}", tuple(map(instance, range(12))), "UpToDate", "all 12 instances run 24.04.202601140", spec={"wave": 2, "labels": {"tier": "edge"}}, history=History((record(OLD, NEW, (n + 2) * 10 * MINUTE, ended=NOW - (n + 1) * 9 * MINUTE, ending=Ending.SUCCEEDED, instances=12), PAST)), change=Change(COMMIT, NOW, is_held=False)) for n in range(1, 13)),
    ]  # fmt: skip
    store = store_of(*states)
    orphan = Orphan(
        "old-frontend", "/subscriptions/1/x/old-frontend", "24.04.202601010", NOW - 26 * HOUR, 3, 8, NOW
    )
    store.commits = {
        EARLIER: CommitNote(EARLIER, "Move the fleet to the December image", "Grace Hopper", NOW - 31 * HOUR),
        COMMIT: CommitNote(
            COMMIT, "Move the fleet to the January image (#214)", "Ada Lovelace", NOW - 3 * HOUR
        ),
    }
    note = store.commits[COMMIT]
    store.last_sweep = Sweep(
        NOW - timedelta(seconds=20),
        COMMIT,
        note.subject,
        refused=refused,
        orphans=(orphan,),
        author=note.author,
    )
    store.version = 7
    return store


def large_set(instances: int = 1000, groups: int = 10) -> Store:
    """One scale set of many instances in several placement groups, half way through its rollout."""
    found = tuple(
        replace(each, placement_group=f"{int(each.id) * groups // instances:08x}-0000", update_domain=int(each.id) % 5, fault_domain=int(each.id) // 5 % 5)
        for each in (instance(n) if n % 5 < 2 else outdated(n) for n in range(instances))
    )  # fmt: skip
    store = store_of(
        observed(
            "huge",
            found,
            "Upgrading",
            "upgrading 1 instance in update domain 2 (x_2) to 24.04.202601140; 0 of 5 instances up to date",
            spec={"wave": 0},
        )
    )
    store.last_sweep = Sweep(NOW, COMMIT, "Move it")
    return store


def large_fleet(count: int) -> Store:
    """Many scale sets, a tenth of which are rolling, in three waves."""
    store = store_of(*_many(count))
    store.last_sweep = Sweep(NOW, COMMIT, "Move all")
    return store


def _many(count: int) -> Iterator[ScaleSetState]:
    done, moving = tuple(map(instance, range(5))), tuple(map(outdated, range(5)))
    first = observed("x", done, "UpToDate", "all 5 instances run 24.04.202601140")
    second = observed(
        "x",
        moving,
        "Upgrading",
        "upgrading 1 instance in update domain 2 (x_2) to 24.04.202601140; 0 of 5 instances up to date",
    )
    for number in range(count):
        name, wave = f"set-{number:04}", number % 3
        template = second if number % 10 == 0 else first
        yield replace(template, desired=spec(name, wave=wave))


PAUSE_OF_OTHERS = Pause(HOSTILE, HOSTILE, NOW)


def hostile(**changes: Any) -> Store:
    """Every text that somebody else writes is HOSTILE. `changes` are of the last observation."""
    desired = replace(spec(HOSTILE[:40].replace("/", "")), labels={HOSTILE: HOSTILE})
    refused = RefusedCommit(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1)
    one = instance(
        1, error=HOSTILE, provisioning="failed", health=HOSTILE, power=HOSTILE, placement_group=HOSTILE
    )
    made = observed(
        "web", (one, outdated(2, placement_group="b")), "HealthCheckFailed", HOSTILE, desired=desired,
        told={"gates": (Gate(HOSTILE, HOSTILE, Reason.OUTSIDE_WINDOW),)}, notes=(HOSTILE,),
        behind=Behind(refused, HOSTILE, 1, None, (HOSTILE, NOW)),
        forecast=forecast(HOSTILE, each=1, total=2),
        history=History((record(OLD, PlatformImage(HOSTILE, HOSTILE, HOSTILE, HOSTILE), HOUR),)),
        change=Change(COMMIT, NOW, is_held=False),
        pick=PickState(Pick(frozenset({"1", HOSTILE}), HOSTILE, NOW, HOSTILE), NEW, NOW),
        **changes,
    )  # fmt: skip
    assert made.seen.model
    paused = replace(made.seen.model.persisted, pause=PAUSE_OF_OTHERS)
    made = replace(made, seen=replace(made.seen, model=replace(made.seen.model, persisted=paused)))
    store = store_of(made)
    store.commits = {COMMIT: CommitNote(COMMIT, HOSTILE, HOSTILE, NOW)}
    orphan = Orphan(f"o{HOSTILE}".replace("/", ""), HOSTILE, HOSTILE, NOW, 1, 2, NOW)
    store.last_sweep = Sweep(
        NOW, COMMIT, HOSTILE, (HOSTILE,), refused=refused, warnings=(HOSTILE,), author=HOSTILE, orphans=(orphan,),
        fleet_pause=FleetPause(PAUSE_OF_OTHERS),
    )  # fmt: skip
    return store
