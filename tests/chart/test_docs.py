"""What the pages have a reader give to helm: values that the chart has."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.chart.programs import CHART, ROOT, helm
from tests.chart.test_chart import LEAST

PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^ *(helm (?:install|upgrade) (?:[^\n\\]|\\\n)*)", re.MULTILINE)
COMMANDS = sorted(
    {re.sub(r"\s*\\\n\s*", " ", match[1]) for page in PAGES for match in COMMAND.finditer(page.read_text())}
)
FILLED_IN = {"<client id>": "11111111-1111-1111-1111-111111111111", "<version>": "0.1.0"}
KUBERNETES = ROOT / "docs" / "how-to" / "kubernetes.md"


def values() -> object:
    """The file of values that the page on clusters has its reader write."""
    (text,) = re.findall(r"```yaml\n# values\.yaml\n(.*?)```", KUBERNETES.read_text(), re.DOTALL)
    return yaml.safe_load(text)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_chart_has_every_value_of_a_command(command: str) -> None:
    for blank, text in FILLED_IN.items():
        command = command.replace(blank, text)
    words = shlex.split(command)
    given = [word for each, word in pairwise(words) if each == "--set"]
    known = {} if "install" in words else LEAST
    if "--values" in words:
        found = values()
        assert isinstance(found, dict)
        known = found
    done = helm("template reconciler", known, *(f"--set={each}" for each in given))
    assert done.returncode == 0, done.stderr


def test_the_pages_have_commands_for_helm() -> None:
    assert len(COMMANDS) >= 4


def test_the_values_for_each_way_to_read_the_repository_are_those_of_the_chart() -> None:
    rows = re.findall(r"^\| (?:a|an|the) .* \| (`git\..*`) \|$", KUBERNETES.read_text(), re.MULTILINE)
    assert len(rows) == 4
    for row in rows:
        git = dict(LEAST["git"])
        for each in re.findall(r"`git\.(\w+: .*?)`", row):
            git |= yaml.safe_load(each)
        done = helm("template reconciler", LEAST | {"git": git})
        assert done.returncode == 0, done.stderr


def test_the_page_names_the_oldest_kubernetes_that_the_chart_accepts() -> None:
    (oldest,) = re.findall(r'^kubeVersion: ">=(\d+\.\d+)\.', (CHART / "Chart.yaml").read_text(), re.MULTILINE)
    text = " ".join(KUBERNETES.read_text().split())
    assert f"and Kubernetes {oldest} or newer." in text


def test_every_file_of_the_repository_that_a_command_names_exists() -> None:
    named = {name for page in PAGES for name in re.findall(r"deploy/[\w./-]+\w", page.read_text())}
    assert sorted(name for name in named if not Path(ROOT / name).exists()) == []
