"""Tenants: the scale sets that the specs of a directory may name, and the gates that they must keep."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from reconciler.spec.declared import Declared, declare
from reconciler.spec.files import File
from tests.stories.world import SUBSCRIPTION, of_all, spec

OTHER = "22222222-2222-2222-2222-222222222222"
TENANT = {"path": "a", "subscriptions": [SUBSCRIPTION.upper()], "resourceGroups": ["Shop"]}
RULE = "as spec.tenants[0] of the Fleet (specs/fleet.yaml:7:5) requires"
ALLOW = {"kind": "allow", "schedule": "0 2 * * 6", "duration": "4h"}
LATE = {"kind": "allow", "schedule": "0 4 * * 6", "duration": "4h"}
DENY = {"kind": "deny", "schedule": "0 0 24 12 *", "duration": "24h"}


def declared(*tenants: dict[str, Any], **files: Any) -> Declared:
    """What a Fleet with these tenants and these files declare. `__` in a name is a directory."""
    fleet = yaml.safe_dump(of_all(tenants=list(tenants)), sort_keys=False)
    texts = {name.replace("__", "/"): yaml.safe_dump(each) for name, each in files.items()}
    return declare(
        [
            File("specs/fleet.yaml", fleet.encode()),
            *(File(f"specs/{name}.yaml", text.encode()) for name, text in texts.items()),
        ]
    )


def messages(found: Declared) -> list[str]:
    return [f"{each.place.file}: {each.text}" for each in found.problems]


def target(group: str = "shop", subscription: str = SUBSCRIPTION, name: str = "web") -> dict[str, str]:
    return {"subscription": subscription, "resourceGroup": group, "name": name}


@pytest.mark.parametrize(
    ("file", "given", "expected"),
    [
        pytest.param("a__web", target(), [], id="a scale set of the tenant"),
        pytest.param("a__x__web", target("SHOP"), [], id="a directory below the path and a group in capitals"),
        pytest.param(
            "a__web",
            target("bank"),
            [f'specs/a/web.yaml: spec.target.resourceGroup "bank" is not allowed in specs/a: use Shop, {RULE}'],
            id="another resource group",
        ),
        pytest.param(
            "a__web",
            target(subscription=OTHER),
            [
                f'specs/a/web.yaml: spec.target.subscription "{OTHER}" is not allowed in specs/a: use'
                f" {SUBSCRIPTION.upper()}, {RULE}"
            ],
            id="another subscription",
        ),
        pytest.param("ab__web", target("bank"), [], id="a directory whose name begins alike"),
        pytest.param("web", target("bank"), [], id="a spec outside the path"),
    ],
)  # fmt: skip
def test_which_scale_sets_a_tenant_may_name(file: str, given: dict[str, str], expected: list[str]) -> None:
    found = declared(TENANT, **{file: spec(target=given)})
    assert messages(found) == expected
    assert [each.name for each in found.scale_sets] == ([] if expected else ["web"])


def test_the_longest_path_applies() -> None:
    inner = {"path": "a/b", "resourceGroups": ["bank"]}
    found = declared(TENANT, inner, a__b__web=spec(target=target("bank")), a__api=spec("api"))
    assert messages(found) == []


def test_the_path_of_the_fleet_itself_applies_everywhere() -> None:
    found = declared({"path": ".", "resourceGroups": ["bank"]}, web=spec(), a__api=spec("api"))
    assert len(messages(found)) == 2


def test_a_tenant_cannot_break_the_scale_set_of_another() -> None:
    """Both name one target and have one name. Without tenants, both would be errors."""
    bank = spec(target=target("bank"))
    found = declared(TENANT, a__web=bank, b__web=bank)
    assert [each.place.file for each in found.scale_sets] == ["specs/b/web.yaml"]
    assert [each.place.file for each in found.problems] == ["specs/a/web.yaml"]
    assert len(declared(a__web=bank, b__web=bank).scale_sets) == 0


def image(version: str = "24.04.202601140") -> dict[str, Any]:
    platform = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": version}
    return {
        "apiVersion": "vmss-reconciler/v1alpha1",
        "kind": "Image",
        "metadata": {"name": "base"},
        "spec": {"platform": platform},
    }


REFERRING = spec(target=target(name="own"), image={"ref": "base"})


@pytest.mark.parametrize(
    ("files", "wrong", "right"),
    [
        pytest.param({"images": image(), "a__images": image("1.0.0")}, ["a/images"], ["web"], id="an Image of the tenant and one outside its path"),
        pytest.param({"a__images": image("1.0.0"), "z": image()}, ["a/images"], ["web"], id="an Image of the tenant that comes first"),
        pytest.param({"a__images": image(), "c__images": image()}, ["c/images"], [], id="Images of two tenants"),
        pytest.param({"a__b__images": image("1.0.0"), "a__images": image()}, ["a/b/images"], ["web"], id="an Image of a tenant within the path of another"),
        pytest.param({"images": image(), "x__images": image()}, ["x/images"], [], id="Images outside the paths of all tenants"),
        pytest.param(
            {"images": image(), "a__b__images": image(), "a__images": image(), "c__images": image()},
            ["a/b/images", "a/images", "c/images"],
            ["web"],
            id="Images of three tenants and one outside their paths",
        ),
        pytest.param(
            {"images": image(), "a__api": spec("api", target=target(name="api")), "api": spec("api", target=target(name="other"))},
            ["a/api"],
            ["api", "web"],
            id="scale sets with one name",
        ),
    ],
)  # fmt: skip
def test_a_document_of_a_tenant_yields_to_one_outside_its_path(
    files: dict[str, Any], wrong: list[str], right: list[str]
) -> None:
    tenants = [{"path": "a"}, {"path": "a/b"}, {"path": "c"}]
    found = declared(*tenants, d__web=REFERRING, **files)
    assert [each.place.file for each in found.problems] == [f"specs/{each}.yaml" for each in wrong]
    assert sorted(each.name for each in found.scale_sets) == right


def test_a_policy_of_a_tenant_yields_to_the_one_that_the_fleet_requires() -> None:
    tenant = {"path": "a", "requires": {"policy": "careful"}}
    found = declared(
        tenant,
        policies=POLICY,
        a__policies=POLICY | {"spec": {"soak": "0s"}},
        a__web=spec(rollout={"policy": "careful"}),
    )
    assert [each.place.file for each in found.problems] == ["specs/a/policies.yaml"]
    (web,) = found.scale_sets
    assert web.rollout.soak == timedelta(minutes=5)


def test_a_second_fleet_in_the_path_of_a_tenant_lifts_no_limit() -> None:
    second = of_all(tenants=[]) | {"metadata": {"name": "mine"}}
    found = declared(TENANT, a__fleet=second, a__web=spec(target=target("bank")))
    assert found.scale_sets == ()
    assert "is a second Fleet" in str(found.problems[0])


POLICY = {
    "apiVersion": "vmss-reconciler/v1alpha1",
    "kind": "RolloutPolicy",
    "metadata": {"name": "careful"},
    "spec": {"approval": "start", "soak": "5m"},
}


@pytest.mark.parametrize(
    ("requires", "rollout", "expected"),
    [
        pytest.param({}, {}, [], id="no requirement"),
        pytest.param({"approval": "start"}, {}, ["approval must be start"], id="no approval"),
        pytest.param({"approval": "start"}, {"approval": "canary"}, ["approval must be start"], id="a later approval"),
        pytest.param({"approval": "canary"}, {"approval": "start"}, [], id="an earlier approval"),
        pytest.param({"approval": "start"}, {"policy": "careful"}, [], id="an approval from the policy"),
        pytest.param(
            {"approval": "start"}, {"policy": "careful", "approval": "canary"}, ["approval must be start"], id="an approval that overrides the policy"
        ),
        pytest.param({"approver": "another"}, {"approval": "start"}, ["approver must be another"], id="any approver"),
        pytest.param({"approver": "another"}, {"approval": "start", "approver": "another"}, [], id="another approver"),
        pytest.param({"policy": "careful"}, {}, ["policy must be careful"], id="no policy"),
        pytest.param({"policy": "careful"}, {"policy": "careful", "maxBatch": 1}, [], id="the policy and a field that it leaves out"),
        pytest.param(
            {"policy": "careful"}, {"policy": "careful", "soak": "1m"}, ["soak is a field of the policy careful: remove it"], id="a field of the policy"
        ),
        pytest.param({"policy": "careful"}, {"policy": "own"}, ["policy must be careful"], id="another policy"),
        pytest.param({"policy": "own"}, {"policy": "own"}, ["policy must be declared outside specs/a"], id="a policy of the tenant itself"),
        pytest.param({"windows": [DENY]}, {"windows": [ALLOW]}, ["windows must include the window deny 0 0 24 12 * UTC"], id="no deny window"),
        pytest.param({"windows": [DENY]}, {"windows": [DENY, ALLOW]}, [], id="the deny window and others"),
        pytest.param({"windows": [ALLOW]}, {}, ["windows must include the window allow 0 2 * * 6 UTC"], id="no allow window"),
        pytest.param({"windows": [ALLOW, LATE]}, {"windows": [LATE]}, [], id="one of the allow windows"),
        pytest.param(
            {"windows": [ALLOW]}, {"windows": [ALLOW, LATE]}, ["windows must not include the window allow 0 4 * * 6 UTC"], id="another allow window"
        ),
    ],
)  # fmt: skip
def test_which_gates_a_tenant_must_keep(
    requires: dict[str, Any], rollout: dict[str, Any], expected: list[str]
) -> None:
    own = POLICY | {"metadata": {"name": "own"}}
    found = declared(
        {"path": "a", "requires": requires}, policies=POLICY, a__own=own, a__web=spec(rollout=rollout)
    )
    assert messages(found) == [f"specs/a/web.yaml: spec.rollout.{each}, {RULE}" for each in expected]


def test_a_broken_policy_is_the_only_error() -> None:
    found = declared(
        {"path": "a", "requires": {"approval": "start"}},
        policies=POLICY | {"spec": {"approval": "begin"}},
        a__web=spec(rollout={"policy": "careful"}),
    )
    assert [each.place.file for each in found.problems] == ["specs/policies.yaml"]


@pytest.mark.parametrize(
    ("tenants", "expected"),
    [
        pytest.param([{"path": "/a"}], 'spec.tenants[0].path "/a" is not a directory below that of the Fleet', id="an absolute path"),
        pytest.param([{"path": "a/../b"}], 'spec.tenants[0].path "a/../b" is not a directory', id="a path that leads upwards"),
        pytest.param([{"path": "a/"}], 'spec.tenants[0].path "a/" is not a directory', id="a slash at the end"),
        pytest.param([{"path": "a"}, {"path": "a"}], "spec.tenants[1].path duplicates tenants[0]", id="one path twice"),
        pytest.param([{"path": "a", "subscriptions": ["shop"]}], "is not a subscription id", id="a name of a subscription"),
        pytest.param([{"path": "a", "requires": {"aproval": "start"}}], "is not a known field: did you mean approval?", id="a misspelt gate"),
        pytest.param(
            [{"path": "a", "requires": {"windows": [ALLOW | {"duration": "90s"}]}}], "is not a whole number of minutes", id="a window that is too short"
        ),
    ],
)  # fmt: skip
def test_what_a_tenant_cannot_be(tenants: list[dict[str, Any]], expected: str) -> None:
    found = declared(*tenants, a__web=spec(target=target("bank")))
    assert expected in str(found.problems[0])
    assert (len(found.problems), found.scale_sets) == (1, ())
