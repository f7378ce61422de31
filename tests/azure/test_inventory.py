"""The list of what there is, with names as people write them."""

from typing import Any

import pytest
from azure.core.credentials import TokenCredential

from reconciler.azure.compute import Scope
from reconciler.azure.failure import Conflict, Refused
from reconciler.azure.inventory import Live, inventory, live
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.scale_set import Target
from tests.build import SUBSCRIPTION
from tests.stories.world import fleet, scale_set
from tests.token import Token

CREDENTIAL: TokenCredential = Token()


def session(declared: dict[str, Any]) -> Session:
    clock = VirtualClock()
    return Session(
        credential=CREDENTIAL, transport=Simulator.load(declared, clock).transport(), now=clock.now
    )


def test_names_keep_azures_spelling_but_not_the_capitals_of_groups() -> None:
    azure = session(fleet(scale_set("Web_1"), scale_set("api", resourceGroup="Blog"), page=1))
    assert [each.target for each in inventory(azure, Scope(SUBSCRIPTION))] == [
        Target(SUBSCRIPTION, "shop", "Web_1"),
        Target(SUBSCRIPTION, "blog", "api"),
    ]
    (one,) = inventory(azure, Scope(SUBSCRIPTION, "blog"))
    assert one.target == Target(SUBSCRIPTION, "Blog", "api")
    assert one.model is not None


@pytest.mark.parametrize(
    "scope, failure, said",
    [
        pytest.param(
            Scope("22222222-2222-2222-2222-222222222222"), Refused, "SubscriptionNotFound", id="subscription"
        ),
        pytest.param(Scope(SUBSCRIPTION, "nowhere"), Conflict, "ResourceGroupNotFound", id="resource group"),
    ],
)
def test_a_missing_scope_is_reported(scope: Scope, failure: type[Exception], said: str) -> None:
    with pytest.raises(failure, match=said):
        inventory(session(fleet(scale_set())), scope)


def test_a_malformed_row_is_kept_with_the_reason() -> None:
    id_ = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/SHOP/providers/Microsoft.Compute/virtualMachineScaleSets/web"
    target = Target(SUBSCRIPTION, "shop", "web")
    assert live({"id": id_}) == Live(target, None, "Azure sent a resource without its properties")
