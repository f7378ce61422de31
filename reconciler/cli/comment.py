"""`reconciler comment`: post text on a pull request, as one comment that is updated in place."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.duration import Duration
from reconciler.cli.verb import Verb
from reconciler.forge.environment import CIS
from reconciler.forge.marker import LONGEST_KEY, is_key
from reconciler.spec.wording import shorten


class Key(click.ParamType[str]):
    """The key of a comment: short, and safe in HTML."""

    name = "key"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_key(value):
            self.fail(
                f"{shorten(value)!r} is not a key, such as plan or plan/prod; write at most {LONGEST_KEY} "
                "letters and digits, with single . _ / or - in between",
                param,
                ctx,
            )
        return value


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option(
    "--key",
    type=Key(),
    default="plan",
    show_default=True,
    help="Name of the comment; each key has its own comment.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="2m",
    show_default=True,
    help="How long to retry when the forge limits or fails requests.",
)
@click.option("--forge", type=click.Choice(list(CIS)), help="The forge.  [default: by the CI]")
@click.option("--api-url", metavar="URL", help="The API of the forge.  [default: by the CI]")
@click.option(
    "--repository",
    help="OWNER/NAME, a GitLab project, or PROJECT/REPOSITORY of Azure DevOps.  [default: by the CI]",
)
@click.option("--pull-request", metavar="NUMBER", help="The pull request.  [default: by the CI]")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the token.  [default: GITHUB_TOKEN, GITLAB_TOKEN or SYSTEM_ACCESSTOKEN]",
)
def comment(**given: Any) -> None:
    """Post text on a pull request, as one comment that is kept.

    FILE contains the text (default: standard input). The environment variables of GitHub Actions, GitLab CI
    or Azure Pipelines identify the pull request. A comment that the same account already made with the same
    key is updated, unless the text is unchanged.
    """
    from reconciler.cli.acts.comment import act

    act(**given)
