"""The author of a declaration, as recorded in git."""

from dataclasses import dataclass

LONGEST_NAME = 100
"""The maximum number of characters in the name of a person, as in `suspend.by`."""


def is_person_name(text: str) -> bool:
    r"""Whether the text can be the name of a person or an application: one short printable line.

    >>> is_person_name("ada@example.com"), is_person_name(" "), is_person_name("a\x1b[2J")
    (True, False, False)
    """
    return len(text) <= LONGEST_NAME and text.isprintable() and bool(text.strip())


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
        """Whether `name` is the author's name or email address, ignoring case.

        >>> Author("Ada", "ada@example.com").is_called("ADA@example.com")
        True
        """
        return bool(name) and name.casefold() in {self.name.casefold(), self.email.casefold()}
