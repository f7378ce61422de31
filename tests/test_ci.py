"""What other repositories take from this one for their CI: the action, the template, the component, the hook.

Each file is checked against its published schema. The shell of each is taken out of the file and run as it is, in a
repository with a pull request, against a simulated Azure and a forge on loopback. Not run here: the runners
themselves, so that conditions, rules and how they expand `${{ }}` and `$[[ ]]` are only read.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.program import Azure, azure, bare, write_specs
from tests.forge.server import AzureDevOps, Forge, GitHub, GitLab, serve
from tests.stories.world import NEW, OLD, spec

ROOT = Path(__file__).parent.parent
ACTION = ROOT / "action.yml"
TEMPLATE = ROOT / "deploy" / "ci" / "azure-pipelines.yml"
COMPONENT = ROOT / "templates" / "plan.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
PAGE = ROOT / "docs" / "how-to" / "pull-request.md"
BLOCK = re.compile(r"^```yaml\n# (?P<name>\S+)\n(?P<text>.*?)^```$", re.M | re.S)

# The one way in which all of them call the program, from the moment on at which the base is known.
PLAN = """\
plan=$(mktemp) status=0
reconciler plan --specs "$PLAN_SPECS" --base "$base" -o markdown > "$plan" || status=$?
[ -s "$plan" ] || echo '`reconciler plan` failed. The log of the job says why.' > "$plan"
cat "$plan"
reconciler comment --key "$PLAN_KEY" "$plan"
exit "$status"
"""


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def blocks() -> dict[str, str]:
    """The files that the page has its reader commit, by their names."""
    return {match["name"]: match["text"] for match in BLOCK.finditer(PAGE.read_text())}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a file: its shell, and the variables that the file gives it, with what a runner fills in."""

    shell: str
    variables: Mapping[str, str]


def of_action(number: int) -> Step:
    (action,) = documents(ACTION)
    step = action["runs"]["steps"][number]
    values = {f"inputs.{name}": each["default"] for name, each in action["inputs"].items()}
    values |= {"env.AZURE_TOKEN_CREDENTIALS || 'AzureCliCredential'": "AzureCliCredential"}
    return Step(step["run"], expand(step.get("env", {}), values))


def of_template(number: int) -> Step:
    (template,) = documents(TEMPLATE)
    step = template["steps"][number]
    given = {"serviceConnection": "azure", "package": "vmss-reconciler==1"}
    values = {f"parameters.{each['name']}": each.get("default") for each in template["parameters"]}
    values |= {f"parameters.{name}": value for name, value in given.items()}
    return Step(step.get("script") or step["inputs"]["inlineScript"], expand(step["env"], values))


def of_component() -> Step:
    header, jobs = documents(COMPONENT)
    (job,) = jobs.values()
    values = {f"inputs.{name}": each.get("default", "") for name, each in header["spec"]["inputs"].items()}
    return Step(job["script"][0], expand(job["variables"], values))


