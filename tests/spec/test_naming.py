"""Names for new specs: as short as possible and unique."""

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
        pytest.param([at("web"), at("api")], [], ["web", "api"], id="unique names of scale sets"),
        pytest.param([at("Web_2.A")], [], ["web-2-a"], id="characters that a name cannot contain"),
        pytest.param(
            [at("web"), at("web", "blog")],
            [],
            ["shop-web", "blog-web"],
            id="the same name in two resource groups",
        ),
        pytest.param([at("web")], ["web"], ["shop-web"], id="a name that is taken"),
        pytest.param(
            [at("web"), at("web", subscription=OTHER)],
            [],
            ["11111111-shop-web", "22222222-shop-web"],
            id="the same name in two subscriptions",
        ),
        pytest.param(
            [at("web"), at("web", "blog"), at("shop-web")],
            [],
            ["11111111-shop-web", "blog-web", "shop-web"],
            id="a scale set whose name equals the extended name of another",
        ),
        pytest.param(
            [at("a_b"), at("a.b")],
            [],
            ["a-b-7071b51fada3", "a-b-d6d58d926762"],
            id="names that differ only in punctuation",
        ),
        pytest.param([at("é")], [], ["shop"], id="a name without valid characters"),
        pytest.param([at("w" * 80)], [], ["w" * 50 + "-b41c53036db0"], id="a name that is too long"),
    ],
)
def test_the_names_of_new_specs(targets: list[Target], taken: list[str], expected: list[str]) -> None:
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
def test_every_name_is_valid_and_unique(targets: list[Target], taken: set[str]) -> None:
    found = names(targets, taken)
    assert len({*found.values(), *taken}) == len(targets) + len(taken)
    files = [
        File(f"{name}.yaml", scale_set_text(minimal_scale_set(name, target, NEW, Place(""))).encode())
        for target, name in found.items()
    ]
    assert declare(files).problems == ()
