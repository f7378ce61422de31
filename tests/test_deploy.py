"""What stands in deploy/ says the truth about the program."""

import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from reconciler.cli import main
from tests.stories.world import World, fleet, scale_set, spec

ROOT = Path(__file__).parent.parent
COMPUTE = "Microsoft.Compute"

# The action that Azure asks for at each operation.
ACTIONS = {
    "scaleSets.list": f"{COMPUTE}/virtualMachineScaleSets/read",
    "scaleSets.get": f"{COMPUTE}/virtualMachineScaleSets/read",
    "scaleSets.patch": f"{COMPUTE}/virtualMachineScaleSets/write",
    "scaleSets.manualUpgrade": f"{COMPUTE}/virtualMachineScaleSets/manualUpgrade/action",
    "scaleSets.instances": f"{COMPUTE}/virtualMachineScaleSets/virtualMachines/read",
    "rollingUpgrades.latest": f"{COMPUTE}/virtualMachineScaleSets/rollingUpgrades/read",
}
# What Azure checks besides: the instance views that are expanded, and the images that a PATCH refers to.
LINKED = {
    f"{COMPUTE}/virtualMachineScaleSets/virtualMachines/instanceView/read",
    f"{COMPUTE}/galleries/images/read",
    f"{COMPUTE}/galleries/images/versions/read",
    f"{COMPUTE}/images/read",
}


def deployment() -> Any:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    return next(each for each in documents if each["kind"] == "Deployment")


def test_the_role_grants_what_a_rollout_asks_for_and_nothing_else() -> None:
    world = World(fleet(scale_set(capacity=5)), spec()).run()
    asked = {ACTIONS[operation] for operation in world.requests()}
    granted = set(json.loads((ROOT / "deploy" / "role.json").read_text())["Actions"])
    assert granted == asked | LINKED


def test_the_readme_names_every_action_of_the_role() -> None:
    readme = (ROOT / "README.md").read_text()
    role = json.loads((ROOT / "deploy" / "role.json").read_text())
    assert [action for action in role["Actions"] if action not in readme] == []


def test_every_variable_of_the_deployment_is_one_the_program_reads() -> None:
    help_texts = CliRunner().invoke(main, ["run", "--help"]).output
    options = {
        name
        for param in main.commands["run"].params
        if isinstance(name := getattr(param, "envvar", None), str)
    }
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    names = {each["name"] for each in container["env"]}
    assert names - options == {"AZURE_TOKEN_CREDENTIALS"}, help_texts


def test_one_daemon_runs_and_not_as_root() -> None:
    spec_ = deployment()["spec"]
    (container,) = spec_["template"]["spec"]["containers"]
    assert (spec_["replicas"], spec_["strategy"]["type"]) == (1, "Recreate")
    assert spec_["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert spec_["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
