"""The configuration file: its settings, its contexts, and what overrides them."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from reconciler.cli import main
from reconciler.cli.settings import setting_of, settings, variable_of
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import ROOT, azure, reconciler, write_specs
from tests.cli.test_completion import offered
from tests.cli.test_start_up import loaded
from tests.stories.world import spec

SCHEMA = json.loads((ROOT / "schemas" / "config.schema.json").read_text())
FILE = """\
# the fleets of the shop
currentContext: prod  # see the runbook
settings:
  sweep: 5m
  specs: shared
  allowCheckHosts: ["*.example.com", 10.0.0.0/8]
contexts:
  prod:
    git: https://git.example.com/fleet.git
    tag: v1
  test:
    specs: test/specs
    sweep: 2m
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    return path


def run(*line: object, **variables: str) -> Result:
    return CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "prod", **variables}).invoke(main, [*map(str, line)])


def shown(config: Path, *line: str, **variables: str) -> dict[str, tuple[Any, str]]:
    """The settings that do not have their default, with their origin."""
    done = run("config", "--config", config, "-o", "json", *line, **variables)
    assert (done.exit_code, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["settings"].items()
    return {
        name: (each["value"], each["from"])
        for name, each in rows
        if each["from"] not in {"default", "not set"}
    }


def options() -> dict[str, click.Option]:
    """The options of all commands that are settings, by the name of the setting."""
    return {
        setting_of(each.envvar): each
        for command in main.commands.values()
        for each in command.params
        if isinstance(each, click.Option) and isinstance(each.envvar, str)
    }


def test_every_option_with_a_variable_is_a_setting() -> None:
    assert options().keys() - {"config", "context"} == settings().keys()


@pytest.mark.parametrize("name", settings())
def test_a_setting_is_like_its_option(name: str) -> None:
    option, schema = options()[name], settings()[name]
    assert variable_of(name) == option.envvar
    assert (schema.get("format") == "path") == isinstance(option.type, click.Path)
    assert (schema["type"] == "array") == option.multiple
    assert (schema["type"] == "boolean") == option.is_flag
    assert list(schema.get("enum", ())) == (
        list(option.type.choices) if isinstance(option.type, click.Choice) else []
    )
    help_text = option.help or ""
    assert help_text.startswith(schema["description"])
    default = schema.get("default")
    if option.is_flag:
        assert default is False
    elif isinstance(option.default, str):
        assert default == option.default
    elif default is not None:
        assert f"[default: {default}" in help_text


def test_the_schema_accepts_its_example_and_the_file_of_this_test(config: Path) -> None:
    import yaml

    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(SCHEMA["examples"][0])
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(config.read_text()))


def test_the_example_of_the_page_is_valid(config: Path) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    config.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert shown(config)["server"] == ("https://reconciler.example.com", "context prod")


def test_each_setting_is_shown_with_its_origin(config: Path) -> None:
    hosts = (["*.example.com", "10.0.0.0/8"], "settings of the file")
    assert shown(config) == {
        "allowCheckHosts": hosts,
        "git": ("https://git.example.com/fleet.git", "context prod"),
        "sweep": ("5m", "settings of the file"),
        "tag": ("v1", "context prod"),
    }
    assert shown(config, "--context", "test", VMSS_RECONCILER_SWEEP="1m") == {
        "allowCheckHosts": hosts,
        "specs": (str(config.parent / "test" / "specs"), "context test"),
        "sweep": ("1m", "variable VMSS_RECONCILER_SWEEP"),
    }


def test_the_table_of_settings_has_a_row_for_each() -> None:
    done = run("config")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["SETTING", "VALUE", "FROM"]
    assert [line.split()[0] for line in lines] == sorted(settings())
    assert "armEndpoint                   https://management.azure.com  default" in lines


@pytest.mark.parametrize(
    "variables, origin",
    [
        pytest.param({"VMSS_RECONCILER_BRANCH": "main"}, {}, id="another kind of revision"),
        pytest.param(
            {"VMSS_RECONCILER_SWEEP": "9m"}, {"tag": ("v1", "context prod")}, id="something unrelated"
        ),
    ],
)
def test_a_variable_replaces_the_alternatives_in_the_file(
    variables: dict[str, str], origin: dict[str, tuple[str, str]], config: Path
) -> None:
    found = shown(config, **variables)
    assert {name: each for name, each in found.items() if name == "tag"} == origin


def test_an_option_goes_before_a_variable_and_both_before_the_file(tmp_path: Path) -> None:
    for name in ("flag", "variable", "file"):
        write_specs(tmp_path / name, spec(name))
    config = tmp_path / "config.yaml"
    config.write_text("settings: {specs: file}")

    def names(*line: str, **variables: str) -> list[str]:
        with azure() as world:
            env = {**world.environment, "VMSS_RECONCILER_CONFIG": str(config), **variables}
            done = reconciler(
                "status", "-o", "json", "--server", "http://127.0.0.1:1", *line, env=env, cwd=tmp_path
            )
        return [each["name"] for each in json.loads("\n".join(done.out))["scaleSets"]]

    assert names() == ["file"]
    assert names(VMSS_RECONCILER_SPECS="variable") == ["variable"]
    assert names("--specs", "flag", VMSS_RECONCILER_SPECS="variable") == ["flag"]


def test_the_option_for_specs_replaces_the_repository_of_the_context(config: Path, tmp_path: Path) -> None:
    write_specs(tmp_path / "own")
    done = run("approve", "web", "--config", config, "--specs", tmp_path / "own")
    assert done.stderr.splitlines()[0].startswith("error: ")
    assert "git" not in done.stderr


