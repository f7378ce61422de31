"""Every verb that uses Azure announces the endpoint and the identity first, on standard error."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.cli.announcement import known_identity
from tests.cli.program import Azure, write_specs
from tests.stories.world import SUBSCRIPTION, spec

A, T = "AZURE_CLIENT_ID", "AZURE_TENANT_ID"
CHOSEN = "AZURE_TOKEN_CREDENTIALS"
NOBODY = ["--server", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    "environment, said",
    [
        pytest.param({}, "the identity that DefaultAzureCredential finds", id="nothing is set"),
        pytest.param(
            {A: "app", T: "home"},
            "the identity that DefaultAzureCredential finds",
            id="an application without credentials, which may not be used",
        ),
        pytest.param(
            {A: "app", T: "home", "AZURE_CLIENT_SECRET": "hush"},
            "application app in tenant home, by DefaultAzureCredential",
            id="an application with a secret",
        ),
        pytest.param(
            {A: "app", T: "home", "AZURE_FEDERATED_TOKEN_FILE": "token", CHOSEN: "prod"},
            "application app in tenant home, by DefaultAzureCredential (prod)",
            id="a workload in a cluster",
        ),
        pytest.param(
            {A: "app", T: "home", CHOSEN: "WorkloadIdentityCredential"},
            "application app in tenant home, by WorkloadIdentityCredential",
            id="a workload identity that is requested",
        ),
        pytest.param(
            {A: "app", T: "home", CHOSEN: " ManagedIdentityCredential "},
            "application app, by ManagedIdentityCredential",
            id="an identity of the machine, whose tenant is its own",
        ),
        pytest.param(
            {CHOSEN: "dev"},
            "the identity that DefaultAzureCredential (dev) finds",
            id="a developer",
        ),
        pytest.param(
            {CHOSEN: "managedidentitycredential"},
            "the identity that managedidentitycredential finds",
            id="the only identity of the machine",
        ),
        pytest.param(
            {A: "app", T: "home", "AZURE_CLIENT_SECRET": "hush", CHOSEN: "AzureCliCredential"},
            "the identity that AzureCliCredential finds",
            id="a person, with other variables set",
        ),
    ],
)
def test_the_identity_according_to_the_environment(environment: Mapping[str, str], said: str) -> None:
    assert known_identity(environment) == said


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(["plan", "-o", "json"], id="plan"),
        pytest.param(["check", "-o", "json"], id="check"),
        pytest.param(["status", "-o", "json", *NOBODY], id="status without a daemon"),
        pytest.param(["why", "web", "-o", "json", *NOBODY], id="why without a daemon"),
        pytest.param(["approve", "web"], id="approve"),
        pytest.param(["adopt", "--subscription", SUBSCRIPTION], id="adopt"),
        pytest.param(["run", "--once"], id="run"),
    ],
)
def test_a_verb_announces_azure_and_identity_first(
    line: list[str], world: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_specs(tmp_path / "specs", spec("web", rollout={"approval": "canary"}))
    done = CliRunner(env=world.environment).invoke(main, line)
    assert done.stderr.splitlines()[0].endswith(world.announcement)
    assert done.stderr.count("Azure Resource Manager: ") == 1
    assert world.simulator.record.requests
    if "json" in line:
        json.loads(done.stdout)
    else:
        assert "Azure Resource Manager" not in done.stdout
