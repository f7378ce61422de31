"""The author of a declaration, as recorded in git."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Author:
    """The author of a commit. Name and address are not verified: git records what its user configured."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name

    def is_called(self, name: str) -> bool:
        """Whether a person with this name or address is treated as the author. Case is ignored.

        >>> Author("Ada", "ada@example.com").is_called("ADA@example.com")
        True
        """
        return bool(name) and name.casefold() in {self.name.casefold(), self.email.casefold()}
