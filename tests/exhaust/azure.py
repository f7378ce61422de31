"""An abstract scale set: frozen values, and their transitions. It imports nothing from the simulator.

Ages are in units of five minutes. An upgrade takes at least one unit, or forever.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from reconciler.rollout.observed import Instance, Model, Operation
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.rollout.tags import with_state
from reconciler.spec.image import Image
from tests.build import FIX, NEW, OLD, instance, model
from tests.exhaust.clock import ago

IMAGES: tuple[Image, ...] = (OLD, NEW, FIX)
WORDS = ("OLD", "NEW", "FIX")  # for traces
_NUMBER: dict[Image, int] = {image: number for number, image in enumerate(IMAGES)}
_PRINTS = {Fingerprint.of(image): number for number, image in enumerate(IMAGES)}
_IDS_APART = 3  # an instance that replaces another one gets a new id


class Persisted(NamedTuple):
    """The state on the tags, with images as numbers."""

    good: int | None = None
    failed: int | None = None
    approved: int | None = None


class Machine(NamedTuple):
    """One instance. `age` is how long it has been in its provisioning state. `target` is the image of an upgrade in
    progress. `upgraded` is for the rules: its state since one of our upgrades took it out of service.
    """

    slot: int
    domain: int
    image: int
    made: int = 0  # how many instances it replaces
    target: int | None = None
    provisioning: str = "succeeded"
    power: str = "running"
    health: str = "healthy"
    age: int = 9
    is_latest: bool = True
    is_newborn: bool = False
    error: str = ""
    is_protected: bool = False
    is_asked: bool = False  # whether it is named by our last step whose answer the daemon received
    upgraded: str = ""  # "unavailable" until it serves, "healthy" from then on

    @property
    def id(self) -> str:
        return str(self.slot + _IDS_APART * self.made)

    @property
    def is_at_work(self) -> bool:
        return self.provisioning in {"updating", "creating"}

    @property
    def serves(self) -> bool:
        """Whether it serves its users, independently of its provisioning state."""
        return not self.is_at_work and self.power == "running" and self.health == "healthy"

    @property
    def is_left_out(self) -> bool:
        """Whether a rollout leaves it out, because it is protected or deallocated."""
        return self.is_protected or self.power == "deallocated"

    def __str__(self) -> str:
        state = self.provisioning if self.provisioning != "succeeded" else self.power
        if self.provisioning == "succeeded" and self.power == "running":
            state = self.health
        towards = f" to {WORDS[self.target]}" if self.target is not None else ""
        return f"web_{self.id} on {WORDS[self.image]} {state}{towards}{' protected' * self.is_protected}"


class Azure(NamedTuple):
    """A scale set. `error` is the cause of the failure of the last step whose answer the daemon received."""

    image: int
    machines: tuple[Machine, ...]
    persisted: Persisted = Persisted()
    is_failed: bool = False  # the provisioning state of the scale set
    error: str = ""

    @property
    def etag(self) -> str:
        """An etag that changes with the model."""
        return f'"{self.image}, {self.persisted}"'

    @property
    def row(self) -> "Azure":
        """Its row in a list of scale sets."""
        return Azure(self.image, (), self.persisted)

    @property
    def is_at_work(self) -> bool:
        return any(each.is_at_work for each in self.machines)


def number_of(image: Image) -> int:
    return _NUMBER[image]


def number_of_print(print_: Fingerprint | None) -> int | None:
    return None if print_ is None else _PRINTS[print_]


# Reads of the daemon.


@lru_cache(None)
def listed_model(azure: Azure, name: str, says_updating: bool) -> Model:
    state = "updating" if says_updating and azure.is_at_work else "failed" if azure.is_failed else "succeeded"
    persisted = persisted_state(azure.persisted)
    return model(
        id=model().id.removesuffix("web") + name,
        etag=azure.etag,
        image=IMAGES[azure.image],
        capacity=len(azure.machines),
        provisioning=state,
        tags=with_state({}, persisted),
        persisted=persisted,
    )


@lru_cache(None)
def listed_instance(machine: Machine) -> Instance:
    """During a transition Azure reports neither time nor health."""
    since = ago(machine.age)
    return instance(
        0,
        id=machine.id,
        name=f"web_{machine.id}",
        image=IMAGES[machine.image],
        latest_model=machine.is_latest,
        provisioning=machine.provisioning,
        power=machine.power,
        health=machine.health,
        since=None if machine.is_at_work else since,
        created=since if machine.is_newborn else ago(1000),
        error=machine.error,
        protected=machine.is_protected,
        update_domain=machine.domain,
        fault_domain=0,
    )


def listed_operation(azure: Azure) -> Operation:
    """The result of the last step whose answer the daemon received."""
    if any(each.is_asked and each.is_at_work for each in azure.machines):
        return Operation("InProgress")
    return Operation("Failed", azure.error) if azure.error else Operation("Succeeded")


@lru_cache(None)
def persisted_state(persisted: Persisted) -> PersistedState:
    good, failed, approved = persisted
    return PersistedState(
        last_good=None if good is None else IMAGES[good],
        failed=None if failed is None else Fingerprint.of(IMAGES[failed]),
        approved=None if approved is None else IMAGES[approved],
    )


def persisted(state: PersistedState) -> Persisted:
    """The beginning of the rollout is left out, because no scope has a deadline."""
    return Persisted(
        None if state.last_good is None else number_of(state.last_good),
        number_of_print(state.failed),
        None if state.approved is None else number_of(state.approved),
    )


# Transitions by a step of the daemon.


def take(azure: Azure, step: PatchModel | Upgrade, *, is_heard: bool) -> Azure:
    """Carry out a step. `is_heard` says that the daemon receives the answer, with the address of the operation."""
    if is_heard:
        azure = azure._replace(error="", machines=_each(azure, lambda each: each._replace(is_asked=False)))
    if isinstance(step, PatchModel):
        kept = azure.persisted if step.persisted is None else persisted(step.persisted)
        return set_model(azure, number_of(step.image), kept)
    return azure._replace(
        is_failed=False,
        machines=tuple(
            _upgrade(each, azure.image, is_heard=is_heard)
            if each.id in step.instance_ids and not each.is_protected
            else each
            for each in azure.machines
        ),
    )


def set_model(azure: Azure, image: int, kept: Persisted) -> Azure:
    if image == azure.image:
        return azure._replace(persisted=kept, is_failed=False)
    others = _each(azure, lambda each: each._replace(is_latest=False))
    return azure._replace(image=image, persisted=kept, machines=others, is_failed=False)


def _upgrade(machine: Machine, image: int, *, is_heard: bool) -> Machine:
    return machine._replace(
        target=image,
        provisioning="updating",
        power="running",
        health="",
        age=0,
        is_latest=True,
        is_newborn=False,
        error="",
        is_asked=is_heard,
        upgraded="unavailable" if machine.serves else machine.upgraded,
    )


# Other transitions.

Happening = tuple[str, Azure]


def finished(machine: Machine, bad: frozenset[int]) -> Machine:
    """An instance after the operation in progress. On a bad image it never serves."""
    image = machine.image if machine.target is None else machine.target
    health = "unhealthy" if image in bad else "healthy"
    return settled(machine._replace(provisioning="succeeded", image=image, target=None, health=health, age=0))


def settled(machine: Machine) -> Machine:
    return (
        machine._replace(upgraded="healthy")
        if machine.upgraded == "unavailable" and machine.serves
        else machine
    )


def finishes(azure: Azure, bad: frozenset[int]) -> Iterator[Happening]:
    for each in azure.machines:
        if each.is_at_work and each.age:
            after = finished(each, bad)
            yield f"Azure completes the operation on web_{each.id}: {after.health}", _with(azure, after)


def _comes_up_unhealthy(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.is_at_work and machine.age:
        after = finished(machine, frozenset())._replace(health="unhealthy")
        yield (
            f"Azure completes the operation on web_{machine.id}, which comes up unhealthy",
            after._replace(upgraded=machine.upgraded),
        )


def _fails(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.provisioning != "updating" or not machine.age:
        return
    failed = machine._replace(provisioning="failed", target=None, age=0, is_latest=False)
    down = failed._replace(power="stopped", error="AllocationFailed: no room")
    yield f"the upgrade of web_{machine.id} fails, and it is stopped", down
    up = failed._replace(health="healthy", error="AllocationFailed: no room")
    yield f"the upgrade of web_{machine.id} fails, and it serves as before", settled(up)
    booted = machine.image if machine.target is None else machine.target
    bad = failed._replace(image=booted, health="unhealthy", error="OSProvisioningTimedOut: no word")
    yield f"the upgrade of web_{machine.id} fails because its image does not boot", bad


def _becomes_unhealthy(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.serves:
        yield f"web_{machine.id} becomes unhealthy", machine._replace(health="unhealthy")


def _recovers(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.provisioning == "succeeded" and machine.health == "unhealthy":
        yield f"web_{machine.id} recovers", settled(machine._replace(health="healthy"))


def _is_evicted(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.provisioning == "succeeded" and machine.power == "running":
        gone = machine._replace(power="deallocated", health="", age=0, upgraded="")
        yield f"web_{machine.id} is evicted", gone


def _starts(machine: Machine) -> Iterator[tuple[str, Machine]]:
    if machine.power == "deallocated":
        yield f"web_{machine.id} is started again", machine._replace(power="running", health="healthy", age=0)


def _is_protected(machine: Machine) -> Iterator[tuple[str, Machine]]:
    word = "unprotected" if machine.is_protected else "protected"
    yield f"web_{machine.id} is {word}", machine._replace(is_protected=not machine.is_protected)


ONE: Mapping[str, Callable[[Machine], Iterator[tuple[str, Machine]]]] = {
    "comes up unhealthy": _comes_up_unhealthy,
    "fails": _fails,
    "becomes unhealthy": _becomes_unhealthy,
    "recovers": _recovers,
    "is evicted": _is_evicted,
    "starts": _starts,
    "is protected": _is_protected,
}


def of_one(kind: str, azure: Azure) -> Iterator[Happening]:
    """The transitions of one instance."""
    for each in azure.machines:
        for line, after in ONE[kind](each):
            changed = azure
            if after.provisioning == "failed" != each.provisioning:
                changed = azure._replace(is_failed=True, error=after.error if each.is_asked else azure.error)
            yield line, _with(changed, after)


def replaced(azure: Azure) -> Iterator[Happening]:
    """Azure's automatic repairs replace an instance by another one on the image of the model."""
    for each in azure.machines:
        if not each.is_at_work:
            new = Machine(
                each.slot,
                each.domain,
                azure.image,
                each.made + 1,
                provisioning="creating",
                health="",
                age=0,
                is_newborn=True,
            )
            yield f"web_{each.id} is replaced by web_{new.id}", _with(azure, new)


def set_by_another(azure: Azure, images: int) -> Iterator[Happening]:
    for image in range(images):
        if image != azure.image:
            yield (
                f"another writer sets the model to {WORDS[image]}",
                set_model(azure, image, azure.persisted),
            )


def later(azure: Azure) -> Azure:
    """The same, one unit later."""
    return azure._replace(machines=_each(azure, lambda each: each._replace(age=each.age + 1)))


def _each(azure: Azure, change: Callable[[Machine], Machine]) -> tuple[Machine, ...]:
    return tuple(map(change, azure.machines))


def _with(azure: Azure, machine: Machine) -> Azure:
    others = (machine if each.slot == machine.slot else each for each in azure.machines)
    return azure._replace(machines=tuple(others))