def expand(variables: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """The variables as a runner fills them in, as far as these values go."""
    marks = re.compile(r"\$(?:\{\{|\[\[) (.*?) (?:\}\}|\]\])")
    return {
        name: marks.sub(lambda match: values.get(match[1], match[0]), text)
        for name, text in variables.items()
    }


STEPS = {
    GitHub: of_action(1),
    GitLab: of_component(),
    AzureDevOps: of_template(1),
}


@pytest.mark.parametrize(
    "schema, path",
    [
        pytest.param("vendor.github-actions", ACTION, id="the action"),
        pytest.param("vendor.azure-pipelines", TEMPLATE, id="the template"),
    ],
)
def test_a_file_is_valid_by_its_published_schema(schema: str, path: Path) -> None:
    validate(schema, path)


def test_the_job_of_the_component_is_valid_by_the_published_schema(tmp_path: Path) -> None:
    _, jobs = documents(COMPONENT)
    (tmp_path / "job.yml").write_text(yaml.safe_dump(jobs))
    validate("vendor.gitlab-ci", tmp_path / "job.yml")


def test_every_input_of_the_component_is_used_and_declared() -> None:
    header, body = COMPONENT.read_text().split("\n---\n")
    assert (
        set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", body)) == yaml.safe_load(header)["spec"]["inputs"].keys()
    )


def test_the_hook_has_what_pre_commit_requires() -> None:
    """The check has no schema of it. These are the keys that pre-commit's documentation requires or knows."""
    (hooks,) = documents(HOOKS)
    known = {"id", "name", "description", "entry", "language", "pass_filenames", "always_run"}
    assert all({"id", "name", "entry", "language"} <= each.keys() <= known for each in hooks)


@pytest.mark.parametrize(
    "name, schema",
    [
        (".github/workflows/plan.yml", "vendor.github-workflows"),
        (".gitlab-ci.yml", "vendor.gitlab-ci"),
        ("azure-pipelines.yml", "vendor.azure-pipelines"),
    ],
)
def test_the_file_that_a_reader_commits_is_valid_by_its_published_schema(
    name: str, schema: str, tmp_path: Path
) -> None:
    (tmp_path / "file.yml").write_text(blocks()[name])
    validate(schema, tmp_path / "file.yml")


def test_the_page_gives_only_inputs_that_the_files_have() -> None:
    files = {name: yaml.safe_load(text) for name, text in blocks().items()}
    (action,), (template,), (header, _) = map(documents, (ACTION, TEMPLATE, COMPONENT))
    (workflow,) = files[".github/workflows/plan.yml"]["jobs"].values()
    assert workflow["steps"][-1].get("with", {}).keys() <= action["inputs"].keys()
    (included,) = files[".gitlab-ci.yml"]["include"]
    assert included["inputs"].keys() <= header["spec"]["inputs"].keys()
    parameters = {each["name"]: each for each in template["parameters"]}
    given = files["azure-pipelines.yml"]["steps"][-1]["parameters"].keys()
    assert {name for name, each in parameters.items() if "default" not in each} <= given <= parameters.keys()


def validate(schema: str, path: Path) -> None:
    options = [f"--data-transform={schema.removeprefix('vendor.')}"] if "github" not in schema else []
    done = subprocess.run(
        [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", schema, *options, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_of_them_call_the_program_in_the_same_way() -> None:
    assert [kind.__name__ for kind, step in STEPS.items() if not step.shell.endswith(PLAN)] == []


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    """A scale set on OLD, which nothing changes."""
    with azure() as served:
        yield served


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a CI for a pull request from OLD to NEW, and what it did."""

    forge: Forge
    directory: Path
    base: str
    environment: Mapping[str, str]

    def run(self, step: Step, **variables: str) -> "subprocess.CompletedProcess[str]":
        filled = {
            name: self.forge.token if text in {"$(System.AccessToken)", "${{ github.token }}"} else text
            for name, text in step.variables.items()
            if name != "AZURE_TOKEN_CREDENTIALS"  # the simulated Azure has another identity
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.shell],
            cwd=self.directory / "work",
            env={**self.environment, **filled, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def calls(self) -> list[list[str]]:
        """The arguments of each call of `reconciler`, without the name of the temporary file."""
        lines = (self.directory / "calls").read_text().splitlines()
        return [["FILE" if each.startswith("/") else each for each in shlex.split(line)] for line in lines]


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(params=STEPS, ids=["GitHub Actions", "GitLab CI", "Azure Pipelines"])
def job(
    request: pytest.FixtureRequest, fleet: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Job]:
    """A repository at the commit that the CI checks out: the merge, or at GitLab the branch itself."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    work = tmp_path / "work"
    write_specs(work / "specs", spec(version=OLD))
    git(work, "init", "--quiet", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "old")
    git(work, "tag", "v1")
    base = git(work, "rev-parse", "HEAD")
    git(work, "checkout", "--quiet", "-b", "change")
    write_specs(work / "specs", spec(version=NEW))
    git(work, "commit", "--quiet", "-am", "new")
    if request.param is not GitLab:
        git(work, "checkout", "--quiet", "main")
        git(work, "merge", "--quiet", "--no-ff", "change")
    write_program(tmp_path)
    with serve(request.param) as forge:
        environment = {
            **{name: value for name, value in fleet.environment.items() if not name.startswith("GIT_")},
            **forge.variables,
            "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
            "TMPDIR": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path),
            "AGENT_TEMPDIRECTORY": str(tmp_path),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_PATH": str(tmp_path / "path"),
            "CI_PROJECT_DIR": str(work),
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
            "AZURE_ID_TOKEN": "header.claims.signature",
        }
        for name in forge.variables:
            if name.endswith("TOKEN") and request.param is not GitLab:
                environment.pop(name)  # the file itself hands it to the step
        yield Job(forge, tmp_path, base, environment)


def write_program(directory: Path) -> None:
    """`reconciler`, which keeps a record of its calls."""
    (directory / "bin").mkdir()
    program = directory / "bin" / "reconciler"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, shlex, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "arguments = sys.argv[1:]\n"
        f"with open({str(directory / 'calls')!r}, 'a') as record:\n"
        "    print(shlex.join(arguments), file=record)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'reconciler.cli', *arguments])\n"
    )
    program.chmod(0o755)


def test_a_job_updates_the_comment_with_what_the_pull_request_will_change(job: Job) -> None:
    job.forge.add("<!-- vmss-reconciler:plan -->\n\nan old plan")
    done = job.run(STEPS[type(job.forge)])
    assert done.returncode == 0, done.stderr
    (text,) = job.forge.texts()
    marker, _, plan = text.partition("\n\n")
    assert marker == "<!-- vmss-reconciler:plan -->"
    assert plan.startswith("**1 scale set, 3 instances")
    assert done.stdout.startswith(plan), "the plan is in the log of the job too"
    assert job.calls() == [
        ["plan", "--specs", "specs", "--base", job.base, "-o", "markdown"],
        ["comment", "--key", "plan", "FILE"],
    ]


def test_a_plan_that_fails_fails_the_job_and_the_comment_says_so(job: Job) -> None:
    (job.directory / "work" / "specs" / "web.yaml").write_text("kind: [")
    done = job.run(STEPS[type(job.forge)])
    assert done.returncode == 1
    (text,) = job.forge.texts()
    assert text.endswith("\n\n`reconciler plan` failed. The log of the job says why.")
    assert "error: specs/web.yaml" in done.stderr


def test_a_base_a_key_and_a_directory_may_be_given(job: Job) -> None:
    (job.directory / "work" / "specs").rename(job.directory / "work" / "fleet")
    done = job.run(STEPS[type(job.forge)], PLAN_BASE="v1", PLAN_KEY="prod", PLAN_SPECS="fleet")
    assert done.returncode == 0, done.stderr
    assert job.calls() == [
        ["plan", "--specs", "fleet", "--base", "v1", "-o", "markdown"],
        ["comment", "--key", "prod", "FILE"],
    ]


@pytest.mark.parametrize(
    "job", [GitHub, AzureDevOps], indirect=True, ids=["GitHub Actions", "Azure Pipelines"]
)
@pytest.mark.parametrize("head", ["a shallow clone", "the head of the branch"])
def test_a_checkout_without_the_base_is_reported_before_anything_is_done(head: str, job: Job) -> None:
    """The parent of the last commit of a branch is no base: only that commit would be planned."""
    work = job.directory / "work"
    if head == "a shallow clone":
        git(work, "checkout", "--quiet", "--orphan", "shallow")
    git(work, "commit", "--quiet", "--allow-empty", "-m", "the last commit")
    done = job.run(STEPS[type(job.forge)])
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        "error: HEAD is not the merge of the pull request, or its parents are not here; let .* with a "
        "fetch-?[dD]epth of 2, or set base\n",
        done.stderr,
    )
    assert not (job.directory / "calls").exists()


