"""A real API server accepts the plain manifests and the chart, in a dry run.

It needs the environment of `make test-chart`, and the file that `RECONCILER_TEST_KUBECONFIG` names.
"""

import os
from typing import Any

import pytest
import yaml

from tests.chart.manifests import MANIFESTS
from tests.chart.programs import PROGRAMS, documents, program, run
from tests.chart.test_chart import LEAST, VALUES

KUBECONFIG = os.environ.get("RECONCILER_TEST_KUBECONFIG")
pytestmark = [
    pytest.mark.skipif(not KUBECONFIG, reason="RECONCILER_TEST_KUBECONFIG names no API server"),
    pytest.mark.skipif(not PROGRAMS.exists(), reason="`make test-chart` has not made its environment"),
]

# What a server older than 1.21 does not know.
NEWER = {"PodDisruptionBudget"}


def accepts(found: list[Any], tmp_path: Any) -> None:
    """Send the documents to the server, in a namespace that exists, and have it store nothing."""
    assert KUBECONFIG
    for each in found:
        each["metadata"].pop("namespace", None)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(found))
    command = ("apply", "--dry-run=server", "--namespace=default", "--filename", tmp_path / "all.yaml")
    done = run(program("kubectl"), f"--kubeconfig={KUBECONFIG}", *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(found)


def test_the_server_accepts_the_plain_manifests(tmp_path: Any) -> None:
    accepts(list(yaml.safe_load_all(MANIFESTS.read_text())), tmp_path)


@pytest.mark.parametrize("name", VALUES)
def test_the_server_accepts_the_chart(name: str, tmp_path: Any) -> None:
    accepts([each for each in documents(LEAST | VALUES[name]) if each["kind"] not in NEWER], tmp_path)
