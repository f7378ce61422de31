"""Images in subscriptions of another tenant."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION
from reconciler.simulator.catalogue import storage_of
from reconciler.simulator.entra import answer
from reconciler.simulator.message import Request
from reconciler.simulator.tokens import TENANT, claims, token
from tests.simulator.azure import SET, Azure, Start

THEIRS, TENANT_OF_THEIRS = "22222222-2222-2222-2222-222222222222", "99999999-9999-9999-9999-999999999999"
GALLERY = f"/subscriptions/{THEIRS}/resourceGroups/images/providers/Microsoft.Compute/galleries/g/images/base"
OLD, NEW = (f"{GALLERY}/versions/1.{minor}.0" for minor in (0, 1))


def bearer(tenant: str) -> str:
    return f"Bearer {token('https://management.azure.com/', int(time.time()), tenant=tenant)}"


@pytest.fixture
def two_tenants(start: Start) -> Azure:
    return start(top={"tenants": {THEIRS: TENANT_OF_THEIRS}, "images": {"ids": [NEW]}}, image=OLD)


def patch(azure: Azure, auxiliary: str | None = None, image: str = NEW) -> Any:
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage_of(image)}}}
    headers = {} if auxiliary is None else {"x-ms-authorization-auxiliary": auxiliary}
    return azure.ask("PATCH", "", json.dumps(change).encode(), headers=headers)


@pytest.mark.parametrize(
    "image, action",
    [
        pytest.param(
            NEW, "Microsoft.Compute/galleries/images/versions/read", id="a version of a gallery image"
        ),
        pytest.param(
            GALLERY, "Microsoft.Compute/galleries/images/read", id="a definition of a gallery image"
        ),
    ],
)
def test_a_patch_that_names_an_image_of_another_tenant_is_rejected(
    two_tenants: Azure, image: str, action: str
) -> None:
    refused = patch(two_tenants, image=image)
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (403, "LinkedAuthorizationFailed")
    assert error["message"] == (
        f"The client has permission to perform action '{action}' on scope '{SET}', however the current "
        f"tenant '{TENANT}' is not authorized to access linked subscription '{THEIRS}'."
    )
    assert two_tenants.sim.scale_set("web").image == OLD


@pytest.mark.parametrize(
    "tokens, status",
    [
        pytest.param([TENANT_OF_THEIRS], 200, id="the token of the other tenant"),
        pytest.param(
            ["33333333-3333-3333-3333-333333333333", TENANT_OF_THEIRS], 200, id="the tokens of both tenants"
        ),
        pytest.param([TENANT], 403, id="the token of the home tenant again"),
    ],
)
@pytest.mark.parametrize("separator", [", ", ";"])
def test_an_auxiliary_token_of_that_tenant_is_needed(
    two_tenants: Azure, tokens: list[str], status: int, separator: str
) -> None:
    assert patch(two_tenants, separator.join(map(bearer, tokens))).status == status


def test_a_patch_that_names_no_image_needs_none(two_tenants: Azure) -> None:
    assert two_tenants.ask("PATCH", "", b'{"tags": {"a": "b"}}').status == 200


def test_a_catalogue_needs_a_token_of_its_tenant(two_tenants: Azure) -> None:
    refused = two_tenants.ask("GET", NEW)
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (401, "InvalidAuthenticationTokenTenant")
    assert f"'https://sts.windows.net/{TENANT}/'. It must match the tenant" in error["message"]
    theirs = {"Authorization": bearer(TENANT_OF_THEIRS)}
    assert two_tenants.ask("GET", NEW, headers=theirs).status == 200
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
    assert two_tenants.ask("GET", path, headers=theirs).status == 401, (
        "the own subscription rejects the token of the other tenant"
    )


@pytest.mark.parametrize(
    "tenant, tenants, issuer",
    [
        pytest.param(TENANT_OF_THEIRS, [TENANT_OF_THEIRS], TENANT_OF_THEIRS, id="a tenant of the fleet file"),
        pytest.param("common", [TENANT_OF_THEIRS], TENANT, id="an alias of the fleet's own tenant"),
        pytest.param(TENANT_OF_THEIRS, [], None, id="an unknown tenant"),
    ],
)
def test_a_service_principal_signs_in_to_each_tenant(
    tenant: str, tenants: list[str], issuer: str | None
) -> None:
    scope = "https://management.azure.com/.default"
    form = f"grant_type=client_credentials&client_id=a&client_secret=b&scope={scope}"
    signed = answer(Request("POST", f"https://x/{tenant}/oauth2/v2.0/token", {}, form.encode()), tenants)
    assert signed is not None
    found = signed.json().get("access_token", "")
    assert claims(f"Bearer {found}").get("tid") == issuer
