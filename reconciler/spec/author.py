"""Who wrote what is declared, as git tells it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Author:
    """The author of a commit. Nobody checks either: they are what somebody told their git."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name

    def is_called(self, name: str) -> bool:
        """Whether somebody of this name, or of this address, is taken for the author.

        >>> Author("Ada", "ada@example.com").is_called("ADA@example.com")
        True
        """
        return bool(name) and name.casefold() in {self.name.casefold(), self.email.casefold()}
