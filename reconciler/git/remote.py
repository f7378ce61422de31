"""The calls to the server: which commit is current there, and what git fetches.

The commits and directories of a revision are fetched without its files where the server can do that, and then
the files below the path in one request. What one request has fetched is kept if the next one fails.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.git import failure
from reconciler.git.address import Address, display
from reconciler.git.clone import PARTIAL, REMOTE, Clone
from reconciler.git.credentials import Access, Credentials, CredentialsMissing
from reconciler.git.program import GitFailed
from reconciler.git.revision import Revision, is_commit_id
from reconciler.spec.wording import printable

_OPTIONS = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_NAMED = 5  # maximum number of branches or tags that a message lists
_FILES_AT_ONCE = 2000  # a fetch of more files is split, so that a connection that is cut loses little
_TRACE = "trace"  # a file in the repository for the packets of one call
_UNFILTERED = "unfiltered"  # a file in the repository: the server cannot send single files


class RevisionMissing(Exception):
    """The server has no such revision. The message is one line."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A revision of a repository on a server."""

    address: Address
    revision: Revision
    credentials: Credentials

    def current(self, clone: Clone) -> str:
        """The object that the revision names on the server. Raises GitFailed and RevisionMissing."""
        if self.revision.is_fixed:
            return self.revision.name
        access = self._access()
        found = self._refs(clone, access, self.revision.ref)
        if sha := found.get(self.revision.ref):
            return sha
        raise RevisionMissing(self._missing(clone, access))

    def fetch(self, clone: Clone, ref: str, *how: str) -> None:
        """Fetch the revision into `ref`, without files where the server can do that. Raises GitFailed."""
        is_filtered = not (clone.repository / _UNFILTERED).exists()
        access = self._access(is_filtered=is_filtered)
        filtered = "--filter=blob:none" if is_filtered else "--no-filter"
        arguments = ["fetch", *_OPTIONS, *how, filtered, REMOTE, f"+{self.revision.ref}:{ref}"]
        clone.git(arguments, url=self.address.bare, access=access)

    def fetch_files(self, clone: Clone, ref: str, objects: Sequence[str]) -> None:
        """Fetch the files with these object ids. Raises GitFailed."""
        how = ("--no-auto-gc", "--filter=blob:none", "--stdin")
        arguments = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", *_OPTIONS, *how]
        access = self._access(is_filtered=True)
        try:
            for start in range(0, len(objects), _FILES_AT_ONCE):
                ids = "".join(f"{each}\n" for each in objects[start : start + _FILES_AT_ONCE])
                clone.git([*arguments, REMOTE], url=self.address.bare, access=access, stdin=ids.encode())
        except GitFailed as error:
            if error.name != failure.NOT_OFFERED.name:
                raise
            (clone.repository / _UNFILTERED).touch()
            self.fetch(clone, ref, "--refetch", "--depth=1")

    def lazy_access(self) -> Access:
        """Lets git fetch a file when it needs it. Raises GitFailed."""
        return self._access(is_filtered=True)

    def reason(self, error: GitFailed) -> str:
        """Why the revision could not be fetched, with a fix if one is known."""
        return f"{self.revision} of {display(self.address.bare)} cannot be fetched: {error.line}"

    def _access(self, *, is_filtered: bool = False) -> Access:
        try:
            access = self.credentials(self.address)
        except CredentialsMissing as error:
            raise GitFailed(str(error)) from error
        config = ((f"remote.{REMOTE}.url", self.address.bare), *(PARTIAL.config if is_filtered else ()))
        return replace(access, config=(*config, *access.config))

    def _refs(self, clone: Clone, access: Access, *patterns: str) -> dict[str, str]:
        """The refs of the server and their objects. Raises GitFailed, even if something else answers."""
        found = _parse_refs(clone.git(["ls-remote", REMOTE, *patterns], url=self.address.bare, access=access))
        if not found and self.address.bare.lower().startswith("http"):
            self._expect_git(clone, access)
        return found

    def _expect_git(self, clone: Clone, access: Access) -> None:
        """Raise GitFailed if the server does not answer in git's protocol.

        git takes an empty page, and one of a single line, for a repository without refs. A trace of the
        packets shows whether there were any.
        """
        trace = clone.repository / _TRACE
        trace.unlink(missing_ok=True)
        traced = replace(access, variables={**access.variables, "GIT_TRACE_PACKET": str(trace.absolute())})
        clone.git(["ls-remote", REMOTE, "HEAD"], url=self.address.bare, access=traced)
        is_git = trace.exists()
        trace.unlink(missing_ok=True)
        if not is_git:
            raise GitFailed(failure.NOT_GIT.message, failure.NOT_GIT.remedy)

    def _missing(self, clone: Clone, access: Access) -> str:
        """The error that the server does not have this revision, with the names that it has."""
        shown, kind = display(self.address.bare), self.revision.kind
        try:
            refs = self._refs(clone, access)
        except GitFailed:
            return f"{shown} has no {self.revision}"
        if not any(ref.startswith("refs/heads/") for ref in refs):
            return f"{shown} is empty: push the specs to its {self.revision}"
        for other, option in (("heads", "branch"), ("tags", "tag")):
            if option != kind and f"refs/{other}/{self.revision.name}" in refs:
                return f"{shown} has no {self.revision}: it is a {option}, so use --{option}"
        if is_commit_id(self.revision.name):
            return f"{shown} has no {self.revision}: if it is a commit, use --commit"
        prefix = "refs/heads/" if kind == "branch" else "refs/tags/"
        names = [each.removeprefix(prefix) for each in refs if each.startswith(prefix)]
        names = [each for each in names if not each.endswith("^{}")]
        near = difflib.get_close_matches(self.revision.name, names, n=1) or names[:_NAMED]
        plural = "branches" if kind == "branch" else "tags"
        existing = f"; existing {plural}: {printable(', '.join(near))}" if near else f"; it has no {plural}"
        return f"{shown} has no {self.revision}{existing}"


def _parse_refs(output: bytes) -> dict[str, str]:
    lines = (line.split("\t", 1) for line in output.decode(errors="replace").splitlines())
    return {fields[1]: fields[0] for fields in lines if len(fields) == 2}
