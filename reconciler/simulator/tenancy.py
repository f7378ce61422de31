"""Subscriptions in other tenants: which tokens are accepted, and whose images a scale set may use.

A request has one token for its own subscription. The header `x-ms-authorization-auxiliary` can contain
further tokens for linked subscriptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.simulator import errors
from reconciler.simulator.catalogue import ID_FIELDS
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.message import Request
from reconciler.simulator.tokens import tenant_of

AUXILIARY = "x-ms-authorization-auxiliary"
# The tokens are separated by ";" in the documentation and by "," in the SDK.
SEPARATOR = re.compile(r"[;,]")
SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)/", re.I)
LINKING = ("VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_CreateOrUpdate")


def require_tenant(cloud: Cloud, subscription: str, request: Request) -> None:
    """Raise Azure's 401 if the token was not issued by the tenant of the subscription."""
    issuer, tenant = tenant_of(request.header("Authorization")), cloud.tenant(subscription)
    if issuer != tenant:
        raise errors.wrong_tenant(issuer, tenant)


def require_linked(cloud: Cloud, route: str, request: Request) -> None:
    """Raise Azure's 403 if a write names an image in a tenant for which the request has no token."""
    image = _image_id(request) if route in LINKING else ""
    found = SUBSCRIPTION.match(image)
    if found is None:
        return
    held = {tenant_of(part.strip()) for part in SEPARATOR.split(request.header(AUXILIARY)) if part.strip()}
    own = tenant_of(request.header("Authorization"))
    if cloud.tenant(found[1]) not in {own, *held}:
        raise errors.tenant_not_linked(_action(image), request.path, own, found[1])


def _image_id(request: Request) -> str:
    """Return the image id in the body of a write, or "" if the body has none."""
    found: object = request.json()
    for name in (
        "properties",
        "virtualMachineProfile",
        "storageProfile",
        "imageReference",
        ID_FIELDS["gallery"],
    ):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def _action(image: str) -> str:
    if "/galleries/" not in image.lower():
        return "Microsoft.Compute/images/read"
    part = "images/versions" if "/versions/" in image.lower() else "images"
    return f"Microsoft.Compute/galleries/{part}/read"
