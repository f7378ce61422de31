"""Random worlds: a fleet of any shape with any settings, what happens to it, and how it has to end.

A plan is data. The same seed makes the same plan, and a plan plays the same every time. One that fails is shrunk:
events, scale sets and settings are left out, one by one, while it still fails in the same way.
"""

from __future__ import annotations

import contextlib
import random
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pprint import pformat
from typing import Any

import yaml

from reconciler.daemon.condition import ConditionType
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickRefused
from reconciler.rollout.reason import Reason, Status
from reconciler.simulator import (
    Exchange,
    LiveInstance,
    LiveScaleSet,
    Malformed,
    Misdated,
    OperationFails,
    OperationLost,
    Page,
    Partial,
    Request,
    Reset,
    Slow,
    Stale,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator import (
    Status as Answer,
)
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import Fault
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, of_all, platform, scale_set, spec

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
URN = ":".join(BASE.values())
OLD_URN, NEW_URN = f"{URN}:{OLD}", f"{URN}:{NEW}"
# So quick that a rollout takes few looks.
QUICK = {"model": "5s", "upgrade": "20s", "boot": "5s", "health": "10s", "create": "20s"}
CALM = HOUR  # in which nothing is written any more once all is settled
LONGEST = DAY  # until it is

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

# What there is of domains, and what a rollout goes by.
TOPOLOGIES: list[tuple[dict[str, Any], str]] = [
    ({}, "auto"),
    ({"placementGroupSize": 4}, "auto"),
    ({"zones": ["1", "2", "3"]}, "auto"),
    ({"zones": ["1", "2", "3"]}, "zone"),
    ({"zones": ["1", "2"], "zonalUpdateDomains": False}, "auto"),
    ({"faultDomains": 3}, "faultDomain"),
    ({}, "batch"),
]
FLEXIBLE: list[tuple[dict[str, Any], str]] = [
    ({"orchestration": "Flexible"}, "auto"),
    ({"orchestration": "Flexible", "zones": ["1", "2"]}, "auto"),
    ({"orchestration": "Flexible", "zones": ["1", "2", "3"]}, "zone"),
    ({"orchestration": "Flexible", "faultDomains": 3}, "auto"),
]


def is_any(_: Request | Exchange) -> bool:
    return True


def is_write(call: Request | Exchange) -> bool:
    return call.method != "GET"


def is_list(call: Request | Exchange) -> bool:
    return call.path.lower().endswith("/virtualmachines")


DENIED = Answer(403, "AuthorizationFailed", "The client does not have authorization to perform action.")
GONE = Answer(404, "ResourceNotFound", "The Resource was not found.")
UNKNOWN = Answer(401, "InvalidAuthenticationToken", "The access token is invalid.")
CONFLICT = Answer(409, "Conflict", "The request failed due to conflict with a concurrent request.")
MISMATCH = Answer(412, "PreconditionFailed", "Etag provided in if-match header does not match.")
BUSY = Answer(503, "ServerTimeout", "The request timed out. Please try again.")
FAILS = OperationFails("VMExtensionProvisioningError", "No.")

# What may go wrong with every call that fits, for as long as it does.
LASTING: dict[str, tuple[Fault, Callable[[Request | Exchange], bool]]] = {
    "a 401": (UNKNOWN, is_any),
    "a 403": (DENIED, is_any),
    "a 403 on writes": (DENIED, is_write),
    "a 403 on the list of instances": (DENIED, is_list),
    "a 404": (GONE, is_any),
    "a 404 on writes": (GONE, is_write),
    "a 404 on the list of instances": (GONE, is_list),
    "a 409": (CONFLICT, is_any),
    "a 409 on writes": (CONFLICT, is_write),
    "a 412 on writes": (MISMATCH, is_write),
    "a 503": (BUSY, is_any),
    "a page of HTML": (Page(), is_any),
    "silence": (Timeout(), is_any),
    "a provisioning state that is a number": (Malformed("properties.provisioningState", 7), is_any),
    "an instance without properties": (Malformed("properties", None), is_list),
    "a row that is text": (Malformed("", "nothing"), is_list),
    "a capacity that is text": (Malformed("sku.capacity", "many"), is_any),
    "tags that are a list": (Malformed("tags", []), is_any),
    "an answer that takes 15 seconds": (Slow(15 * SECOND), is_any),
    "an answer that takes 90 seconds": (Slow(90 * SECOND), is_any),
    "an answer that comes late": (Slow(20 * SECOND, is_late=True), is_any),
    "a list without its first row": (Partial(1), is_list),
}
# What goes wrong with a few calls in a row.
PASSING: dict[str, tuple[Fault, int, Callable[[Request | Exchange], bool]]] = {
    "three dates a day ahead": (Misdated(DAY), 3, is_any),
    "throttling": (Throttled(90 * SECOND), 1, is_any),
    "reads that lag by a minute": (Stale(MINUTE), 20, lambda call: not is_write(call)),
    "half an answer": (Truncated(), 2, is_any),
    "resets of what is carried out": (Reset(lost_answer=True), 3, is_any),
    "an operation that fails": (FAILS, 1, is_write),
    "operations that fail": (FAILS, 3, is_write),
    "an operation that is lost": (OperationLost(), 1, is_write),
}


@dataclass(frozen=True)
class Event:
    """Something that happens to one scale set, or all, `at` so many minutes after the beginning. `pick` is which
    instance, or for how long: whatever there is to choose."""

    at: int
    kind: str
    name: str
    pick: int


@dataclass(frozen=True)
class Plan:
    """A world, and what is to happen to it. `specs` are by name what is declared beside the image."""

    scale_sets: tuple[Mapping[str, Any], ...]
    specs: Mapping[str, Mapping[str, Any]]
    fleet: Mapping[str, Any]
    image: str
    events: tuple[Event, ...]
    during_upgrade: str = "Updating"

    def begin(self) -> World:
        return World(
            fleet(*self.scale_sets, timings=QUICK, provisioningStateDuringUpgrade=self.during_upgrade),
            *self.documents,
        )

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [of_all(**self.fleet), *(spec(name, self.image, **said) for name, said in self.specs.items())]

    @property
    def is_sound(self) -> bool:
        """Whether there is no mistake in what it declares."""
        text = yaml.safe_dump_all(self.documents).encode()
        return not declare([File("all.yaml", text)]).problems


def play(plan: Plan) -> World:
    """From its beginning to its end: every scale set settles, or says why not and since when; and stays so."""
    world = plan.begin()
    began = world.clock.now()
    for event in sorted(plan.events, key=lambda each: each.at):
        due = began + event.at * MINUTE
        if due > world.clock.now():
            world.rest(due - world.clock.now())
        with contextlib.suppress(ArmError):
            EVENTS[event.kind](world, event)
    world.calm()
    _stand(world)
    world.judge()
    return world


def _stand(world: World) -> None:
    """Wait until nothing was written for an hour and nobody moves, and every scale set says how it stands."""
    end = world.clock.now() + LONGEST
    asked, since = _written(world), world.clock.now()
    while world.clock.now() - since < CALM:
        world.rest(5 * MINUTE)
        if _written(world) != asked or _moving(world):
            asked, since = _written(world), world.clock.now()
        assert world.clock.now() < end, f"not at rest after {LONGEST}: {world.lines()}"
    for state in world.reconciler.store.states():
        assert state.outcome, f"{state.desired.name} was never looked at"
        ready = next(each for each in state.published.conditions if each.type is ConditionType.READY)
        assert ready.since, f"{state.desired.name} does not say since when: {state.outcome.line}"
        assert ready.reason == state.outcome.reason, f"{state.desired.name}: {ready} but {state.outcome.line}"
        assert state.outcome.message, f"{state.desired.name} does not say why"
        assert state.outcome.reason != "Bug", state.outcome.line


def _written(world: World) -> int:
    return sum(each.method != "GET" for each in world.azure.record.requests)


def _moving(world: World) -> bool:
    """Whether any scale set is on its way. One that Azure repairs again and again may be busy for ever."""
    repaired = {each["name"] for each in world.declared["scaleSets"] if "automaticRepairs" in each}
    return any(
        state.outcome is None
        or (
            state.outcome.status is Status.RECONCILING
            and not (state.desired.name in repaired and state.outcome.reason is Reason.AZURE_UPDATING)
        )
        for state in world.reconciler.store.states()
    )


def _document(world: World, name: str) -> dict[str, Any]:
    return dict(world.source.documents[name])


def _edited(world: World, name: str, **changes: Any) -> dict[str, Any]:
    document = _document(world, name)
    return {**document, "spec": {**document["spec"], **changes}}


def _merge(*versions: str) -> Callable[[World, Event], None]:
    """Of the one, or of all where the pick says so."""

    def merge(world: World, event: Event) -> None:
        names = (
            [event.name] if event.pick % 3 else [each for each in world.source.documents if each != "fleet"]
        )
        image = platform(versions[event.pick % len(versions)])
        world.merge(*(_edited(world, name, image=image) for name in names if name in world.source.documents))

    return merge


def _change(**changes: Any) -> Callable[[World, Event], None]:
    return lambda world, event: world.merge(_edited(world, event.name, **changes))


def _set(do: Callable[[LiveScaleSet, int], None]) -> Callable[[World, Event], None]:
    return lambda world, event: do(world.azure.scale_set(event.name), event.pick)


def _instance(do: Callable[[LiveInstance], Any], most: int = 1) -> Callable[[World, Event], None]:
    def happen(world: World, event: Event) -> None:
        there = world.azure.scale_set(event.name).instances
        for number in range(min(most, len(there))):
            do(there[(event.pick + number) % len(there)])

    return happen


def _replace(world: World, event: Event) -> None:
    """An instance is deleted, and another is made in its place."""
    found = world.azure.scale_set(event.name)
    capacity = found.capacity
    if capacity > 1:
        found.scale_to(capacity - 1)
        world.clock.after(30 * SECOND, lambda: _quietly(lambda: found.scale_to(capacity)))


def _flap(world: World, event: Event) -> None:
    there = world.azure.scale_set(event.name).instances
    if there:
        flapping = there[event.pick % len(there)].flap(4 * MINUTE, 3 * MINUTE)
        world.clock.after(40 * MINUTE, flapping.end)


def _heal(world: World, event: Event) -> None:
    for each in world.azure.scale_set(event.name).instances:
        if each.state[1] == "running" and each.state[0] in ("succeeded", "failed"):
            each.heal()


def _set_back(world: World, event: Event) -> None:
    """Another writer, who names the image that he knows, every ten minutes."""
    found = world.azure.scale_set(event.name)
    for number in range(1 + event.pick % 4):
        world.clock.after(number * 10 * MINUTE, lambda: _quietly(lambda: found.set_image(OLD_URN)))


def _quietly(do: Callable[[], None]) -> None:
    with contextlib.suppress(ArmError, KeyError):
        do()


def _approve(world: World, event: Event) -> None:
    version = _document(world, event.name)["spec"]["image"]["platform"]["version"]
    world.azure.scale_set(event.name).set_tags({"vmss-reconciler-approved": f"{URN}:{version}"})


def _pick(world: World, event: Event) -> None:
    """A person has some instances upgraded next: those of a domain, or every third."""
    place = f"{event.pick % 7}" if event.pick % 2 else ""
    ids = () if place else tuple(each.id for each in world.azure.scale_set(event.name).instances)[::3]
    if place or ids:
        with contextlib.suppress(PickRefused):
            world.reconciler.pick(PickRequest(event.name, "ada", place, ids))


def _lasting(name: str) -> Callable[[World, Event], None]:
    fault, fits = LASTING[name]

    def happen(world: World, event: Event) -> None:
        until = world.clock.now() + (5 + event.pick % 85) * MINUTE
        below = f"/virtualmachinescalesets/{event.name}".lower()

        def when(call: Request) -> bool:
            return fits(call) and (event.pick % 2 == 0 or below in f"{call.path} {call.query}".lower())

        world.azure.faults.arm("*", fault, times=None, when=when, until=until)

    return happen


def _passing(name: str) -> Callable[[World, Event], None]:
    fault, times, fits = PASSING[name]
    return lambda world, event: world.azure.faults.arm(
        "*", fault, times=times, after=event.pick % 8, when=fits
    )


EVENTS: dict[str, Callable[[World, Event], None]] = {
    "merge": _merge(NEW, FIX),
    "merge a bad image": _merge(BAD),
    "revert": _merge(OLD),
    "suspend": _change(suspend={"reason": "night"}),
    "resume": _change(suspend=False),
    "freeze": lambda world, _: world.merge(_edited(world, "fleet", freeze=True)),
    "lift the freeze": lambda world, _: world.merge(_edited(world, "fleet", freeze=False)),
    "approve": _approve,
    "pick": _pick,
    "kill the daemon": lambda world, _: world.restart(),
    "sicken": _instance(LiveInstance.sicken),
    "sicken many": _instance(LiveInstance.sicken, most=10),
    "fail": _instance(LiveInstance.fail),
    "heal": _heal,
    "evict": _instance(LiveInstance.evict),
    "replace": _replace,
    "flap": _flap,
    "deallocate": _instance(LiveInstance.deallocate),
    "start": _instance(lambda each: each.start() if each.state[1] == "deallocated" else None, most=50),
    "protect": _instance(LiveInstance.protect),
    "unprotect": _instance(lambda each: each.protect(is_protected=False), most=50),
    "scale out": _set(lambda found, pick: found.scale_to(min(60, found.capacity + 1 + pick % 8))),
    "scale in": _set(lambda found, pick: found.scale_to(max(0, found.capacity - 1 - pick % 4))),
    "a policy": _set(lambda found, pick: found.add_extension(f"agent{pick % 3}", "Contoso", "Agent")),
    "a tag": _set(lambda found, pick: found.set_tags({"team": f"shop{pick % 9}"})),
    "an etag that moves": _set(lambda found, _: found.bump_etag()),
    "a writer that sets the image back": _set_back,
    "the old image is deprecated": lambda world, _: world.azure.publish(OLD_URN, deprecation="Deprecated"),
    "the old image is withdrawn": lambda world, _: world.azure.withdraw(OLD_URN),
    **{f"{name} for long": _lasting(name) for name in LASTING},
    **{name: _passing(name) for name in PASSING},
}
# What makes most of a story comes more often than each of the faults.
OFTEN = [name for name in EVENTS if not any(name.startswith(each) for each in (*LASTING, *PASSING))]


def plan_of(seed: int) -> Plan:
    """The plan of a seed: of those that it draws, the first that declares nothing which cannot be together."""
    chance = random.Random(f"world {seed}")  # noqa: S311 - the same world every time
    return next(plan for plan in iter(lambda: _plan(chance), None) if plan.is_sound)


def _plan(chance: random.Random) -> Plan:
    names = [f"s{number:02}" for number in range(chance.choice([1, 1, 2, 2, 3, 4, 6, 12]))]
    found = {name: _scale_set(chance, name, len(names)) for name in names}
    return Plan(
        scale_sets=tuple(declared for declared, _ in found.values()),
        specs={name: _spec(chance, name, names, by) for name, (_, by) in found.items()},
        fleet=_fleet(chance),
        image=BAD if chance.random() < 0.4 else NEW,
        events=tuple(_event(chance, names) for _ in range(chance.randint(4, 14))),
        during_upgrade=chance.choice(["Updating", "Succeeded"]),
    )


def _scale_set(chance: random.Random, name: str, beside: int) -> tuple[dict[str, Any], str]:
    shape, by = chance.choice(TOPOLOGIES + FLEXIBLE)
    capacity = chance.choice([1, 2, 3, 5, 5, 8, 10, 13, 20, 50] if beside < 4 else [1, 2, 3, 5, 8, 10])
    declared = scale_set(name, capacity=capacity, image=platform(OLD), **shape)
    health = ["extension", "extension", "binaryExtension", "none"]
    declared["health"] = chance.choice(health if by != "batch" else ["extension"])
    if "Flexible" not in shape.values() and chance.random() < 0.3:
        states = [
            {"id": str(number), **chance.choice(FOUND)} for number in range(capacity) if chance.random() < 0.2
        ]
        if states := [each for each in states if len(each) > 1]:
            declared["instanceStates"] = states
    if chance.random() < 0.2:
        declared |= {"spot": True, "evictionPolicy": chance.choice(["Deallocate", "Delete"])}
    if chance.random() < 0.1 and declared["health"] != "none":
        declared["automaticRepairs"] = {"grace": "10m", "action": "replace"}
    return declared, by


SETTINGS: dict[str, list[Any]] = {
    "canary": [
        {"instances": 1},
        {"instances": 1, "soak": "6m"},
        {"instances": "20%", "soak": "3m"},
        {"instances": 2},
    ],
    "maxBatch": [1, 2, 5, "10%", "20%", "50%", "100%"],
    "maxUnavailable": [1, 2, "20%", "50%"],
    "maxUnhealthy": [1, 2, "10%", "50%"],
    "maxUnhealthyUpgraded": [0, 1, "20%", "50%"],
    "soak": ["1m", "3m", "8m"],
    "bakeTime": ["2m", "10m"],
    "onFailure": ["hold", "repin", "rollback"],
    "requireWayBack": [True],
    "approval": ["start", "canary"],
    "progressDeadline": ["15m", "30m"],
    "deadline": ["1h", "3h"],
    "converge": ["model"],
    "windows": [
        [{"kind": "allow", "schedule": "0 */2 * * *", "duration": "40m"}],
        [{"kind": "deny", "schedule": "20 * * * *", "duration": "25m"}],
    ],
}
OFTEN_SET = {
    "canary": 0.4,
    "onFailure": 0.7,
    "maxBatch": 0.5,
    "approval": 0.12,
    "windows": 0.15,
    "requireWayBack": 0.1,
}


def _spec(chance: random.Random, name: str, names: list[str], by: str) -> dict[str, Any]:
    rollout: dict[str, Any] = {"by": by}
    for setting, values in SETTINGS.items():
        if chance.random() < OFTEN_SET.get(setting, 0.25):
            rollout[setting] = chance.choice(values)
    said: dict[str, Any] = {"rollout": rollout, "interval": chance.choice(["10m", "30m", "1h"])}
    said["health"] = {"timeout": chance.choice(["3m", "5m", "10m"]), "passes": chance.choice([1, 1, 2])}
    if chance.random() < 0.4:
        said["wave"] = chance.randint(0, 2)
    before = names[: names.index(name)]
    if before and chance.random() < 0.15:
        said["dependsOn"] = [chance.choice(before)]
    return said


def _fleet(chance: random.Random) -> dict[str, Any]:
    said: dict[str, Any] = {}
    settings: dict[str, list[Any]] = {
        "maxConcurrentRollouts": [1, 2, "50%"],
        "maxChange": ["50%", 3],
        "maxFailedRollouts": [0, 1, "20%"],
        "allowUnprovenWave": [True],
        "windows": [[{"kind": "deny", "schedule": "0 */3 * * *", "duration": "30m"}]],
    }
    for setting, values in settings.items():
        if chance.random() < (0.1 if setting in ("maxChange", "windows") else 0.3):
            said[setting] = chance.choice(values)
    return said


def _event(chance: random.Random, names: list[str]) -> Event:
    kind = chance.choice(OFTEN) if chance.random() < 0.7 else chance.choice(sorted(EVENTS))
    return Event(chance.randint(0, 120), kind, chance.choice(names), chance.randint(0, 999))


def failure_of(plan: Plan) -> str:
    """What is wrong with how it ends, "" if nothing is: where it was found, and the message."""
    World.unjudged.clear()
    try:
        play(plan)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{frame.name}: {type(error).__name__}: {error}"
    finally:
        World.unjudged.clear()
    return ""


def shrunk(plan: Plan, failure: Callable[[Plan], str], most: int = 200) -> Plan:
    """The smallest plan that is found in so many tries and fails in the same place, as `failure` tells it."""
    place, tries, is_smaller = failure(plan).partition(":")[0], 0, True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(plan):
            if tries == most:
                return plan
            if smaller.is_sound and failure(smaller).partition(":")[0] == place:
                plan, is_smaller = smaller, True
                break
            tries += 1
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """The plan without one thing; the largest first."""
    events = plan.events
    if len(events) > 3:
        half = len(events) // 2
        yield replace(plan, events=events[half:])
        yield replace(plan, events=events[:half])
    for each in plan.scale_sets:
        if len(plan.scale_sets) > 1:
            yield _without(plan, str(each["name"]))
    for number in range(len(events)):
        yield replace(plan, events=events[:number] + events[number + 1 :])
    yield from _plainer_scale_sets(plan)
    yield from _plainer_specs(plan)


def _plainer_scale_sets(plan: Plan) -> Iterator[Plan]:
    for number, each in enumerate(plan.scale_sets):
        for changed in _plainer(each):
            scale_sets = (*plan.scale_sets[:number], changed, *plan.scale_sets[number + 1 :])
            yield replace(plan, scale_sets=scale_sets)


def _plainer_specs(plan: Plan) -> Iterator[Plan]:
    for setting in plan.fleet:
        yield replace(plan, fleet={name: value for name, value in plan.fleet.items() if name != setting})
    for name, said in plan.specs.items():
        for setting in said:
            kept = {key: value for key, value in said.items() if key != setting}
            yield replace(plan, specs={**plan.specs, name: kept})
        for setting in said.get("rollout", {}):
            rollout = {key: value for key, value in said["rollout"].items() if key != setting}
            yield replace(plan, specs={**plan.specs, name: {**said, "rollout": rollout}})


def _without(plan: Plan, name: str) -> Plan:
    specs = {
        key: {**said, "dependsOn": [each for each in said["dependsOn"] if each != name]}
        if "dependsOn" in said
        else said
        for key, said in plan.specs.items()
        if key != name
    }
    kept = tuple(each for each in plan.scale_sets if each["name"] != name)
    left = str(kept[0]["name"])
    events = tuple(replace(each, name=left) if each.name == name else each for each in plan.events)
    return replace(plan, scale_sets=kept, specs=specs, events=events)


def _plainer(declared: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in (
        "instanceStates",
        "spot",
        "automaticRepairs",
        "zones",
        "placementGroupSize",
        "faultDomains",
    ):
        if field in declared:
            gone = {field, "evictionPolicy"} if field == "spot" else {field}
            yield {name: value for name, value in declared.items() if name not in gone}
    capacity = declared["capacity"]
    if capacity > 1 and "instanceStates" not in declared:
        yield {**declared, "capacity": (capacity + 1) // 2}
        yield {**declared, "capacity": capacity - 1}


def in_words(plan: Plan) -> str:
    """As it can be played again: `play(Plan(...))`."""
    return pformat(plan, width=110, sort_dicts=False)
