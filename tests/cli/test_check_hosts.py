"""The checks of a spec that a stranger wrote: which commands send them where, and what their output shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.checks.endpoint import Endpoint, serve_endpoint
from tests.cli.program import Azure, Ended, azure, write_specs
from tests.stories.world import spec

ALLOWED = "VMSS_RECONCILER_ALLOW_CHECK_HOSTS"
LOOPBACK = "was not called, because it is at a loopback address; allow it with --allow-check-hosts 127.0.0.1"
METADATA = "was not called, because it is at a link-local address; write the URL of another server"
SECRET = "SECRET"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    with azure() as served:
        yield served


@pytest.fixture
def place() -> Iterator[Endpoint]:
    with serve_endpoint() as found:
        yield found


def reconciler(*arguments: str, env: dict[str, str], cwd: Path) -> Ended:
    """Run a command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        done = CliRunner(env=env).invoke(main, arguments, catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def declare(directory: Path, url: str) -> None:
    """Write a spec with a check of each kind at this URL."""
    checks = [
        {"name": "smoke", "http": {"url": f"{url}/ok", "status": 204}},
        {"name": "errors", "prometheus": {"server": url, "query": "errors < 5"}},
    ]
    write_specs(directory / "specs", spec(rollout={"checks": checks}))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["plan"], id="plan"),
        pytest.param(["plan", "-o", "json"], id="plan as JSON"),
        pytest.param(["plan", "-o", "markdown"], id="plan as Markdown"),
        pytest.param(["plan", "--detailed-exitcode"], id="plan with exit codes of Terraform"),
        pytest.param(["plan", "--allow-check-hosts", "127.0.0.1"], id="plan with an allow list"),
        pytest.param(["check"], id="check"),
        pytest.param(["diff"], id="diff"),
        pytest.param(["rehearse"], id="rehearse"),
        pytest.param(["validate"], id="validate"),
    ],
)
def test_no_command_sends_a_request_unless_it_is_told_to_run_checks(
    command: list[str], fleet: Azure, place: Endpoint, tmp_path: Path
) -> None:
    declare(tmp_path, place.url)
    reconciler(*command, env=fleet.environment, cwd=tmp_path)
    assert place.asked == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["plan", "--checks", "-o", "json"], id="plan --checks"),
        pytest.param(["run", "--once"], id="the daemon"),
    ],
)
@pytest.mark.parametrize(
    "variable, asked",
    [
        pytest.param(None, 0, id="without an allow list"),
        pytest.param("10.0.0.0/8 *.example.com", 0, id="with other hosts on the list"),
        pytest.param("0.0.0.0/0", 0, id="with all of IPv4 on the list"),
        pytest.param("10.0.0.0/8, 127.0.0.1", 1, id="with this host on the list"),
    ],
)
def test_checks_are_sent_to_this_machine_only_if_the_operator_allows_it(  # noqa: PLR0917
    command: list[str], variable: str | None, asked: int, fleet: Azure, place: Endpoint, tmp_path: Path
) -> None:
    declare(tmp_path, place.url)
    env = fleet.environment | ({ALLOWED: variable} if variable else {})
    done = reconciler(*command, env=env, cwd=tmp_path)
    said = "\n".join((*done.out, *done.err))
    assert len(place.asked) == asked
    assert "CheckFailed" in said
    assert f"check smoke ({place.url}/ok) {'returned 200, expected 204' if asked else LOOPBACK}" in said


@pytest.mark.parametrize("command", [["plan", "--checks", "-o", "json"], ["run", "--once"]], ids=" ".join)
def test_the_metadata_server_is_never_asked(command: list[str], fleet: Azure, tmp_path: Path) -> None:
    declare(tmp_path, "http://169.254.169.254")
    done = reconciler(*command, env=fleet.environment | {ALLOWED: "0.0.0.0/0"}, cwd=tmp_path)
    assert METADATA in "\n".join((*done.out, *done.err))


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize(
    "status, body",
    [
        pytest.param(200, SECRET.encode(), id="a page"),
        pytest.param(500, SECRET.encode(), id="an error page"),
        pytest.param(400, json.dumps({"status": "error", "error": SECRET}).encode(), id="an error as JSON"),
        pytest.param(
            200,
            json.dumps(
                {"status": "success", "data": {"resultType": "string", "result": [1, SECRET]}}
            ).encode(),
            id="a result of Prometheus",
        ),
    ],
)
def test_a_plan_shows_the_status_of_an_answer_and_nothing_of_its_body(  # noqa: PLR0917
    output: str, status: int, body: bytes, fleet: Azure, place: Endpoint, tmp_path: Path
) -> None:
    place.status, place.body = status, body
    place.headers = {"X-Secret": SECRET, "Location": f"http://{SECRET}"}
    checks = [{"name": "errors", "prometheus": {"server": place.url, "query": "errors < 5"}}]
    write_specs(tmp_path / "specs", spec(rollout={"checks": checks}))
    options = ("--checks", "--allow-check-hosts", "127.0.0.1", "-o", output)
    done = reconciler("plan", *options, env=fleet.environment, cwd=tmp_path)
    assert len(place.asked) == 1
    assert "CheckFailed" in "\n".join(done.out)
    assert SECRET not in "\n".join((*done.out, *done.err))


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_invalid_host_is_a_usage_error(verb: str) -> None:
    done = CliRunner(env={ALLOWED: "http://prometheus:9090"}).invoke(main, [verb])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "error: Invalid value for '--allow-check-hosts' (env var: 'VMSS_RECONCILER_ALLOW_CHECK_HOSTS'): "
        '"http://prometheus:9090" is a URL: write only its host'
    )
