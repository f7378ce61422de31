"""Wrong usage: one line that names place, cause and fix, before anything is done."""

import socket
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner

from reconciler.cli import main

TENANTS = [f"{digit * 8}-0000-0000-0000-000000000000" for digit in "1234"]
AZURE = {"AZURE_TOKEN_CREDENTIALS": "prod"}


@pytest.mark.parametrize(
    "line, error",
    [
        pytest.param(
            "plan --specs specs --git file:///fleet.git",
            "--specs and --git cannot be combined; choose one source of specs",
            id="two sources of specs",
        ),
        pytest.param(
            "plan --git ext::sh",
            "'ext::sh' names a remote helper, which is not allowed: use https, ssh or a path",
            id="a git helper",
        ),
        pytest.param(
            "plan --git file:///fleet.git --branch refs/tags/v1",
            "'refs/tags/v1' is a tag: use --tag",
            id="a tag where a branch is expected",
        ),
        pytest.param(
            "plan --git file:///fleet.git --tag v1 --branch main",
            "--branch, --tag and --commit cannot be combined; choose one revision",
            id="two revisions",
        ),
        pytest.param(
            "plan --git file:///fleet.git --commit 1a2b3c",
            "'1a2b3c' is not the full id of a commit: write all 40 or 64 hexadecimal digits",
            id="an abbreviated commit",
        ),
        pytest.param(
            "plan --git https://git.example.com/fleet.git --git-azure-identity --ssh-key id",
            "--git-token-file, --git-azure-identity, --github-app-id and --ssh-key cannot be combined; choose one kind of credentials",
            id="two kinds of credentials",
        ),
        pytest.param(
            "plan --git https://git.example.com/fleet.git --github-app-id 7",
            "--github-app-id, --github-app-installation and --github-app-key must be used together",
            id="half a GitHub App",
        ),
        pytest.param(
            "plan --git https://git.example.com/fleet.git --git-azure-identity",
            "--git-azure-identity requires a --git URL on https://dev.azure.com",
            id="the identity for another forge",
        ),
        pytest.param(
            "plan --git https://git.example.com/fleet.git --revoked-keys keys",
            "--revoked-keys requires --allowed-signers",
            id="revoked keys alone",
        ),
        pytest.param(
            "plan --git https://ada:hu/sh@git.example.com/fleet.git",
            "the repository URL cannot be parsed and is not shown, because it may contain credentials: write it like https://HOST/PATH, and special characters in a password as %XX",
            id="a password that makes the address ambiguous",
        ),
        pytest.param(
            "run --git file:///fleet.git --branch a..b",
            "'a..b' is not a valid branch name",
            id="an invalid branch",
        ),
        pytest.param(
            "status --git file:///fleet.git --path ../specs",
            "'../specs' is not a path inside the repository",
            id="a path out of the repository",
        ),
        pytest.param(
            "plan --git file:///fleet.git --clone fleet.yaml",
            "Invalid value for '--clone' (env var: 'VMSS_RECONCILER_CLONE'): Directory 'fleet.yaml' is a file.",
            id="a clone where a file is",
        ),
        pytest.param(
            "plan --arm-endpoint http://127.0.0.1:8443",
            "Invalid value for '--arm-endpoint' (env var: 'VMSS_RECONCILER_ARM_ENDPOINT'): \"http://127.0.0.1:8443\" is not an https:// URL, such as https://HOST",
            id="an endpoint without TLS",
        ),
        pytest.param(
            "plan --arm-endpoint https://",
            "Invalid value for '--arm-endpoint' (env var: 'VMSS_RECONCILER_ARM_ENDPOINT'): \"https://\" is not an https:// URL, such as https://HOST",
            id="an address without a host",
        ),
        pytest.param(
            "plan --arm-endpoint https://[::1",
            "Invalid value for '--arm-endpoint' (env var: 'VMSS_RECONCILER_ARM_ENDPOINT'): \"https://[::1\" is not an https:// URL, such as https://HOST",
            id="an incomplete address",
        ),
        pytest.param(
            "plan --arm-endpoint https://ada:hush@azure",
            "Invalid value for '--arm-endpoint' (env var: 'VMSS_RECONCILER_ARM_ENDPOINT'): \"https://…@azure\" is not an https:// URL, such as https://HOST",
            id="a password in the address",
        ),
        pytest.param(
            "plan --auxiliary-tenant vendor.example.com",
            "Invalid value for '--auxiliary-tenant' (env var: 'VMSS_RECONCILER_AUXILIARY_TENANTS'): 'vendor.example.com' is not a tenant id, such as 11111111-1111-1111-1111-111111111111",
            id="a tenant by its domain",
        ),
        pytest.param(
            f"adopt --subscription {TENANTS[0]} {' '.join(f'--auxiliary-tenant {each}' for each in TENANTS)}",
            "Invalid value for '--auxiliary-tenant' (env var: 'VMSS_RECONCILER_AUXILIARY_TENANTS'): 4 tenants are too many; Azure accepts tokens from at most 3",
            id="more tenants than Azure takes",
        ),
        pytest.param(
            "run --arm-endpoint https://azure:port",
            "Invalid value for '--arm-endpoint' (env var: 'VMSS_RECONCILER_ARM_ENDPOINT'): \"https://azure:port\" is not an https:// URL, such as https://HOST",
            id="an invalid port in the address",
        ),
        pytest.param(
            "status --server daemon:8080",
            "Invalid value for '--server' (env var: 'VMSS_RECONCILER_SERVER'): \"daemon:8080\" is not an http:// or https:// URL, such as https://HOST",
            id="a daemon without a scheme",
        ),
        pytest.param(
            "run --tls-cert /dev/null",
            "--tls-cert and --tls-key must be used together",
            id="a certificate without its key",
        ),
        pytest.param(
            "run --tls-cert /dev/null --tls-key /dev/null",
            "--tls-cert, --tls-key: /dev/null and /dev/null are no certificate with its key, in PEM and without a "
            "passphrase (unreadable)",
            id="an empty certificate",
        ),
        pytest.param(
            "run --listen 8080",
            "Invalid value for '--listen' (env var: 'VMSS_RECONCILER_LISTEN'): '8080' is not of the form HOST:PORT, such as 127.0.0.1:8080",
            id="a port without a host",
        ),
        pytest.param(
            "run --listen 127.0.0.1:99999",
            "Invalid value for '--listen' (env var: 'VMSS_RECONCILER_LISTEN'): the port 99999 is too large; write 65535 or less",
            id="a port out of range",
        ),
        pytest.param(
            "run --sweep 0s",
            "Invalid value for '--sweep' (env var: 'VMSS_RECONCILER_SWEEP'): '0s' is not a duration of at least a second; write it like 15s, 5m or 1h30m",
            id="an interval of zero",
        ),
        pytest.param(
            "run --git file:///fleet.git --git-timeout 0s",
            "Invalid value for '--git-timeout' (env var: 'VMSS_RECONCILER_GIT_TIMEOUT'): '0s' is not a duration of at least a second; write it like 15s, 5m or 1h30m",
            id="no time for git",
        ),
        pytest.param(
            "run --until-settled --timeout soon",
            "Invalid value for '--timeout': 'soon' is not a duration of at least a second; write it like 15s, 5m or 1h30m",
            id="a word for a duration",
        ),
        pytest.param(
            "run --timeout 5m", "--timeout needs --until-settled", id="--timeout without --until-settled"
        ),
        pytest.param(
            "run --once --until-settled",
            "--once and --until-settled cannot be combined",
            id="--once with --until-settled",
        ),
        pytest.param(
            "comment --key a--b",
            "Invalid value for '--key': 'a--b' is not a key, such as plan or plan/prod; write at most 64 letters and digits, with single . _ / or - in between",
            id="a key that could end the marker",
        ),
        pytest.param(
            "comment --timeout 0s",
            "Invalid value for '--timeout': '0s' is not a duration of at least a second; write it like 15s, 5m or 1h30m",
            id="no time for a comment",
        ),
        pytest.param("check web", "Got unexpected extra argument (web)", id="a NAME for check"),
        pytest.param("simulate", "Missing argument 'FLEET'.", id="no fleet file"),
        pytest.param(
            "simulate fleet.yaml --port 99999",
            "Invalid value for '--port': 99999 is not in the range 0<=x<=65535.",
            id="an invalid port of the simulation",
        ),
        pytest.param("simulate fleet.yaml --", "COMMAND is missing after --", id="an empty COMMAND"),
        pytest.param(
            "simulate fleet.yaml ls",
            "unexpected argument 'ls'; write -- before COMMAND",
            id="a COMMAND without --",
        ),
        pytest.param(
            "simulate fleet.yaml --check -- ls",
            "--check and COMMAND cannot be combined: --check serves nothing",
            id="--check with COMMAND",
        ),
        pytest.param(
            "simulate fleet.yaml --check --env-file azure.env",
            "--check and --env-file cannot be combined: --check serves nothing",
            id="--check with --env-file",
        ),
        pytest.param(
            "simulate fleet.yaml --port abc",
            "Invalid value for '--port': 'abc' is not a valid port number.",
            id="a port of the simulation that is a word",
        ),
        pytest.param("dismiss", "Missing argument 'NAMES...'.", id="no orphan to dismiss"),
        pytest.param(
            "pause --all",
            "Missing option '--reason'. For example: --reason \"checkout is down\"",
            id="a pause without a reason",
        ),
        pytest.param(
            "report web",
            "Missing option '--html'. For example: --html report.html",
            id="a report without a file to write",
        ),
        pytest.param(
            "apply", "no command is named 'apply'; did you mean `reconciler run`?", id="a verb of others"
        ),
        pytest.param(
            "staus", "no command is named 'staus'; did you mean `reconciler status`?", id="a misspelt verb"
        ),
        pytest.param(
            "xyzzy",
            "no command is named 'xyzzy'; run `reconciler --help` to see the commands",
            id="an unknown verb",
        ),
        pytest.param(
            "status -l !team",
            "Invalid value for '-l' / '--selector': '!team' is not a requirement; write it like team=web, team!=web or team",
            id="a label that must not exist",
        ),
        pytest.param(
            "status -l team-in(web,api)",
            "Invalid value for '-l' / '--selector': 'team-in(web' is not a requirement; write it like team=web, team!=web or team",
            id="a set in a selector",
        ),
        pytest.param(
            "pause -l env!=(prod) --reason x",
            "Invalid value for '-l' / '--selector': 'env!=(prod)' is not a requirement; write it like team=web, team!=web or team",
            id="a value that no label can have",
        ),
        pytest.param(
            "validate --shard emea --shard-selector region!=(apac)",
            "Invalid value for '--shard-selector' (env var: 'VMSS_RECONCILER_SHARD_SELECTOR'): 'region!=(apac)' is not a requirement; write it like team=web, team!=web or team",
            id="a value that no label can have, in a shard",
        ),
    ],
)
def test_wrong_usage_is_reported_in_one_line(
    line: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").touch()
    done = CliRunner(env=AZURE).invoke(main, line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {error}"


@pytest.mark.parametrize("line", ["run --once", "plan", f"adopt --subscription {TENANTS[0]}"])
def test_an_empty_endpoint_does_not_mean_the_real_azure(line: str) -> None:
    done = CliRunner(env={**AZURE, "VMSS_RECONCILER_ARM_ENDPOINT": ""}).invoke(main, line.split())
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "error: VMSS_RECONCILER_ARM_ENDPOINT is empty; set a value, or unset it for "
        "https://management.azure.com"
    )


VARIABLES = (
    "ALLOW_CHECK_HOSTS",
    "ALLOWED_SIGNERS",
    "ARM_ENDPOINT",
    "AUXILIARY_TENANTS",
    "BRANCH",
    "CLONE",
    "COMMIT",
    "CONFIG",
    "CONTEXT",
    "GIT",
    "GITHUB_APP_ID",
    "GITHUB_APP_INSTALLATION",
    "GITHUB_APP_KEY",
    "GIT_AZURE_IDENTITY",
    "GIT_TIMEOUT",
    "GIT_TOKEN_FILE",
    "LISTEN",
    "LIST_BY",
    "LEADER_ELECT",
    "LEADER_ELECT_LEASE_DURATION",
    "LEADER_ELECT_RENEW_DEADLINE",
    "LEADER_ELECT_RESOURCE_NAME",
    "LEADER_ELECT_RESOURCE_NAMESPACE",
    "LEADER_ELECT_RETRY_PERIOD",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "OPENPGP_KEYS",
    "PAGE_GRANTS",
    "PAGE_GROUPS_HEADER",
    "PAGE_PROXIES",
    "PAGE_USER_HEADER",
    "PATH",
    "PAUSE_TAG",
    "PROBE_LISTEN",
    "REQUEUE_AFTER",
    "REVOKED_KEYS",
    "SERVER",
    "SHARD",
    "SHARD_SELECTOR",
    "SHARD_SUBSCRIPTIONS",
    "SOURCE_MAX_AGE",
    "SPECS",
    "SSH_KEY",
    "SSH_KNOWN_HOSTS",
    "SWEEP",
    "WEBHOOK_LISTEN",
    "WEBHOOK_SECRET_FILE",
    "TAG",
    "TLS_CERT",
    "TLS_KEY",
)


def variables(command: Command) -> set[str]:
    return {each.envvar for each in command.params if isinstance(each.envvar, str)}


def test_every_variable_has_the_prefix_and_is_listed_here() -> None:
    named = {name for command in main.commands.values() for name in variables(command)}
    assert named == {f"VMSS_RECONCILER_{each}" for each in VARIABLES}


@pytest.mark.parametrize("value", [pytest.param("x", id="set"), pytest.param("", id="empty")])
@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_under_its_former_name_is_refused_with_the_new_one(name: str, value: str) -> None:
    verb = next(
        verb for verb, command in main.commands.items() if f"VMSS_RECONCILER_{name}" in variables(command)
    )
    done = CliRunner(env={**AZURE, f"RECONCILER_{name}": value}).invoke(main, [verb])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"error: rename these environment variables: RECONCILER_{name} to VMSS_RECONCILER_{name}"
    )


