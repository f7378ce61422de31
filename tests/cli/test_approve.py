"""`reconciler approve`: the tag that it writes, once, beside everybody else's, and all that keeps it from it."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.azure.identity import Identity
from reconciler.cli import main
from reconciler.rollout.persisted import Fingerprint, Signature
from reconciler.rollout.tags import persisted_state, with_approval
from reconciler.simulator import Status, Throttled
from reconciler.simulator.tokens import CLIENT
from reconciler.spec.image import PlatformImage
from tests.cli.program import Azure, Ended, azure, bare, reconciler, until, write_specs
from tests.stories.world import BASE, FIX, NEW, OLD, ROLE, SUBSCRIPTION, of_all, platform, scale_set, spec

URN = ":".join(BASE.values())
APPLICATION = f"application {CLIENT}"  # as which every command runs here
TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d\+00:00| UTC)")
IMAGE = PlatformImage(**BASE, version=NEW)
OF_NEW = Fingerprint.of(IMAGE).digest
TAGS = {"team": "web", "Vmss-Reconciler-Approved": f"{URN}:{OLD}"}
APPROVED = {
    "team": "web",
    "vmss-reconciler-approved": f"{URN}:{NEW}",
    "vmss-reconciler-approved-by": f"by={APPLICATION};at=TIME;image={OF_NEW},{NEW}",
}
IS_APPROVED = f"web: {NEW} is approved by {APPLICATION} at TIME"
GOES_ON = f"{IS_APPROVED}; takes effect at the next sweep"
MOVED = Status(412, "PreconditionFailed", "Etag provided in if-match header does not match.")


def asking(name: str = "web", version: str = NEW, **changes: Any) -> dict[str, Any]:
    return spec(name, version, rollout={"approval": "start"}, **changes)


@pytest.fixture
def world() -> Iterator[Azure]:
    with azure(scale_set(capacity=2, tags=TAGS)) as served:
        yield served


def approve(
    world: Azure, where: Path, *documents: Any, name: str = "web", options: Sequence[str] = ()
) -> Ended:
    """In this process, which spares each case the start of another."""
    specs = write_specs(where / "specs", *documents)
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(specs)}
    done = CliRunner().invoke(main, ["approve", name, *options], env=env)
    return Ended.of(done.exit_code, timeless(done.stdout), done.stderr)


def timeless(text: str) -> str:
    """The text with each time replaced by TIME."""
    return TIME.sub("TIME", text)


def timeless_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: timeless(value) for name, value in tags.items()}


def patches(world: Azure) -> list[Any]:
    return [
        each.body | {"tags": timeless_tags(each.body["tags"])}
        for each in world.simulator.record.requests
        if each.operation == "VirtualMachineScaleSets_Update"
    ]


def test_it_writes_the_declared_image_on_a_tag_and_nothing_else(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", asking())
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    done = reconciler("approve", "web", env=world.environment, cwd=tmp_path)
    assert (done.code, [timeless(line) for line in done.out], done.err) == (0, [GOES_ON], [])
    assert patches(world) == [{"tags": APPROVED}]
    written = world.simulator.scale_set("web").tags
    assert APPROVED.items() <= timeless_tags(written).items()
    at = persisted_state(written).signature
    assert at is not None
    assert before <= at.at <= datetime.now(UTC)
    assert world.images("web") == {OLD}
    assert world.simulator.scale_set("web").image.endswith(OLD)


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(["web", "--selector", "team=api"], id="a name and a label"),
        pytest.param(["api", "web", "api"], id="two names, one of them twice"),
    ],
)
def test_several_scale_sets_are_approved_at_once_though_one_needs_no_approval(
    chosen: list[str], tmp_path: Path
) -> None:
    sets = [scale_set(name, capacity=2) for name in ("api", "web")]
    api = spec("api") | {"metadata": {"name": "api", "labels": {"team": "api"}}}
    with azure(*sets) as world:
        specs = write_specs(tmp_path / "specs", api, asking("web"))
        env = {**world.environment, "VMSS_RECONCILER_SPECS": str(specs)}
        done = CliRunner().invoke(main, ["approve", *chosen], env=env)
        assert world.writes() == 1
    assert (done.exit_code, timeless(done.stdout).splitlines()) == (1, [GOES_ON])
    assert done.stderr.splitlines()[1:] == [
        "error: api: its spec requires no approval (spec.rollout.approval)"
    ]


def test_an_approval_without_a_name_is_wrong_usage(world: Azure, tmp_path: Path) -> None:
    specs = write_specs(tmp_path / "specs", asking())
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(specs)}
    done = CliRunner().invoke(main, ["approve"], env=env)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, "error: pass NAMES or --selector")


def test_a_second_approval_writes_nothing(world: Azure, tmp_path: Path) -> None:
    approve(world, tmp_path, asking())
    assert approve(world, tmp_path, asking()) == Ended(
        0, [f"web: {NEW} is already approved by {APPLICATION} at TIME"], []
    )
    assert world.writes() == 1


def test_an_approval_replaces_that_of_another_image(world: Azure, tmp_path: Path) -> None:
    approve(world, tmp_path, asking())
    done = approve(world, tmp_path, asking(version=FIX))
    assert done.out == [GOES_ON.replace(NEW, FIX)]
    assert world.simulator.scale_set("web").tags["vmss-reconciler-approved"] == f"{URN}:{FIX}"


def test_latest_is_approved_as_the_version_that_the_daemon_would_set(world: Azure, tmp_path: Path) -> None:
    done = approve(world, tmp_path, asking(version="latest"))
    assert done.out == [GOES_ON.replace(NEW, FIX)]
    assert patches(world)[0]["tags"]["vmss-reconciler-approved"] == f"{URN}:{FIX}"


@pytest.mark.parametrize(
    ("model", "one", "is_early"),
    [
        pytest.param(OLD, OLD, True, id="the model is not set"),
        pytest.param(NEW, OLD, True, id="no instance is upgraded"),
        pytest.param(NEW, NEW, False, id="an instance is upgraded"),
    ],
)
def test_an_approval_before_the_canary_says_that_the_rollout_will_not_stop(
    model: str, one: str, tmp_path: Path, *, is_early: bool
) -> None:
    states = [{"id": "0", "image": platform(one)}, {"id": "1", "image": platform(OLD)}]
    with azure(scale_set(capacity=2, image=platform(model), instanceStates=states)) as served:
        (said,) = approve(served, tmp_path, spec(rollout={"approval": "canary"})).out
    early = " before any instance was upgraded, so the rollout will not stop after its canary"
    assert said == f"{IS_APPROVED}{early * is_early}; takes effect at the next sweep"


def test_an_approval_that_no_rollout_waits_for_says_so(tmp_path: Path) -> None:
    with azure(scale_set(capacity=2, image=platform(NEW))) as served:
        done = approve(served, tmp_path, asking())
    assert done == Ended(
        0, [f"{IS_APPROVED}; no rollout is waiting for it, because every instance runs it and is serving"], []
    )


def test_instances_that_cannot_be_read_do_not_prevent_an_approval(tmp_path: Path) -> None:
    with azure(scale_set(capacity=2, image=platform(NEW))) as served:
        served.simulator.faults.arm(
            "VirtualMachineScaleSetVMs_List", Throttled(timedelta(minutes=5)), times=None
        )
        done = approve(served, tmp_path, spec(rollout={"approval": "canary"}))
    assert done == Ended(0, [GOES_ON], [])


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        pytest.param([asking(suspend=True)], "no change is made while it is suspended", id="suspended"),
        pytest.param(
            [asking(), of_all(freeze=True)],
            "no change is made while the fleet is frozen",
            id="a frozen fleet",
        ),
    ],
)
def test_an_approval_on_hold_says_that_no_change_is_made(
    world: Azure, tmp_path: Path, documents: list[Any], said: str
) -> None:
    assert approve(world, tmp_path, *documents) == Ended(0, [f"{IS_APPROVED}; {said}"], [])


def test_an_image_that_was_rolled_back_is_not_approved(world: Azure, tmp_path: Path) -> None:
    persisted = {"reconciler-failed": f"{URN}:{NEW}", "reconciler-last-good": f"{URN}:{OLD}"}
    world.simulator.scale_set("web").set_tags(persisted)
    document = asking()
    document["spec"]["rollout"]["onFailure"] = "rollback"
    done = approve(world, tmp_path, document)
    mend = "declare another image, or run `reconciler retry web`"
    said = f"error: web: {NEW} failed and was rolled back, so approval has no effect; {mend}"
    assert done == Ended(1, [], [said])
    assert not patches(world)


@pytest.mark.parametrize(
    ("times", "code", "said"),
    [
        pytest.param(1, 0, GOES_ON, id="once"),
        pytest.param(
            2,
            1,
            f'error: web: Azure returned PreconditionFailed ("{MOVED.message.removesuffix(".")}")',
            id="twice",
        ),
    ],
)
def test_a_conflict_is_retried_once(world: Azure, tmp_path: Path, times: int, code: int, said: str) -> None:
    world.simulator.faults.arm("VirtualMachineScaleSets_Update", MOVED, times=times)
    done = approve(world, tmp_path, asking())
    assert (done.code, [*done.out, *done.err]) == (code, [said])
    assert len(patches(world)) == 2


def test_a_change_between_read_and_write_is_not_overwritten(world: Azure, tmp_path: Path) -> None:
    tagged: list[str] = []

    def tag(request: Any) -> bool:
        if request.method == "PATCH" and not tagged:
            tagged.append(request.path)
            world.simulator.scale_set("web").set_tags({"cost-center": "7"})
        return False

    world.simulator.faults.arm("*", MOVED, times=None, when=tag)
    assert approve(world, tmp_path, asking()).out == [GOES_ON]
    assert tagged
    tags = timeless_tags(world.simulator.scale_set("web").tags)
    assert tags.items() >= (APPROVED | {"cost-center": "7"}).items()
    assert len(patches(world)) == 2


@pytest.mark.parametrize(
    ("by", "said", "kept"),
    [
        pytest.param(
            "ada@example.com",
            f"ada@example.com through {APPLICATION}",
            f"by=ada@example.com;through={APPLICATION}",
            id="another name than the token's",
        ),
        pytest.param(APPLICATION, APPLICATION, f"by={APPLICATION}", id="the name of the token"),
        pytest.param(
            " Löwe, Ada ",
            f"Löwe, Ada through {APPLICATION}",
            f"by=Löwe%2C Ada;through={APPLICATION}",
            id="a name with a comma",
        ),
    ],
)
def test_the_approver_may_be_given_and_the_token_is_recorded_too(
    world: Azure, tmp_path: Path, by: str, said: str, kept: str
) -> None:
    done = approve(world, tmp_path, asking(), options=["--by", by])
    assert done.out == [GOES_ON.replace(APPLICATION, said)]
    (patch,) = patches(world)
    assert patch["tags"]["vmss-reconciler-approved-by"] == f"{kept};at=TIME;image={OF_NEW},{NEW}"


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        pytest.param("a" * 101, "a" * 101, id="a name that is too long"),
        pytest.param("ada\x1b[2J", "ada\\x1b[2J", id="a name that moves a cursor"),
        pytest.param("  ", "  ", id="a blank name"),
    ],
)
def test_an_invalid_name_is_reported_before_any_request(by: str, shown: str) -> None:
    done = CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "prod"}).invoke(main, ["approve", "web", "--by", by])
    assert done.exit_code == 2
    said = f"error: Invalid value for '--by': {shown!r} is not a name; write 1 to 100 printable characters"
    assert done.stderr.splitlines()[-1] == said


def test_without_room_for_a_tag_the_approver_is_not_recorded(tmp_path: Path) -> None:
    tags = {f"owner-{number}": "x" for number in range(49)}
    with azure(scale_set(capacity=1, tags=tags)) as world:
        done = approve(world, tmp_path, asking())
        written = world.simulator.scale_set("web").tags
    unkept = "the approver is not recorded, because the scale set has no room for another tag; "
    assert done == Ended(0, [GOES_ON.replace("; takes", f"; {unkept}takes")], [])
    assert written.keys() - tags.keys() == {"vmss-reconciler-approved"}


def test_an_approval_shows_in_why(world: Azure, tmp_path: Path) -> None:
    approve(world, tmp_path, asking())
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(tmp_path / "specs")}
    where = ["--server", "http://127.0.0.1:1"]

    def shows(*line: str) -> str:
        return timeless(CliRunner(env=env).invoke(main, line).stdout)

    status = until(lambda: shown if "ModelDrift" in (shown := shows("status", *where)) else None)
    why = shows("why", "web", *where)
    by = f"by {APPLICATION} at TIME"
    assert f"changing the model's image from {OLD} to {NEW}; approved {by}" in status
    assert f"approved    {NEW} {by}" in why.splitlines()
    shown = json.loads(CliRunner(env=env).invoke(main, ["status", "-o", "json", *where]).stdout)
    (row,) = shown["scaleSets"]
    approval = {name: timeless(value) if value else value for name, value in row["approval"].items()}
    assert approval == {
        "image": f"{URN}:{NEW}",
        "by": APPLICATION,
        "through": None,
        "at": "TIME",
        "message": f"{NEW} {by}",
    }


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """The address of a git repository of specs whose last commit is by this person."""

    def write(author: str, *documents: Any) -> str:
        tree = tmp_path / "fleet.git"
        write_specs(tree / "specs", *documents)
        name, _, address = author.removesuffix(">").partition(" <")
        who = ("-c", f"user.name={name}", "-c", f"user.email={address}")
        for line in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "Roll"]):
            subprocess.run(["git", *who, *line], cwd=tree, env=bare(), check=True)
        return f"file://{tree}"

    return write


def another(**changes: Any) -> dict[str, Any]:
    return spec(rollout={"approval": "start", "approver": "another"}, **changes)


def approve_from(world: Azure, url: str, *options: str) -> Ended:
    line = ["approve", "web", "--git", url, *options]
    done = CliRunner().invoke(main, line, env=world.environment)
    return Ended.of(done.exit_code, timeless(done.stdout), done.stderr)


def test_the_author_cannot_approve_if_another_person_is_required(
    world: Azure, written: Callable[..., str]
) -> None:
    url = written("Ada <ada@example.com>", another())
    done = approve_from(world, url, "--by", "Ada@example.com")
    said = "error: web: Ada <ada@example.com> wrote the commit that declares the image, but rollout.approver requires another person; ask a colleague to approve"
    assert done == Ended(1, [], [said])
    assert world.writes() == 0
    by_bob = approve_from(world, url, "--by", "bob@example.com")
    assert by_bob == Ended(0, [GOES_ON.replace(APPLICATION, f"bob@example.com through {APPLICATION}")], [])
    again = approve_from(world, url, "--by", "Ada@example.com")
    assert again.out == [f"web: {NEW} is already approved by bob@example.com through {APPLICATION} at TIME"]


def test_a_sufficient_approval_replaces_an_insufficient_one(
    world: Azure, written: Callable[..., str]
) -> None:
    url = written("Ada <ada@example.com>", another())
    signed = Signature.of(IMAGE, "ada@example.com", datetime.now(UTC))
    world.simulator.scale_set("web").set_tags(with_approval(TAGS, IMAGE, signed))
    env = {**world.environment, "VMSS_RECONCILER_GIT": url}

    def status() -> str | None:
        shown = CliRunner(env=env).invoke(main, ["status", "--server", "http://127.0.0.1:1"]).stdout
        return shown if "AwaitingApproval" in shown else None

    assert "Ada <ada@example.com>, who approved" in until(status)
    assert approve_from(world, url).out == [GOES_ON]

    def checked() -> str | None:
        shown = CliRunner(env=env).invoke(main, ["check"]).stdout
        return None if "AzureUpdating" in shown else shown

    assert "web: ModelDrift: nothing blocks a rollout" in " ".join(until(checked).split())


def test_specs_from_a_directory_leave_the_check_of_the_author_to_the_daemon(
    world: Azure, tmp_path: Path
) -> None:
    done = approve(world, tmp_path, another())
    unjudged = "the author of the commit is unknown here, so the daemon decides whether this is sufficient"
    assert done.out == [f"{IS_APPROVED}; {unjudged}; takes effect at the next sweep"]


def test_if_another_person_is_required_the_approver_must_fit_on_a_tag(tmp_path: Path) -> None:
    tags = {f"owner-{number}": "x" for number in range(49)}
    with azure(scale_set(capacity=1, tags=tags)) as world:
        done = approve(world, tmp_path, another())
        assert world.writes() == 0
    said = "rollout.approver requires a tag that names the approver, but no tag is free; remove a tag"
    assert done == Ended(1, [], [f"error: web: {said}"])


def test_if_another_person_is_required_the_approver_needs_a_name(
    world: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.cli.acts.approve.identity", lambda _: Identity("", "", ""))
    said = "rollout.approver requires a name, and the token has none; pass it with --by"
    assert approve(world, tmp_path, another()) == Ended(1, [], [f"error: web: {said}"])
    done = approve(world, tmp_path, another(), options=["--by", "bob"])
    assert done.out[0].startswith(f"web: {NEW} is approved by bob at TIME; ")
    asked = approve(world, tmp_path, asking(version=FIX))
    assert asked.out == [GOES_ON.replace(APPLICATION, "someone").replace(NEW, FIX)]


def unpublished(_: Azure) -> list[Any]:
    return [asking(image={"platform": {**BASE, "offer": "nothing", "version": "latest"}})]


def locked(world: Azure) -> list[Any]:
    world.simulator.faults.arm(
        "VirtualMachineScaleSets_Update",
        Status(403, "AuthorizationFailed", "The client may not write."),
        times=None,
    )
    return [asking()]


Prepare = Callable[[Azure], list[Any]]
NOBODY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets"
)


@pytest.mark.parametrize(
    ("name", "prepare", "errors"),
    [
        pytest.param(
            "wbe",
            lambda _: [asking(), asking("api")],
            ["no spec in force is named 'wbe'; did you mean web?"],
            id="a misspelt name",
        ),
        pytest.param(
            "zebra",
            lambda _: [asking()],
            ["no spec in force is named 'zebra'; run `reconciler status` to see the names"],
            id="an unknown name",
        ),
        pytest.param(
            "web",
            lambda _: [spec()],
            ["web: its spec requires no approval (spec.rollout.approval)"],
            id="a spec that requires no approval",
        ),
        pytest.param(
            "api",
            lambda _: [asking("api")],
            [f"api: there is no scale set {NOBODY}/api"],
            id="a scale set that does not exist",
        ),
        pytest.param(
            "web",
            lambda _: [asking(), spec("api", interval="5")],
            [
                '{specs}/api.yaml:12:13: spec.interval "5" is not a duration: write it like 5m, 1h30m or 90s',
                "nothing was approved: the specs have errors or cannot be read; fix them first",
            ],
            id="an error in another spec",
        ),
        pytest.param(
            "web",
            unpublished,
            [
                "web: Canonical:nothing:server:latest was not found in westeurope (it has no versions there); correct "
                "spec.image, or publish the image"
            ],
            id="latest without any version",
        ),
        pytest.param(
            "web",
            locked,
            ['web: Azure returned AuthorizationFailed ("The client may not write")'],
            id="no permission to write",
        ),
    ],
)
def test_what_prevents_an_approval(
    world: Azure, tmp_path: Path, name: str, prepare: Prepare, errors: list[str]
) -> None:
    done = approve(world, tmp_path, *prepare(world), name=name)
    said = [f"error: {each.replace('{specs}', str(tmp_path / 'specs'))}" for each in errors]
    assert done == Ended(1, [], said)
    assert world.simulator.scale_set("web").tags == TAGS


def test_the_role_of_the_daemon_is_sufficient_and_reader_is_not(tmp_path: Path) -> None:
    reading = [each for each in ROLE if each.endswith("/read")]
    with azure(scale_set(capacity=1), permissions={"actions": reading}) as world:
        done = approve(world, tmp_path, asking())
    assert done.code == 1
    assert "AuthorizationFailed" in done.err[0]
    assert "Microsoft.Compute/virtualMachineScaleSets/write" in done.err[0]


def test_an_azure_that_does_not_respond(world: Azure, tmp_path: Path) -> None:
    done = approve(world, tmp_path, asking(), options=("--arm-endpoint", "https://127.0.0.1:1"))
    assert (done.code, len(done.err)) == (1, 1)
    assert done.err[0].startswith("error: web: ")
    assert "Connection refused" in done.err[0]
