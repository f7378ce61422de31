"""The author of a declaration, as recorded in git."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Author:
    """The author of a commit.

    Name and address are not verified, because git records whatever its user has configured.
    """

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name

    def is_called(self, name: str) -> bool:
        """Whether this text is the name or the address of the author, ignoring case.

        >>> Author("Ada", "ada@example.com").is_called("ADA@example.com")
        True
        """
        return bool(name) and name.casefold() in {self.name.casefold(), self.email.casefold()}
