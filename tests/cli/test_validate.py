"""`reconciler validate`: its output and exit codes. tests/spec has the errors themselves."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.program import write_specs
from tests.stories.world import spec

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
    "{file}:6:3: spec.imag: unknown field: did you mean image?",
    '{file}:7:13: spec.interval: "soon" is not a duration: write it like 5m, 1h30m or 90s',
]


SHARED = {
    "kustomization.yaml": "resources: [web.yaml]",
    "notes.yaml": "# nothing yet",
    "api.YAML": "",
    "a.tmpl.yaml": "{{ x }}",
    "b.tmpl.yaml": "{{ x }}",
    ".reconcilerignore": "*.tmpl.yaml",
}


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


ABSENT = "{}: no such file or directory: check the path"
BARREN = "none: contains no spec files: add a file whose name ends in .yaml or .yml"


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
                "1 scale set in 3 files: no errors; passed over: 1 document of another program, 2 by .reconcilerignore"
            ],
            [
                "warning: shared/api.YAML: is not read, because its name ends in .YAML: rename it to .yaml",
            ],
            id="what is not a spec is counted and what may be one is a warning",
        ),
        pytest.param(
            ["mixed/empty.yml"],
            1,
            [
                "mixed/empty.yml: declares nothing: add a document with apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet"
            ],
            ["1 error"],
            id="files that declare nothing at all are an error",
        ),
        pytest.param(["none"], 1, [BARREN], ["1 error"], id="a directory without specs is an error"),
        pytest.param(
            ["specs/web.yaml", "mixed/web.yaml"],
            1,
            [
                "mixed/web.yaml:4:3: metadata.name: is already the name of another ScaleSet, in specs/web.yaml:4:3: rename one of the two",
                "mixed/web.yaml:12:3: spec.target: is already the target of another spec, in specs/web.yaml:12:3: keep one of the two",
            ],
            ["2 errors"],
            id="two valid files may contradict each other",
        ),
        pytest.param(
            ["/dev/null"],
            1,
            ["/dev/null: is not a spec file: the name must end in .yaml or .yml"],
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
    assert (done.exit_code, done.stdout.splitlines()) == (1, [ABSENT.format("specs")])


def test_the_help_shows_the_format_of_a_line() -> None:
    done = CliRunner().invoke(main, ["validate", "--help"], terminal_width=120)
    assert done.exit_code == 0
    assert "file:line:column: field: what is wrong and how to fix it" in " ".join(done.stdout.split())


def test_a_fleet_file_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text("location: westeurope\nscaleSets: []\n")
    done = CliRunner().invoke(main, ["validate", "fleet.yaml"])
    assert (done.exit_code, done.stdout) == (
        1,
        "fleet.yaml:1:1: is a fleet file, not a spec: check it with `reconciler simulate --check`, or list this file in .reconcilerignore\n",
    )
