"""`reconciler adopt --take-over`: whose scale set it is, by a person's word on its tag."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.simulator import Status
from tests.cli.program import Azure, Ended, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, ROLE, SUBSCRIPTION, of_all, scale_set, spec

STATE = "vmss-reconciler-state"
PROD = of_all() | {"metadata": {"name": "prod"}}
SEES = "takes effect at the next sweep"
MOVED = Status(412, "PreconditionFailed", "Etag provided in if-match header does not match.")


@pytest.fixture
def world() -> Iterator[Azure]:
    """Of the fleet shop, of another one, of ours already, and of none."""
    with azure(
        scale_set("api", capacity=1, tags={STATE: "v1;fleet=other"}),
        scale_set("cart", capacity=1, tags={STATE: "v1;fleet=prod"}),
        scale_set("search", capacity=1),
        scale_set("web", capacity=1, tags={"team": "web", STATE: "v1;fleet=shop;pilot=yes"}),
    ) as served:
        yield served


ALL = [spec(name, OLD) for name in ("api", "cart", "search", "web")]


def take_over(world: Azure, where: Path, *options: str, documents: Any = (PROD, *ALL)) -> Ended:
    """In this process, which spares each case the start of another."""
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(write_specs(where / "specs", *documents))}
    done = CliRunner().invoke(main, ["adopt", "--take-over", *options], env=env)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def owners(world: Azure) -> dict[str, str]:
    names = ("api", "cart", "search", "web")
    return {name: world.simulator.scale_set(name).tags.get(STATE, "") for name in names}


def test_it_writes_the_name_on_the_tag_and_nothing_else(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", PROD, *ALL)
    done = reconciler("adopt", "--take-over", "web", env=world.environment, cwd=tmp_path)
    said = f"web: belonged to the fleet shop, now belongs to the fleet prod; {SEES}"
    assert done == Ended(0, [said], [])
    assert done.announced
    (written,) = [each for each in world.simulator.record.requests if each.method != "GET"]
    assert written.body == {"tags": {"team": "web", STATE: "v1;fleet=prod;pilot=yes"}}
    assert {path.name for path in (tmp_path / "specs").iterdir()} == {
        *(f"{name}.yaml" for name in ("api", "cart", "search", "web", "prod"))
    }


def test_a_shard_claims_by_its_own_name(world: Azure, tmp_path: Path) -> None:
    shard = ("--shard", "web", "--shard-subscriptions", SUBSCRIPTION)
    done = take_over(world, tmp_path, "cart", *shard)
    assert done.out == [f"cart: belonged to the fleet prod, now belongs to the fleet prod/web; {SEES}"]
    assert owners(world)["cart"] == "v1;fleet=prod/web"


@pytest.mark.parametrize(
    ("options", "lines", "taken"),
    [
        pytest.param(
            ["search"],
            [f"search: belonged to no fleet, now belongs to the fleet prod; {SEES}"],
            {"search": "v1;fleet=prod"},
            id="a scale set that is not claimed",
        ),
        pytest.param(
            ["cart"], ["cart: already belongs to the fleet prod"], {}, id="a scale set that is already ours"
        ),
        pytest.param(
            ["*", "--from", "shop"],
            [
                "api: unchanged: it belongs to the fleet other, not to shop",
                "cart: already belongs to the fleet prod",
                "search: unchanged: it belongs to no fleet, not to shop",
                f"web: belonged to the fleet shop, now belongs to the fleet prod; {SEES}",
            ],
            {"web": "v1;fleet=prod;pilot=yes"},
            id="all scale sets of a renamed fleet",
        ),
        pytest.param(
            ["?pi", "w*"],
            [
                f"api: belonged to the fleet other, now belongs to the fleet prod; {SEES}",
                f"web: belonged to the fleet shop, now belongs to the fleet prod; {SEES}",
            ],
            {"api": "v1;fleet=prod", "web": "v1;fleet=prod;pilot=yes"},
            id="several scale sets by pattern",
        ),
    ],
)
def test_which_scale_sets_are_claimed(
    world: Azure, tmp_path: Path, options: list[str], lines: list[str], taken: dict[str, str]
) -> None:
    before = owners(world)
    assert take_over(world, tmp_path, *options) == Ended(0, lines, [])
    assert owners(world) == before | taken
    assert world.writes() == len(taken)


@pytest.mark.parametrize(
    ("options", "code", "owner"),
    [
        pytest.param([], 1, "prod/emea", id="without --from"),
        pytest.param(["--from", "prod/apac"], 0, "prod/emea", id="from another shard"),
        pytest.param(["--from", "prod/emea"], 0, "prod", id="from this shard"),
        pytest.param(
            ["--shard", "web", "--shard-subscriptions", SUBSCRIPTION], 0, "prod/web", id="by another shard"
        ),
    ],
)
def test_what_a_shard_has_claimed_is_taken_over_only_by_name(
    tmp_path: Path, options: list[str], code: int, owner: str
) -> None:
    claimed = scale_set("web", capacity=1, tags={STATE: "v1;fleet=prod/emea"})
    with azure(claimed, scale_set("api", capacity=1, tags={STATE: "v1;fleet=production/emea"})) as world:
        done = take_over(world, tmp_path, "web", *options, documents=(PROD, spec("web"), spec("api")))
        assert world.simulator.scale_set("web").tags[STATE] == f"v1;fleet={owner}"
        refused = (
            "error: web: it belongs to the fleet prod/emea, a shard of prod; add the options of its shard, or "
            "`--from prod/emea` to take it out of that shard"
        )
        assert (done.code, done.err) == (code, [refused] if code else [])
        other = take_over(world, tmp_path / "other", "api", documents=(PROD, spec("web"), spec("api")))
    assert (other.code, other.err) == (0, [])


def test_specs_without_a_fleet_release_the_claim(world: Azure, tmp_path: Path) -> None:
    because = "because no document of kind Fleet is declared"
    done = take_over(world, tmp_path, "web", "search", documents=ALL)
    assert done.out == [
        "search: already belongs to no fleet",
        f"web: belonged to the fleet shop, now belongs to no fleet, {because}; {SEES}",
    ]
    assert owners(world)["web"] == "v1;pilot=yes"


@pytest.mark.parametrize(
    ("documents", "held"),
    [
        pytest.param([PROD, spec(suspend=True)], "no change is made while it is suspended", id="suspended"),
        pytest.param(
            [PROD | {"spec": {"freeze": True}}, spec()],
            "no change is made while the fleet is frozen",
            id="a frozen fleet",
        ),
    ],
)
def test_a_claim_on_hold_says_that_no_change_is_made(
    world: Azure, tmp_path: Path, documents: list[Any], held: str
) -> None:
    (line,) = take_over(world, tmp_path, "web", documents=documents).out
    assert line.endswith(f"now belongs to the fleet prod; {held}")


@pytest.mark.parametrize(("times", "code"), [pytest.param(1, 0, id="once"), pytest.param(2, 1, id="twice")])
def test_a_conflict_is_retried_once(world: Azure, tmp_path: Path, times: int, code: int) -> None:
    world.simulator.faults.arm("VirtualMachineScaleSets_Update", MOVED, times=times)
    done = take_over(world, tmp_path, "web")
    assert (done.code, done.err) == (
        code,
        [f'error: web: Azure returned PreconditionFailed ("{MOVED.message.removesuffix(".")}")'] * code,
    )
    assert owners(world)["web"] == f"v1;fleet={'shop' if code else 'prod'};pilot=yes"


def full(state: str) -> dict[str, Any]:
    return {"tags": {f"owner-{number}": "x" for number in range(50)} | ({STATE: state} if state else {})}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        pytest.param(
            full(""),
            "the scale set has no room for another tag: Azure allows 50; remove one",
            id="no room for a tag",
        ),
        pytest.param(
            {"tags": {STATE: "v2;owner=shop"}},
            f"its tag {STATE} has an unknown format; run the later version that wrote it, or remove the tag if "
            "none did",
            id="a state of a later version",
        ),
        pytest.param(
            {"tags": {"aks-managed-poolName": "pool1"}},
            "it belongs to Azure Kubernetes Service, so no fleet can claim it",
            id="a scale set of another controller",
        ),
    ],
)
def test_what_prevents_a_claim(tmp_path: Path, declared: dict[str, Any], said: str) -> None:
    with azure(scale_set("api", capacity=1), scale_set("web", capacity=1, **declared)) as world:
        done = take_over(world, tmp_path, "*", documents=(PROD, spec("api", OLD), spec("web", OLD)))
        assert (done.code, done.err) == (1, [f"error: web: {said}"])
        assert done.out == [f"api: belonged to no fleet, now belongs to the fleet prod; {SEES}"]


def test_a_missing_scale_set_prevents_no_other_claim(world: Azure, tmp_path: Path) -> None:
    done = take_over(world, tmp_path, "*", documents=(PROD, spec("zebra"), spec("web", OLD)))
    nobody = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets"
    assert (done.code, done.err) == (1, [f"error: zebra: there is no scale set {nobody}/zebra"])
    assert owners(world)["web"] == "v1;fleet=prod;pilot=yes"


def test_an_unknown_name_is_reported_and_the_others_are_claimed(world: Azure, tmp_path: Path) -> None:
    done = take_over(world, tmp_path, "wbe", "web")
    assert (done.code, len(done.out)) == (1, 1)
    assert done.err == [
        "error: no spec in force is named 'wbe'; did you mean web?",
        f"Azure Resource Manager: {world.server.url}, as the identity that ManagedIdentityCredential finds",
    ]


def test_specs_with_an_error_claim_nothing(world: Azure, tmp_path: Path) -> None:
    done = take_over(world, tmp_path, "web", documents=(PROD, spec(interval="5")))
    assert done.code == 1
    assert (
        done.err[-1]
        == "error: nothing was taken over: the specs have errors or cannot be read; fix them first"
    )
    assert world.writes() == 0


def test_the_reader_role_is_not_sufficient(tmp_path: Path) -> None:
    reading = [each for each in ROLE if each.endswith("/read")]
    with azure(scale_set(capacity=1), permissions={"actions": reading}) as world:
        done = take_over(world, tmp_path, "web", documents=(PROD, spec()))
    assert (done.code, len(done.err)) == (1, 1)
    assert "Microsoft.Compute/virtualMachineScaleSets/write" in done.err[0]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param([], "Missing option '--subscription'.", id="neither --subscription nor --take-over"),
        pytest.param(
            ["--take-over"],
            "--take-over needs the NAMES of specs; '*' means all specs",
            id="no NAMES",
        ),
        pytest.param(
            ["--take-over", "web", "--subscription", SUBSCRIPTION],
            "--subscription and --take-over cannot be combined: the specs name each scale set",
            id="--subscription with --take-over",
        ),
        pytest.param(
            ["--take-over", "web", "--to", "specs"],
            "--to and --take-over cannot be combined: the specs name each scale set",
            id="--to with --take-over",
        ),
        pytest.param(
            ["--subscription", SUBSCRIPTION, "--from", "shop"],
            "--from needs --take-over",
            id="--from without --take-over",
        ),
        pytest.param(
            ["--subscription", SUBSCRIPTION, "--specs", "specs"],
            "--specs needs --take-over",
            id="--specs without --take-over",
        ),
    ],
)
def test_wrong_usage_is_reported_before_any_request(options: list[str], error: str) -> None:
    done = CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "prod"}).invoke(main, ["adopt", *options])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {error}"


@pytest.mark.parametrize(
    ("documents", "result"),
    [
        pytest.param([PROD], "", id="a scale set of this fleet is not suspended"),
        pytest.param(
            [],
            ', suspended: OwnedByAnotherFleet: the scale set belongs to the fleet "prod", but '
            "your specs declare no Fleet; remove the spec, or run `reconciler adopt --take-over cart`",
            id="a scale set of another fleet is suspended",
        ),
    ],
)
def test_adopt_uses_the_fleet_that_the_specs_name(
    world: Azure, tmp_path: Path, documents: list[Any], result: str
) -> None:
    specs = write_specs(tmp_path / "specs", *documents)
    line = ["adopt", "--subscription", SUBSCRIPTION, "--to", str(specs), "cart"]
    done = CliRunner(env=world.environment).invoke(main, line, catch_exceptions=False)
    said = f"shop/cart: {specs}/cart.yaml declares Canonical:ubuntu-24_04-lts:server:{OLD}{result}"
    assert done.stdout.splitlines()[0] == said


def test_check_uses_the_name_of_the_fleet(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", PROD, spec("cart", NEW), spec("web", NEW))
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(tmp_path / "specs")}
    found = CliRunner(env=env).invoke(main, ["check"]).stdout.splitlines()
    told = [line for line in found if "scale set" in line and ("cart" in line or "web" in line)]
    assert [("OwnedByAnotherFleet" in line, "cart" in line) for line in told] == [
        (False, True),
        (True, False),
    ]
