"""Whether Azure can still create instances from the images of models that are not about to change.

A version can be deleted or deprecated long after its rollout. Every instance then stays healthy, until a
scale-out or a repair fails.
"""

from datetime import timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.expiring import ExpiringMap
from reconciler.daemon.interfaces import AzureClient
from reconciler.rollout.observed import Availability, Model, Verdict
from reconciler.spec.image import Image

_INTERVAL = timedelta(days=1)
_RETRY = timedelta(hours=1)  # if the catalogue could not be read


class ImageWatch:
    """Looks up each image once a day per region, however many scale sets run the image."""

    def __init__(self, azure: AzureClient) -> None:
        self._azure = azure
        self._known: ExpiringMap[tuple[Image, str], Availability] = ExpiringMap()

    def availability(self, model: Model, priority: Priority) -> Availability | None:
        """The availability of the image of this model, or None if the image cannot be read."""
        if model.image is None:
            return None
        now, key = self._azure.now(), (model.image, model.location)
        self._known.forget(now)
        known = self._known.get(key, now)
        if known is None:
            known = self._azure.availability(model.image, model, priority)
            is_read = known.verdict is not Verdict.UNCHECKED
            self._known.put(key, known, until=now + (_INTERVAL if is_read else _RETRY))
        return known
