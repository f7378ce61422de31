"""`reconciler schema`, from a checkout and from an installed wheel, and the line by which editors find a schema."""

import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from reconciler.cli import main
from reconciler.cli.modeline import spec_schema
from tests.cli.program import ROOT, Azure, bare
from tests.stories.world import SUBSCRIPTION

FILES = {
    "spec": "scale-set.schema.json",
    "fleet": "fleet.schema.json",
    "plan": "plan.schema.json",
    "config": "config.schema.json",
    "rehearsal": "rehearsal.schema.json",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments, name",
    [
        pytest.param([], FILES["spec"], id="that of specs by default"),
        pytest.param(["spec"], FILES["spec"], id="that of specs"),
        pytest.param(["fleet"], FILES["fleet"], id="that of fleet files"),
        pytest.param(["plan"], FILES["plan"], id="that of plans as JSON"),
        pytest.param(["rehearsal"], FILES["rehearsal"], id="that of rehearsals as JSON"),
    ],
)
def test_a_schema_is_printed_as_it_is(arguments: list[str], name: str) -> None:
    done = CliRunner().invoke(main, ["schema", *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "schemas" / name).read_text()
    Draft202012Validator.check_schema(json.loads(done.stdout))


def test_every_schema_can_be_printed() -> None:
    assert {path.name for path in (ROOT / "schemas").iterdir()} == {*FILES.values()}


@pytest.mark.parametrize(
    "arguments, error",
    [
        pytest.param(
            ["specs"],
            "'specs' is not one of 'spec', 'fleet', 'plan', 'config', 'rehearsal'.",
            id="an unknown kind",
        ),
        pytest.param(["Fleet"], "'Fleet' is a kind of document in a spec; write spec", id="the kind Fleet"),
        pytest.param(["Image"], "'Image' is a kind of document in a spec; write spec", id="the kind Image"),
    ],
)
def test_an_unknown_kind_is_a_usage_error(arguments: list[str], error: str) -> None:
    done = CliRunner().invoke(main, ["schema", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: Invalid value for '[KIND]': {error}"


@pytest.mark.parametrize(
    "arguments, names",
    [
        pytest.param([], list(FILES.values()), id="all"),
        pytest.param(["fleet"], [FILES["fleet"]], id="one of them"),
    ],
)
def test_schemas_are_written_to_a_directory(here: Path, arguments: list[str], names: list[str]) -> None:
    (here / "a" / "schemas").mkdir(parents=True)
    (here / "a" / "schemas" / names[0]).write_text("that of an earlier version")
    done = CliRunner().invoke(main, ["schema", *arguments, "--to", "a/schemas"])
    assert (done.exit_code, done.stdout.splitlines()) == (0, [f"a/schemas/{name}" for name in names])
    written = {path.name: path.read_text() for path in (here / "a" / "schemas").iterdir()}
    assert written == {name: (ROOT / "schemas" / name).read_text() for name in names}


def test_a_directory_that_cannot_be_written_is_reported(here: Path) -> None:
    (here / "file").touch()
    done = CliRunner().invoke(main, ["schema", "--to", "file/schemas"])
    assert (done.exit_code, done.stderr) == (
        1,
        "error: cannot write file/schemas/scale-set.schema.json: Not a directory; choose another directory with --to\n",
    )


def test_an_installed_wheel_has_each_schema_once_and_prints_it(tmp_path: Path) -> None:
    """Built with the backend of the locked environment, and unpacked as pip does."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, env=bare(), check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
        names = Counter(name.rsplit("/", 1)[-1] for name in packed.namelist())
    assert {name: number for name, number in names.items() if name.endswith(".schema.json")} == dict.fromkeys(
        FILES.values(), 1
    )
    env = {**bare(), "PYTHONPATH": str(installed)}
    for kind, name in FILES.items():
        shown = subprocess.run(
            [sys.executable, "-P", "-m", "reconciler.cli", "schema", kind],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout == (ROOT / "schemas" / name).read_text()
    where = [sys.executable, "-P", "-c", "import reconciler.spec.shape as s; print(s.schema_path())"]
    used = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert used.stdout.strip() == str(installed / "reconciler" / "schemas" / FILES["spec"])


@pytest.mark.parametrize(
    "schemas, repository, specs, found",
    [
        pytest.param("schemas", None, "specs", f"../schemas/{FILES['spec']}", id="beside the specs"),
        pytest.param(
            "schemas", ".", "specs", f"../schemas/{FILES['spec']}", id="beside the specs of a repository"
        ),
        pytest.param(
            "schemas",
            ".",
            "teams/shop/specs",
            f"../../../schemas/{FILES['spec']}",
            id="at the root of the repository",
        ),
        pytest.param(
            "teams/schemas",
            ".",
            "teams/shop/specs",
            f"../../schemas/{FILES['spec']}",
            id="between the specs and the root",
        ),
        pytest.param("schemas", None, "teams/shop/specs", "", id="far above specs without a repository"),
        pytest.param("schemas", "teams", "teams/specs", "", id="outside the repository"),
        pytest.param(
            "teams/schemas", "teams", "teams/specs", f"../schemas/{FILES['spec']}", id="at its root"
        ),
        pytest.param("", ".", "specs", "", id="nowhere"),
    ],
)
def test_a_spec_names_a_schema_of_its_own_repository(
    tmp_path: Path, schemas: str, repository: str | None, specs: str, found: str
) -> None:
    (tmp_path / specs).mkdir(parents=True)
    if repository:
        (tmp_path / repository / ".git").mkdir(parents=True)
    if schemas:
        (tmp_path / schemas).mkdir(parents=True)
        (tmp_path / schemas / FILES["spec"]).touch()
    assert spec_schema(tmp_path / specs) == found


def test_adopt_begins_a_spec_with_a_line_that_leads_to_the_schema(here: Path, world: Azure) -> None:
    line = ["adopt", "--subscription", SUBSCRIPTION]
    for command in (["schema", "spec", "--to", "schemas"], line):
        assert CliRunner(env=world.environment).invoke(main, command).exit_code == 0
    first, *rest = (here / "specs" / "web.yaml").read_text().splitlines()
    path = first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads((here / "specs" / path).read_text())
    Draft202012Validator(schema).validate(yaml.safe_load("\n".join(rest)))
    assert os.listdir(here / "specs") == ["web.yaml"]
