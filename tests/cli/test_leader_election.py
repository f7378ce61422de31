"""The options of leader election: what they refuse, and what the commands say at a standby."""

import sys
from pathlib import Path

import pytest

from reconciler.cli.replica import reachable
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import bare, invoke

RUN = ("run", "--specs", "specs", "--leader-elect")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "options, error",
    [
        pytest.param(["--once"], "cannot be combined with --once", id="a single pass"),
        pytest.param(["--until-settled"], "cannot be combined with --once or --until-settled", id="an end"),
        pytest.param(
            ["--leader-elect-renew-deadline=40s"],
            "the lease duration must be longer than the renew deadline",
            id="a deadline behind the Lease",
        ),
        pytest.param(
            ["--leader-elect-retry-period=29s"],
            "the renew deadline must be at least 2s longer than the retry period",
            id="a retry that comes too late",
        ),
        pytest.param(["--leader-elect-retry-period=0s"], "is not a duration", id="no period"),
    ],
)
def test_options_that_fit_no_election_are_refused(here: Path, options: list[str], error: str) -> None:
    done = invoke(*RUN, *options, env=bare(), cwd=here)
    assert done.code == 2
    assert error in done.err[-1]


def test_times_without_an_election_are_not_checked(here: Path) -> None:
    done = invoke(
        "run",
        "--specs",
        "absent",
        "--leader-elect-retry-period=29s",
        "--once",
        "--until-settled",
        env=bare(),
        cwd=here,
    )
    assert "retry period" not in done.err[-1]


def test_without_a_cluster_it_does_not_start(here: Path) -> None:
    done = invoke(*RUN, env={**bare(), "KUBECONFIG": str(here / "absent")}, cwd=here)
    assert done.code == 1
    assert done.err[-1].startswith("error: --leader-elect: no access to Kubernetes is configured")
    assert done.err[-1].endswith("run in a Pod, or set KUBECONFIG")


def test_without_the_extra_it_says_how_to_get_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightkube", None)
    monkeypatch.delitem(sys.modules, "reconciler.cluster.kubernetes", raising=False)
    done = invoke(*RUN, env=bare(), cwd=here)
    assert done.code == 1
    assert done.err[-1].endswith("pip install 'vmss-reconciler[kubernetes]'")


@pytest.mark.parametrize(
    "listen, address",
    [
        pytest.param(("10.0.0.7", 8081), "10.0.0.7:8081", id="an address of its own"),
        pytest.param(("fd00::7", 8081), "[fd00::7]:8081", id="IPv6"),
        pytest.param(("reconciler-0", 8081), "reconciler-0:8081", id="a name"),
    ],
)
def test_the_address_for_the_others_is_where_it_listens(listen: tuple[str, int], address: str) -> None:
    assert reachable(listen) == address


def test_behind_a_wildcard_the_address_is_that_of_this_host() -> None:
    assert not reachable(("0.0.0.0", 8081)).startswith("0.0.0.0")  # noqa: S104


@pytest.mark.parametrize("command", [("why", "web"), ("history", "web"), ("wait", "web", "--timeout", "1s")])
def test_a_command_about_scale_sets_says_that_a_standby_responds(
    here: Path, command: tuple[str, ...]
) -> None:
    message = "this replica is on standby: replica-1 leads"
    with answering_daemon(replica={"message": message}) as url:
        done = invoke(*command, "--server", url, env=bare(), cwd=here)
    assert f"{url}: {message}; ask the leader for the status of scale sets" in done.err
