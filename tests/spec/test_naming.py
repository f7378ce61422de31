"""Names for specs that are new: as short as will do, and never twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.declaration import minimal_scale_set, scale_set_text
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.naming import names
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import Target
from tests.build import NEW, SUBSCRIPTION

OTHER = "22222222-2222-2222-2222-222222222222"


def at(name: str, group: str = "shop", subscription: str = SUBSCRIPTION) -> Target:
    return Target(subscription, group, name)


@pytest.mark.parametrize(
    "targets, taken, expected",
    [
        pytest.param([at("web"), at("api")], [], ["web", "api"], id="its own name where that is enough"),
        pytest.param([at("Web_2.A")], [], ["web-2-a"], id="in letters that a name may have"),
        pytest.param([at("web"), at("web", "blog")], [], ["shop-web", "blog-web"], id="two groups"),
        pytest.param([at("web")], ["web"], ["shop-web"], id="a name that a spec has"),
        pytest.param(
            [at("web"), at("web", subscription=OTHER)],
            [],
            ["11111111-shop-web", "22222222-shop-web"],
            id="two subscriptions",
        ),
        pytest.param(
            [at("web"), at("web", "blog"), at("shop-web")],
            [],
            ["11111111-shop-web", "blog-web", "shop-web"],
            id="one that is called as another would be",
        ),
        pytest.param(
            [at("a_b"), at("a.b")], [], ["a-b-7071b51fada3", "a-b-d6d58d926762"], id="alike but for signs"
        ),
        pytest.param([at("é")], [], ["shop"], id="nothing left of its name"),
        pytest.param([at("w" * 80)], [], ["w" * 50 + "-b41c53036db0"], id="too long"),
    ],
)
def test_scale_sets_are_called(targets: list[Target], taken: list[str], expected: list[str]) -> None:
    found = names(targets, taken)
    assert [found[target] for target in targets] == expected


TARGET = st.builds(
    Target,
    st.sampled_from([SUBSCRIPTION, OTHER]),
    st.sampled_from(["shop", "Blog", "shop-web", "(x)"]),
    st.from_regex(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,78}[A-Za-z0-9])?", fullmatch=True)
    | st.sampled_from(["web", "a.b", "a_b"]),
)


@given(
    st.lists(TARGET, unique_by=lambda target: target.key),
    st.sets(st.sampled_from(["web", "shop-web", "a-b"])),
)
def test_every_name_is_a_name_and_no_two_are_alike(targets: list[Target], taken: set[str]) -> None:
    found = names(targets, taken)
    assert len({*found.values(), *taken}) == len(targets) + len(taken)
    files = [
        File(f"{name}.yaml", scale_set_text(minimal_scale_set(name, target, NEW, Place(""))).encode())
        for target, name in found.items()
    ]
    assert declare(files).problems == ()
