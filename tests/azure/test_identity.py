"""Whose token it is, read from the token and never showing it."""

import base64
import json
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import identity
from reconciler.azure.session import Session


class Credential:
    """Gives out this token, or fails with this error."""

    def __init__(self, given: str | Exception) -> None:
        self._given = given

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        if isinstance(self._given, Exception):
            raise self._given
        return AccessToken(self._given, 4_102_444_800)


def jwt(**claims: Any) -> str:
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims, {})
    )


@pytest.mark.parametrize(
    "token, shown",
    [
        pytest.param(
            jwt(tid="T", oid="O", appid="A"), "application A, object O in tenant T", id="an application"
        ),
        pytest.param(
            jwt(tid="T", oid="O", appid="A", upn="jo@shop.example"),
            "jo@shop.example, object O in tenant T",
            id="a person who uses any program",
        ),
        pytest.param(jwt(tid="T", oid="O", azp="A"), "application A, object O in tenant T", id="version 2"),
        pytest.param(jwt(tid="T"), "object unknown in tenant T", id="only a tenant and an object id"),
        pytest.param(
            jwt(tid=1, oid=[]),
            "a token was issued, but it has no claims about its owner",
            id="claims of other types",
        ),
        pytest.param(
            "opaque",
            "a token was issued, but it has no claims about its owner",
            id="a token that is not a JWT",
        ),
        pytest.param("a.b.c", "a token was issued, but it has no claims about its owner", id="an empty JWT"),
        pytest.param(
            "a.é.c",
            "a token was issued, but it has no claims about its owner",
            id="a JWT with invalid characters",
        ),
        pytest.param(
            "a.W10.c", "a token was issued, but it has no claims about its owner", id="a list of claims"
        ),
    ],
)
def test_an_identity_is_shown_as(token: str, shown: str) -> None:
    assert str(identity(Session(credential=Credential(token)))) == shown


@pytest.mark.parametrize(
    "error, said",
    [
        pytest.param(
            ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token"),
            "no Azure identity: no source of DefaultAzureCredential returned a token",
            id="no identity",
        ),
        pytest.param(
            ClientAuthenticationError(
                "Attempted credentials:\n\tEnvironmentCredential: Authentication failed: AADSTS7000215: Invalid "
                "client secret provided. Trace ID: 1 Correlation ID: 2\nTo mitigate this issue"
            ),
            'Microsoft Entra ID returned AADSTS7000215 ("Invalid client secret provided")',
            id="a rejected identity, with the words of the rejection",
        ),
        pytest.param(
            OSError("no such certificate"),
            "no token could be obtained (no such certificate)",
            id="a missing file",
        ),
    ],
)
def test_a_failed_identity_is_reported(error: Exception, said: str) -> None:
    with pytest.raises(AzureFailure) as failure:
        identity(Session(credential=Credential(error)))
    assert str(failure.value).startswith(said)
    assert "Trace" not in str(failure.value)
