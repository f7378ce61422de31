"""Tokens of other tenants are sent with images, and a missing one is reported with its tenant."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.rest import HttpRequest, HttpResponse

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure, Refused, Unreachable
from reconciler.azure.session import Session
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.rollout.observed import ABSENT, Model
from reconciler.rollout.persisted import Signature
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.simulator import Simulator
from reconciler.simulator.tokens import TENANT
from reconciler.simulator.transport import InProcessTransport
from tests.azure.conftest import IMAGE, TARGET
from tests.azure.test_identity import jwt
from tests.messages import says
from tests.stories.world import NEW, World, fleet, scale_set, spec

HOME = TENANT  # of the simulator's subscription
VENDOR, OTHER = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "bc")
HEADER = "x-ms-authorization-auxiliary"
NOT_THERE = (
    f"Attempted credentials:\n\tEnvironmentCredential: AADSTS700016: Application 'A' was not found in {VENDOR}. "
    "Trace ID: 1"
)


class Application:
    """A credential with a result for each tenant: the tenant of the token, or an error."""

    def __init__(self, said: Mapping[str | None, str | Exception]) -> None:
        self._said = said

    def get_token(self, *_scopes: str, tenant_id: str | None = None, **_options: object) -> AccessToken:
        said = self._said[tenant_id]
        if isinstance(said, Exception):
            raise said
        return AccessToken(said if said == "opaque" else jwt(tid=said), 4_102_444_800)


class Headers(InProcessTransport):
    """Keeps the headers of what is sent."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.sent: list[tuple[str, Mapping[str, str]]] = []

    def send(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.sent.append((request.method, dict(request.headers)))
        return super().send(request, **kwargs)


def test_only_the_change_of_a_model_carries_a_token_of_each_tenant(azure: Simulator) -> None:
    application = Application({None: HOME, VENDOR: VENDOR, OTHER: OTHER})
    transport = Headers(azure)
    session = Session(credential=application, transport=transport, auxiliary_tenants=[VENDOR, OTHER])
    compute = Compute(session)
    model = compute.model(TARGET, Priority.ROLLOUT)
    assert isinstance(model, Model)
    compute.take(TARGET, PatchModel(IMAGE, model.etag))
    compute.take(TARGET, Upgrade(("0",), IMAGE))
    later = compute.model(TARGET, Priority.ROLLOUT)
    assert isinstance(later, Model)
    compute.approve(TARGET, later, IMAGE, Signature.of(IMAGE, "ada", compute.now()))
    both = f"Bearer {jwt(tid=VENDOR)}, Bearer {jwt(tid=OTHER)}"
    assert [(method, headers.get(HEADER)) for method, headers in transport.sent] == [
        ("GET", None),
        ("PATCH", both),
        ("POST", None),
        ("GET", None),
        ("PATCH", None),
    ]
    assert {headers["Authorization"] for _, headers in transport.sent} == {f"Bearer {jwt(tid=HOME)}"}


def test_without_auxiliary_tenants_there_is_no_such_header(azure: Simulator) -> None:
    transport = Headers(azure)
    session = Session(credential=Application({None: HOME}), transport=transport)
    Compute(session).take(TARGET, PatchModel(IMAGE, '"1"'))
    assert [HEADER in headers for _, headers in transport.sent] == [False]


@pytest.mark.parametrize(
    "said, kind, message",
    [
        pytest.param(
            ClientAuthenticationError(NOT_THERE),
            Unreachable,
            f"auxiliary tenant {VENDOR} issued no token: Microsoft Entra ID returned AADSTS700016 (\"Application 'A' was not "
            f'found in {VENDOR}")',
            id="a tenant that does not know the application",
        ),
        pytest.param(
            ClientAuthenticationError("it cannot"),
            Unreachable,
            f"auxiliary tenant {VENDOR} issued no token: no Azure identity: no source of DefaultAzureCredential",
            id="no source for that tenant",
        ),
        pytest.param(
            OSError("no such certificate"),
            Unreachable,
            f"auxiliary tenant {VENDOR} issued no token: no token could be obtained (no such certificate)",
            id="a missing file",
        ),
        pytest.param(
            HOME,
            Refused,
            f"the token for auxiliary tenant {VENDOR} was issued by tenant {HOME}; a managed identity gets no other",
            id="a managed identity, which has one tenant",
        ),
    ],
)
def test_a_missing_token_blocks_the_change_of_a_model_and_names_the_tenant(
    said: str | Exception, kind: type[AzureFailure], message: str, azure: Simulator
) -> None:
    application = Application({None: HOME, VENDOR: said})
    session = Session(credential=application, transport=azure.transport(), auxiliary_tenants=[VENDOR])
    with pytest.raises(kind) as failure:
        Compute(session).take(TARGET, PatchModel(IMAGE, '"1"'))
    assert str(failure.value).startswith(message)
    assert azure.record.requests == ()
    assert Compute(session).model(TARGET, Priority.ROLLOUT) is not ABSENT


@pytest.mark.parametrize("token", [VENDOR.upper(), "opaque"])
def test_a_token_of_the_tenant_or_without_a_tenant_is_used(token: str, azure: Simulator) -> None:
    transport = Headers(azure)
    application = Application({None: HOME, VENDOR: token})
    session = Session(credential=application, transport=transport, auxiliary_tenants=[VENDOR])
    Compute(session).take(TARGET, PatchModel(IMAGE, '"1"'))
    assert HEADER in transport.sent[0][1]


@pytest.mark.parametrize(
    "tenants, line, version",
    [
        pytest.param(
            [VENDOR],
            says("ModelDrift", "base/1.0.0", "base/1.1.0"),
            "1.1.0",
            id="the tenant is named",
        ),
        pytest.param(
            [],
            says("Refused", "LinkedAuthorizationFailed", "--auxiliary-tenant"),
            "1.0.0",
            id="the tenant is not named",
        ),
    ],
)
def test_an_image_of_another_tenant_is_rolled_out_if_the_tenant_is_named(
    tenants: list[str], line: str, version: str
) -> None:
    """Its catalogue is closed to us either way, which an exact version does not need."""
    theirs = "22222222-2222-2222-2222-222222222222"
    gallery = f"/subscriptions/{theirs}/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/base"
    old, new = (f"{gallery}/versions/1.{minor}.0" for minor in (0, 1))
    world = World(
        fleet(scale_set(capacity=1, image={"id": old}), tenants={theirs: VENDOR}, images={"ids": [old, new]}),
        spec(image={"gallery": {"id": new}}),
    )
    session = Session(
        credential=Application({None: HOME, VENDOR: VENDOR}),
        transport=world.azure.transport(),
        auxiliary_tenants=tenants,
        now=world.now,
    )
    store = Reconciler(Specs(world.source, world.now), Compute(session), Settings()).once(act=True)
    (outcome,) = (each.outcome for each in store.states())
    assert outcome
    assert outcome.line == line
    assert world.azure.scale_set("web").image.endswith(f"/{version}")


def test_a_tenant_without_a_token_costs_only_scale_sets_whose_model_is_to_change() -> None:
    world = World(fleet(scale_set("begun", capacity=3), scale_set("new", capacity=3)), spec("begun"))
    world.run(lambda: "VirtualMachineScaleSets_Update" in world.requests())

    class WithoutToken(Compute):
        def __init__(self, _session: Session) -> None:
            application = Application({None: HOME, VENDOR: ClientAuthenticationError(NOT_THERE)})
            transport = world.azure.transport()
            super().__init__(
                Session(
                    credential=application, transport=transport, auxiliary_tenants=[VENDOR], now=world.now
                )
            )

    world.compute = WithoutToken
    world.merge(spec("new"))
    world.restart()
    world.rest(timedelta(minutes=30))
    assert world.lines()["begun"] == says("UpToDate", "3", NEW)
    assert world.lines()["new"] == says("Unreachable", VENDOR)