@pytest.mark.parametrize("job", [GitLab], indirect=True, ids=["GitLab CI"])
def test_a_pipeline_for_merged_results_compares_with_the_target(job: Job) -> None:
    job.run(STEPS[GitLab], CI_MERGE_REQUEST_TARGET_BRANCH_SHA="1f" * 20, PLAN_SPECS="nowhere")
    assert job.calls()[0][4] == "1f" * 20


@pytest.mark.parametrize("job", [GitLab], indirect=True, ids=["GitLab CI"])
def test_the_token_for_azure_is_in_a_file_that_only_the_job_can_read(job: Job) -> None:
    shell = f'{STEPS[GitLab].shell.partition("base=")[0]}\nstat -c %a "$AZURE_FEDERATED_TOKEN_FILE"\n'
    shell += 'cat "$AZURE_FEDERATED_TOKEN_FILE"; git config --global --get-all safe.directory >&2\n'
    done = job.run(Step(shell, {}))
    assert done.stdout == "600\nheader.claims.signature"
    assert done.stderr == f"{job.directory / 'work'}\n"


@pytest.mark.parametrize(
    "step, last",
    [
        pytest.param(
            of_action(0),
            f"-m pip install --quiet --disable-pip-version-check --no-deps {ROOT}",
            id="the action",
        ),
        pytest.param(
            of_template(0),
            "-m pip install --quiet --disable-pip-version-check vmss-reconciler==1",
            id="the template",
        ),
    ],
)
def test_the_program_is_installed_into_an_environment_of_its_own(
    step: Step, last: str, tmp_path: Path
) -> None:
    """With a stand-in for Python, because no test reaches a package index."""
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\n[ "$2" = venv ] || {{ echo "$@" >> {tmp_path}/ran; exit; }}\n'
        'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"\n'
    )
    python.chmod(0o755)
    runner = {
        "RUNNER_TEMP": str(tmp_path),
        "AGENT_TEMPDIRECTORY": str(tmp_path),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_PATH": str(tmp_path / "path"),
    }
    done = subprocess.run(
        ["bash", "-c", step.shell],
        env={**bare(), **runner, **step.variables, "PATH": f"{python.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ran = (tmp_path / "ran").read_text().splitlines()
    assert ran[-1] == last
    if step.variables == {}:
        assert any("--require-hashes" in line for line in ran)
        assert (tmp_path / "path").read_text() == f"{tmp_path}/reconciler/bin\n"


@pytest.mark.parametrize(
    "written, code, said",
    [
        pytest.param(None, 0, "1 scale set in 1 file: no errors\n", id="a valid spec"),
        pytest.param("kind: [", 1, "specs/web.yaml:2:1: ", id="a spec with an error"),
    ],
)
def test_the_hook_validates_the_specs_of_another_repository(
    written: str | None, code: int, said: str, tmp_path: Path
) -> None:
    """As pre-commit runs it: the entry without file names, at the root of the repository."""
    ((hook,),) = documents(HOOKS)
    assert (hook["pass_filenames"], hook["always_run"]) == (False, True)
    specs = write_specs(tmp_path / "specs", spec())
    if written:
        (specs / "web.yaml").write_text(written)
    write_program(tmp_path)
    done = subprocess.run(
        shlex.split(hook["entry"]),
        cwd=tmp_path,
        env={**bare(), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (code, 0)
    assert done.stdout.startswith(said)
