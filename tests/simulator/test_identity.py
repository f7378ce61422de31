"""Signing in: managed identities in three forms, and service principals by both protocol versions."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from reconciler.simulator import Request, entra, identity
from reconciler.simulator.tokens import CLIENT, TENANT, claims, principal

HOST = "https://127.0.0.1:443"
ARM = "https://management.azure.com"
SECRET = "the header's secret"
APPLICATION = "22222222-2222-2222-2222-222222222222"
BASIC = {"grant_type": "client_credentials", "client_id": APPLICATION, "client_secret": "hush"}
V1, V2 = f"/{TENANT}/oauth2/token", f"/{TENANT}/oauth2/v2.0/token"
METADATA = {"Metadata": "true"}


def ask_identity(method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, Any]:
    response = identity.answer(Request(method, HOST + path, headers, body.encode()), SECRET)
    assert response is not None
    return response.status, response.json()


def post_to_entra(path: str, **form: str) -> tuple[int, Any]:
    response = entra.answer(Request("POST", HOST + path, body=urlencode(form).encode()))
    assert response is not None
    return response.status, response.json()


def get_from_entra(path: str) -> tuple[int, Any]:
    response = entra.answer(Request("GET", HOST + path))
    assert response is not None
    return response.status, response.json()


def claims_of(token: str) -> Any:
    return claims(f"Bearer {token}")


@pytest.mark.parametrize(
    "method, path, headers, body",
    [
        pytest.param(
            "GET",
            f"{identity.PATH}?api-version=2019-08-01&resource={ARM}",
            {"X-IDENTITY-HEADER": SECRET},
            "",
            id="App Service",
        ),
        pytest.param(
            "POST", identity.PATH, METADATA, f"resource={ARM}", id="Cloud Shell",
        ),
        pytest.param(
            "GET",
            f"{identity.VIRTUAL_MACHINE_PATH}?api-version=2018-02-01&resource={ARM}",
            METADATA,
            "",
            id="a virtual machine",
        ),
    ],
)  # fmt: skip
def test_a_managed_identity_gets_a_token(method: str, path: str, headers: dict[str, str], body: str) -> None:
    status, answer = ask_identity(method, path, headers, body)
    token = claims_of(answer["access_token"])
    assert status == 200
    assert (token["aud"], token["tid"], token["appid"], token["oid"]) == (
        ARM,
        TENANT,
        CLIENT,
        principal(CLIENT),
    )
    assert answer["expires_on"] == str(token["exp"])
    assert (answer["resource"], answer["token_type"], answer["client_id"]) == (ARM, "Bearer", CLIENT)


def test_an_identity_can_be_chosen_by_its_client_id() -> None:
    path = f"{identity.PATH}?api-version=2019-08-01&resource={ARM}&client_id={APPLICATION}"
    _, answer = ask_identity("GET", path, {"X-IDENTITY-HEADER": SECRET})
    assert claims_of(answer["access_token"])["appid"] == answer["client_id"] == APPLICATION


@pytest.mark.parametrize(
    "method, path, headers, body, status",
    [
        pytest.param("GET", f"{identity.PATH}?api-version=1&resource=x", {}, "", 401, id="App Service without the secret"),
        pytest.param(
            "GET", f"{identity.PATH}?resource=x", {"X-IDENTITY-HEADER": SECRET}, "", 400, id="App Service without an API version"
        ),
        pytest.param("POST", identity.PATH, {}, "resource=x", 400, id="Cloud Shell without its header"),
        pytest.param("POST", identity.PATH, METADATA, "", 400, id="Cloud Shell without a resource"),
        pytest.param(
            "GET", f"{identity.VIRTUAL_MACHINE_PATH}?api-version=1&resource=x", {}, "", 400, id="a virtual machine without the header"
        ),
        pytest.param(
            "GET", f"{identity.VIRTUAL_MACHINE_PATH}?api-version=1", METADATA, "", 400, id="a virtual machine without a resource"
        ),
        pytest.param(
            "GET", f"{identity.VIRTUAL_MACHINE_PATH}?resource=x", METADATA, "", 400, id="a virtual machine without an API version"
        ),
    ],
)  # fmt: skip
def test_a_request_for_a_managed_identity_is_rejected(
    method: str, path: str, headers: dict[str, str], body: str, status: int
) -> None:
    assert ask_identity(method, path, headers, body)[0] == status


@pytest.mark.parametrize(
    "path, asked",
    [
        pytest.param(V2, {"scope": f"{ARM}/.default"}, id="version 2"),
        pytest.param(V1, {"resource": ARM}, id="version 1"),
        pytest.param("/adfs/oauth2/token", {"resource": ARM}, id="version 1 in the form of Azure Stack"),
        pytest.param(V2.upper(), {"scope": f"{ARM}/.default"}, id="in any casing"),
    ],
)
def test_a_service_principal_gets_a_token(path: str, asked: dict[str, str]) -> None:
    status, answer = post_to_entra(path, **BASIC, **asked)
    token = claims_of(answer["access_token"])
    assert (status, answer["token_type"]) == (200, "Bearer")
    assert (token["aud"], token["appid"], token["oid"]) == (ARM, APPLICATION, principal(APPLICATION))


def test_an_assertion_serves_in_place_of_a_secret() -> None:
    federated = {**BASIC, "client_secret": "", "client_assertion": "header.payload.signature"}
    assert post_to_entra(V2, **federated, scope=f"{ARM}/.default")[0] == 200


def test_times_are_numbers_in_version_2_and_text_in_version_1() -> None:
    assert isinstance(post_to_entra(V2, **BASIC, scope=f"{ARM}/.default")[1]["expires_in"], int)
    _, answer = post_to_entra(V1, **BASIC, resource=ARM)
    assert int(answer["expires_on"]) - int(answer["not_before"]) == int(answer["expires_in"])
    assert answer["resource"] == ARM


@pytest.mark.parametrize(
    "path, form, status, error, said",
    [
        pytest.param(V2, {}, 400, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'grant_type'.", id="an empty form"),
        pytest.param(V2, {**BASIC, "client_id": ""}, 400, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'client_id'.", id="a missing client id"),
        pytest.param(V2, BASIC, 400, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'scope'.", id="version 2 without a scope"),
        pytest.param(V1, BASIC, 400, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'resource'.", id="version 1 without a resource"),
        pytest.param(V2, {**BASIC, "grant_type": "password", "scope": "x/.default"}, 400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type 'password'.", id="the grant type of a user"),
        pytest.param(V2, {**BASIC, "client_secret": "", "scope": "x/.default"}, 401, "invalid_client", "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.", id="a missing secret"),
        pytest.param(V2, {**BASIC, "scope": ARM}, 400, "invalid_scope", f"AADSTS1002012: The provided value for scope {ARM} is not valid.", id="a scope that is a resource"),
        pytest.param("/contoso.test/oauth2/v2.0/token", {**BASIC, "scope": "x/.default"}, 400, "invalid_request", "AADSTS90002: Tenant 'contoso.test' not found.", id="an unknown tenant"),
    ],
)  # fmt: skip
def test_a_sign_in_is_rejected_in_entras_words(
    path: str, form: dict[str, str], status: int, error: str, said: str
) -> None:
    code, answer = post_to_entra(path, **form)
    assert (code, answer["error"]) == (status, error)
    assert answer["error_description"].startswith(said)
    assert answer["error_codes"] == [int(said.partition(":")[0].removeprefix("AADSTS"))]
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(answer)


def test_discovery_returns_addresses_of_the_same_host() -> None:
    for version in ("", "/v2.0"):
        status, found = get_from_entra(f"/{TENANT}{version}/.well-known/openid-configuration")
        assert status == 200
        assert found["token_endpoint"] == f"{HOST}/{TENANT}/oauth2{version}/token"
        assert found["issuer"] == f"{HOST}/{TENANT}{version}"
    status, instances = get_from_entra("/common/discovery/instance?api-version=1.1&authorization_endpoint=x")
    assert instances["tenant_discovery_endpoint"].startswith(HOST)
    status, refused = get_from_entra("/contoso.test/v2.0/.well-known/openid-configuration")
    assert (status, refused["error"], refused["error_codes"]) == (400, "invalid_tenant", [90002])


@pytest.mark.parametrize(
    "path", ["/subscriptions", "/subscriptions/s/providers/Microsoft.Compute/virtualMachineScaleSets", "/"]
)
def test_requests_for_resource_manager_are_not_handled(path: str) -> None:
    request = Request("GET", HOST + path)
    assert identity.answer(request, SECRET) is None
    assert entra.answer(request) is None


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="an empty header"),
        pytest.param("Bearer t", id="a token that has not three parts"),
        pytest.param("Bearer a.%%%.c", id="a payload that is not base64"),
        pytest.param(
            f"Bearer a.{base64.urlsafe_b64encode(b'no').decode()}.c", id="a payload that is not JSON"
        ),
        pytest.param(
            f"Bearer a.{base64.urlsafe_b64encode(json.dumps([1]).encode()).decode()}.c",
            id="a payload that is a list",
        ),
    ],
)
def test_a_token_that_cannot_be_decoded_has_no_claims(header: str) -> None:
    assert claims(header) == {}
