"""The calls to the git server. They ask for the current commit, and fetch commits and files.

If the server can send commits without files, the commits and directories of a revision are fetched first. The
files below the path follow, up to 2,000 in one request. If a request fails, everything that earlier requests
fetched is kept.
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
_FILES_AT_ONCE = 2000  # files in one fetch, so that little is lost if a connection is cut
_TRACE = "trace"  # the file in the clone to which git writes the packets of one call
_UNFILTERED = "unfiltered"  # a file in the clone that exists if the server cannot send single files


class RevisionMissing(Exception):
    """The server has no such revision. The message is one line."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A revision of a repository on a server."""

    address: Address
    revision: Revision
    credentials: Credentials

    def current(self, clone: Clone) -> str:
        """The id of the object that the revision names on the server.

        Raises RevisionMissing if the server has no such revision, and GitFailed if git fails.
        """
        if self.revision.is_fixed:
            return self.revision.name
        access = self._access()
        found = self._refs(clone, access, self.revision.ref)
        if sha := found.get(self.revision.ref):
            return sha
        raise RevisionMissing(self._missing(clone, access))

    def fetch(self, clone: Clone, ref: str, *how: str) -> None:
        """Fetch the revision into `ref`, without files if the server can leave them out.

        `how` are further options for `git fetch`. Raises GitFailed if git fails.
        """
        is_filtered = not (clone.repository / _UNFILTERED).exists()
        access = self._access(is_filtered=is_filtered)
        filtered = "--filter=blob:none" if is_filtered else "--no-filter"
        arguments = ["fetch", *_OPTIONS, *how, filtered, REMOTE, f"+{self.revision.ref}:{ref}"]
        clone.git(arguments, url=self.address.bare, access=access)

    def fetch_files(self, clone: Clone, ref: str, objects: Sequence[str]) -> None:
        """Fetch the files with these object ids.

        If the server cannot send single files, fetch the whole revision into `ref` again, with all files.
        Raises GitFailed if git fails.
        """
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
        """An `Access` that lets git fetch a missing file on demand.

        Raises GitFailed if there are no credentials.
        """
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
        """The object id of each matching ref on the server.

        Raises GitFailed if git fails, or if the response does not come from a git server.
        """
        found = _parse_refs(clone.git(["ls-remote", REMOTE, *patterns], url=self.address.bare, access=access))
        if not found and self.address.bare.lower().startswith("http"):
            self._expect_git(clone, access)
        return found

    def _expect_git(self, clone: Clone, access: Access) -> None:
        """Raise GitFailed if the server does not speak git's protocol.

        git mistakes an empty or one-line web page for a repository without refs. A trace shows whether the
        server has sent any packets of the protocol.
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
        """The error for a revision that the server does not have. Suggests names that the server has."""
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
