"""Reads everything about a fleet that a copy of the fleet needs, from Azure or from the simulator."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.azure.arm import model
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.description import Description, describe
from reconciler.azure.failure import AzureFailure
from reconciler.azure.patience import patiently
from reconciler.rollout.observed import Absent, Availability, Model
from reconciler.spec.image import Image, key
from reconciler.spec.scale_set import Target

Q = TypeVar("Q")
A = TypeVar("A")

_LONGEST_PAUSE = timedelta(minutes=5)  # the limit for the total wait of a request that is throttled


@dataclass(frozen=True, slots=True)
class Catalogued:
    """What the catalogue of a region knows about `image`.

    `model` is a scale set in this region for which the image was looked up.
    """

    image: Image
    model: Model
    found: Availability

    @property
    def location(self) -> str:
        return self.model.location


@dataclass(frozen=True, slots=True)
class FleetReading:
    """The scale sets and images of a fleet. `at` is when the last scale set had been read.

    `absent` has the names of the scale sets that do not exist. `failures` has the reason for each scale set
    that could not be read, by name.
    """

    at: datetime
    scale_sets: tuple[Description, ...]
    images: tuple[Catalogued, ...]
    absent: tuple[str, ...]
    failures: Mapping[str, str]


class FleetReader:
    """Reads a fleet. While Azure throttles a request, waits by calling `sleep` with a number of seconds."""

    def __init__(self, azure: Compute, sleep: Callable[[float], None], *, workers: int) -> None:
        self._azure = azure
        self._sleep = sleep
        self._workers = workers

    def read(self, targets: Iterable[Target], declared: Mapping[str, Image]) -> FleetReading:
        """Read these scale sets and their images.

        `declared` has the images in the specs, by scale set key.
        """
        wanted = list(dict.fromkeys(targets))
        answers = self._all(self._describe, wanted)
        found = _descriptions(answers)
        return FleetReading(
            self._azure.now(),
            found,
            self._look_up(list(_images(found, declared))),
            tuple(
                each.name for each, answer in zip(wanted, answers, strict=True) if isinstance(answer, Absent)
            ),
            {
                each.name: str(answer)
                for each, answer in zip(wanted, answers, strict=True)
                if isinstance(answer, AzureFailure)
            },
        )

    def read_copy(self, targets: Sequence[Target], live: FleetReading) -> FleetReading:
        """Read the copies of these scale sets, and the images of the live fleet, from the simulator."""
        found = _descriptions(self._all(self._describe, targets))
        images = self._look_up([(each.image, each.model) for each in live.images])
        return FleetReading(self._azure.now(), found, images, (), {})

    def _look_up(self, wanted: Sequence[tuple[Image, Model]]) -> tuple[Catalogued, ...]:
        answers = self._all(self._describe_image, wanted)
        return tuple(
            Catalogued(image, model, answer)
            for (image, model), answer in zip(wanted, answers, strict=True)
            if isinstance(answer, Availability)
        )

    def _describe(self, target: Target) -> Description | Absent:
        azure = self._azure
        body = self._patiently(lambda: azure.resource(target, Priority.ROLLOUT))
        if isinstance(body, Absent):
            return body
        shown = model(body)
        rows = self._patiently(lambda: azure.instance_rows(target, shown, Priority.ROLLOUT))
        rolling = self._patiently(lambda: azure.rolling_upgrade(target, Priority.ROLLOUT))
        return describe(body, rows, rolling)

    def _describe_image(self, wanted: tuple[Image, Model]) -> Availability:
        return self._patiently(lambda: self._azure.describe_image(*wanted, Priority.ROLLOUT))

    def _all(self, read: Callable[[Q], A], wanted: Sequence[Q]) -> list[A | AzureFailure]:
        """The result of `read` for each item, or the failure, in the order of `wanted`."""

        def answer(question: Q) -> A | AzureFailure:
            try:
                return read(question)
            except AzureFailure as failure:
                return failure

        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(answer, wanted))

    def _patiently(self, request: Callable[[], A]) -> A:
        """Send a request, and repeat it while Azure throttles it.

        Raises AzureFailure if the request fails.
        """
        return patiently(request, _LONGEST_PAUSE, self._sleep)


def _descriptions(answers: Iterable[object]) -> tuple[Description, ...]:
    """The scale sets that could be read, sorted by key."""
    found = (each for each in answers if isinstance(each, Description))
    return tuple(sorted(found, key=lambda each: each.target.key))


def _images(found: Sequence[Description], declared: Mapping[str, Image]) -> Iterator[tuple[Image, Model]]:
    """Each image that runs, that is declared, or that a rollback would restore, once for each region."""
    seen: set[tuple[tuple[str, str], str]] = set()
    for each in found:
        model = each.model
        named = (
            declared.get(model.id),
            model.image,
            model.persisted.last_good,
            *(instance.image for instance in each.instances if not instance.is_attached),
        )
        for image in named:
            if image is not None and (key(image), model.location) not in seen:
                seen.add((key(image), model.location))
                yield image, model
