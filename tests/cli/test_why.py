"""`reconciler why`: one scale set, from the store of the daemon or from an observation of its own."""

import json
import re
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.cli.acts.why import explanation
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.simulator import Slow, Status
from reconciler.spec.scale_set import Target
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import Azure, Daemon, Ended, azure, bare, reconciler, until, write_specs
from tests.stories.world import NEW, OLD, SUBSCRIPTION, platform, scale_set, spec
from tests.token import ApplicationToken

REVISION = {"commit": "91eab1ad9c53", "spec": "3f2a9c1b7d05"}


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    since = "2026-01-05T08:51:00+00:00"
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": since}


ROW: dict[str, Any] = {
    "name": "web",
    "status": "Failing",
    "reason": "HealthCheckFailed",
    "message": "web_0 (unhealthy) in update domain 0",
    "image": "Canonical:ubuntu:server:1.2.3",
    "commit": "91eab1ad9c53",
    "at": "2026-01-05T09:00:00+00:00",
    "since": "2026-01-05T08:51:00+00:00",
    "nextReconcile": None,
    "suspended": False,
    "shortModelImage": "1.2.3",
    "disruption": {
        "allowed": 0,
        "unavailable": 1,
        "of": 4,
        "maxUnavailable": "20%",
        "unhealthy": 1,
        "maxUnhealthy": "20%",
        "imageProven": False,
    },
    "forecast": None,
    "revision": REVISION,
    "observedRevision": REVISION,
    "conditions": [
        condition("Ready", "False", "HealthCheckFailed"),
        condition("Reconciling", "True", "HealthCheckFailed"),
        condition("Stalled", "False", "HealthCheckFailed"),
        condition("Healthy", "False", "HealthCheckFailed"),
        condition("Drifted", "True", "InstanceDrift"),
    ],
    "notes": ["the instances are Spot: Azure deallocates an instance that it evicts"],
    "gates": [
        {"name": "windows", "open": True, "evidence": "open until 12:00", "until": None},
        {"name": "approval", "open": False, "evidence": "1.2.3 is not approved yet", "until": None},
    ],
    "approval": {
        "image": "Canonical:ubuntu:server:1.2.3",
        "by": "ada",
        "through": None,
        "at": "2026-01-05T08:39:00+00:00",
        "message": "1.2.3 by ada at 2026-01-05 08:39 UTC",
    },
    "history": [
        {
            "began": "2026-01-05T08:40:00+00:00",
            "message": "1.2.2 to 1.2.3: in progress; 1 instance in 1 batch",
            "commit": "91eab1ad9c53",
        },
        {"began": None, "message": "to 1.2.2: succeeded; 4 instances in 2 batches", "commit": ""},
    ],
    "instances": {
        "total": 4,
        "upToDate": 1,
        "unavailable": 1,
        "domains": [
            {"domain": "update domain 0", "total": 1, "upToDate": 1, "unavailable": 1},
            {"domain": "update domain 1", "total": 2, "upToDate": 0, "unavailable": 0},
            {"domain": "update domain 2", "total": 1, "upToDate": 1, "unavailable": 0},
        ],
    },
}


def test_one_scale_set_is_explained_in_a_few_lines() -> None:
    assert explanation(ROW).splitlines() == [
        "web: Failing",
        "reason      HealthCheckFailed: web_0 (unhealthy) in update domain 0",
        f"ends        {Reason.HEALTH_CHECK_FAILED.meaning.remedy}",
        "since       2026-01-05 08:51:00 UTC",
        "checked     2026-01-05 09:00:00 UTC; next check at the next sweep",
        "safe now    no instance may be taken down: 1 of 4 unavailable (maxUnavailable 20%; 1 unhealthy, maxUnhealthy 20%); the model is on 1.2.3, not proven in this scale set",
        "declared    Canonical:ubuntu:server:1.2.3, commit 91eab1ad9c",
        "conditions  Ready False, Reconciling True, Stalled False, Healthy False (HealthCheckFailed), Drifted True (InstanceDrift)",
        "gate        windows open: open until 12:00",
        "gate        approval closed: 1.2.3 is not approved yet",
        "approved    1.2.3 by ada at 2026-01-05 08:39 UTC",
        "instances   1 of 4 up to date, 1 unavailable",
        "            update domain 0: 1 of 1 up to date, 1 unavailable",
        "            update domain 1: 0 of 2 up to date, 0 unavailable",
        "note        the instances are Spot: Azure deallocates an instance that it evicts",
        "rollout     2026-01-05 08:40:00: 1.2.2 to 1.2.3: in progress; 1 instance in 1 batch, commit 91eab1ad9c",
        "rollout     before the daemon started: to 1.2.2: succeeded; 4 instances in 2 batches",
    ]


