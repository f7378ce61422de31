"""The small worlds, searched completely. `make exhaust` also searches the larger ones."""

import pytest

from tests.exhaust.scopes import SMALL
from tests.exhaust.search import search
from tests.exhaust.world import Scope


@pytest.mark.parametrize("scope", [pytest.param(each, id=each.name) for each in SMALL])
def test_no_order_of_events_breaks_a_rule(scope: Scope) -> None:
    found = search(scope, most=10_000)
    assert "\n".join(map(str, found.violations)) == ""
    assert found.states > 20
