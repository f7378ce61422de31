"""Values for tests with defaults, so that a case names only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import (
    Availability,
    HealthSource,
    Instance,
    Model,
    Need,
    Observed,
    ReadTime,
    RollingUpgrade,
    Verdict,
)
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.spec.amount import Count, Percent
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import PlatformImage
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import (
    Approver,
    By,
    Converge,
    CustomizedInstances,
    Health,
    OnFailure,
    Rollout,
    ScaleSet,
    Target,
)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OLD = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601010")
NEW = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140")
FIX = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202602020")
NONE_RUNNING = RollingUpgrade("Completed")
FLEET = Fleet(
    name="",
    freeze=None,
    windows=(),
    max_concurrent=Percent(100),
    max_change=Percent(100),
    max_failed=Percent(1),
    allow_unproven_wave=False,
)


def rollout(**changes: Any) -> Rollout:
    """The defaults of the schema."""
    values: dict[str, Any] = {
        "by": By.AUTO,
        "order": (),
        "canary": None,
        "max_batch": Percent(20),
        "max_unavailable": Percent(100),
        "max_unhealthy": Percent(20),
        "max_unhealthy_upgraded": Count(0),
        "soak": timedelta(),
        "bake_time": timedelta(),
        "converge": Converge.IMAGE,
        "customized_instances": CustomizedInstances.SKIP,
        "on_failure": OnFailure.HOLD,
        "require_way_back": False,
        "progress_deadline": timedelta(hours=1),
        "deadline": None,
        "approval": None,
        "approver": Approver.ANYONE,
        "windows": (),
        "checks": (),
    }
    return Rollout(**(values | changes))


def spec(name: str = "web", **changes: Any) -> ScaleSet:
    """The spec of a scale set that declares NEW."""
    fields = {key: changes.pop(key) for key in tuple(changes) if key in Rollout.__slots__}
    values: dict[str, Any] = {
        "name": name,
        "labels": {},
        "target": Target(SUBSCRIPTION, "shop", name),
        "image": NEW,
        "rollout": rollout(**fields),
        "health": Health(timedelta(minutes=10), passes=1),
        "depends_on": (),
        "wave": 0,
        "interval": timedelta(hours=1),
        "suspend": None,
        "fleet": FLEET,
        "place": Place(f"specs/{name}.yaml"),
        "image_lines": frozenset({(f"specs/{name}.yaml", 12)}),
    }
    return ScaleSet(**(values | changes))


def model(**changes: Any) -> Model:
    """A scale set of 10 in Manual mode whose model is on NEW already."""
    values: dict[str, Any] = {
        "id": spec().target.key,
        "location": "westeurope",
        "etag": '"4"',
        "image": NEW,
        "capacity": 10,
        "provisioning": "succeeded",
        "mode": "Manual",
        "orchestration": "Uniform",
        "automatic_os_upgrade": False,
        "service_fabric": False,
        "health_source": HealthSource.EXTENSION,
    }
    return Model(**(values | changes))


def instance(number: int, **changes: Any) -> Instance:
    """A healthy instance on NEW, in update domain `number` modulo 5."""
    values: dict[str, Any] = {
        "id": str(number),
        "name": f"web_{number}",
        "image": NEW,
        "latest_model": True,
        "provisioning": "succeeded",
        "power": "running",
        "health": "healthy",
        "has_health_extension": True,
        "since": NOW - timedelta(minutes=1),
        "created": NOW - timedelta(days=1),
        "error": "",
        "protected": False,
        "zone": "",
        "placement_group": "a0000000-0000-0000-0000-000000000000",
        "update_domain": number % 5,
        "fault_domain": number % 3,
    }
    return Instance(**(values | changes))


def outdated(number: int, **changes: Any) -> Instance:
    """A healthy instance that still runs OLD."""
    return instance(number, **({"image": OLD, "latest_model": False} | changes))


def fleet(*special: Instance, of: int = 10, rest: str = "outdated") -> tuple[Instance, ...]:
    """Instances 0 to `of` - 1: the special ones as given, the rest "outdated" or "upgraded"."""
    given = {each.id: each for each in special}
    make = outdated if rest == "outdated" else instance
    return tuple(given.get(str(number)) or make(number) for number in range(of))


READ_NOW = ReadTime(NOW, NOW)


def observed(**changes: Any) -> Observed:
    """An observation of that scale set: all instances are outdated, no native rolling upgrade runs, and NEW is available.
    OLD is available as the rollback target, and this process recorded that it was good."""
    values: dict[str, Any] = {
        "at": NOW,
        "model": model(),
        "model_read": READ_NOW,
        "instances_read": READ_NOW,
        "rolling_upgrade_read": READ_NOW,
        "last_need": Need.MODEL,
        "instances": fleet(),
        "rolling_upgrade": NONE_RUNNING,
        "availability": Availability(NEW, Verdict.AVAILABLE),
        "gates": (),
        "lasting": (),
        "was_declared": False,
        "rollback_target": Availability(OLD, Verdict.AVAILABLE),
        "progress": changes.pop("progress", Progress()),
    }
    if values["progress"].wrote_last_good is None:
        values["progress"] = replace(values["progress"], wrote_last_good=Fingerprint.of(OLD))
    if (attempt := changes.pop("attempt", None)) is not None:
        values["progress"] = replace(values["progress"], attempt=attempt)
    return Observed(**(values | changes))


def decided(desired: ScaleSet, seen: Observed) -> Decision:
    """The decision, if no further read is needed."""
    decision = decide(desired, seen)
    assert isinstance(decision, Decision), f"a read is still needed: {decision}"
    return decision