def test_a_reason_of_a_newer_daemon_is_shown_without_advice() -> None:
    shown = explanation(ROW | {"reason": "NotKnownYet", "message": "something new"}).splitlines()
    assert shown[:2] == ["web: Failing", "reason      NotKnownYet: something new"]
    assert not any(line.startswith("ends") for line in shown)
    assert shown[3] == (
        "checked     2026-01-05 09:00:00 UTC; next check when it changes, or after its interval"
    )


@pytest.mark.parametrize(
    ("found", "changes", "line"),
    [
        pytest.param(
            {"allowed": 2, "unavailable": 0, "unhealthy": 0, "imageProven": True},
            {},
            "2 instances may be taken down: 0 of 4 unavailable (maxUnavailable 20%); the model is on 1.2.3, proven in this scale set",
            id="safe",
        ),
        pytest.param(
            {"allowed": 4, "unavailable": 0, "maxUnavailable": "100%", "unhealthy": 0, "imageProven": None},
            {"shortModelImage": None},
            "4 instances may be taken down: 0 of 4 unavailable (no limit: maxUnavailable 100%)",
            id="the default, which is no limit",
        ),
        pytest.param(
            {"allowed": 1, "unavailable": 0, "unhealthy": 0, "imageProven": None},
            {"shortModelImage": None},
            "1 instance may be taken down: 0 of 4 unavailable (maxUnavailable 20%)",
            id="the image of the model is unknown",
        ),
        pytest.param(
            {"allowed": 1, "unavailable": 0, "unhealthy": 0, "imageProven": False},
            {"suspended": True},
            "1 instance may be taken down: 0 of 4 unavailable (maxUnavailable 20%); the model is on 1.2.3, not proven in this scale set; nothing is changed while it is on hold",
            id="a suspended scale set",
        ),
    ],
)
def test_whether_it_is_safe_now_is_one_line(found: Any, changes: dict[str, Any], line: str) -> None:
    row = ROW | changes | {"disruption": ROW["disruption"] | found}
    assert f"safe now    {line}" in explanation(row).splitlines()


OTHER = {"commit": "5d41402abc4b", "spec": "79b1126502bb"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"observedRevision": OTHER},
            "declared    Canonical:ubuntu:server:1.2.3, commit 91eab1ad9c; no decision yet; the last one was about commit 5d41402abc",
            id="a commit without a decision yet",
        ),
        pytest.param(
            {"observedRevision": OTHER | {"commit": ""}, "revision": REVISION | {"commit": ""}},
            "declared    Canonical:ubuntu:server:1.2.3; no decision yet; the last one was about the previous specs",
            id="a directory without commits",
        ),
        pytest.param(
            {"observedRevision": None},
            "declared    Canonical:ubuntu:server:1.2.3, commit 91eab1ad9c; no decision yet",
            id="no decision so far",
        ),
        pytest.param(
            {"nextReconcile": "2026-01-05T09:00:15+00:00"},
            "checked     2026-01-05 09:00:00 UTC; next check at 2026-01-05 09:00:15 at the latest",
            id="the time of the next reconcile is known",
        ),
        pytest.param(
            {"status": "Ready", "reason": "UpToDate"},
            "checked     2026-01-05 09:00:00 UTC; next check when it changes, or after its interval",
            id="a settled scale set",
        ),
    ],
)
def test_the_declared_image_and_the_next_check(changes: dict[str, Any], line: str) -> None:
    assert line in explanation(ROW | changes).splitlines()


AZURE_SAYS = 'could not change the model: Azure returned InvalidParameter ("no")'


