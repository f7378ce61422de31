"""Which branches, tags and commits can be followed, and how each is named."""

import pytest

from reconciler.git import revision
from reconciler.git.revision import Revision


@pytest.mark.parametrize(
    "found, ref, shown",
    [
        pytest.param(revision.branch("main"), "refs/heads/main", "branch main", id="a branch by its name"),
        pytest.param(revision.branch("refs/heads/main"), "refs/heads/main", "branch main", id="a branch by its full name"),
        pytest.param(revision.branch("users/ada/fix-1"), "refs/heads/users/ada/fix-1", "branch users/ada/fix-1", id="a branch with slashes"),
        pytest.param(revision.tag("v1.0"), "refs/tags/v1.0", "tag v1.0", id="a tag by its name"),
        pytest.param(revision.tag("refs/tags/v1.0"), "refs/tags/v1.0", "tag v1.0", id="a tag by its full name"),
        pytest.param(revision.commit("A" * 40), "a" * 40, f"commit {'a' * 40}", id="a commit"),
        pytest.param(revision.commit("1" * 64), "1" * 64, f"commit {'1' * 64}", id="a commit of SHA-256"),
    ],
)  # fmt: skip
def test_a_revision_has_a_ref_and_a_name(found: Revision, ref: str, shown: str) -> None:
    assert (found.ref, str(found)) == (ref, shown)


@pytest.mark.parametrize(
    "kind, name, message",
    [
        pytest.param(revision.branch, "refs/tags/v1", "'refs/tags/v1' is a tag: use --tag", id="a tag as a branch"),
        pytest.param(revision.tag, "refs/heads/main", "'refs/heads/main' is a branch: use --branch", id="a branch as a tag"),
        pytest.param(revision.branch, "refs/heads/", "'refs/heads/' is not a valid branch name", id="a prefix alone"),
        pytest.param(revision.tag, "v1:x", "'v1:x' is not a valid tag name", id="a tag that is a refspec"),
        pytest.param(revision.commit, "1a2b3c", "'1a2b3c' is not the full id of a commit: write all 40 or 64 hexadecimal digits", id="an abbreviated commit"),
        pytest.param(revision.commit, "g" * 40, f"'{'g' * 40}' is not the full id of a commit: write all 40 or 64 hexadecimal digits", id="no hexadecimal number"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_followed_is_refused(kind: object, name: str, message: str) -> None:
    assert callable(kind)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared whole
        kind(name)
    assert str(raised.value) == message
