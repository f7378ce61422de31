"""Every fault that lasts: how it begins and ends, and which alerts it raises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.rollout.observed import Instance, Model
from reconciler.simulator import Partial, Throttled, Timeout
from reconciler.simulator import Status as Answer
from reconciler.simulator.faults import Fault as Strike
from reconciler.simulator.faults import OperationFails, OperationLost
from reconciler.spec.scale_set import Target
from tests.alerts.prometheus import Prometheus
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, of_all, scale_set, spec

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SETS, INSTANCES = "VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSetVMs_List"
PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
CODES = {
    401: "ExpiredAuthenticationToken",
    403: "AuthorizationFailed",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
}

Act = Callable[[Prometheus], object]


def _go_on(prometheus: Prometheus) -> None:
    """The daemon runs, and nothing happens."""


def as_declared(
    *names: str,
    compute: type[Compute] = Compute,
    sweep: timedelta = MINUTE,
    beside: Sequence[Mapping[str, Any]] = (),
    **changes: Any,
) -> World:
    """A world in which all is as declared: scale sets of three on OLD."""
    names = names or ("web",)
    sets = fleet(*(scale_set(each, capacity=3) for each in names))
    documents = [*beside, *(spec(each, OLD, **changes) for each in names)]
    return World(sets, *documents, compute=compute, sweep=sweep).run()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """It begins in a world where all is as declared, lasts for as long as `lasts`, and ends.

    `fires` are the alerts that it raises, and the minutes within which it does: all others stay silent.
    `muted` are those of them that nobody is told, for another one tells. `meanwhile` is done again and again.
    After its end every alert resolves within `resolves`.
    """

    begin: Act
    end: Act
    fires: Mapping[str, float]
    muted: frozenset[str] = frozenset()
    world: Callable[[], World] = as_declared
    lasts: timedelta = 50 * MINUTE
    resolves: timedelta = 15 * MINUTE
    meanwhile: Act = _go_on
    every: timedelta = DAY
    interval: timedelta = MINUTE


def slow(**changes: Any) -> Callable[[], World]:
    """One for a fault of days: its daemon sweeps as seldom as no rule minds."""
    return lambda: as_declared(sweep=8 * MINUTE, **changes)


def both() -> World:
    return as_declared("api", "web")


def named() -> World:
    """A fleet with a name, which outlives the process on the tags of its scale sets."""
    return as_declared("api", "web", beside=[of_all()])


def strikes(strike: Strike, *operations: str) -> Act:
    """From now on every call of these fails so."""

    def act(prometheus: Prometheus) -> None:
        for operation in operations:
            prometheus.world.azure.faults.arm(operation, strike, times=None)

    return act


def refuse_once(prometheus: Prometheus) -> None:
    """The next list is throttled for four minutes."""
    prometheus.world.azure.faults.arm(SETS, Throttled(4 * MINUTE))


def merge(version: str, **changes: Any) -> Act:
    return lambda prometheus: prometheus.world.merge(spec("web", version, **changes))


def then(*acts: Act) -> Act:
    def act(prometheus: Prometheus) -> None:
        for each in acts:
            each(prometheus)

    return act


def after(span: timedelta) -> Act:
    return lambda prometheus: prometheus.watch(span)


def calm(prometheus: Prometheus) -> None:
    prometheus.world.azure.faults.disarm()


def restart(prometheus: Prometheus) -> None:
    """Another process takes over, and one scrape finds none."""
    prometheus.is_away = True
    prometheus.wait(prometheus.interval)
    prometheus.restart()


def set_back(prometheus: Prometheus) -> None:
    """Another writer sets its own image in the model, where it is not."""
    live = prometheus.world.azure.scale_set("web")
    if live.image.endswith(NEW):
        live.set_image(live.image.replace(NEW, OLD))


def on_instance(act: str) -> Act:
    """Do this to one instance."""
    return lambda prometheus: getattr(prometheus.world.azure.scale_set("web").instance("1"), act)()


def mode(name: str) -> Act:
    return lambda prometheus: prometheus.world.azure.scale_set("web").set_mode(name)


def hang(prometheus: Prometheus) -> None:
    prometheus.wait(HOUR)


def go_away(prometheus: Prometheus) -> None:
    prometheus.is_away = True
    prometheus.wait(HOUR)


def come_back(prometheus: Prometheus) -> None:
    prometheus.is_away = False


def fail_once(prometheus: Prometheus) -> None:
    """One fetch fails."""
    prometheus.world.source.is_unreachable = True
    prometheus.watch(prometheus.world.sweep)
    prometheus.world.source.is_unreachable = False


def lose_remote(prometheus: Prometheus) -> None:
    prometheus.world.source.is_unreachable = True


def find_remote(prometheus: Prometheus) -> None:
    prometheus.world.source.is_unreachable = False


class Odd(Compute):
    """A client of Azure whose lists of instances raise an unexpected error on demand."""

    breaks: ClassVar[bool] = False

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        if self.breaks:
            raise KeyError("something nobody thought of")
        return super().instances(target, model, priority)


def breaks(*, it: bool) -> Act:
    return lambda _: setattr(Odd, "breaks", it)


def answer(code: int) -> Answer:
    return Answer(code, CODES[code], "no")


UNKNOWN = {"ScaleSetUnknown": 16}
FAILING = {"ScaleSetFailing": 39}
STALLED = {"ScaleSetStalled": 16}
ROLLBACK: dict[str, Any] = {"rollout": {"onFailure": "rollback"}}
CLOSED = {
    "rollout": {"windows": [{"kind": "allow", "schedule": "0 3 * * 6", "duration": "1h", "timeZone": "UTC"}]}
}
ASKED: dict[str, Any] = {"rollout": {"approval": "start"}}
BROKEN = merge(OLD, interval="never")
NO_CAPACITY = OperationFails("AllocationFailed", "no capacity")

FAULTS: dict[str, Fault] = {
    # Of a write to one scale set.
    **{
        f"{code} at every {what}": Fault(
            begin=then(strikes(answer(code), operation), merge(NEW)),
            end=calm,
            fires=STALLED if code == 403 else FAILING,
        )
        for what, operation in (("write of a model", PATCH), ("upgrade", UPGRADE))
        for code in CODES
    },
    "no answer to any write": Fault(
        begin=then(strikes(Timeout(), PATCH), merge(NEW)), end=calm, fires=FAILING
    ),
    "every upgrade fails": Fault(
        begin=then(strikes(NO_CAPACITY, UPGRADE), merge(NEW)),
        end=then(calm, merge(FIX)),
        lasts=80 * MINUTE,
        fires={"ScaleSetFailing": 32, "ScaleSetUnhealthy": 32, "RolloutFailed": 82},
        muted=frozenset({"ScaleSetUnhealthy"}),
        resolves=65 * MINUTE,
    ),
    "no upgrade ever shows": Fault(
        begin=then(strikes(OperationLost(), UPGRADE), merge(NEW)),
        end=then(calm, merge(FIX)),
        lasts=80 * MINUTE,
        fires={"ScaleSetFailing": 37, "RolloutFailed": 82},
        resolves=65 * MINUTE,
    ),
    # Of a look at one.
    **{
        f"{code} at every list of instances": Fault(
            begin=then(strikes(answer(code), INSTANCES), merge(NEW)),
            end=calm,
            fires=UNKNOWN | (STALLED if code == 403 else FAILING),
            muted=frozenset({"ScaleSetStalled", "ScaleSetFailing"}),
        )
        for code in CODES
    },
    "a list of instances that always lacks one": Fault(
        begin=then(strikes(Partial(1), INSTANCES), merge(NEW)), end=calm, fires=FAILING
    ),
    "no list of instances since the process began": Fault(
        begin=then(strikes(answer(404), INSTANCES), merge(NEW), restart),
        end=calm,
        fires={"ScaleSetUnknown": 17, "ScaleSetFailing": 39},
        muted=frozenset({"ScaleSetFailing"}),
    ),
    "a bug of ours at every look": Fault(
        world=lambda: as_declared(compute=Odd),
        begin=then(breaks(it=True), merge(NEW)),
        end=breaks(it=False),
        fires={"ScaleSetUnknown": 16, "ScaleSetFailing": 31},
        muted=frozenset({"ScaleSetFailing"}),
    ),
    # Above the scale sets.
    **{
        f"{code} at every list of scale sets": Fault(
            world=both,
            begin=then(strikes(answer(code), SETS), merge(NEW)),
            end=calm,
            fires=UNKNOWN | {"ListFails": 12},
            muted=frozenset(UNKNOWN),
            lasts=25 * MINUTE,
        )
        for code in CODES
    },
    "Azure out of reach": Fault(
        world=both,
        begin=strikes(Timeout(), "*"),
        end=calm,
        fires=UNKNOWN | {"ListFails": 12},
        muted=frozenset(UNKNOWN),
    ),
    "Azure out of reach in the middle of a rollout": Fault(
        world=both,
        begin=then(merge(NEW), after(2 * MINUTE), strikes(Timeout(), "*")),
        end=calm,
        fires={"ListFails": 14, "ScaleSetUnknown": 18, "ScaleSetFailing": 40},
        muted=frozenset({"ScaleSetUnknown", "ScaleSetFailing"}),
    ),
    "every call refused in the middle of a rollout": Fault(
        world=both,
        begin=then(merge(NEW), after(2 * MINUTE), strikes(answer(403), "*")),
        end=calm,
        fires={"ListFails": 14, "ScaleSetUnknown": 18, "ScaleSetStalled": 18},
        muted=frozenset({"ScaleSetUnknown", "ScaleSetStalled"}),
    ),
    "throttled for minutes at a time": Fault(
        world=both,
        begin=then(strikes(Throttled(5 * MINUTE), "*"), merge(NEW)),
        end=calm,
        fires={"AzureThrottles": 32},
    ),
    "throttled every few minutes": Fault(
        world=both,
        begin=refuse_once,
        meanwhile=refuse_once,
        every=8 * MINUTE,
        end=calm,
        fires={"AzureThrottles": 32},
    ),
    "throttled for an hour at a time": Fault(
        world=both,
        begin=then(strikes(Throttled(HOUR), INSTANCES), merge(NEW)),
        end=calm,
        fires={"AzureThrottles": 32},
        lasts=2 * HOUR,
    ),
    "throttled in the middle of a rollout": Fault(
        world=both,
        begin=then(merge(NEW), after(2 * MINUTE), strikes(Throttled(20 * MINUTE), INSTANCES)),
        end=calm,
        fires={"AzureThrottles": 34},
        lasts=HOUR,
        resolves=20 * MINUTE,
    ),
    "a bad image, and throttled": Fault(
        begin=then(merge(BAD), after(14 * MINUTE), strikes(Throttled(5 * MINUTE), INSTANCES)),
        end=then(calm, merge(FIX)),
        lasts=HOUR,
        fires={"ScaleSetFailing": 43, "ScaleSetUnhealthy": 43, "AzureThrottles": 46, "RolloutFailed": 76},
        muted=frozenset({"ScaleSetUnhealthy"}),
        resolves=65 * MINUTE,
    ),
    "a broken commit": Fault(begin=BROKEN, end=merge(OLD), fires={"CommitRefused": 17}),
    "a broken commit, and a fetch that fails now and then": Fault(
        begin=BROKEN, meanwhile=fail_once, every=7 * MINUTE, end=merge(OLD), fires={"CommitRefused": 17}
    ),
    "a broken commit, and restarts": Fault(
        begin=BROKEN, meanwhile=restart, every=13 * MINUTE, end=merge(OLD), fires={"CommitRefused": 17}
    ),
    "a broken commit that is fixed soon": Fault(begin=BROKEN, end=merge(OLD), lasts=8 * MINUTE, fires={}),
    "a broken commit that nobody fixes": Fault(
        begin=BROKEN,
        meanwhile=fail_once,
        every=50 * MINUTE,
        end=merge(OLD),
        lasts=5 * HOUR,
        fires={"CommitRefused": 17, "ScaleSetBehind": 4 * 60 + 3},
        resolves=90 * MINUTE,
    ),
    "a fetch that fails now and then": Fault(
        begin=fail_once, meanwhile=fail_once, every=4 * MINUTE, end=_go_on, fires={}
    ),
    "a fetch that fails now and then between rare sweeps": Fault(
        world=slow(),
        begin=fail_once,
        meanwhile=fail_once,
        every=24 * MINUTE,
        end=_go_on,
        lasts=5 * HOUR,
        fires={},
    ),
    "a bad image, and a broken commit": Fault(
        begin=then(merge(BAD), after(MINUTE), BROKEN),
        end=merge(FIX),
        fires={
            "CommitRefused": 18,
            "ScaleSetFailing": 43,
            "ScaleSetUnhealthy": 43,
            "RolloutFailed": 53,
        },
        muted=frozenset({"ScaleSetUnhealthy"}),
        resolves=65 * MINUTE,
    ),
    "a remote that is gone": Fault(begin=lose_remote, end=find_remote, fires={"SourceUnread": 22}),
    "a remote that is gone, and restarts": Fault(
        begin=lose_remote,
        meanwhile=restart,
        every=13 * MINUTE,
        end=find_remote,
        fires={"SourceUnread": 22},
    ),
    "a daemon that hangs": Fault(
        world=both,
        begin=hang,
        end=_go_on,
        lasts=timedelta(),
        fires=UNKNOWN | {"ReconcilerHung": 11, "SourceUnread": 22},
        muted=frozenset({*UNKNOWN, "SourceUnread"}),
    ),
    "a daemon that hangs in its first sweep": Fault(
        begin=then(restart, hang),
        end=_go_on,
        lasts=timedelta(),
        fires={"ReconcilerHung": 12},
    ),
    "a daemon that is away": Fault(
        begin=go_away, end=come_back, lasts=timedelta(), fires={"ReconcilerAbsent": 6}
    ),
    # What a person has to look at.
    "a bad image": Fault(
        begin=merge(BAD),
        end=merge(FIX),
        fires={"ScaleSetFailing": 43, "ScaleSetUnhealthy": 43, "RolloutFailed": 52},
        muted=frozenset({"ScaleSetUnhealthy"}),
        resolves=65 * MINUTE,
    ),
    "an image that was given up": Fault(
        world=lambda: as_declared(**ROLLBACK),
        begin=merge(BAD, **ROLLBACK),
        end=merge(FIX, **ROLLBACK),
        fires={"RolloutFailed": 13, "ScaleSetStalled": 30},
        resolves=25 * MINUTE,
    ),
    "an upgrade mode that is refused": Fault(begin=mode("Automatic"), end=mode("Manual"), fires=STALLED),
    "an image that another writer sets back": Fault(
        begin=merge(NEW),
        meanwhile=set_back,
        every=10 * MINUTE,
        end=_go_on,
        lasts=3 * HOUR,
        fires={"ImageContested": 80},
        resolves=100 * MINUTE,
    ),
    "an instance that falls sick without a rollout": Fault(
        world=lambda: as_declared(interval="10m"),
        begin=on_instance("sicken"),
        end=on_instance("heal"),
        fires={"ScaleSetFailing": 52, "ScaleSetUnhealthy": 52},
        muted=frozenset({"ScaleSetUnhealthy"}),
        lasts=75 * MINUTE,
    ),
    "an instance that is sick, and a gate that is closed": Fault(
        begin=then(on_instance("sicken"), merge(NEW, **CLOSED)),
        end=merge(NEW),
        fires={"ScaleSetUnhealthy": 42},
    ),
    # For a ticket.
    "an instance that is left out for days": Fault(
        world=slow(),
        begin=then(on_instance("deallocate"), merge(NEW)),
        meanwhile=restart,
        end=on_instance("start"),
        lasts=76 * HOUR,
        interval=4 * MINUTE,
        fires={"InstancesLeftOutForLong": 72 * 60 + 30},
        resolves=90 * MINUTE,
    ),
    "an instance that is deallocated on the right image": Fault(
        world=lambda: as_declared(interval="10m"),
        begin=on_instance("deallocate"),
        end=on_instance("start"),
        lasts=2 * HOUR,
        fires={},
    ),
    "an image that is declared and not rolled": Fault(
        world=slow(),
        begin=merge(NEW, **CLOSED),
        meanwhile=restart,
        every=10 * HOUR,
        end=merge(NEW),
        lasts=26 * HOUR,
        interval=4 * MINUTE,
        fires={"ScaleSetDrifted": 24 * 60 + 10},
        resolves=90 * MINUTE,
    ),
    "an approval that nobody gives": Fault(
        world=slow(),
        begin=merge(NEW, **ASKED),
        meanwhile=restart,
        every=3 * HOUR,
        end=merge(NEW),
        lasts=9 * HOUR,
        interval=4 * MINUTE,
        fires={"ApprovalForgotten": 8 * 60 + 10},
        resolves=90 * MINUTE,
    ),
    "a spec that is removed in the middle of a rollout": Fault(
        world=named,
        begin=then(merge(NEW), after(MINUTE), lambda prometheus: prometheus.world.unmerge("web")),
        meanwhile=restart,
        every=2 * HOUR,
        end=merge(NEW),
        lasts=6 * HOUR,
        interval=4 * MINUTE,
        fires={"ScaleSetOrphaned": 4 * 60 + 10},
        resolves=90 * MINUTE,
    ),
    "a suspension that lasts": Fault(
        world=slow(),
        begin=merge(NEW, suspend={"reason": "load test"}),
        meanwhile=restart,
        end=merge(NEW),
        lasts=172 * HOUR,
        interval=4 * MINUTE,
        fires={"SuspendedForLong": 7 * 24 * 60 + 10},
        resolves=90 * MINUTE,
    ),
    "a freeze that is over and not lifted": Fault(
        begin=lambda prometheus: prometheus.world.merge(
            of_all(freeze={"reason": "holiday", "until": "2026-01-05T00:00:00Z"})
        ),
        end=lambda prometheus: prometheus.world.unmerge("fleet"),
        fires=STALLED,
    ),
}
