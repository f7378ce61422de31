"""`reconciler check`: everything that can be wrong before the first rollout, each in a line with its fix."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest, HttpResponse
from click.testing import CliRunner

from reconciler.azure.role import ACTIVITY_LOG, ALWAYS, FLEXIBLE
from reconciler.azure.session import Session
from reconciler.cli import main
from reconciler.cli.finding import Result
from reconciler.cli.grants import grants
from reconciler.cli.readiness import clock
from reconciler.daemon.state import ScaleSetState
from reconciler.simulator import Response, Simulator, Status, WallClock
from reconciler.simulator.faults import Page
from reconciler.simulator.tokens import CLIENT, TENANT, principal
from reconciler.simulator.transport import InProcessResponse, InProcessTransport
from reconciler.spec.image import GalleryImage
from tests import build
from tests.cli.program import Azure, Ended, azure, bare, reconciler, write_specs
from tests.stories.world import NEW, OLD, SUBSCRIPTION, of_all, platform, scale_set, spec
from tests.stories.world import fleet as fleet_of
from tests.token import Token

OTHER = "22222222-2222-2222-2222-222222222222"
CATALOGUE = "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read"
WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"
IDENTITY = f"ok      identity     application {CLIENT}, object {principal(CLIENT)} in tenant {TENANT}"
FIX_ROLE = "assign a role with this action, such as deploy/role.json"
NO_IDENTITY = "FAIL    identity     no Azure identity: no source of DefaultAzureCredential returned a token; run `az login`, or set AZURE_TOKEN_CREDENTIALS and the variables of an identity (EnvironmentCredential: "
LISTS = "VirtualMachineScaleSets_ListAll"
NO_CLAIM = (
    f"ok      {SUBSCRIPTION}: no scale set that other shards select carries the claim of this one, prod/emea"
)
NO_LOG = (
    f"skipped {ACTIVITY_LOG}: not granted on subscription {SUBSCRIPTION}, so `why` cannot say who changed a scale "
    f"set; {FIX_ROLE}"
)
CART = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries/shop/images/cart"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    with azure(
        scale_set("web", capacity=1),
        scale_set("api", capacity=1, image=platform(NEW)),
        scale_set("flex", capacity=1, orchestration="Flexible"),
        scale_set("batch", capacity=1, mode="Automatic"),
    ) as served:
        yield served


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(env: Mapping[str, str], *options: str) -> Ended:
    done = CliRunner(env=env).invoke(main, ["check", *options], catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def of(check_: str, done: Ended) -> list[str]:
    """The lines of one check, without its name."""
    return [f"{line[:8]}{line[21:]}" for line in done.out if line[8:21].strip() == check_]


def test_all_checks_pass(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"), spec("api"))
    done = reconciler("check", env=fleet.environment, cwd=here)
    assert (done.code, done.err) == (0, [])
    assert [line for line in done.out if "clock" not in line] == [
        "ok      specs        2 scale sets in specs",
        IDENTITY,
        f"ok      network      {fleet.server.url}: Azure Resource Manager responds over TLS",
        f"ok      subscription {SUBSCRIPTION}: scale sets can be listed",
        "ok      scale set    api: UpToDate: nothing blocks a rollout",
        "ok      scale set    web: ModelDrift: nothing blocks a rollout",
        *(f"ok      role         {action}: granted on 2 scale sets" for action in (*ALWAYS, CATALOGUE)),
        f"ok      role         {ACTIVITY_LOG}: granted on 1 subscription",
    ]
    assert of("clock", done)[0].endswith(" Azure's")
    assert fleet.writes() == 0


def test_the_output_for_programs_is_json(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("batch"))
    done = check(fleet.environment, "-o", "json")
    found = json.loads("\n".join(done.out))
    assert done.code == 1
    assert found[0] == {"check": "specs", "result": "ok", "about": "", "found": "1 scale set in specs"}
    assert [each["about"] for each in found if each["result"] == "FAIL"] == ["batch"]


def test_each_scale_set_is_checked_by_the_decision(fleet: Azure, here: Path) -> None:
    vhd = {"vhd": {"uri": "https://shop.blob.core.windows.net/vhds/base.vhd"}}
    write_specs(
        here / "specs", spec("batch"), spec("nowhere"), spec("web", image=vhd), spec("api", suspend=True)
    )
    done = check(fleet.environment)
    assert done.code == 1
    assert [line.partition(": ")[0] + ": " + line.split(": ")[1] for line in of("scale set", done)] == [
        "skipped api: suspended; otherwise",
        "FAIL    batch: NotManualMode",
        "FAIL    nowhere: NotFound",
        "FAIL    web: ImageTypeImmutable",
    ]
    assert {line.split(": ")[1] for line in of("role", done)} == {
        "granted on 3 scale sets",
        "granted on 2 scale sets",
        "granted on 1 subscription",
    }


def test_a_frozen_fleet_is_checked_as_if_it_were_not_frozen(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"), of_all(freeze=True))
    assert of("scale set", check(fleet.environment)) == [
        "skipped web: the fleet is frozen; otherwise: ModelDrift: changing the model's image from "
        f"{OLD} to {NEW}"
    ]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--shard-selector", "region=emea"), id="by labels"),
        pytest.param(("--shard-subscriptions", SUBSCRIPTION), id="by subscriptions"),
    ],
)
def test_the_scale_sets_of_a_shard_are_checked(fleet: Azure, here: Path, options: tuple[str, ...]) -> None:
    emea = {"metadata": {"name": "batch", "labels": {"region": "emea"}}}
    write_specs(here / "specs", of_all() | {"metadata": {"name": "shop"}}, spec("batch") | emea)
    done = check(fleet.environment, "--shard", "emea", *options)
    assert done.code == 1
    assert [line[:28] for line in of("scale set", done)] == ["FAIL    batch: NotManualMode"]
    assert of("subscription", done) == [f"ok      {SUBSCRIPTION}: scale sets can be listed"]


@pytest.mark.parametrize(
    ("claim", "lines"),
    [
        pytest.param(
            "prod/emea",
            [
                "FAIL    api: claimed by prod/emea, but not selected by shard emea (region=emea); if another "
                "release has the same name, give each a name of its own, and if the labels have changed, take "
                "them over with the options of their new shard"
            ],
            id="with the name of this shard",
        ),
        pytest.param("prod/apac", [NO_CLAIM], id="with the name of another shard"),
        pytest.param("", [NO_CLAIM], id="with no name"),
    ],
)
def test_a_claim_beyond_the_shard_shows_another_release(here: Path, claim: str, lines: list[str]) -> None:
    tags = {"vmss-reconciler-state": f"v1;fleet={claim}"} if claim else {}
    with azure(scale_set("web", capacity=1), scale_set("api", capacity=1, tags=tags)) as served:
        emea = {"metadata": {"name": "web", "labels": {"region": "emea"}}}
        write_specs(
            here / "specs",
            of_all() | {"metadata": {"name": "prod"}},
            spec("web", OLD) | emea,
            spec("api", OLD),
        )
        done = check(served.environment, "--shard", "emea", "--shard-selector", "region=emea")
        lists = [each.operation for each in served.simulator.record.requests].count(LISTS)
    assert of("shard", done) == lines
    assert done.code == (0 if lines == [NO_CLAIM] else 1)
    assert lists == 1, "the list of the sweep is enough"


def test_a_shard_whose_list_fails_is_not_checked(here: Path) -> None:
    with azure(scale_set("web", capacity=1)) as served:
        emea = {"metadata": {"name": "web", "labels": {"region": "emea"}}}
        write_specs(here / "specs", of_all() | {"metadata": {"name": "prod"}}, spec("web", OLD) | emea)
        served.simulator.faults.arm(LISTS, Status(403, "AuthorizationFailed", "no"), times=None)
        done = check(served.environment, "--shard", "emea", "--shard-selector", "region=emea")
    assert of("shard", done) == [
        f"skipped {SUBSCRIPTION}: needs the list of scale sets, to find those that prod/emea has claimed; "
        "fix that first"
    ]


def test_a_shard_without_specs_is_not_checked(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", of_all() | {"metadata": {"name": "prod"}})
    done = check(fleet.environment, "--shard", "emea", "--shard-selector", "region=emea")
    assert of("shard", done) == ["skipped needs specs; fix that first"]


def test_scale_sets_that_were_not_observed_are_a_failure(
    fleet: Azure, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_specs(here / "specs", spec("web"), spec("api"))
    monkeypatch.setattr("reconciler.cli.observation.scale_set_text", lambda _: "kind: ScaleSet")
    done = check(fleet.environment)
    (line,) = of("scale set", done)
    assert done.code == 1
    assert line.startswith(
        "FAIL    2 of 2 scale sets not observed because of a bug in the reconciler; please report it: "
    )


@pytest.mark.parametrize(
    ("permissions", "fault", "line"),
    [
        pytest.param({"actions": ["*"], "notActions": [ACTIVITY_LOG]}, None, NO_LOG, id="not granted"),
        pytest.param(
            {"actions": ["*"]},
            Status(403, "AuthorizationFailed", "no"),
            f'skipped {ACTIVITY_LOG}: permissions cannot be read: Azure returned AuthorizationFailed ("no")',
            id="unknown",
        ),
        pytest.param(
            {"actions": ["*"]}, None, f"ok      {ACTIVITY_LOG}: granted on 1 subscription", id="granted"
        ),
    ],
)
def test_a_log_that_only_why_reads_is_no_failure(here: Path, permissions: Any, fault: Any, line: str) -> None:
    write_specs(here / "specs", spec("web"))
    with azure(scale_set("web", capacity=1), permissions=permissions) as served:
        if fault:
            served.simulator.faults.arm("Permissions_List", fault, times=None)
        done = check(served.environment)
    assert [each for each in of("role", done) if ACTIVITY_LOG in each] == [line]
    assert done.code == 0


def test_only_required_actions_are_checked(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("flex"))
    asked = [line.split(": ")[0].removeprefix("ok      ") for line in of("role", check(fleet.environment))]
    assert asked == [*ALWAYS, *FLEXIBLE, CATALOGUE, ACTIVITY_LOG]


def test_scale_sets_that_lack_one_action_share_a_line(here: Path) -> None:
    grants = {"actions": ["Microsoft.Compute/*"], "notActions": [WRITE, "*/locations/operations/read"]}
    with azure(scale_set("many", count=30, capacity=0), permissions=grants) as served:
        write_specs(here / "specs", *(spec(f"many-{number:04}") for number in range(30)))
        done = check(served.environment)
    named = "many-0000, many-0001, many-0002, many-0003 and 26 more"
    assert [line for line in of("role", done) if not line.startswith("ok")] == [
        f"FAIL    {WRITE}: not granted on {named}; {FIX_ROLE}",
        f"FAIL    Microsoft.Compute/locations/operations/read: not granted on {named}; {FIX_ROLE}",
        NO_LOG,
    ]
    others = "many-0001, many-0002, many-0003, many-0004 and 25 more"
    assert of("scale set", done) == [
        "ok      many-0000: ModelDrift: nothing blocks a rollout",
        f"ok      {others}: AwaitingPilot: a rollout only waits for other scale sets to go first",
    ]
    assert done.code == 1


@pytest.mark.parametrize(
    ("action", "line"),
    [
        pytest.param(
            "*", "ok      Microsoft.Resources/tags/read: granted on resource group ops", id="granted"
        ),
        pytest.param(
            "Microsoft.Compute/*",
            "FAIL    Microsoft.Resources/tags/read: not granted on resource group ops, so the fleet counts as paused; "
            "assign a role with this action there",
            id="not granted",
        ),
    ],
)
def test_the_tag_that_pauses_the_fleet_must_be_readable(action: str, line: str, here: Path) -> None:
    pause_tag = {"subscription": SUBSCRIPTION, "resourceGroup": "ops"}
    sets = scale_set("web", capacity=1), scale_set("other", resourceGroup="ops", capacity=1)
    with azure(*sets, permissions={"actions": [action]}) as served:
        write_specs(here / "specs", of_all(pauseTag=pause_tag), spec("web"))
        done = check(served.environment)
    assert [each for each in of("role", done) if "tags/read" in each] == [line]


TAGS_WRITE = "Microsoft.Resources/tags/write"
SIGN_IN = ("--page-user-header", "X-User", "--page-proxy", "127.0.0.1")
NO_PAUSE = (
    "so `pause` and `resume` on the page cannot change the tag; assign a role with this action, such as Tag "
    "Contributor, or grant nobody these two with --page-grant"
)


@pytest.mark.parametrize(
    ("allowed", "options", "lines"),
    [
        pytest.param(
            "*", (*SIGN_IN, "--page-grant", "pause=user:ada"),
            [f"ok      {TAGS_WRITE}: granted on 1 scale set", f"ok      {TAGS_WRITE}: granted on resource group ops"],
            id="granted",
        ),
        pytest.param(
            "Microsoft.Compute/*", (*SIGN_IN, "--page-grant", "resume=user:ada"),
            [f"FAIL    {TAGS_WRITE}: not granted on web, {NO_PAUSE}", f"FAIL    {TAGS_WRITE}: not granted on resource group ops, {NO_PAUSE}"],
            id="not granted",
        ),
        pytest.param("Microsoft.Compute/*", (*SIGN_IN, "--page-grant", "approve=user:ada"), [], id="nobody may pause or resume"),
        pytest.param("Microsoft.Compute/*", (), [], id="nobody signs in"),
    ],
)  # fmt: skip
def test_tags_must_be_writable_where_somebody_may_pause_on_the_page(
    allowed: str, options: tuple[str, ...], lines: list[str], here: Path
) -> None:
    pause_tag = {"subscription": SUBSCRIPTION, "resourceGroup": "ops"}
    sets = scale_set("web", capacity=1), scale_set("other", resourceGroup="ops", capacity=1)
    with azure(*sets, permissions={"actions": [allowed]}) as served:
        write_specs(here / "specs", of_all(pauseTag=pause_tag), spec("web"))
        done = check(served.environment, *options)
    assert [each for each in of("role", done) if TAGS_WRITE in each] == lines


def test_a_gallery_image_needs_actions_on_its_gallery(here: Path) -> None:
    image = {"gallery": {"id": f"{CART}/versions/1.4.0"}}
    held = scale_set("cart", capacity=1, image={"id": f"{CART}/versions/1.4.0"})
    with azure(held, permissions={"actions": list(ALWAYS)}) as served:
        write_specs(here / "specs", spec("cart", image=image))
        done = check(served.environment)
    assert [line for line in of("role", done) if "FAIL" in line] == [
        f"FAIL    Microsoft.Compute/galleries/images/read: not granted on cart; {FIX_ROLE}",
        f"FAIL    Microsoft.Compute/galleries/images/versions/read: not granted on cart; {FIX_ROLE}",
    ]


def test_without_any_role_each_check_names_what_is_missing(here: Path) -> None:
    write_specs(here / "specs", spec("web"))
    with azure(permissions={"actions": []}) as served:
        done = check(served.environment)
    (subscription,) = of("subscription", done)
    assert subscription.startswith(
        f'FAIL    {SUBSCRIPTION}: Azure returned AuthorizationFailed ("The client '
    )
    assert of("scale set", done)[0].startswith("FAIL    web: Refused: Azure returned AuthorizationFailed ")
    *failed, log = of("role", done)
    assert len(failed) == len(ALWAYS) + 1
    assert all(line.startswith("FAIL") for line in failed)
    assert log == NO_LOG


def test_a_missing_subscription_stops_no_other(fleet: Azure, here: Path) -> None:
    elsewhere = {"subscription": OTHER, "resourceGroup": "shop", "name": "web"}
    write_specs(here / "specs", spec("web"), spec("lost", target=elsewhere))
    done = check(fleet.environment)
    assert of("subscription", done) == [
        f"ok      {SUBSCRIPTION}: scale sets can be listed",
        f"FAIL    {OTHER}: Azure returned SubscriptionNotFound (\"The subscription '{OTHER}' could not be found\")",
    ]
    assert "ok      web: ModelDrift: nothing blocks a rollout" in of("scale set", done)
    assert len([line for line in of("role", done) if "granted on 1 scale set" in line]) == len(ALWAYS) + 1


def test_list_by_resource_group_reads_only_the_groups(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"))
    assert of("subscription", check(fleet.environment, "--list-by", "resourceGroup")) == [
        f"ok      {SUBSCRIPTION}, resource group shop: scale sets can be listed"
    ]


@pytest.mark.parametrize(
    "documents, lines",
    [
        pytest.param(
            [spec("web", interval="soon")],
            [
                'FAIL    specs/web.yaml:12:13: spec.interval "soon" is not a duration: write it like 5m, 1h30m or 90s'
            ],
            id="specs with errors",
        ),
        pytest.param(
            [
                {
                    "apiVersion": "vmss-reconciler/v1alpha1",
                    "kind": "Image",
                    "metadata": {"name": "base"},
                    "spec": platform(OLD),
                }
            ],
            [
                "FAIL    no scale set is declared; write a spec, or run `reconciler adopt` for the live scale sets",
            ],
            id="no specs",
        ),
    ],
)
def test_without_specs_the_other_checks_run(
    documents: list[dict[str, object]], lines: list[str], fleet: Azure, here: Path
) -> None:
    write_specs(here / "specs", *documents)
    done = check(fleet.environment)
    assert of("specs", done) == lines
    assert (done.code, IDENTITY in done.out) == (1, True)
    assert of("role", done) == ["skipped needs specs; fix that first"]


@pytest.mark.parametrize(
    "changes, found",
    [
        pytest.param(
            {"REQUESTS_CA_BUNDLE": "/nowhere.pem"},
            "Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere.pem; correct "
            "REQUESTS_CA_BUNDLE, or unset it",
            id="a missing CA bundle",
        ),
        pytest.param(
            {"REQUESTS_CA_BUNDLE": ""},
            "; set REQUESTS_CA_BUNDLE to a file that contains this certificate authority and all others",
            id="an unknown certificate authority",
        ),
        pytest.param(
            {"VMSS_RECONCILER_ARM_ENDPOINT": "https://127.0.0.1:1"},
            "Connection refused); allow this machine to reach it, or set HTTPS_PROXY",
            id="a host that does not respond",
        ),
        pytest.param(
            {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""},
            "; correct HTTPS_PROXY, or add this host to NO_PROXY",
            id="a proxy that is down",
        ),
    ],
)
def test_a_network_failure_is_reported_with_its_fix(
    changes: dict[str, str], found: str, fleet: Azure, here: Path
) -> None:
    write_specs(here / "specs", spec("web"))
    env = fleet.environment | changes
    done = check(env)
    (line,) = of("network", done)
    assert line.startswith(f"FAIL    {env['VMSS_RECONCILER_ARM_ENDPOINT']}: ")
    assert found in line
    assert of("clock", done) == ["skipped needs network; fix that first"]
    assert done.code == 1


def test_a_server_that_is_not_azure_is_detected(here: Path) -> None:
    write_specs(here / "specs", spec("web"))
    with azure() as served:
        served.simulator.faults.arm("Metadata_GetEndpoints", Page(404, "<html>"))
        (line,) = of("network", check(served.environment))
    assert line == (
        f"FAIL    {served.server.url}: the response (HTTP 404) is not from Azure Resource Manager; correct "
        "--arm-endpoint, or retry if it was correct before"
    )


def test_a_role_on_the_image_is_sufficient() -> None:
    """The simulator has one role for all scopes, so the responses are changed on their way."""
    held = scale_set("cart", capacity=1, image={"id": f"{CART}/versions/1.4.0"})
    simulator = Simulator.load(fleet_of(held, permissions={"actions": list(ALWAYS)}), WallClock())

    class AtTheImage(InProcessTransport):
        def send(self, request: HttpRequest, **options: Any) -> HttpResponse:
            if request.url.startswith(f"https://management.azure.com{CART}/providers/"):
                body = json.dumps({"value": [{"actions": ["*/versions/read", "*/write"]}]}).encode()
                return InProcessResponse(request, Response(200, {"Content-Type": "application/json"}, body))
            return super().send(request, **options)

    session = Session(credential=Token(), transport=AtTheImage(simulator))
    desired = build.spec("cart", image=GalleryImage(f"{CART}/versions/1.4.0"))
    found = grants([ScaleSetState(desired, "")], None, session)
    lacking = [each.about for each in found if each.result is Result.FAIL]
    assert lacking == ["Microsoft.Compute/galleries/images/read"]


def test_an_auxiliary_tenant_must_issue_a_token(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"))
    done = check(fleet.environment | {"VMSS_RECONCILER_AUXILIARY_TENANTS": f"{TENANT}, {OTHER}"})
    assert done.code == 1
    assert done.out[2:4] == [
        f"ok      identity     auxiliary tenant {TENANT} issues a token",
        f"FAIL    identity     the token for auxiliary tenant {OTHER} was issued by tenant {TENANT}; a managed "
        "identity gets no other, so use an application that is registered in both tenants",
    ]


def test_without_an_azure_identity_it_says_what_is_missing(here: Path) -> None:
    write_specs(here / "specs", spec("web"))
    env = bare() | {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "HTTPS_PROXY": "http://127.0.0.1:1"}
    done = reconciler("check", env=env, cwd=here)
    assert (done.code, done.err) == (1, [])
    assert done.out[0] == "ok      specs        1 scale set in specs"
    assert done.out[1].startswith(NO_IDENTITY)
    assert done.out[2].startswith(
        "FAIL    network      https://management.azure.com: Azure could not be reached ("
    )
    assert done.out[3:] == [
        "skipped clock        needs network; fix that first",
        "skipped subscription needs identity and network; fix that first",
        "skipped scale set    needs identity and network; fix that first",
        "skipped role         needs identity and network; fix that first",
    ]


@pytest.mark.parametrize(
    "ahead, line",
    [
        pytest.param(
            timedelta(seconds=0.4),
            "ok      clock        the clock of this machine is 0s ahead of Azure's",
            id="no skew",
        ),
        pytest.param(
            timedelta(minutes=-5),
            "ok      clock        the clock of this machine is 5m behind Azure's",
            id="a small skew",
        ),
        pytest.param(
            timedelta(minutes=5, seconds=1),
            "FAIL    clock        the clock of this machine is 5m1s ahead of Azure's, so Azure rejects its tokens; synchronize "
            "the clock with NTP",
            id="too far ahead",
        ),
        pytest.param(
            timedelta(hours=-2),
            "FAIL    clock        the clock of this machine is 2h behind Azure's, so Azure rejects its tokens; synchronize the "
            "clock with NTP",
            id="too far behind",
        ),
    ],
)
def test_a_clock(ahead: timedelta, line: str) -> None:
    assert str(clock(ahead)) == line
