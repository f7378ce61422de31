"""`reconciler adopt`: what it writes, what it leaves alone, and that nothing changes by it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.program import Azure, Ended, azure, reconciler, until, write_specs
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, platform, scale_set, spec

OTHER = "22222222-2222-2222-2222-222222222222"
URN = ":".join(BASE.values())
CART = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries/shop/images/cart"
AUTOMATIC = (
    "NotManualMode: the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon as "
    "the model changes; set upgradePolicy.mode to Manual"
)
MIXED = f"Upgrading: upgrading 1 instance in update domain 1 (mixed_1) to {OLD}; 1 of 2 instances up to date"
LATEST = f"ModelDrift: changing the model's image from latest to {NEW}"
WEB = f"""\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata:
  name: shop-web
spec:
  target:
    subscription: {SUBSCRIPTION}
    resourceGroup: shop
    name: web
  image:
    platform:
      publisher: Canonical
      offer: ubuntu-24_04-lts
      sku: server
      version: "{OLD}"
"""
ALL = [
    f"blog/web: specs/blog-web.yaml declares {URN}:{OLD}",
    f"shop/Batch_1: specs/batch-1.yaml declares {URN}:{OLD}, suspended: {AUTOMATIC}",
    f"shop/cart: specs/cart.yaml declares {CART}/versions/latest, suspended: ModelDrift: changing the model's "
    "image from cart/latest to cart/1.4.0",
    f"shop/mixed: specs/mixed.yaml declares {URN}:{OLD}, suspended: {MIXED}",
    f"shop/newest: specs/newest.yaml declares {URN}:latest, suspended: {LATEST}",
    f"shop/web: specs/shop-web.yaml declares {URN}:{OLD}",
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    """One of each: as it should be, of a name that another has, and all that a daemon would not leave alone."""
    with azure(
        scale_set("web", capacity=2),
        scale_set("web", capacity=2, resourceGroup="blog"),
        scale_set("Batch_1", capacity=2, mode="Automatic"),
        scale_set("newest", capacity=2, image=platform("latest")),
        scale_set("mixed", capacity=2, instanceStates=[{"id": "1", "image": platform(NEW)}]),
        scale_set("cart", capacity=1, image={"id": CART}),
        images={
            "platform": [{**BASE, "versions": [OLD, NEW]}],
            "ids": [f"{CART}/versions/{version}" for version in ("1.3.0", "1.4.0")],
        },
    ) as served:
        yield served


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def adopt(served: Azure, *options: object, subscription: str = SUBSCRIPTION) -> Ended:
    line = ["adopt", "--subscription", subscription, *map(str, options)]
    done = CliRunner(env=served.environment).invoke(main, line, catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def test_every_scale_set_gets_a_spec_under_which_nothing_changes(fleet: Azure, tmp_path: Path) -> None:
    env = fleet.environment
    done = reconciler("adopt", "--subscription", SUBSCRIPTION, env=env, cwd=tmp_path)
    assert done == Ended(0, [*ALL, "6 scale sets: 2 adopted, 4 adopted suspended"], [])
    assert (tmp_path / "specs" / "shop-web.yaml").read_text() == WEB
    assert (tmp_path / "specs" / "newest.yaml").read_text().splitlines()[-5:] == [
        "      sku: server",
        "      version: latest",
        "  suspend:",
        f'    reason: "{LATEST}"',
        '    by: "reconciler adopt"',
    ]
    assert reconciler("validate", env=env, cwd=tmp_path).out == ["6 scale sets in 6 files: no errors"]
    planned = reconciler("plan", "--detailed-exitcode", env=env, cwd=tmp_path)
    assert (planned.code, planned.out[-4:]) == (
        0,
        [
            "2 scale sets are as declared",
            "",
            "no scale set rolls out",
            "4 of 4 scale sets do not reach the image: 4 suspended.",
        ],
    )
    assert fleet.writes() == 0


@pytest.mark.usefixtures("here")
def test_a_second_time_there_is_nothing_left_to_do(fleet: Azure) -> None:
    adopt(fleet)
    before = {path: path.read_bytes() for path in Path("specs").iterdir()}
    done = adopt(fleet)
    assert (done.code, done.err) == (0, [])
    assert done.out[0] == "blog/web: already declared in specs/blog-web.yaml"
    assert done.out[-1] == "6 scale sets: 6 already adopted"
    assert {path: path.read_bytes() for path in Path("specs").iterdir()} == before


def test_a_scale_set_of_another_spec_is_skipped_in_any_spelling(fleet: Azure, here: Path) -> None:
    target = {"subscription": SUBSCRIPTION.upper(), "resourceGroup": "SHOP", "name": "WEB"}
    write_specs(here / "specs" / "front", spec("mine", target=target))
    assert adopt(fleet, "web") == Ended(
        0,
        [
            f"blog/web: specs/web.yaml declares {URN}:{OLD}",
            "shop/web: already declared in specs/front/mine.yaml",
            "2 scale sets: 1 adopted, 1 already adopted",
        ],
        [],
    )


@pytest.mark.parametrize(
    "options, expected",
    [
        pytest.param(["MI*", "?artx"], ["shop/mixed"], id="names by pattern, without regard to case"),
        pytest.param(["--resource-group", "BLOG"], ["blog/web"], id="a resource group"),
        pytest.param(["--to", "a/b", "cart"], ["shop/cart"], id="a directory that is created"),
    ],
)
@pytest.mark.usefixtures("here")
def test_only_the_requested_scale_sets_are_adopted(
    fleet: Azure, options: list[str], expected: list[str]
) -> None:
    done = adopt(fleet, *options)
    assert [line.partition(": ")[0].casefold() for line in done.out[:-1]] == expected


def test_an_existing_file_is_never_overwritten(fleet: Azure, here: Path) -> None:
    specs = write_specs(here / "specs", spec("cart", target=spec("elsewhere")["spec"]["target"]))
    image = {"apiVersion": "vmss-reconciler/v1alpha1", "kind": "Image", "spec": platform(OLD)}
    write_specs(specs, image | {"metadata": {"name": "mixed"}})
    before = {path: path.read_text() for path in specs.iterdir()}
    done = adopt(fleet, "cart", "mixed", "newest")
    assert [line.split()[1] for line in done.out[:-1]] == [
        "specs/shop-cart.yaml",
        "specs/shop-mixed.yaml",
        "specs/newest.yaml",
    ]
    assert before == {path: path.read_text() for path in before}


@pytest.mark.usefixtures("here")
def test_scale_sets_of_one_name_in_two_subscriptions_are_distinguished() -> None:
    with azure(scale_set(capacity=1), scale_set(capacity=1, subscription=OTHER)) as served:
        done = adopt(served, "--subscription", OTHER, "--subscription", SUBSCRIPTION)
    assert done.out == [
        f"{SUBSCRIPTION}/shop/web: specs/11111111-shop-web.yaml declares {URN}:{OLD}",
        f"{OTHER}/shop/web: specs/22222222-shop-web.yaml declares {URN}:{OLD}",
        "2 scale sets: 2 adopted",
    ]


@pytest.mark.parametrize(
    "subscription, options, expected",
    [
        pytest.param(
            OTHER,
            ["--subscription", SUBSCRIPTION, "--resource-group", "blog"],
            Ended(
                1,
                [
                    f"{SUBSCRIPTION}/blog/web: specs/web.yaml declares {URN}:{OLD}",
                    "1 scale set: 1 adopted",
                ],
                [
                    f'error: subscription {OTHER}, resource group blog: Azure returned SubscriptionNotFound ("The subscription '
                    f"'{OTHER}' could not be found\")"
                ],
            ),
            id="a list that fails stops no other",
        ),
        pytest.param(
            SUBSCRIPTION,
            ["cat", "blog*"],
            Ended(
                1,
                [],
                [
                    "error: no scale set is named cat; correct the name, or omit NAMES for all scale sets",
                    "error: no scale set is named blog*; correct the name, or omit NAMES for all scale sets",
                ],
            ),
            id="names that match nothing",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_does_not_exist_is_reported(
    fleet: Azure, subscription: str, options: list[str], expected: Ended
) -> None:
    assert adopt(fleet, *options, subscription=subscription) == expected


@pytest.mark.usefixtures("here")
def test_an_empty_subscription_is_no_error() -> None:
    with azure() as served:
        served.simulator.scale_set("web").delete()
        until(lambda: adopt(served) == Ended(0, ["0 scale sets"], []))


def test_a_scale_set_that_cannot_be_read_stops_no_other(here: Path) -> None:
    odd = scale_set("odd", capacity=1, image=platform("2026-preview"))
    with azure(scale_set(capacity=1), odd) as served:
        done = adopt(served)
    assert (done.code, done.err) == (1, [])
    assert done.out[0].startswith("shop/odd: not adopted: spec.image.platform.version ")
    assert done.out[1:] == [
        f"shop/web: specs/web.yaml declares {URN}:{OLD}",
        "2 scale sets: 1 adopted, 1 not adopted",
    ]
    assert os.listdir(here / "specs") == ["web.yaml"]


def test_without_permission_to_list_instances_nothing_is_written(here: Path) -> None:
    sees = {"actions": ["Microsoft.Compute/virtualMachineScaleSets/read"]}
    with azure(scale_set(capacity=1), permissions=sees) as served:
        done = adopt(served)
    assert done.code == 1
    assert done.out[0].startswith("shop/web: not adopted: Refused: Azure returned AuthorizationFailed ")
    assert os.listdir(here / "specs") == []


@pytest.mark.usefixtures("here")
def test_a_full_disk_leaves_no_partial_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    with azure(scale_set(capacity=1)) as served:
        monkeypatch.setattr(Path, "rename", full)
        done = adopt(served)
    assert done.out[0] == "shop/web: not adopted: cannot write specs/web.yaml: No space left on device"
    assert (done.code, os.listdir("specs")) == (1, [])


@pytest.mark.parametrize(
    "options, error",
    [
        pytest.param(
            ["--to", "file"], "error: Invalid value for '--to': Directory 'file' is a file.", id="a file"
        ),
        pytest.param(
            ["--to", "file/specs"],
            "error: cannot create file/specs: Not a directory; choose another directory with --to",
            id="a directory below a file",
        ),
        pytest.param(
            ["--to", "mistaken"],
            "error: nothing was adopted: fix the errors in the specs in mistaken first",
            id="specs with errors",
        ),
        pytest.param(
            ["--subscription", "Production"],
            "error: Invalid value for '--subscription': 'Production' is not a subscription id: write the GUID "
            "that `az account show --query id` prints",
            id="a subscription by name",
        ),
        pytest.param(
            ["--resource-group", "a/b"],
            "error: Invalid value for '--resource-group': 'a/b' is not a resource group name: use letters, digits, "
            "_ - . ( ) and do not end it with .",
            id="an invalid resource group",
        ),
    ],
)
def test_wrong_usage_is_reported_before_any_request(here: Path, options: list[str], error: str) -> None:
    (here / "file").touch()
    write_specs(here / "mistaken", spec("web", interval="soon"))
    line = ["adopt", "--subscription", SUBSCRIPTION, "--arm-endpoint", "https://127.0.0.1:1", *options]
    done = CliRunner().invoke(main, line)
    assert (done.exit_code in {1, 2}, done.stdout) == (True, "")
    assert done.stderr.splitlines()[-1] == error


def test_a_read_only_directory_is_reported_before_any_request(here: Path) -> None:
    (here / "specs").mkdir(mode=0o555)
    here.chmod(0o755)
    line = ["adopt", "--subscription", SUBSCRIPTION, "--arm-endpoint", "https://127.0.0.1:1"]
    user = os.geteuid()
    if user == 0:  # who may write everywhere, and the tests run as root in containers
        os.seteuid(65534)
    try:
        done = CliRunner().invoke(main, line)
    finally:
        os.seteuid(user)
    assert (done.exit_code, done.stderr) == (
        1,
        "error: cannot write to specs: permission denied; choose another directory with --to\n",
    )


OWNERS: dict[str, tuple[dict[str, Any], str]] = {
    "aks-pool1-vmss": ({"tags": {"aks-managed-poolName": "pool1"}}, "Azure Kubernetes Service"),
    "nodes": (
        {
            "extensions": [
                {"name": "x", "publisher": "Microsoft.Azure.ServiceFabric.MC", "type": "ServiceFabricMCNode"}
            ]
        },
        "a Service Fabric managed cluster",
    ),
    "agents": ({"tags": {"__AzureDevOpsElasticPool": "linux"}}, "an Azure DevOps agent pool"),
    "pool-mp-0": (
        {"tags": {"sigs.k8s.io_cluster-api-provider-azure_cluster_prod": "owned"}},
        "Cluster API",
    ),
    "workers": (
        {"managedBy": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"},
        "Azure Databricks",
    ),
}


def test_scale_sets_of_other_controllers_are_skipped_without_an_error(here: Path) -> None:
    owned = [scale_set(name, capacity=1, **signs) for name, (signs, _) in OWNERS.items()]
    with azure(*owned, scale_set("web", capacity=1)) as fleet:
        done = adopt(fleet)
    assert done.code == 0
    assert {path.name for path in (here / "specs").iterdir()} == {"web.yaml"}
    for name, (_, owner) in OWNERS.items():
        line = f"shop/{name}: not adopted: it belongs to {owner}, which sets its image"
        assert line in done.out
    assert done.out[-1] == "6 scale sets: 1 adopted, 5 owned by others"
