"""The files in deploy/ match the program."""

import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from reconciler.azure.role import ACTIVITY_LOG
from reconciler.cli import main
from reconciler.simulator import OperationFails
from reconciler.simulator.permissions import ACTIONS
from tests.cli.program import azure, reconciler, write_specs
from tests.stories.test_images import KINDS, VERSIONED, declared, named, world_of
from tests.stories.world import BASE, ROLE, SUBSCRIPTION, World, fleet, of_all, platform, scale_set, spec

ROOT = Path(__file__).parent.parent
HOUR = timedelta(hours=1)
PLAN_ROLE: list[str] = json.loads((ROOT / "deploy" / "role-plan.json").read_text())["Actions"]
COMPUTE = "Microsoft.Compute"

# Actions that Azure checks in addition to that of the request: for expanded instance views, and for the images in a PATCH.
LINKED = {
    f"{COMPUTE}/virtualMachineScaleSets/virtualMachines/instanceView/read",
    f"{COMPUTE}/virtualMachines/instanceView/read",
}


PAUSE_TAG = {"subscription": SUBSCRIPTION, "resourceGroup": "shop"}


def deployment() -> Any:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    return next(each for each in documents if each["kind"] == "Deployment")


def test_the_role_grants_exactly_the_actions_that_rollouts_need() -> None:
    """Every story runs with this role, so an action that it lacks would fail there."""
    worlds = [world_of(kind, "latest") for kind in VERSIONED]
    worlds += [world_of("managed", "1.0.10"), World(fleet(scale_set(orchestration="Flexible")), spec())]
    worlds[0].azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances", OperationFails("VMExtensionProvisioningError", "no")
    )
    worlds += [World(fleet(scale_set()), of_all(pauseTag=PAUSE_TAG), spec())]
    asked = {ACTIONS[operation] for world in worlds for operation in world.rest(HOUR).run().requests()}
    assert set(ROLE) == asked | LINKED | {ACTIVITY_LOG}


def test_no_rollout_reads_the_activity_log_that_the_role_may_read() -> None:
    """Only `why` does: see tests/cli/test_why.py."""
    world = World(fleet(scale_set()), spec()).rest(HOUR).run()
    assert "ActivityLogs_List" not in world.requests()
    assert ACTIONS["ActivityLogs_List"] == ACTIVITY_LOG


def test_the_role_for_plans_grants_exactly_the_actions_that_plans_need(tmp_path: Path) -> None:
    """A plan with this role, for images of every kind, a rollout in progress, and virtual machines."""
    images = {
        "platform": [{**BASE, "versions": ["1.0.9", "1.0.10"]}],
        "ids": [named(kind, version) for kind in KINDS for version in ("1.0.9", "1.0.10")],
    }
    sets, specs = [scale_set("flexible", orchestration="Flexible", image=platform("1.0.9"))], []
    for kind in ("platform", *KINDS):
        for version in ("1.0.10", *(("latest",) if kind in VERSIONED else ())):
            old = platform("1.0.9") if kind == "platform" else {"id": named(kind, "1.0.9")}
            name = f"{kind.lower()}-{version.replace('.', '-')}"
            sets.append(scale_set(name, capacity=3, image=old))
            specs.append(spec(name, image=declared(kind, version)))
    half = [{"id": each, "image": platform("1.0.9")} for each in ("1", "2")]
    sets.append(scale_set("begun", capacity=3, image=platform("1.0.10"), instanceStates=half))
    write_specs(
        tmp_path / "specs",
        of_all(pauseTag=PAUSE_TAG),
        spec("flexible", "1.0.10"),
        spec("begun", "1.0.10"),
        *specs,
    )
    with azure(*sets, images=images, permissions={"actions": PLAN_ROLE}) as served:
        done = reconciler("plan", "-o", "json", env=served.environment, cwd=tmp_path)
    assert (done.code, done.err) == (0, [])
    found = json.loads("\n".join(done.out))
    assert [each["name"] for each in found["scaleSets"] if each["status"] in {"Failing", "Stalled"}] == []
    asked = {exchange.operation for exchange in served.simulator.record.requests}
    assert set(PLAN_ROLE) == {ACTIONS[operation] for operation in asked if operation in ACTIONS} | LINKED


