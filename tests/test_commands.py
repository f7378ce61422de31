"""The command lines of the pages end, and reach no other machine by mistake.

Each command line of the README and of docs/ runs unchanged, without network beyond this machine and without a fleet
except one that it serves itself. Python processes are guarded (tests/guard). git has a proxy that does not answer.
Other programs are replaced by stand-ins that keep a record.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.program import ROOT, bare

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^#+ (?P<heading>[^\n]*)$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
TERMINAL = {"", "sh"}
PATIENCE = 60.0  # seconds for a command to end, on a loaded machine; when all is well it takes two
WAITING = 20.0  # seconds that it may wait for others if a firewall drops everything
AZURE = ("management.azure.com", "login.microsoftonline.com", "169.254.169.254")
# A rehearsal may halt. No daemon runs here, and without one there is nothing to wait for.
MAY_FAIL = {"rehearse", "wait", "history", "reconcile", "report"}
ASKS_AZURE = {
    "pause",
    "resume",
    "adopt",
    "approve",
    "check",
    "dismiss",
    "plan",
    "rehearse",
    "retry",
    "run",
    "snapshot",
    "status",
    "upgrade",
    "why",
}
# A daemon runs until it is stopped. After one of these lines it has completed a sweep.
SETTLED = re.compile(r" (ERROR|WARNING) |Upgrading: ")
# Commands of other programs: they need Azure, a cluster, a repository of the reader's own, or are what runs this.
OTHERS = re.compile("(?:az|docker|git|helm|kubectl|make|terraform) .*")
NOT_RUN = {
    "make demo",
    "make test",
    "az role definition create --role-definition deploy/role.json",
    "az role definition create --role-definition deploy/role-plan.json",
    'az role assignment create --role "VMSS Reconciler Plan" --assignee <client id> --scope /subscriptions/<subscription>',
    'az role assignment create --role "VMSS Reconciler" --assignee <client id> --scope /subscriptions/<subscription>',
    "az monitor activity-log list --resource-group shop --offset 7d --query "
    "\"[?operationName.value=='Microsoft.Resources/tags/write'].[eventTimestamp, caller, status.value, resourceId]\"",
    "az deployment group create --resource-group shop --template-file web.bicep "
    '--parameters image="$image" liveTags="$tags"',
    "az aks update --resource-group platform --name cluster --enable-oidc-issuer --enable-workload-identity",
    "az deployment group create --resource-group platform --template-file deploy/container-apps/main.bicep",
    "az identity create --resource-group platform --name vmss-reconciler",
    "az identity federated-credential create --resource-group platform --identity-name "
    'vmss-reconciler --name kubernetes --issuer "$issuer" --audiences api://AzureADTokenExchange '
    "--subject system:serviceaccount:reconciler:reconciler",
    'az role assignment create --role "VMSS Reconciler" --assignee-object-id "$principal" '
    "--assignee-principal-type ServicePrincipal --scope /subscriptions/<subscription>",
    "docker push registry.example.com/vmss-reconciler:0.1.0",
    "helm upgrade --install emea deploy/chart --namespace reconciler --values values.yaml --set shard.name=emea "
    "--set shard.selector=region=emea",
    "helm upgrade --install rest deploy/chart --namespace reconciler --values values.yaml --set shard.name=rest "
    "--set shard.selector=region!=emea",
    "docker run --read-only --tmpfs /tmp --tmpfs /clone:mode=1777 --publish 127.0.0.1:8080:8080 "
    "--env VMSS_RECONCILER_GIT=https://git.example.com/platform/fleet.git --env "
    "VMSS_RECONCILER_CLONE=/clone --env VMSS_RECONCILER_LISTEN=0.0.0.0:8080 --env "
    "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential vmss-reconciler:0.1.0",
    "docker tag vmss-reconciler:0.1.0 registry.example.com/vmss-reconciler:0.1.0",
    "helm install reconciler deploy/chart --namespace reconciler --create-namespace --set "
    "image.repository=registry.example.com/vmss-reconciler --set identity.clientId=<client id> "
    "--set git.url=https://git.example.com/platform/fleet.git",
    "helm rollback reconciler --namespace reconciler",
    "helm upgrade --install reconciler deploy/chart --namespace reconciler --values values.yaml",
    "helm upgrade reconciler deploy/chart --namespace reconciler --reuse-values --set "
    "serviceMonitor.enabled=true --set prometheusRule.enabled=true --set "
    "dashboard.enabled=true",
    "helm upgrade reconciler deploy/chart --namespace reconciler --reuse-values --set replicas=3",
    "kubectl --namespace reconciler create configmap company-ca --from-file=ca.crt",
    "kubectl --namespace reconciler create secret generic reconciler-git --from-file=token=./token",
    "kubectl --namespace reconciler exec deployment/reconciler -- reconciler check",
    "kubectl --namespace reconciler exec deployment/reconciler -- reconciler status --server "
    "http://localhost:8080",
    "kubectl --namespace reconciler exec deployment/reconciler -- env SSL_CERT_FILE=/tls/ca.crt "
    "reconciler status --server https://localhost:8080",
    "kubectl --namespace reconciler port-forward service/reconciler 8080",
    "kubectl --namespace reconciler rollout status deployment/reconciler",
    "kubectl --namespace reconciler scale deployment/reconciler --replicas 0",
    "kubectl --namespace reconciler scale deployment/reconciler --replicas 1",
    "kubectl --namespace reconciler wait pod --selector app.kubernetes.io/instance=reconciler --for delete --timeout 120s",
    "kubectl apply --filename deploy/kubernetes.yaml",
    "kubectl create namespace reconciler",
    "kubectl label namespace reconciler pod-security.kubernetes.io/enforce=restricted",
    "make image",
    "git revert --no-edit <commit>",
    "git config uploadpack.allowFilter true",
    "git config uploadpack.allowAnySHA1InWant true",
}
FILLED_IN = {"<subscription>": "11111111-1111-1111-1111-111111111111"}


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page, and its heading."""

    page: str
    heading: str
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.heading}: {self.text.splitlines()[0]}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        heading = ""
        for match in BLOCK.finditer(page.read_text()):
            heading = match["heading"] or heading
            if match["text"]:
                yield Block(page.name, heading, match["language"], match["text"])


