"""The result of an act."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActResult:
    """What was done, and what was not done and why. Each entry is a line."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """The result in one word: "done", "partial" or "failed"."""
        if not self.failed:
            return "done"
        return "partial" if self.done else "failed"