@pytest.mark.parametrize(
    ("reason", "message", "lines"),
    [
        pytest.param(
            "Refused",
            AZURE_SAYS,
            [
                f"reason      Refused: {AZURE_SAYS}",
                f"ends        {Reason.REFUSED.meaning.remedy}",
                "since       2026-01-05 08:51:00 UTC",
                "checked     2026-01-05 09:00:00 UTC, 12 checks so far; next check at the next sweep",
            ],
            id="a refusal of Azure",
        ),
        pytest.param(
            "Conflict",
            f"{AZURE_SAYS}; failing since 2026-01-05 08:51 UTC",
            [
                f"reason      Conflict: {AZURE_SAYS}; failing since 2026-01-05 08:51 UTC",
                f"ends        {Reason.CONFLICT.meaning.remedy}",
                "checked     2026-01-05 09:00:00 UTC, 12 checks so far; next check at the next sweep",
            ],
            id="a message that says since when",
        ),
        pytest.param(
            "NotManualMode",
            "the upgrade mode is Rolling, so Azure would upgrade instances by itself; set upgradePolicy.mode to Manual",
            [
                "reason      NotManualMode: the upgrade mode is Rolling, so Azure would upgrade instances by itself; set upgradePolicy.mode to Manual",
                "since       2026-01-05 08:51:00 UTC",
                "checked     2026-01-05 09:00:00 UTC, 12 checks so far; next check at the next sweep",
            ],
            id="a message that says what ends it",
        ),
        pytest.param(
            "Paused",
            "the scale set is paused; nothing will be changed until `reconciler resume web` is run",
            [
                "reason      Paused: the scale set is paused; nothing will be changed until `reconciler resume web` is run",
                "since       2026-01-05 08:51:00 UTC",
                "checked     2026-01-05 09:00:00 UTC, 12 checks so far; next check when it changes, or after its interval",
            ],
            id="a message that names the command",
        ),
    ],
)
def test_each_thing_is_said_once(reason: str, message: str, lines: list[str]) -> None:
    wait = {"since": ROW["since"], "tries": 12}
    shown = explanation(ROW | {"reason": reason, "message": message, "wait": wait}).splitlines()
    before, after = shown.index(lines[0]), next(n for n, each in enumerate(shown) if each.startswith("safe"))
    assert shown[before:after] == lines
    assert not any("Ready False since" in each for each in shown)


def test_the_evidence_of_a_gate_is_left_out_if_the_reason_has_it() -> None:
    message = "the rollout is waiting because 1.2.3 is not approved yet; run `reconciler approve web`"
    gates = explanation(ROW | {"reason": "AwaitingApproval", "message": message}).splitlines()
    assert [line for line in gates if line.startswith("gate")] == [
        "gate        windows open: open until 12:00",
        "gate        approval closed",
    ]


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        pytest.param("2 of 3 unavailable", "3 of 2 unavailable", id="other numbers"),
        pytest.param("1 of 3 unavailable", "21 of 3 unavailable", id="the end of a number"),
        pytest.param(
            "closed until 2026-01-05 09:00 UTC",
            "closed until 2026-01-05 18:00 UTC, since 2026-01-05 09:00 UTC",
            id="another time",
        ),
        pytest.param(
            "no instance is unhealthy", "10 is no limit; instance 1 is unhealthy", id="the opposite"
        ),
    ],
)
def test_the_evidence_of_a_gate_is_shown_if_only_its_words_are_in_the_reason(
    evidence: str, message: str
) -> None:
    gate = {"name": "cap", "open": False, "evidence": evidence, "until": None}
    shown = explanation(ROW | {"message": message, "gates": [gate]}).splitlines()
    assert f"gate        cap closed: {evidence}" in shown


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        pytest.param("", "the rollout waits", id="no evidence"),
        pytest.param("2 of 3 unavailable", "it waits (2 of 3 unavailable): too many", id="other punctuation"),
        pytest.param("run `reconciler approve`", "Run reconciler approve.", id="other letters"),
    ],
)
def test_the_evidence_of_a_gate_is_shown_once(evidence: str, message: str) -> None:
    gate = {"name": "cap", "open": False, "evidence": evidence, "until": None}
    shown = explanation(ROW | {"message": message, "gates": [gate]}).splitlines()
    assert "gate        cap closed" in shown


