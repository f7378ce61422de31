"""Secrets that are planted in a running program appear in nothing that it shows.

What is searched: the log at its most verbose, every page, the metrics, the output of the commands that a person runs,
and the argument list of the process. `git/test_credentials.py` searches the clone, and the argument lists of git.
"""

import hmac
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from reconciler.simulator import Status
from tests.cli.program import Azure, Daemon, bare, invoke, reconciler, until, write_specs
from tests.git.certificate import certificate
from tests.git.forge import Forge, serve
from tests.stories.world import OLD, spec

GIT, PROXY, WEBHOOK = "canary-of-git", "canary-of-the-proxy", "canary-of-webhooks"
# How every token of Azure begins, and those of the simulator.
TOKEN = "eyJ"
PAGES = ("/", "/livez", "/readyz", "/metrics", "/status", "/status?format=text", "/nowhere")
LISTS = "VirtualMachineScaleSets_ListAll"


def found_in(text: str, *more: str) -> list[str]:
    return [each for each in (GIT, PROXY, WEBHOOK, TOKEN, *more) if each in text]


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    """A private repository with the spec of web, over HTTPS."""
    tree, bare_ = tmp_path / "tree", tmp_path / "remotes" / "fleet.git"
    write_specs(tree / "specs", spec("web", version=OLD))
    subprocess.run(["git", "init", "--quiet", "-b", "main", tree], check=True)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, "-C", tree, "add", "."], check=True)
    subprocess.run(["git", *who, "-C", tree, "commit", "--quiet", "-m", "Declare web"], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", tree, bare_], check=True)
    with serve(bare_.parent, certificate(tmp_path, "localhost")) as served:
        served.user = f"x-access-token:{GIT}"
        yield served


def post_webhook(url: str, secret: str) -> int:
    """Send a webhook that is signed with this secret. Returns the status of the response."""
    signature = "sha256=" + hmac.new(secret.encode(), b"{}", sha256).hexdigest()
    request = urllib.request.Request(url, b"{}", {"X-Signature": signature}, method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_daemon_shows_no_secret_when_all_is_well_and_when_all_fails(
    world: Azure, forge: Forge, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(GIT)
    (tmp_path / "webhook").write_text(WEBHOOK)
    header = world.environment["IDENTITY_HEADER"]
    environment = {
        **world.environment,
        "VMSS_RECONCILER_GIT": f"https://localhost:{forge.server_port}/fleet.git",
        "VMSS_RECONCILER_GIT_TOKEN_FILE": str(tmp_path / "token"),
        "VMSS_RECONCILER_WEBHOOK_LISTEN": "127.0.0.1:0",
        "VMSS_RECONCILER_WEBHOOK_SECRET_FILE": str(tmp_path / "webhook"),
        "GIT_SSL_CAINFO": str(tmp_path / "localhost.pem"),
        "HTTPS_PROXY": f"http://ada:{PROXY}@127.0.0.1:9",
        "NO_PROXY": "localhost,127.0.0.1",
    }
    options = ("--log-level", "debug", "--log-format", "json")
    seen: list[str] = []

    with Daemon(*options, env=environment, cwd=tmp_path) as daemon:

        def look() -> None:
            seen.extend(daemon.get(page)[1] for page in PAGES)
            for command in (("status", "-o", "json"), ("status",), ("why", "web")):
                done = reconciler(*command, "--server", daemon.url, env=bare(), cwd=tmp_path)
                seen.extend((*done.out, *done.err))

        text = (tmp_path / "daemon.log").read_text
        until(lambda: "all 3 instances run" in text(), text)
        daemon.url = text().split("listening on ")[1].split('"')[0].split()[0]
        look()

        forge.user = "x-access-token:another"
        message = f"The token {TOKEN}hbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln is not accepted"
        world.simulator.faults.arm(LISTS, Status(403, "AuthorizationFailed", message), times=None)
        until(lambda: "refused the credentials" in text() and "AuthorizationFailed" in text(), text)
        look()
        shown = reconciler("config", env=environment, cwd=tmp_path)
        seen.extend((*shown.out, *shown.err, text(), Path(f"/proc/{daemon.pid}/cmdline").read_text()))

    assert any("Ready" in each for each in seen), "the pages were read"
    assert any("AuthorizationFailed" in each for each in seen), "the failures were shown"
    assert [(each, canaries) for each in seen if (canaries := found_in(each, header))] == []


@pytest.mark.parametrize("command", ["plan", "status", "check"])
@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(
            {"HTTPS_PROXY": f"http://ada:{PROXY}@127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}, id="a proxy"
        ),
        pytest.param(
            {"HTTPS_PROXY": f"http://ada:{PROXY}@nobody.invalid:9", "no_proxy": "", "NO_PROXY": ""},
            id="an unknown proxy",
        ),
        pytest.param(
            {"VMSS_RECONCILER_GIT": f"https://ada:{GIT}@127.0.0.1:9/fleet.git"}, id="a password in a URL"
        ),
        pytest.param(
            {"VMSS_RECONCILER_ARM_ENDPOINT": f"https://ada:{GIT}@127.0.0.1:9"}, id="a password in an endpoint"
        ),
    ],
)
def test_an_address_with_a_password_that_is_out_of_reach_is_shown_without_it(
    command: str, variables: dict[str, str], world: Azure, tmp_path: Path
) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    done = invoke(command, env={**world.environment, **variables}, cwd=tmp_path)
    assert done.code != 0
    shown = "\n".join((*done.out, *done.err, done.announced))
    assert "127.0.0.1" in shown or "nobody" in shown or "proxy" in shown.lower()
    assert found_in(shown) == []