def test_the_page_on_installing_names_every_action_of_the_role() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    role = json.loads((ROOT / "deploy" / "role.json").read_text())
    assert [action for action in role["Actions"] if action not in page] == []


def test_the_program_reads_every_variable_of_the_deployment() -> None:
    help_texts = CliRunner().invoke(main, ["run", "--help"]).output
    options = {
        name
        for param in main.commands["run"].params
        if isinstance(name := getattr(param, "envvar", None), str)
    }
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    names = {each["name"] for each in container["env"]}
    assert names - options == {"AZURE_TOKEN_CREDENTIALS"}, help_texts


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.name)
def test_every_option_and_variable_of_a_how_to_page_is_one_the_program_reads(page: Path) -> None:
    params = [param for command in main.commands.values() for param in command.params]
    variables = {param.envvar for param in params if isinstance(param.envvar, str)}
    options = {name for param in params for name in param.opts}
    text = re.sub(r"```\n.*?```", "", page.read_text(), flags=re.DOTALL)  # commands of other programs
    assert set(re.findall(r"VMSS_RECONCILER_\w+", text)) <= variables
    assert set(re.findall(r"`(--[\w-]+)", text)) <= options


def test_the_daemon_of_the_deployment_listens_on_all_addresses_of_ipv4_and_ipv6() -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    listen = {each["value"] for each in container["env"] if each["name"].endswith("_LISTEN")}
    assert listen == {f"[::]:{port['containerPort']}" for port in container["ports"]}


def test_the_image_has_a_user_for_the_user_id_of_the_deployment() -> None:
    """ssh refuses to run without one."""
    containerfile = (ROOT / "deploy" / "Containerfile").read_text()
    user = deployment()["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"useradd --uid {user} " in containerfile
    assert f"USER {user}:" in containerfile


UNIT = ROOT / "deploy" / "systemd" / "reconciler.service"


def variables_of_run() -> set[str]:
    params = main.commands["run"].params
    return {name for param in params if isinstance(name := getattr(param, "envvar", None), str)}


def test_the_program_reads_every_variable_of_the_unit_of_systemd() -> None:
    names = re.findall(r"^Environment=(\w+)=", UNIT.read_text(), re.MULTILINE)
    assert set(names) - variables_of_run() == {"HOME"}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_knows_every_setting_of_the_unit(tmp_path: Path) -> None:
    """With a program that exists here, because systemd looks for it."""
    text = UNIT.read_text().replace("/opt/reconciler/bin/reconciler", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / UNIT.name], capture_output=True, text=True, check=False
    )
    assert UNIT.name not in done.stderr


def test_the_image_has_an_init_and_the_programs_that_the_daemon_starts() -> None:
    """git leaves processes behind, and the first process of a container has to reap them."""
    containerfile = (ROOT / "deploy" / "Containerfile").read_text()
    (installed,) = re.findall(r"apt-get install --yes --no-install-recommends (.*) \\", containerfile)
    assert installed.split() == ["git", "gpg", "openssh-client", "tini"]
    assert 'ENTRYPOINT ["tini", "--", "reconciler"]' in containerfile


def test_the_image_gets_every_file_that_it_copies() -> None:
    """.dockerignore names what is sent to the builder."""
    containerfile = (ROOT / "deploy" / "Containerfile").read_text()
    copied = {
        name
        for line in re.findall(r"^COPY ((?!--).*) \S+$", containerfile, re.MULTILINE)
        for name in line.split()
    }
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent


def test_the_deployment_runs_one_daemon_that_is_not_root() -> None:
    spec_ = deployment()["spec"]
    (container,) = spec_["template"]["spec"]["containers"]
    assert (spec_["replicas"], spec_["strategy"]["type"]) == (1, "Recreate")
    assert spec_["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert spec_["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
