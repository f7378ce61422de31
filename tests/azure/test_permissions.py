"""What may be done, and by which action; the rules are those of Azure's role definitions."""

import json
from pathlib import Path

import pytest

from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import Conflict, MalformedResponse
from reconciler.azure.permissions import EffectivePermissions, Grant, permissions
from reconciler.azure.role import ACTIONS, ALWAYS, FLEXIBLE, home, required_actions
from reconciler.azure.session import Session
from reconciler.simulator import Page, Simulator, VirtualClock
from reconciler.spec.image import GalleryImage, Image, ManagedImage, PlatformImage, VhdImage
from tests.azure.conftest import TARGET
from tests.build import NEW, SUBSCRIPTION
from tests.stories.world import fleet, scale_set
from tests.token import Token

READ, WRITE = (
    "Microsoft.Compute/virtualMachineScaleSets/read",
    "Microsoft.Compute/virtualMachineScaleSets/write",
)
OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
CART = f"{OWN}/galleries/shop/images/cart"


@pytest.mark.parametrize(
    "grants, action, allowed",
    [
        pytest.param([Grant(("*",))], WRITE, True, id="a star for everything"),
        pytest.param([Grant((WRITE,))], WRITE, True, id="an action by its name"),
        pytest.param([Grant((WRITE.upper(),))], WRITE, True, id="an action in other letters"),
        pytest.param([Grant((READ,))], WRITE, False, id="another action"),
        pytest.param([], READ, False, id="no role at all"),
        pytest.param([Grant(("*/read",))], READ, True, id="a star across slashes"),
        pytest.param([Grant(("*/read",))], WRITE, False, id="a star with another end"),
        pytest.param([Grant(("Microsoft.Compute/*/write",))], WRITE, True, id="a star in the middle"),
        pytest.param([Grant(("MicrosoftXCompute/*",))], WRITE, False, id="only the star is special"),
        pytest.param([Grant(("*/*/*",))], WRITE, True, id="several stars"),
        pytest.param([Grant(("**",))], WRITE, True, id="two stars together"),
        pytest.param([Grant(("*/write*",))], WRITE, True, id="a star that stands for nothing"),
        pytest.param([Grant(("*write*write",))], WRITE, False, id="a part that is there only once"),
        pytest.param([Grant((f"{WRITE}*{WRITE}",))], WRITE, False, id="a begin and an end that overlap"),
        pytest.param(
            [Grant(("Microsoft.Compute/virtualMachineScaleSets",))], WRITE, False, id="the begin of an action"
        ),
        pytest.param([Grant(("*",), (WRITE,))], WRITE, False, id="an action in notActions"),
        pytest.param([Grant(("*",), ("*/write",))], READ, True, id="an action beside notActions"),
        pytest.param(
            [Grant(("*",), ("*/write",)), Grant((WRITE,))],
            WRITE,
            True,
            id="an action in notActions that another role grants",
        ),
    ],
)
def test_an_action_is_granted(grants: list[Grant], action: str, allowed: bool) -> None:
    assert EffectivePermissions(tuple(grants)).allow(action) is allowed


def test_the_permissions_of_a_scale_set_are_read_from_azure() -> None:
    declared = fleet(scale_set(), permissions={"actions": ["*/read"], "notActions": ["Microsoft.Network/*"]})
    clock = VirtualClock()
    azure = Simulator.load(declared, clock)
    session = Session(credential=Token(), transport=azure.transport(), now=clock.now)
    assert permissions(session, TARGET.id) == EffectivePermissions(
        (Grant(("*/read",), ("Microsoft.Network/*",)),)
    )
    (exchange,) = azure.record.requests
    assert exchange.path == f"{TARGET.id}/providers/Microsoft.Authorization/permissions"
    assert exchange.query == {"api-version": "2022-04-01"}
    with pytest.raises(Conflict, match="ResourceNotFound"):
        permissions(session, TARGET.id + "-2")


@pytest.mark.parametrize(
    "image, flexible, more",
    [
        pytest.param(
            NEW,
            False,
            ["Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read"],
            id="a platform image: the catalogue of the Marketplace",
        ),
        pytest.param(
            GalleryImage(f"{CART}/versions/1.4.0"),
            False,
            ["Microsoft.Compute/galleries/images/read", "Microsoft.Compute/galleries/images/versions/read"],
            id="a gallery image: the gallery and its versions",
        ),
        pytest.param(VhdImage("https://a.blob.core.windows.net/b/c.vhd"), False, [], id="a VHD: nothing"),
        pytest.param(
            VhdImage("https://a.blob.core.windows.net/b/c.vhd"),
            True,
            list(FLEXIBLE),
            id="a Flexible scale set: its virtual machines",
        ),
    ],
)
def test_a_rollout_needs(image: Image, flexible: bool, more: list[str]) -> None:
    assert required_actions(image, flexible=flexible) == (*ALWAYS, *more)


def test_the_deployed_role_grants_exactly_the_required_actions() -> None:
    role = json.loads((Path(__file__).parents[2] / "deploy" / "role.json").read_text())
    assert sorted(role["Actions"]) == sorted(ACTIONS)


@pytest.mark.parametrize(
    "image, scope",
    [
        pytest.param(GalleryImage(f"{CART}/Versions/latest"), CART, id="a gallery image: its definition"),
        pytest.param(
            ManagedImage(f"{OWN}/images/base"), f"{OWN}/images/base", id="a managed image: the image itself"
        ),
        pytest.param(PlatformImage("a", "b", "c", "1.2.3"), "", id="a platform image: nowhere"),
    ],
)
def test_a_role_may_be_assigned_at_the_image(image: Image, scope: str) -> None:
    assert home(image) == scope


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="no rows"),
        pytest.param({}, id="rows that are an object"),
        pytest.param([7], id="a row that is a number"),
        pytest.param([{"actions": 7}], id="actions that are a number"),
        pytest.param([{"notActions": {"a": 1}}], id="actions that are an object"),
    ],
)
def test_permissions_of_another_type_are_malformed(value: object) -> None:
    clock = VirtualClock()
    azure = Simulator.load(fleet(scale_set()), clock)
    azure.faults.arm("*", Page(code=200, body=json.dumps({"value": value})), times=None)
    with pytest.raises(MalformedResponse):
        permissions(Session(credential=Token(), transport=azure.transport(), now=clock.now), TARGET.id)


def test_pages_that_form_a_cycle_are_malformed() -> None:
    clock = VirtualClock()
    azure = Simulator.load(fleet(scale_set()), clock)
    body = {"value": [], "nextLink": "https://management.azure.com/subscriptions/s?page=2"}
    azure.faults.arm("*", Page(code=200, body=json.dumps(body)), times=None)
    session = Session(credential=Token(), transport=azure.transport(), now=clock.now)
    with pytest.raises(MalformedResponse, match="form a cycle"):
        permissions(session, TARGET.id)
    with pytest.raises(MalformedResponse, match="form a cycle"):
        list(Compute(session).models(Scope(SUBSCRIPTION)))
