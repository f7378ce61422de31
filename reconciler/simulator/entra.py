"""The tenant in which service principals sign in: discovery, and tokens for both protocol versions.

    POST /{tenant}/oauth2/v2.0/token      client_id, client_secret, scope=https://management.azure.com/.default
    POST /{tenant}/oauth2/token           client_id, client_secret, resource=https://management.azure.com/

Every application exists and every secret is valid, but a request must contain a secret or an assertion. Error
codes and messages come from issue threads. The HTTP statuses of the errors follow OAuth.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reconciler.simulator.domains import guid
from reconciler.simulator.identity import form, json_response
from reconciler.simulator.message import Request, Response
from reconciler.simulator.tokens import LIFETIME, TENANT, token

DISCOVERY = re.compile(r"/(?P<tenant>[^/]+)(?P<version>/v2\.0)?/\.well-known/openid-configuration", re.I)
INSTANCES = re.compile(r"/common/discovery/instance", re.I)
TOKEN = re.compile(r"/(?P<tenant>[^/]+)/oauth2(?P<version>/v2\.0)?/token", re.I)
# Names that mean any tenant; clients of Azure Stack write `adfs`.
ALIASES = ("common", "organizations", "adfs")
SCOPE_SUFFIX = "/.default"


class _Refusal(NamedTuple):
    status: int
    error: str
    code: int
    message: str


def answer(request: Request, tenants: Collection[str] = ()) -> Response | None:
    """Return the response to a sign-in or discovery request, or None for any other request.

    `tenants` are all tenants except the fleet's own.
    """
    if (found := TOKEN.fullmatch(request.path)) and request.method == "POST":
        return _issue_token(request, found["tenant"], tenants, is_v2=found["version"] is not None)
    if INSTANCES.fullmatch(request.path):
        return json_response(200, _instances(request.host))
    if found := DISCOVERY.fullmatch(request.path):
        if refusal := _unknown_tenant(found["tenant"], tenants, "invalid_tenant"):
            return _refusal(refusal)
        return json_response(200, _configuration(request.host, found["tenant"], found["version"] or ""))
    return None


def _issue_token(request: Request, tenant: str, tenants: Collection[str], *, is_v2: bool) -> Response:
    fields = form(request)
    if refusal := _unknown_tenant(tenant, tenants) or _request_error(fields, is_v2=is_v2):
        return _refusal(refusal)
    issued = int(time.time())
    resource = fields["scope"].removesuffix(SCOPE_SUFFIX) if is_v2 else fields["resource"]
    issuer = tenant.lower() if tenant.lower() in tenants else TENANT
    access = token(resource, issued, fields["client_id"], issuer)
    granted = {"token_type": "Bearer", "access_token": access}
    if is_v2:
        return json_response(200, {**granted, "expires_in": LIFETIME, "ext_expires_in": LIFETIME})
    times = {
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "expires_on": issued + LIFETIME,
        "not_before": issued,
    }
    texts = {name: str(value) for name, value in times.items()}
    return json_response(200, {**granted, **texts, "resource": resource})


def _unknown_tenant(tenant: str, tenants: Collection[str], error: str = "invalid_request") -> _Refusal | None:
    if tenant.lower() in (TENANT, *ALIASES, *tenants):
        return None
    message = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
        "into the correct cloud. Check with your subscription administrator, this may happen if there are no "
        "active subscriptions for the tenant."
    )
    return _Refusal(400, error, 90002, message)


def _request_error(fields: Mapping[str, str], *, is_v2: bool) -> _Refusal | None:
    """Return the first error in a token request, or None if the request is valid."""
    for name in ("grant_type", "client_id", "scope" if is_v2 else "resource"):
        if not fields.get(name):
            message = f"The request body must contain the following parameter: '{name}'."
            return _Refusal(400, "invalid_request", 900144, message)
    if (grant := fields["grant_type"]) != "client_credentials":
        message = f"The app requested an unsupported grant type '{grant}'."
        return _Refusal(400, "unsupported_grant_type", 70003, message)
    if not fields.get("client_secret") and not fields.get("client_assertion"):
        message = (
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
            "grant type."
        )
        return _Refusal(401, "invalid_client", 7000216, message)
    if is_v2 and not fields["scope"].endswith(SCOPE_SUFFIX):
        message = (
            f"The provided value for scope {fields['scope']} is not valid. Client credential flows must have "
            "a scope value with /.default suffixed to the resource identifier (application ID URI)."
        )
        return _Refusal(400, "invalid_scope", 1002012, message)
    return None


def _refusal(refusal: _Refusal) -> Response:
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    trace, correlation = guid("trace", moment), guid("correlation", moment)
    description = f"AADSTS{refusal.code}: {refusal.message} Trace ID: {trace} Correlation ID: {correlation}"
    return json_response(
        refusal.status,
        {
            "error": refusal.error,
            "error_description": f"{description} Timestamp: {moment}",
            "error_codes": [refusal.code],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refusal.code}",
        },
    )


def _configuration(host: str, tenant: str, version: str) -> dict[str, Any]:
    base = f"{host}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "issuer": f"{host}/{TENANT}{version}",
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
        "tenant_region_scope": None,
        "cloud_instance_name": host.partition("://")[2],
    }


def _instances(host: str) -> dict[str, Any]:
    name = host.partition("://")[2]
    return {
        "tenant_discovery_endpoint": f"{host}/{TENANT}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": name, "preferred_cache": name, "aliases": [name]}],
    }
