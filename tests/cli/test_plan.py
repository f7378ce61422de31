"""`reconciler plan`, as it is typed: what it prints, how it ends, and that it changes nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.checks.endpoint import serve_endpoint
from tests.cli.program import ROOT, Azure, Ended, azure, invoke, write_specs
from tests.stories.world import NEW, OLD, SUBSCRIPTION, platform, scale_set, spec

BATCH = (
    "the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon as "
    "the model changes; set upgradePolicy.mode to Manual"
)
NOWHERE = (
    f"Azure has no scale set nowhere in resource group shop of subscription {SUBSCRIPTION}; correct spec.target, "
    "or remove the spec"
)
EVIDENCE = (
    "The next batch begins only once the upgraded instances are healthy. The image has failed in a scale set once more "
    "than `maxUnhealthyUpgraded` of the instances upgraded there are unhealthy for longer than `health.timeout` (…), "
    "and a larger share than among those there that were not upgraded. Instances that were unhealthy before do not "
    "count. From then on no scale set begins it, and healthy instances that are not upgraded are left alone "
    "(`maxFailedRollouts` allows no failure). The upgraded instances keep the image (`onFailure: hold`). This lasts until "
    "another image is merged, a fix or a revert, or until someone runs `reconciler retry`."
)
FAILS = (
    "One scale set, the pilot, takes it first, and the others wait until its first batch is healthy. api begins, "
    "with 1 instance. Others follow as the image proves itself: one, two, four and so on. At most 2 scale sets "
    f"upgrade at once; together at most 2 instances are being upgraded at any moment. {EVIDENCE}"
)


def stop(instances: int) -> str:
    return (
        'run `reconciler pause --all --reason "..."`, which needs permission to write tags in Azure, or merge '
        f"`freeze: true` into the Fleet. Batches in progress, at most {instances} instance{'s' * (instances > 1)} in all, are completed. "
        "`reconciler resume --all`, or a merge without `freeze`, continues where it stopped."
    )


TARGET = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets"
)


SCHEMA, REHEARSAL_SCHEMA = (
    json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()) for name in ("plan", "rehearsal")
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    """One of each: behind, half way, refused, and as declared."""
    with azure(
        scale_set("web", capacity=5),
        scale_set("api", capacity=5, image=platform(NEW), instanceStates=behind("1", "2", "3", "4")),
        scale_set("batch", capacity=5, mode="Automatic"),
        scale_set("search", capacity=5, image=platform(NEW)),
    ) as served:
        yield served


def behind(*ids: str) -> list[dict[str, Any]]:
    return [{"id": each, "image": platform(OLD)} for each in ids]


def timeless(lines: list[str]) -> list[str]:
    """Without the moments, which are those of the clock on the wall."""
    moment = re.compile(r"(\w{3} \d{4}-\d\d-\d\d )?\d\d:\d\d( UTC)?")
    length = re.compile(r"\((\d+h)?\d+m\)")  # between two of them, as they are shown
    return [length.sub("(…)", moment.sub("…", line)) for line in lines]


def test_a_selector_limits_what_is_shown(fleet: Azure, tmp_path: Path) -> None:
    """The forecast is of the whole fleet: web is the pilot that api waits for, although it is not shown."""
    specs = [spec(name) for name in ("web", "batch")]
    labelled = {**spec("api"), "metadata": {"name": "api", "labels": {"team": "api"}}}
    write_specs(tmp_path / "specs", labelled, *specs)
    line = ("plan", "-o", "json", "-l", "team=api")
    done = invoke(*line, env=fleet.environment, cwd=tmp_path)
    found = json.loads("\n".join(done.out))
    jsonschema.validate(found, SCHEMA)
    assert ([each["name"] for each in found["scaleSets"]], found["summary"]["total"]) == (["api"], 1)
    assert "1 of 3 scale sets shown" in "\n".join(done.err)
    named = invoke("plan", "api", "-o", "json", env=fleet.environment, cwd=tmp_path)
    assert json.loads("\n".join(named.out))["scaleSets"][0]["name"] == "api"
    assert "1 of 3 scale sets shown" in "\n".join(named.err)
    misspelt = invoke("plan", "apj", env=fleet.environment, cwd=tmp_path)
    assert (misspelt.code, misspelt.out) == (1, [])
    assert misspelt.err[-1] == "error: no spec in force is named 'apj'; did you mean api?"
    nothing = invoke("plan", "-l", "team=db", env=fleet.environment, cwd=tmp_path)
    assert (nothing.code, nothing.out) == (1, [])
    assert nothing.err[-1].startswith("error: no scale set matches")


def test_a_scale_set_that_begins_shows_how_many_instances_are_up_to_date(tmp_path: Path) -> None:
    """The step that sets the model reads no instances, but the forecast does."""
    write_specs(tmp_path / "specs", spec("web"))
    with azure(scale_set(capacity=9)) as served:
        done = invoke("plan", env=served.environment, cwd=tmp_path)
    assert done.out[1].split()[:3] == ["0", "web", "0/9"]


@pytest.mark.parametrize(
    "names, options, expected",
    [
        pytest.param(
            ["web", "api", "batch", "search"],
            [],
            Ended(
                0,
                [
                    "WAVE  SCALE SET  UP TO DATE  WHAT HAPPENS",
                    "0     api        1/5         … to … (…); 4 instances in 4 batches of 1, one for each update domain; at most 1 of 5 (20%) unavailable",
                    "0     web        0/5         … to … (…); 5 instances in 5 batches of 1, one for each update domain; at most 1 of 5 (20%) unavailable; begins after the first batch of the pilot",
                    "0     batch      -           not upgraded: NotManualMode",
                    f"0     search     5/5         UpToDate: all 5 instances run {NEW}",
                    "",
                    "Blocks:",
                    f"! batch is not upgraded: {BATCH} (`NotManualMode`)",
                    "",
                    f"If the image fails: {FAILS}",
                    "",
                    f"To stop it: {stop(2)}",
                    "",
                    "1 scale set is as declared",
                    "",
                    f"2 scale sets, 9 instances: continue to {NEW} (1), ubuntu-24_04-lts server {OLD} → {NEW} (1)",
                    "Incomplete: 1 of 3 scale sets does not reach the image: 1 blocked.",
                    "As of …, it begins at once and gets no further after … (…), assuming 3m for each batch.",
                    "At worst, 1 of 5 (20%) unavailable in api at …, and 2 of 10 (20%) in these 2 scale sets at ….",
                ],
                err=[],
            ),
            id="the next step of each scale set, and why",
        ),
        pytest.param(
            ["search", "nowhere"],
            ["--detailed-exitcode"],
            Ended(
                2,
                [
                    "WAVE  SCALE SET  UP TO DATE  WHAT HAPPENS",
                    "0     nowhere    -           not upgraded: NotFound",
                    f"0     search     5/5         UpToDate: all 5 instances run {NEW}",
                    "",
                    "Blocks:",
                    f"! nowhere is not upgraded: {NOWHERE} (`NotFound`)",
                    "",
                    "1 scale set is as declared",
                    "",
                    "no scale set rolls out",
                    "1 of 1 scale set does not reach the image: 1 blocked.",
                ],
                err=[],
            ),
            id="a missing scale set is not as declared, though there is no step",
        ),
    ],
)
def test_a_plan_shows(
    names: list[str], options: list[str], expected: Ended, fleet: Azure, tmp_path: Path
) -> None:
    write_specs(tmp_path / "specs", *map(spec, names))
    done = invoke("plan", *options, env=fleet.environment, cwd=tmp_path)
    assert replace(done, out=timeless(done.out)) == expected
    assert fleet.writes() == 0


def test_a_plan_for_programs_is_json(fleet: Azure, tmp_path: Path) -> None:
    specs = write_specs(tmp_path / "elsewhere", spec("api"))
    options = ("-o", "json", "--detailed-exitcode", "--specs", specs)
    done = invoke("plan", *options, env=fleet.environment, cwd=tmp_path)
    found = json.loads("\n".join(done.out))
    jsonschema.validate(found, SCHEMA)
    (row,) = found["scaleSets"]
    assert (row.pop("wave"), row.pop("changed")) == (0, True)
    assert (done.code, done.err) == (2, []), "there is something to change"
    foreseen = row.pop("forecast")
    assert row["observedRevision"] == row["revision"]
    assert [each["status"] for each in row["conditions"]] == ["Unknown", "True", "False", "True", "True"]
    blank: dict[str, Any] = {
        "at": "",
        "since": "",
        "disruption": {},
        "instances": {},
        "instancesAt": "",
        "revision": {},
        "observedRevision": {},
        "conditions": [],
        "behind": None,
    }
    assert row | blank | {"nextReconcile": "", "history": []} == {
        "name": "api",
        "target": f"{TARGET}/api",
        "labels": {},
        "image": f"Canonical:ubuntu-24_04-lts:server:{NEW}",
        "shortImage": NEW,
        "modelImage": f"Canonical:ubuntu-24_04-lts:server:{NEW}",
        "shortModelImage": NEW,
        "commit": "",
        "status": "Reconciling",
        "reason": "Upgrading",
        "message": f"upgrading 1 instance in update domain 1 (api_1) to {NEW}; 1 of 5 instances up to date",
        "at": "",
        "step": {
            "kind": "Upgrade",
            "image": f"Canonical:ubuntu-24_04-lts:server:{NEW}",
            "instanceIds": ["1"],
        },
        "suspended": False,
        "notes": [],
        "gates": [],
        **blank,
        "nextReconcile": "",
        "wait": None,
        "approval": None,
        "pick": None,
        "history": [],
    }
    assert [domain["upToDate"] for domain in row["instances"]["domains"]] == [1, 0, 0, 0, 0]

    first, *_, last = foreseen.pop("batches")
    begins, ends = (datetime.fromisoformat(foreseen.pop(each)) for each in ("begins", "ends"))
    assert first == {
        "domain": "update domain 1",
        "instances": 1,
        "instanceIds": ["1"],
        "at": begins.isoformat(),
        "canary": False,
    }
    assert last["instanceIds"] == ["4"]
    assert ends - begins == timedelta(seconds=foreseen.pop("seconds"))
    assert foreseen == {
        "worstLoss": {"instances": 1, "of": 5},
        "maxBatch": {"declared": "20%", "instances": 1},
        "patches": 0,
        "writes": 4,
        "assumedBatchSeconds": 180,
        "isMeasured": False,
        "healthTimeoutSeconds": 600,
        "waits": [],
        "endsWith": "UpToDate",
    }


def test_a_plan_for_a_pull_request_is_markdown(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("api", rollout={"approval": "canary"}), spec("nowhere"))
    done = invoke("plan", "-o", "markdown", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.err) == (0, [])
    assert timeless(done.out) == [
        f"**1 scale set, 4 instances: continue to {NEW}**",
        "",
        "**Incomplete: 1 of 2 scale sets does not reach the image: 1 blocked.**",
        "",
        "As of …, it begins at once and gets no further after … (…), assuming 3m for each batch.<br>",
        "At worst, 1 of 5 (20%) unavailable in api at ….",
        "",
        "**Blocks** (what keeps scale sets from being upgraded; nothing is written to them):",
        "",
        f"- nowhere is not upgraded: {NOWHERE} (<code>NotFound</code>)",
        "",
        "**Risks:**",
        "",
        "- api: approval needed (rollout.approval); the times assume that it is given at once",
        "",
        f"**If the image fails:** {coded(f'1 instance of api takes it first. {EVIDENCE}')}",
        "",
        f"**To stop it:** {coded(stop(1))}",
        "",
        "<details><summary>api: about 12m; 4 instances in 4 batches of 1, one for each update domain; at most 1 of 5 (20%) unavailable</summary>",
        "",
        "Begins after approval.",
        "",
        "Batches begin at …, …, …, ….",
        "",
        "</details>",
    ]


def coded(text: str) -> str:
    return re.sub("`(.*?)`", r"<code>\1</code>", text)


def rehearse(tmp_path: Path, *options: str) -> Ended:
    """The plan of a scale set with a rehearsal in which its first batch never completes."""
    with azure(scale_set(capacity=2)) as served:
        write_specs(tmp_path / "specs", spec())
        fault = ("--rehearse", "--fault", "stuck:1")
        done = invoke("plan", *fault, *options, env=served.environment, cwd=tmp_path)
        assert served.writes() == 0
    return done


REHEARSED = "; 0 as declared; 1 not: 1 HealthCheckFailed"


def test_a_plan_has_a_rehearsal_on_request(tmp_path: Path) -> None:
    """What goes wrong in it is what was asked for, and no error of the plan."""
    done = rehearse(tmp_path)
    assert (done.code, done.err) == (0, ["1 scale set, 2 instances; nothing left out"])
    assert any(line.startswith("1 scale set, 2 instances: ") for line in done.out)
    (begins,) = [number for number, line in enumerate(done.out) if line.endswith(REHEARSED)]
    assert done.out[begins + 1].startswith("! web: HealthCheckFailed: ")
    assert done.out[begins + 2].startswith("stuck:1: web_")


def test_a_comment_has_the_rehearsal_as_a_section(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "-o", "markdown")
    (begins,) = [number for number, line in enumerate(done.out) if line.endswith(f"{REHEARSED}**")]
    assert done.out[begins + 2].startswith("- web: HealthCheckFailed: ")
    assert done.out[begins + 4].startswith("stuck:1: web&#95;")


def test_a_plan_as_json_has_the_whole_rehearsal(tmp_path: Path) -> None:
    found = json.loads("\n".join(rehearse(tmp_path, "-o", "json").out))
    jsonschema.validate(found, SCHEMA)
    jsonschema.validate(found["rehearsal"], REHEARSAL_SCHEMA)
    assert found["rehearsal"]["summary"]["halted"] == 1


def test_a_fault_without_a_rehearsal_is_wrong_usage(fleet: Azure, tmp_path: Path) -> None:
    done = invoke("plan", "--fault", "stuck:1", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.err[-1]) == (2, "error: --fault requires --rehearse")


def test_errors_in_the_specs_end_a_plan(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", interval="soon"), spec("api", suspend="maybe"))
    done = invoke("plan", "--detailed-exitcode", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out, done.err) == (
        1,
        [],
        [
            'error: specs/api.yaml:12:12: spec.suspend "maybe" is not a boolean: write true or false',
            'error: specs/web.yaml:12:13: spec.interval "soon" is not a duration: write it like 5m, 1h30m or 90s',
        ],
    )


def test_an_azure_that_does_not_respond_ends_a_plan(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    done = invoke(
        *("plan", "--detailed-exitcode", "--arm-endpoint", "https://127.0.0.1:1"),
        env=fleet.environment,
        cwd=tmp_path,
    )
    assert done.code == 1
    (error,) = done.err
    assert error.startswith(f"error: subscription {SUBSCRIPTION}: ")
    assert "Connection refused" in error
    assert done.out[-1] == "1 of 1 scale set does not reach the image: 1 blocked."


ASKED = ("/ok", "/api/v1/query?query=errors%20%3C%205")


@pytest.mark.parametrize(
    ("command", "asked", "said"),
    [
        pytest.param(["plan"], (), "skipped: checks errors, smoke", id="plan runs no checks"),
        pytest.param(
            ["plan", "-o", "markdown"],
            (),
            "skipped: checks errors, smoke",
            id="plan -o markdown runs no checks",
        ),
        pytest.param(
            ["plan", "-o", "json"], (), "skipped: checks errors, smoke", id="plan -o json runs no checks"
        ),
        pytest.param(
            ["plan", "--checks", "--allow-check-hosts", "127.0.0.1", "-o", "json"],
            ASKED,
            "check errors ({place}) returned no sample for errors < 5",
            id="plan --checks runs them",
        ),
        pytest.param(
            ["status", "--server", "http://127.0.0.1:1"],
            (),
            "skipped: checks errors, smoke",
            id="status without a daemon runs no checks",
        ),
        pytest.param(
            ["why", "web", "--server", "http://127.0.0.1:1"],
            (),
            "skipped: checks errors, smoke",
            id="why without a daemon runs no checks",
        ),
    ],
)
def test_a_dry_run_runs_checks_only_on_request(
    tmp_path: Path, command: list[str], asked: tuple[str, ...], said: str
) -> None:
    """A pull request may name any address there."""
    with azure() as simulated, serve_endpoint() as place:
        place.body = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
        checks = [
            {"name": "smoke", "http": {"url": f"{place.url}/ok"}},
            {"name": "errors", "prometheus": {"server": place.url, "query": "errors < 5"}},
        ]
        write_specs(tmp_path / "specs", spec(rollout={"checks": checks}))
        done = invoke(*command, env=simulated.environment, cwd=tmp_path)
        assert (done.code, tuple(place.asked)) == (0, asked)
        assert said.replace("{place}", place.url) in "\n".join((*done.out, *done.err))
