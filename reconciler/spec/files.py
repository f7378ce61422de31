"""Spec files: which names count as spec files, and how large a file may be."""

from dataclasses import dataclass

from reconciler.spec.problem import Problem, problem_of

LIMIT = 1024 * 1024  # bytes; a spec takes about 500, so one file can hold two thousand specs
TOTAL_LIMIT = 64 * LIMIT  # bytes of all files of a source, which are kept in memory
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class File:
    """A spec file from a directory or from git. `path` is the path that messages print."""

    path: str
    content: bytes


def is_spec(name: str) -> bool:
    """Whether a file with this name is read as a spec file."""
    return name.endswith(_ENDINGS)


def is_hidden(name: str) -> bool:
    """Whether a search skips this name, such as .git, a lock file, or ..data in a ConfigMap volume."""
    return name.startswith(".")


def size_problem(path: str, size: int) -> Problem:
    """The problem for a file that is larger than `LIMIT`. `size` is in bytes."""
    return problem_of(path, f"is {size:,} bytes, over the limit of {LIMIT:,}: split it into several files")
