"""The Bicep files can be parsed, refer to what exists, and agree with the chart. Azure has not seen them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import main
from tests.chart.manifests import MANIFESTS
from tests.chart.programs import PROGRAMS, ROOT, run

FILES = sorted((ROOT / "deploy").glob("*/*.bicep"))
AZURE = ROOT / "deploy" / "azure"
PARSE = """
import json, sys
from pycep import BicepParser
print(json.dumps(BicepParser().parse(text=open(sys.argv[1]).read()), default=str))
"""


@cache
def parsed(file: Path) -> Any:
    done = run(PROGRAMS / "python", "-c", PARSE, file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("file", [pytest.param(each, id=str(each.relative_to(ROOT))) for each in FILES])
def test_a_file_can_be_parsed_and_uses_all_of_its_parameters(file: Path) -> None:
    text = file.read_text()
    found = parsed(file)
    assert found["resources"]
    assert [name for name in found["parameters"] if len(re.findall(rf"\b{name}\b", text)) < 2] == []
    for name in re.findall(r"(?:loadJsonContent\(|module \w+ )'(.*?)'", text):
        assert (file.parent / name).is_file()


@pytest.mark.parametrize(
    ("file", "role"), [("main.bicep", "../role.json"), ("plan-role.bicep", "../role-plan.json")]
)
def test_a_role_is_that_of_its_file_and_nothing_else(file: str, role: str) -> None:
    """`test_deploy.py` compares that file with what the program asks for."""
    text = (AZURE / file).read_text()
    assert f"var role = loadJsonContent('{role}')" in text
    assert {"actions: role.Actions", "notActions: role.NotActions"} <= {
        line.strip() for line in text.splitlines()
    }
    assert "Microsoft.Compute" not in text


def test_the_module_gets_every_parameter_that_has_no_default() -> None:
    module = parsed(AZURE / "identity.bicep")["parameters"]
    given = re.search(r"params: \{\n(.*?)\n +\}", (AZURE / "main.bicep").read_text(), re.DOTALL)
    assert given
    assert set(re.findall(r"(\w+): ", given[1].replace("'system:serviceaccount:", "'"))) == set(module) - {
        "location"
    }


def test_the_federated_credential_is_for_the_service_account_of_the_manifests() -> None:
    text = (AZURE / "main.bicep").read_text()
    documents = list(yaml.safe_load_all(MANIFESTS.read_text()))
    (account,) = (each["metadata"] for each in documents if each["kind"] == "ServiceAccount")
    assert f"param namespace string = '{account['namespace']}'" in text
    assert f"param serviceAccount string = '{account['name']}'" in text
    assert "'system:serviceaccount:${namespace}:${serviceAccount}'" in text


def test_the_program_reads_every_variable_of_the_container_app() -> None:
    text = (ROOT / "deploy" / "container-apps" / "main.bicep").read_text()
    of_program = {each.envvar for each in main.commands["run"].params if isinstance(each.envvar, str)}
    names = set(re.findall(r"name: '([A-Z_]+)'", text))
    assert names - of_program == {"AZURE_TOKEN_CREDENTIALS", "AZURE_CLIENT_ID"}
