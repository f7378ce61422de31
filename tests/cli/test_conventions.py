"""The conventions of the command line: each row of the table in docs/command-line.md names its test."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.cli.exit_codes import COMMON, OF_VERBS
from reconciler.cli.verbs import ELSEWHERE, HELP
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import ROOT, azure, bare, command, reconciler, write_specs
from tests.stories.world import NEW, scale_set, spec
from tests.test_failures import exists

PAGE = (ROOT / "docs" / "command-line.md").read_text()
COLOUR = "\x1b[32m"  # of Ready


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, with those of the commands in a group."""
    for name, each in group.commands.items():
        yield (*path, name)
        if isinstance(each, click.Group):
            yield from commands(each, (*path, name))


@pytest.mark.parametrize("row", rows("Conventions"), ids=lambda row: str(row[0]))
def test_each_convention_names_a_test(row: list[str]) -> None:
    assert exists(row[2].strip("`"))


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_every_command_has_a_short_option_for_help(words: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(main, [*words, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stderr) == (0, "")
    assert short.stdout == long.stdout
    assert short.stdout.startswith(f"Usage: {' '.join(('main', *words))} ")


@pytest.mark.parametrize(
    "line, code, error",
    [
        pytest.param("aply", 2, "no command is named 'aply'", id="an unknown command"),
        pytest.param("plan --out json", 2, "No such option '--out'", id="an unknown option"),
        pytest.param("check web", 2, "Got unexpected extra argument (web)", id="an argument too many"),
        pytest.param("schema --to file", 2, "Invalid value for '--to'", id="a wrong value"),
        pytest.param("approve web --specs none", 1, "none does not exist", id="an error in specs"),
        pytest.param("adopt --subscription S", 2, "Invalid value for '--subscription'", id="a wrong id"),
    ],
)
def test_every_kind_of_error_has_one_form(
    line: str, code: int, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    done = CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "prod"}).invoke(main, line.split())
    lines = [each for each in done.stderr.splitlines() if each.startswith("error: ")]
    assert (done.exit_code, done.stdout) == (code, "")
    assert lines[0].startswith(f"error: {error}")
    assert "Error:" not in done.stderr


def option_strings(verb: str) -> set[str]:
    """The options of a command, in every spelling."""
    return {each for param in main.commands[verb].params for each in param.opts}


def test_commands_about_scale_sets_take_names_and_labels() -> None:
    selecting = {verb for verb in main.commands if {"-l", "--selector"} <= option_strings(verb)}
    assert selecting == {
        *("approve", "diff", "pause", "plan", "reconcile", "resume", "retry", "snapshot", "status", "wait")
    }
    assert all("names" in option_strings(verb) for verb in selecting)


def showing(output: str) -> set[str]:
    """The commands that accept this output format."""
    return {
        verb
        for verb, command in main.commands.items()
        for each in command.params
        if {"-o", "--output"} <= {*each.opts}
        and isinstance(each.type, click.Choice)
        and output in each.type.choices
    }


def test_commands_that_show_something_write_json() -> None:
    states = {"check", "config", "history", "plan", "rehearse", "status", "why"}
    assert showing("json") == {*states, "validate"}
    assert showing("yaml") == states


def test_yaml_has_what_json_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_specs(tmp_path / "specs", spec("web", NEW))
    with azure(scale_set("web", capacity=2)) as served:
        lines = ["check", "config", "config get-contexts", "plan", "rehearse", "status", "why web"]
        for line in lines:
            server = ["--server", "http://127.0.0.1:9"] if line.split()[0] in {"status", "why"} else []
            found = {}
            for output, read in (("json", json.loads), ("yaml", yaml.safe_load)):
                words = [*line.split(), "-o", output, *server]
                done = reconciler(*words, env=served.environment, cwd=tmp_path)
                found[output] = read("\n".join(done.out))
            assert shape(found["yaml"]) == shape(found["json"]), line


def shape(value: object) -> object:
    """The fields of a value and the types of what is in them, because times differ from run to run."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value)


def test_the_list_of_commands_has_a_whole_line_for_each_on_80_columns() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).stdout
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert [name for name, text in HELP.items() if f"{name} {text}" not in lines] == []


@pytest.mark.parametrize("word", ELSEWHERE)
def test_the_word_of_another_program_leads_to_a_command(word: str) -> None:
    done = CliRunner().invoke(main, [word, "web"])
    assert done.exit_code == 2
    assert f"did you mean `reconciler {ELSEWHERE[word]}`?" in done.stderr
    assert ELSEWHERE[word].startswith("--") or ELSEWHERE[word] in HELP
    assert word not in HELP


def test_the_page_has_the_table_of_exit_codes() -> None:
    common = [["every command", code, meaning] for code, meaning in COMMON.items()]
    own = [[f"`{verb}`", *row] for verb, codes in OF_VERBS.items() for row in codes.items()]
    assert rows("Exit codes") == common + own


@pytest.mark.parametrize("verb", OF_VERBS)
def test_the_help_of_a_command_has_its_exit_codes(verb: str) -> None:
    section = CliRunner().invoke(main, [verb, "-h"]).stdout.partition("Exit codes:\n")[2]
    shown = " ".join(section.split())
    assert shown == " ".join(f"{code} {meaning}" for code, meaning in OF_VERBS[verb].items())


@pytest.mark.parametrize(
    "variables, in_pipe, in_terminal",
    [
        pytest.param({}, False, True, id="no variable"),
        pytest.param({"NO_COLOR": "1"}, False, False, id="NO_COLOR"),
        pytest.param({"NO_COLOR": ""}, False, True, id="an empty NO_COLOR"),
        pytest.param({"CLICOLOR_FORCE": "1"}, True, True, id="CLICOLOR_FORCE"),
        pytest.param({"CLICOLOR_FORCE": "0"}, False, True, id="CLICOLOR_FORCE of 0"),
        pytest.param({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False, id="both"),
    ],
)
def test_colours_follow_the_variables_of_other_programs(
    variables: Mapping[str, str], in_pipe: bool, in_terminal: bool
) -> None:
    env = {key: value for key, value in bare().items() if key not in {"NO_COLOR", "CLICOLOR_FORCE"}}
    env |= {"TERM": "xterm", **variables}
    with answering_daemon() as url:
        line = command("status", "--server", url)
        piped = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
        assert (COLOUR in piped.stdout) == in_pipe
        assert (COLOUR in output_in_terminal(line, env)) == in_terminal


def output_in_terminal(line: list[str], env: Mapping[str, str]) -> str:
    """What a command writes to a terminal."""
    ours, its = pty.openpty()
    with subprocess.Popen(line, env=env, stdout=its, stderr=its, stdin=subprocess.DEVNULL) as process:
        os.close(its)
        written = b""
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    return re.sub(r"\x1b\[1;?", "\x1b[", written.decode())


@pytest.mark.parametrize("verb", [["validate", "web.yaml"], ["status"], ["plan"]], ids=" ".join)
def test_a_removed_current_directory_is_an_error(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ended = CliRunner().invoke(main, verb)
    assert ended.exit_code == 1
    assert "the current directory no longer exists; change to another directory" in ended.output
