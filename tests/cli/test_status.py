"""`reconciler status`, looking for itself where no daemon runs. Asked of a daemon: tests/cli/test_daemon.py."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import Azure, Ended, azure, bare, reconciler, write_specs
from tests.cli.test_status_table import orphan, row, store
from tests.cli.test_watch import daemon
from tests.stories.world import NEW, OLD, platform, scale_set, spec

NOBODY = ("--server", "http://127.0.0.1:1")
ALONE = "no daemon responds at http://127.0.0.1:1, so nothing will happen"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    states = [{"id": each, "image": platform(OLD)} for each in ("1", "2")]
    with azure(
        scale_set("web", capacity=5), scale_set("api", capacity=3, image=platform(NEW), instanceStates=states)
    ) as served:
        yield served


def test_a_table_of_the_status_of_every_scale_set(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", suspend=True), spec("api"))
    done = reconciler("status", *NOBODY, env=fleet.environment, cwd=tmp_path)
    heading, *table = done.out
    assert (done.code, done.err, fleet.writes()) == (0, [ALONE], 0)
    assert heading.endswith(" UTC, specs")
    assert [" ".join(re.sub(r" [0-9]+s ", " 0s ", line).split()) for line in table] == [
        "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY",
        f"api Reconciling 0s 1/3 ●○○ {NEW} {NEW} - Upgrading: not taken: upgrading 1 instance in update domain 1 (api_1) to {NEW}; 1 of 3 instances up to date",
        f"web Suspended 0s 0/5 ○○○○○ {OLD} {NEW} - Suspended: spec.suspend is true; no changes until it is false",
        "2 scale sets: 1 Reconciling, 1 Suspended; 1 of 8 instances up to date",
    ]


def test_the_whole_store_as_json(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    done = reconciler("status", "-o", "json", *NOBODY, env=fleet.environment, cwd=tmp_path)
    shown = json.loads("\n".join(done.out))
    assert (done.code, done.err) == (0, [ALONE])
    assert shown["source"] == {"kind": "observation", "url": None}
    assert [(row["name"], row["status"]) for row in shown["scaleSets"]] == [("web", "Reconciling")]
    assert shown["sweep"].pop("readAt")
    assert shown["sweep"] | {"at": ""} == {
        "at": "",
        "commit": "",
        "subject": "specs",
        "errors": [],
        "warnings": [],
        "partial": False,
        "staleSince": None,
        "refused": None,
        "shard": None,
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_daemon_on_this_host_is_asked_without_a_proxy(host: str) -> None:
    with answering_daemon() as url:
        server = url.replace("127.0.0.1", host)
        done = CliRunner(env={**bare(), "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}).invoke(
            main, ["status", "--server", server]
        )
    assert (done.exit_code, done.stderr) == (0, "")
    assert "web" in done.stdout


def test_errors_in_the_specs_are_errors(fleet: Azure, tmp_path: Path) -> None:
    done = reconciler("status", *NOBODY, env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.err) == (
        1,
        [
            ALONE,
            f"error: specs does not exist ({tmp_path}/specs): name the directory of specs with --specs, "
            "or write specs with `reconciler adopt`",
        ],
    )
    assert [line.partition(" UTC, ")[2] for line in done.out] == ["no specs in force"]


FLEET = store(
    row("api", "Failing", labels={"team": "api"}),
    row("db", "Ready", labels={}),
    row("web", "Waiting"),
    orphans=[orphan()],
)


def ask(*options: str, where: Path, shown: dict[str, Any] = FLEET) -> Ended:
    with daemon(shown) as answers:
        return reconciler("status", "--server", answers.url, *options, env=bare(), cwd=where)


@pytest.mark.parametrize(
    "options, names",
    [
        pytest.param("", "api web db", id="trouble first, without orphans"),
        pytest.param("--status failing,WAITING", "api web", id="two statuses"),
        pytest.param("-l team", "api web", id="a label"),
        pytest.param("db api", "api db", id="two names"),
        pytest.param("--status orphaned", "old", id="orphans, for reconciler dismiss"),
    ],
)
def test_the_names_that_fit_are_printed_for_other_commands(options: str, names: str, tmp_path: Path) -> None:
    done = ask("-o", "name", *options.split(), where=tmp_path)
    assert (done.code, done.err, done.out) == (0, [], names.split())


@pytest.mark.parametrize(
    "options, code, error",
    [
        pytest.param(
            "--status stalled",
            1,
            "no scale set matches; run `reconciler status` without names or filters to see all of them",
            id="nothing fits",
        ),
        pytest.param("wbe", 1, "no spec in force is named 'wbe'; did you mean web?", id="an unknown name"),
        pytest.param(
            "--status broken",
            2,
            "Invalid value for '--status': 'broken' is not a status; choose from ",
            id="no status",
        ),
        pytest.param("-o csv", 2, "-o csv needs --instances", id="csv without instances"),
        pytest.param("--instances", 2, "--instances needs -o csv or -o json", id="instances as a table"),
    ],
)
def test_what_cannot_be_shown(options: str, code: int, error: str, tmp_path: Path) -> None:
    done = ask(*options.split(), where=tmp_path)
    assert (done.code, done.out) == (code, [])
    assert done.err[-1].startswith(f"error: {error}")


def test_a_filter_before_the_first_sweep_waits_for_it(tmp_path: Path) -> None:
    done = ask("web", "-o", "name", where=tmp_path, shown={"sweep": None, "scaleSets": [], "orphans": []})
    assert (done.code, done.err) == (
        1,
        ["error: the daemon has not finished its first sweep; try again in a moment"],
    )


def test_json_and_yaml_have_the_rows_that_fit_and_where_they_are_from(tmp_path: Path) -> None:
    with daemon(FLEET) as answers:
        line = ("status", "api", "--server", answers.url)
        in_json, in_yaml = (
            "\n".join(reconciler(*line, "-o", each, env=bare(), cwd=tmp_path).out)
            for each in ("json", "yaml")
        )
    shown = json.loads(in_json)
    assert shown["source"] == {"kind": "daemon", "url": answers.url}
    assert ([each["name"] for each in shown["scaleSets"]], shown["orphans"]) == (["api"], [])
    assert yaml.safe_load(in_yaml) == shown


def test_a_table_in_markdown(tmp_path: Path) -> None:
    done = ask("-o", "markdown", "web", where=tmp_path)
    assert done.out[1] == f"| {' | '.join(['---'] * 9)} |"
    assert done.out[2].startswith("| web | Waiting | ")