def test_the_time_of_a_condition_is_shown_if_the_reason_began_at_another_time() -> None:
    shown = explanation(ROW | {"since": "2026-01-05T08:55:00+00:00"})
    assert "conditions  Ready False since 2026-01-05 08:51:00, Reconciling True" in shown


def test_a_scale_set_that_is_not_checked_yet() -> None:
    row = ROW | {
        "status": None,
        "reason": None,
        "instances": None,
        "disruption": None,
        "at": None,
        "gates": [],
        "approval": None,
        "history": [],
        "notes": [],
    }
    row |= {"revision": REVISION | {"commit": ""}, "observedRevision": None}
    assert explanation(row).splitlines() == [
        "web: not checked yet",
        "declared    Canonical:ubuntu:server:1.2.3",
    ]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        pytest.param("web", 0, "reason      UpToDate: both instances run ", id="a declared scale set"),
        pytest.param(
            "wbe", 1, "error: no spec in force is named 'wbe'; did you mean web?", id="a misspelt name"
        ),
        pytest.param(
            "x",
            1,
            "error: no spec in force is named 'x'; run `reconciler status` to see the names",
            id="an unknown name",
        ),
    ],
)
def test_without_a_daemon_it_reads_azure_itself(tmp_path: Path, name: str, code: int, told: str) -> None:
    write_specs(tmp_path / "specs", spec("web", NEW), spec("api", OLD))
    with azure(scale_set("web", capacity=2, image=platform(NEW)), scale_set("api", capacity=2)) as served:
        done = reconciler("why", name, "--server", "http://127.0.0.1:9", env=served.environment, cwd=tmp_path)
    assert done.code == code
    assert any(line.startswith(told) for line in (*done.out, *done.err)), done


