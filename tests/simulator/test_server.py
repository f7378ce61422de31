"""The HTTPS server: unmodified clients, over TLS, with a managed identity."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient

from reconciler.simulator import SUBSCRIPTION, Reset, Simulator, Throttled, VirtualClock, WallClock
from reconciler.simulator.server import Server
from reconciler.simulator.tokens import TENANT, claims
from tests.simulator.azure import NEW, SET, VERSION, fleet

QUICK = {"model": "0.05s", "upgrade": "0.05s", "boot": "0.05s", "health": "0.05s"}
SCOPES = ["https://management.azure.com/.default"]


@pytest.fixture
def sim() -> Simulator:
    return Simulator.load({**fleet(), "timings": QUICK, "page": 8}, WallClock())


@pytest.fixture
def server(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with sim.serve(certificates=tmp_path) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served


def fetch(url: str, server: Server, **headers: str) -> bytes:
    trust = ssl.create_default_context(cafile=str(server.ca_file)) if url.startswith("https") else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        content: bytes = answer.read()
        return content


def test_the_default_credential_and_the_sdk_work_over_tls(sim: Simulator, server: Server) -> None:
    with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(
            credential, SUBSCRIPTION, base_url=server.url, credential_scopes=SCOPES, polling_interval=0
        ) as client,
    ):
        sets, vms = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
        assert [each.name for each in sets.list_all()] == ["web"]
        profile = {"storageProfile": {"imageReference": {"version": NEW.rpartition(":")[2]}}}
        change: Any = {"properties": {"virtualMachineProfile": profile}}
        chosen: Any = {"instanceIds": ["0", "5"]}
        sets.begin_update("shop", "web", change).result()
        sets.begin_update_instances("shop", "web", chosen).result()
        current = [vm.instance_id for vm in vms.list("shop", "web") if vm.latest_model_applied]
    assert current == ["0", "5"]
    assert sim.record.images("web")["5"] == NEW


def test_the_token_is_a_jwt_that_can_be_decoded(server: Server) -> None:
    url = f"{server.identity_endpoint}?api-version=2019-08-01&resource=https://management.azure.com"
    answer = json.loads(fetch(url, server, **{"X-IDENTITY-HEADER": server.identity_header}))
    claims = answer["access_token"].split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert {"aud", "iss", "tid", "oid", "appid", "exp"} <= set(payload)
    assert answer["expires_on"] == str(payload["exp"])
    assert fetch(
        url.replace(server.plain_url, server.url), server, **{"X-IDENTITY-HEADER": server.identity_header}
    )


@pytest.mark.parametrize(
    "header",
    [pytest.param({}, id="no header"), pytest.param({"X-IDENTITY-HEADER": "guess"}, id="a wrong header")],
)
def test_the_identity_needs_the_secret_header(server: Server, header: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        fetch(f"{server.identity_endpoint}?api-version=2019-08-01&resource=x", server, **header)
    caught.value.close()


def test_a_service_principal_signs_in_at_the_same_address(server: Server) -> None:
    with ClientSecretCredential(
        TENANT, "app", "hush", authority=server.url, disable_instance_discovery=True
    ) as credential:
        token = claims(f"Bearer {credential.get_token(*SCOPES).token}")
    assert (token["appid"], token["aud"]) == ("app", "https://management.azure.com")


def test_a_virtual_machine_finds_its_identity_at_the_same_address(server: Server) -> None:
    url = f"{server.plain_url}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://x"
    assert (
        claims(f"Bearer {json.loads(fetch(url, server, Metadata='true'))['access_token']}")["tid"] == TENANT
    )


def test_signing_in_is_not_in_the_record_of_resource_manager(sim: Simulator, server: Server) -> None:
    fetch(f"{server.url}/{TENANT}/v2.0/.well-known/openid-configuration", server)
    assert sim.record.requests == ()


def test_resource_manager_needs_a_token_on_both_listeners(server: Server) -> None:
    for url in (server.url, server.plain_url):
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            fetch(f"{url}{SET}?api-version={VERSION}", server)
        caught.value.close()
        assert fetch(f"{url}{SET}?api-version={VERSION}", server, Authorization="Bearer t").startswith(
            b"{\r\n"
        )


def test_a_client_without_its_authority_does_not_trust_the_server(server: Server) -> None:
    # The environment names the authority, but a context that loads nothing does not know it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        opener.open(server.url, timeout=10)


def test_next_links_lead_back_to_the_same_address(server: Server) -> None:
    body = json.loads(
        fetch(f"{server.url}{SET}/virtualMachines?api-version={VERSION}", server, Authorization="Bearer t")
    )
    assert body["nextLink"].startswith(f"{server.url}{SET}/virtualMachines?")


@pytest.mark.parametrize(
    "lost_answer", [pytest.param(False, id="before the request"), pytest.param(True, id="after the request")]
)
def test_a_reset_breaks_the_connection(sim: Simulator, server: Server, lost_answer: bool) -> None:
    sim.faults.arm("VirtualMachineScaleSets_Get", Reset(lost_answer=lost_answer))
    url = f"{server.url}{SET}?api-version={VERSION}"
    with pytest.raises((ConnectionError, RemoteDisconnected, urllib.error.URLError)):
        fetch(url, server, Authorization="Bearer t")
    assert fetch(url, server, Authorization="Bearer t")


def test_throttling_crosses_the_wire(sim: Simulator, server: Server) -> None:
    sim.faults.arm("VirtualMachineScaleSets_Get", Throttled(timedelta(seconds=7)))
    with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(
            credential, SUBSCRIPTION, base_url=server.url, credential_scopes=SCOPES, retry_total=0
        ) as client,
        pytest.raises(HttpResponseError) as caught,
    ):
        client.virtual_machine_scale_sets.get("shop", "web")
    response: Any = caught.value.response
    assert response.headers["Retry-After"] == "7"


def test_a_virtual_clock_can_be_served_too() -> None:
    sim = Simulator.load(fleet(), VirtualClock())
    with sim.serve() as server:
        ca_file = server.ca_file
        assert fetch(f"{server.url}{SET}?api-version={VERSION}", server, Authorization="Bearer t")
    assert not ca_file.exists(), "certificates of its own are removed"
