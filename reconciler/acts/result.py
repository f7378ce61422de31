"""The result of an act."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActResult:
    """What was done, and what failed, with the reason. Each entry is one line."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """The result in one word: "done", "partial" or "failed"."""
        if not self.failed:
            return "done"
        return "partial" if self.done else "failed"