def command_lines() -> Iterator[str]:
    """Every command line of `reconciler` in terminal blocks, up to a pipe, a file, a comment or another command."""
    for block in blocks():
        for line in block.text.replace("\\\n", " ").splitlines() if block.language in TERMINAL else ():
            if match := re.fullmatch(r"(?:\$ )?(reconciler [a-z].*?)(?:\s+(?:[|#]|2?>|&&) .*)?", line):
                yield match[1]


OURS = sorted(set(command_lines()))
CLIENTS = [each for each in blocks() if each.page == "clients.md" and each.heading != "Other clients"]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command line, and the hosts that it tried to reach, with the time that it would have waited."""

    code: int
    out: str
    err: list[str]
    reached: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Desk:
    """A directory with the files of this project, and the environment of a person who works there."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **bare(),
            "PATH": f"{self.directory / 'bin'}{os.pathsep}{os.defpath}",
            "PYTHONPATH": f"{ROOT / 'tests' / 'guard'}{os.pathsep}{ROOT}",
            "GUARD_LOG": str(self.directory / "reached"),
            "HOME": str(self.directory),
            "GIT_CONFIG_GLOBAL": str(self.directory / "gitconfig"),
            "VMSS_RECONCILER_LISTEN": "127.0.0.1:0",
            "VMSS_RECONCILER_SERVER": "http://127.0.0.1:1",
        }

    def program(self, name: str, text: str) -> None:
        path = self.directory / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def start(self, line: Sequence[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            line,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def complaints(self, line: Sequence[str], typed: str) -> str:
        """The standard error of a program with this input."""
        with self.start(line) as process:
            return process.communicate(typed, timeout=PATIENCE)[1]

    def reached(self) -> list[tuple[str, float]]:
        log = self.directory / "reached"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(host, float(seconds)) for host, _, seconds in (line.partition(" ") for line in lines)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    for name in ("specs", "demo", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("fleet.yaml", "azure.yaml"):  # the names that pages give to their own
        (tmp_path / name).symlink_to(ROOT / "demo" / "fleet.yaml")
    (tmp_path / "scale-sets").symlink_to(ROOT / "specs")
    (tmp_path / "bin").mkdir()
    (tmp_path / "webhook-secret").write_text("a secret\n")  # which openssl makes on the page
    (tmp_path / "gitconfig").write_text("[http]\n\tproxy = http://127.0.0.1:9\n")
    made.program("reconciler", f'exec {sys.executable} -m reconciler.cli "$@"')
    return made


def run(desk: Desk, line: str) -> Result:
    """Run a command line to its end. Stop a daemon once it has completed a sweep."""
    for placeholder, value in FILLED_IN.items():
        line = line.replace(placeholder, value)
    process = desk.start(shlex.split(line))
    watch = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    watch.start()
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.close()
    err: list[str] = []
    with process:
        for text in process.stderr:
            err.append(text.rstrip("\n"))
            if "reconciler run" in line and SETTLED.search(text):
                process.send_signal(signal.SIGTERM)
        out = process.stdout.read()
        code = process.wait()
        watch.cancel()
    return Result(code, out, err, desk.reached())


@pytest.mark.parametrize("line", OURS)
def test_a_command_line_ends_and_reaches_nobody_by_mistake(line: str, desk: Desk) -> None:
    done = run(desk, line)
    assert done.code >= 0, f"killed after {PATIENCE:g} s: {done.err}"
    _, verb, *options = shlex.split(line)
    if verb in ASKS_AZURE and "--fleet" not in options:
        cloud = (
            options[options.index("--arm-endpoint") + 1]
            if "--arm-endpoint" in options
            else f"https://{AZURE[0]}"
        )
        assert any(f"Azure Resource Manager: {cloud}, as the identity" in text for text in done.err)
        assert {host for host, _ in done.reached} <= {*AZURE, cloud.removeprefix("https://")}
        assert sum(seconds for _, seconds in done.reached) < WAITING
        assert any(
            word in "\n".join((done.out, *done.err)) for word in ("no Azure identity", "cannot be fetched")
        )
        assert "Traceback" not in "\n".join(done.err)
    else:
        assert done.reached == []
        assert not any("https://management.azure.com" in text for text in done.err)
        assert done.code == 0 or verb in MAY_FAIL


@pytest.mark.parametrize(
    "source, host",
    [
        pytest.param("EnvironmentCredential", "login.microsoftonline.com", id="an application with a secret"),
        pytest.param("ManagedIdentityCredential", "169.254.169.254", id="an identity of the machine"),
    ],
)
def test_signing_in_ends_in_time_if_no_identity_provider_answers(source: str, host: str, desk: Desk) -> None:
    script = f"""
import os
from reconciler.azure.token import default_credential, obtain
os.environ["AZURE_TOKEN_CREDENTIALS"] = {source!r}
for name in ("CLIENT_ID", "TENANT_ID", "CLIENT_SECRET"):
    os.environ[f"AZURE_{{name}}"] = "any"
obtain(default_credential(), "https://management.azure.com/.default")
"""
    assert "NoToken: no Azure identity" in desk.complaints([sys.executable, "-"], script)
    assert {each for each, _ in desk.reached()} == {host}
    assert sum(seconds for _, seconds in desk.reached()) < WAITING


IN_A_POD = sorted(
    {
        match[1]
        for page in (*PAGES, ROOT / "deploy" / "chart" / "templates" / "NOTES.txt")
        for match in re.finditer(r" -- (reconciler [a-z].*)$", page.read_text(), re.MULTILINE)
    }
)


@pytest.mark.parametrize("line", IN_A_POD)
def test_a_command_that_a_pod_runs_has_these_options(line: str) -> None:
    _, *words = shlex.split(line)
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0, done.stderr


def test_the_pages_have_a_command_line_of_every_kind() -> None:
    """This shows that the pattern still finds them."""
    assert {shlex.split(line)[1] for line in OURS} >= {
        "validate",
        "adopt",
        "check",
        "plan",
        "run",
        "simulate",
    }


def test_what_is_not_run_is_known() -> None:
    """Blocks marked `sh` are run by tests/walkthroughs, and those of clients.md by `make test-clients`."""
    found = {
        line
        for block in blocks()
        if not block.language and block not in CLIENTS
        for line in re.sub(r"\s*\\\n\s*", " ", block.text).splitlines()
        if OTHERS.fullmatch(line)
    }
    assert found == NOT_RUN


@pytest.mark.parametrize(
    "block", [pytest.param(each, id=each.name) for each in CLIENTS if each.language in TERMINAL]
)
def test_the_commands_for_other_clients_do_nothing_without_a_simulator(block: Block, desk: Desk) -> None:
    """The commands are pasted into a shell, which continues after a line that fails."""
    for name in ("az", "python"):
        desk.program(name, f'echo {name} "$@" >> {desk.directory}/ran')
    assert "VMSS_RECONCILER_ARM_ENDPOINT: parameter " in desk.complaints(["sh", "-i"], block.text)
    ran = desk.directory / "ran"
    lines = set(ran.read_text().splitlines() if ran.exists() else ())
    assert lines <= {"az account show --query tenantId --output tsv"}, "which asks no other machine"


@pytest.mark.parametrize(
    "block", [pytest.param(each, id=each.name) for each in CLIENTS if each.language == "python"]
)
def test_a_script_for_other_clients_reaches_nobody_without_a_simulator(block: Block, desk: Desk) -> None:
    complaint = desk.complaints([sys.executable, "-"], block.text).splitlines()[-1]
    # Not all libraries are installed here. `make test-clients` installs them and runs the scripts with a simulator.
    assert re.match("KeyError: 'VMSS_RECONCILER_ARM_ENDPOINT'|(ModuleNotFound|Import)Error: ", complaint)
    assert desk.reached() == []