def test_the_whole_state_as_json(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", NEW))
    with azure(scale_set("web", capacity=2, image=platform(NEW))) as served:
        done = reconciler(
            *("why", "web", "-o", "json", "--server", "http://127.0.0.1:9"),
            env=served.environment,
            cwd=tmp_path,
        )
    row = json.loads("\n".join(done.out))
    assert (done.code, row["name"], row["observedRevision"]) == (0, "web", row["revision"])
    assert [each["status"] for each in row["conditions"]] == ["True", "False", "False", "True", "False"]


def test_a_missing_directory_is_reported_instead_of_an_unknown_name(tmp_path: Path) -> None:
    with azure() as fleet:
        done = reconciler("why", "web", "--server", "http://127.0.0.1:1", env=fleet.environment, cwd=tmp_path)
    assert done.code == 1
    assert done.err[-1] == (
        f"error: no spec is in force: specs does not exist ({tmp_path}/specs): "
        "name the directory of specs with --specs, or write specs with `reconciler adopt`"
    )


LOG = "ActivityLogs_List"
WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"


def change(served: Azure) -> None:
    """Write the tags of the scale set with another identity than that of the program."""
    session = Session(credential=ApplicationToken("terraform"), transport=served.simulator.transport())
    target = Target(SUBSCRIPTION, "shop", "web")
    compute = Compute(session)
    model = compute.model(target, Priority.ROLLOUT)
    assert isinstance(model, Model)
    compute.persist(target, model, PersistedState(fleet="shop"))


def changed(done: Ended) -> str:
    """The line that says who changed the model last, which is the last one."""
    assert done.code == 0, done
    *_, line = done.out
    assert line.startswith("changed     ")
    return re.sub(r"[0-9a-f-]{36}", "ID", re.sub(r"[0-9-]{10} [0-9:]{5}", "THEN", line[12:]))


def test_without_a_daemon_it_says_who_changed_the_model_last(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", NEW))
    with azure(scale_set("web", capacity=2, image=platform(NEW))) as served:
        asked = ("why", "web", "--server", "http://127.0.0.1:9")
        before = reconciler(*asked, env=served.environment, cwd=tmp_path)
        change(served)
        after = reconciler(*asked, env=served.environment, cwd=tmp_path)
        reads = [each.operation for each in served.simulator.record.requests].count(LOG)
    assert changed(before) == "by nobody within 89 days, according to the activity log, which lags by minutes"
    assert re.fullmatch(rf"by ID, not you, at THEN UTC: {WRITE}, (Accepted|Succeeded)", changed(after))
    assert reads == 2


def test_a_daemon_says_who_changed_the_model_last_and_never_asks_by_itself(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", NEW), spec("api", NEW))
    with (
        azure(scale_set("web", capacity=2), scale_set("api", capacity=1)) as served,
        Daemon(env=served.environment, cwd=tmp_path) as daemon,
    ):
        daemon.started()
        until(lambda: {daemon.status_of(each) for each in ("web", "api")} == {"Ready"}, daemon.log)
        assert LOG not in {each.operation for each in served.simulator.record.requests}
        server = ("--server", daemon.url)
        own = reconciler("why", "api", *server, env=bare(), cwd=tmp_path.parent)
        change(served)
        other = reconciler("why", "web", *server, "-o", "json", env=bare(), cwd=tmp_path.parent)
    assert changed(own) == f"by this daemon (ID), at THEN UTC: {WRITE}, Succeeded"
    found = json.loads("\n".join(other.out))["lastChange"]
    assert (found["isOwn"], found["operation"]) == (False, WRITE)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        pytest.param(
            Status(403, "AuthorizationFailed", "The client does not have authorization"),
            "unknown: the role lacks Microsoft.Insights/eventtypes/values/read",
            id="the role lacks the right",
        ),
        pytest.param(
            Status(500, "InternalServerError", "Encountered an error."),
            'unknown: Azure returned InternalServerError ("Encountered an error")',
            id="the log fails",
        ),
        pytest.param(Slow(timedelta(seconds=60)), "unknown: Azure did not answer", id="the log is slow"),
    ],
)
@pytest.mark.parametrize("has_daemon", [False, True], ids=["without a daemon", "from a daemon"])
def test_a_log_that_cannot_be_read_is_one_clause(
    tmp_path: Path, fault: Any, line: str, *, has_daemon: bool
) -> None:
    write_specs(tmp_path / "specs", spec("web", OLD))
    with azure(scale_set("web", capacity=2)) as served, ExitStack() as stack:
        served.simulator.faults.arm(LOG, fault)
        url = "http://127.0.0.1:9"
        if has_daemon:
            daemon = stack.enter_context(Daemon(env=served.environment, cwd=tmp_path))
            daemon.started()
            until(lambda: daemon.status_of("web") == "Ready", daemon.log)
            url = daemon.url
        began = time.monotonic()
        done = reconciler("why", "web", "--server", url, env=served.environment, cwd=tmp_path)
        took = time.monotonic() - began
    assert changed(done).startswith(line)
    assert done.out[0] == "web: Ready"
    assert took < 30, "it does not wait for the log"


def test_a_daemon_of_an_older_version_is_not_mentioned(tmp_path: Path) -> None:
    with answering_daemon() as url:
        done = reconciler("why", "web", "--server", url, env=bare(), cwd=tmp_path)
    assert (done.code, done.out[0]) == (0, "web: Ready")
    assert not any(line.startswith("changed") for line in done.out)


@pytest.mark.parametrize(
    ("posts", "message"),
    [
        pytest.param(
            (403, b"only clients on the same host may ask for this"),
            "unknown: the daemon does not say (403: only clients on the same host may ask for this)",
            id="a refusal",
        ),
        pytest.param(
            (200, b"<html>"), "unknown: something other than the daemon responds at URL", id="another program"
        ),
    ],
)
def test_an_unknown_change_has_every_field(tmp_path: Path, posts: tuple[int, bytes], message: str) -> None:
    with answering_daemon(posts=posts) as url:
        done = reconciler("why", "web", "-o", "json", "--server", url, env=bare(), cwd=tmp_path)
        text = reconciler("why", "web", "--server", url, env=bare(), cwd=tmp_path)
    change = json.loads("\n".join(done.out))["lastChange"]
    assert change == {
        **dict.fromkeys(("by", "at", "operation", "status", "correlationId", "isOwn")),
        "message": message.replace("URL", url),
    }
    assert text.out[-1] == f"changed     {change['message']}"
