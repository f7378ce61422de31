"""The levels above the versions of a platform image: publishers, their offers, and the SKUs of an offer.

The lists are bare arrays, as in Azure. Azure's error for an unknown publisher or offer has not been recorded.
"""

from __future__ import annotations

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply

LEVELS = ("publisher", "offer", "sku")
IN_IDS = ("Publishers", "ArtifactTypes/VMImage/Offers", "Skus")


def publishers(call: Call) -> Reply:
    return _list(call, 0)


def offers(call: Call) -> Reply:
    return _list(call, 1)


def skus(call: Call) -> Reply:
    return _list(call, 2)


def _list(call: Call, level: int) -> Reply:
    """Return the names at one level. The path contains the names at the levels above."""
    above = [call.names[name] for name in LEVELS[:level]]
    wanted = [name.lower() for name in above]
    known = call.cloud.catalogue.spelling.values()
    found = sorted({each[level] for each in known if [name.lower() for name in each[:level]] == wanted})
    if not found and above:
        raise errors.ArmError(404, "NotFound", "Artifact: VMImage was not found.")
    location = call.names["location"]
    path = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}"
    for word, name in zip(IN_IDS, above, strict=False):
        path += f"/{word}/{name}"
    word = IN_IDS[level]
    return Reply(200, [{"location": location, "name": name, "id": f"{path}/{word}/{name}"} for name in found])