def test_a_former_option_is_refused_with_the_new_one() -> None:
    done = CliRunner(env=AZURE).invoke(main, ["run", "--follow-up", "15s"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "error: --follow-up has been renamed; write --requeue-after"


def test_a_variable_of_a_former_option_is_refused_with_the_new_one() -> None:
    done = CliRunner(env={**AZURE, "VMSS_RECONCILER_FOLLOW_UP": "15s"}).invoke(main, ["run"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "error: rename these environment variables: VMSS_RECONCILER_FOLLOW_UP to "
        "VMSS_RECONCILER_REQUEUE_AFTER"
    )


def test_several_former_variables_are_named_at_once_though_the_new_ones_are_set_too() -> None:
    env = {"RECONCILER_PATH": "a", "RECONCILER_GIT": "b", "VMSS_RECONCILER_GIT": "c"}
    done = CliRunner(env=env).invoke(main, ["plan"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "error: rename these environment variables: RECONCILER_GIT to VMSS_RECONCILER_GIT, "
        "RECONCILER_PATH to VMSS_RECONCILER_PATH"
    )


def test_a_variable_that_kubernetes_sets_for_a_service_is_ignored(tmp_path: Path) -> None:
    env = {"RECONCILER_PORT": "tcp://10.0.0.1:8080", "RECONCILER_SERVICE_HOST": "10.0.0.1"}
    done = CliRunner(env=env).invoke(main, ["validate", str(tmp_path)])
    assert "rename" not in done.output


EMPTY = {
    "plan": ["specs", "git", "branch", "path", "clone", "arm-endpoint", "auxiliary-tenants", "list-by"],
    "run": ["sweep", "requeue-after", "listen", "allow-check-hosts"],
    "status": ["server", "git"],
    "check": ["git"],
}


@pytest.mark.parametrize(
    "verb, option", [(verb, each) for verb, options in EMPTY.items() for each in options]
)
def test_an_empty_variable_is_an_error(verb: str, option: str) -> None:
    variable = f"VMSS_RECONCILER_{option.upper().replace('-', '_')}"
    done = CliRunner(env={**AZURE, variable: ""}).invoke(main, [verb])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"error: {variable} is empty; set a value, or unset it")


@pytest.mark.parametrize(
    "line, name",
    [
        (["plan", "--git", ""], "--git"),
        (["plan", "--specs", "specs", "--git", ""], "--git"),
        (["run", "--specs", ""], "--specs"),
        (["plan", "--clone="], "--clone"),
        (["adopt", "--subscription", ""], "--subscription"),
        (["approve", ""], "NAMES"),
        (["dismiss", "web", ""], "NAMES"),
        (["why", ""], "NAME"),
        (["validate", "specs", ""], "PATHS"),
        (["comment", ""], "FILE"),
        (["comment", "--key", ""], "--key"),
        (["simulate", "--check", ""], "FLEET"),
        (["simulate", "fleet.yaml", "--env-file", ""], "--env-file"),
        (["simulate", "fleet.yaml", "--certificates", ""], "--certificates"),
        (["simulate", "fleet.yaml", "--", ""], "COMMAND"),
    ],
)
def test_an_empty_argument_is_an_error(line: list[str], name: str) -> None:
    done = CliRunner(env=AZURE).invoke(main, line)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {name} is empty; set a value, or omit it"


def test_a_variable_may_be_empty_if_the_option_is_set() -> None:
    done = CliRunner(env={**AZURE, "VMSS_RECONCILER_GIT": ""}).invoke(main, ["plan", "--git", "ext::sh"])
    assert "names a remote helper" in done.stderr


def test_an_unknown_credential_is_reported_with_the_known_ones() -> None:
    done = CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "guess"}).invoke(main, ["plan"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(
        "error: Invalid value for AZURE_TOKEN_CREDENTIALS: guess. Valid values are: dev, prod, "
    )


def test_a_port_in_use_is_reported_with_its_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = CliRunner(env=AZURE).invoke(main, ["run", "--listen", address])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: cannot listen on {address}: Address already in use; choose another address with --listen"
    ]


@pytest.mark.parametrize(
    "verb",
    ["adopt", "check", "comment", "dismiss", "plan", "retry", "run", "simulate", "status", "validate", "why"],
)
def test_every_verb_has_help_that_begins_with_a_sentence(verb: str) -> None:
    done = CliRunner().invoke(main, [verb, "--help"])
    listed = CliRunner().invoke(main, ["--help"], terminal_width=100)
    sentence = done.stdout.splitlines()[2].strip()
    assert done.exit_code == 0
    assert f"  {verb:<12}{sentence}" in listed.stdout.splitlines()