@pytest.mark.parametrize(
    "text, line, errors",
    [
        pytest.param(
            "contxts: {}",
            "",
            ["{file}:1:1: contxts is not a known field: did you mean contexts?"],
            id="an unknown field",
        ),
        pytest.param(
            "contexts: {prod: {spec: a}}",
            "",
            ["{file}:1:19: contexts.prod.spec is not a known field: did you mean specs?"],
            id="an unknown setting",
        ),
        pytest.param(
            "settings: {sweep: 3, git: ''}",
            "",
            [
                "{file}:1:19: settings.sweep is not a string: quote it",
                "{file}:1:27: settings.git is empty: set a value, or remove the line",
            ],
            id="two values of a wrong kind",
        ),
        pytest.param(
            "settings: {logFormat: xml}",
            "",
            ["{file}:1:23: settings.logFormat is not one of text, json"],
            id="a value that is none of the choices",
        ),
        pytest.param(
            "settings: {sweep: soon}",
            "",
            ["{file}: sweep: 'soon' is not a duration of at least a second; write it like 15s, 5m or 1h30m"],
            id="a value that the option refuses",
        ),
        pytest.param(
            "[]", "", ["{file}:1:1: the file is not a mapping: write settings: or contexts:"], id="a list"
        ),
        pytest.param(
            "contexts: {prod: {}}",
            "--context prd",
            ["{file} has no context 'prd'; did you mean prod?"],
            id="an unknown context",
        ),
    ],
)
def test_an_error_in_the_file_names_its_place(
    text: str, line: str, errors: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    done = run("run", "--once", "--config", config, *line.split())
    found = [each.removeprefix("error: ") for each in done.stderr.splitlines() if each.startswith("error: ")]
    assert (done.exit_code, done.stdout) == (2, "")
    assert found == [each.format(file=config) for each in errors]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("--config {0} --context test config -o json", id="before the command"),
        pytest.param("config --config {0} --context test -o json", id="behind the command"),
        pytest.param("--config none --context prod config --config {0} --context test -o json", id="both"),
    ],
)
def test_file_and_context_are_named_before_or_behind_the_command(line: str, config: Path) -> None:
    done = run(*line.format(config).split(), VMSS_RECONCILER_CONTEXT="prod")
    assert json.loads(done.stdout)["context"] == "test"


def test_a_context_before_a_command_sets_its_options(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("contexts: {prod: {sweep: soon}}")
    done = run("--config", config, "--context", "prod", "run", "--once")
    assert done.stderr.splitlines()[-1].startswith(f"error: {config}: sweep: 'soon' is not a duration")


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    done = run("status", "--config", tmp_path / "none.yaml")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith("no such file; correct VMSS_RECONCILER_CONFIG or --config")


def test_help_is_shown_whatever_is_wrong_with_the_file(tmp_path: Path) -> None:
    assert run("status", "--config", tmp_path / "none.yaml", "--help").exit_code == 0


def test_the_contexts_are_listed_with_the_current_one(config: Path) -> None:
    done = run("config", "get-contexts", "--config", config)
    header, prod, test = done.stdout.splitlines()
    assert header.split() == ["CURRENT", "NAME", "SPECS", "SERVER"]
    assert prod.split() == ["*", "prod", "https://git.example.com/fleet.git", "http://127.0.0.1:8080"]
    assert test.split() == ["test", str(config.parent / "test" / "specs"), "http://127.0.0.1:8080"]
    rows = json.loads(run("config", "--config", config, "get-contexts", "-o", "json").stdout)
    assert [(each["name"], each["current"]) for each in rows] == [("prod", True), ("test", False)]


def test_another_context_is_made_the_current_one_and_the_rest_of_the_file_stays(config: Path) -> None:
    config.chmod(0o600)
    done = run("config", "use-context", "test", "--config", config)
    assert (done.exit_code, done.stdout) == (0, f"{config}: the current context is test\n")
    assert config.read_text() == FILE.replace("currentContext: prod ", 'currentContext: "test" ')
    assert config.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in config.parent.iterdir()] == ["config.yaml"]


def test_the_first_current_context_is_added(config: Path) -> None:
    config.write_text("---\ncontexts: {prod: {}}\n")
    assert run("config", "use-context", "prod", "--config", config).exit_code == 0
    assert config.read_text() == '---\ncontexts: {prod: {}}\ncurrentContext: "prod"\n'


@pytest.mark.parametrize(
    "text, name, error",
    [
        pytest.param(FILE, "prd", "has no context 'prd'; did you mean prod?", id="an unknown context"),
        pytest.param(
            "{contexts: {prod: {}}}",
            "prod",
            'the line that sets currentContext was not found; write it yourself: currentContext: "prod"',
            id="a file in one line",
        ),
    ],
)
def test_a_context_that_cannot_be_used_leaves_the_file_unchanged(
    text: str, name: str, error: str, config: Path
) -> None:
    config.write_text(text)
    done = run("config", "use-context", name, "--config", config)
    assert done.exit_code == 1
    assert error in done.stderr
    assert config.read_text() == text


def test_names_and_contexts_are_completed_from_the_file(config: Path, tmp_path: Path) -> None:
    write_specs(tmp_path / "test" / "specs", spec("shop-web"))
    assert offered(f"reconciler why --config {config} --context test ") == ["shop-web"]
    assert offered(f"reconciler status --config {config} --context ") == ["prod", "test"]
    assert offered("reconciler config use-context ", VMSS_RECONCILER_CONFIG=str(config)) == ["prod", "test"]


def test_the_file_costs_a_command_no_large_library(config: Path) -> None:
    with answering_daemon() as url:
        assert loaded("status", "--server", url, "--config", str(config)) == ["rich"]
