"""`reconciler comment` as a job of a CI runs it."""

import os
from collections.abc import Iterable

from click.testing import CliRunner, Result

from reconciler.cli import main
from tests.forge.server import Forge

_OF_CI = ("GITHUB_", "GITLAB_", "CI_", "SYSTEM_", "BUILD_", "TF_BUILD", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def job(variables: dict[str, str]) -> dict[str, str | None]:
    """The environment of a job with these variables, whatever CI runs the tests. None unsets a variable."""
    own = {name: None for name in os.environ if name.startswith(_OF_CI) or name in _PROXIES}
    return {**own, **variables}


def comment(
    forge: Forge, text: str = "the plan", *options: str, unset: Iterable[str] = (), **variables: str
) -> Result:
    """Comment on the pull request in a job of this forge's CI. No output shows the token."""
    kept = {name: value for name, value in forge.variables.items() if name not in unset}
    done = CliRunner(env=job({**kept, **variables})).invoke(main, ["comment", *options], input=text)
    assert forge.token not in done.output
    assert "Traceback" not in done.output
    return done
