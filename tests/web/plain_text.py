"""Whether what others have written is text on a page, and nothing else."""

from html.parser import HTMLParser

from tests.web.stores import HOSTILE


class Reader(HTMLParser):
    """The tags of a document, its attributes, and its text outside of tags."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._text: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._text).split())


def assert_text(document: str, *, scripts: int) -> None:
    """Assert that HOSTILE is only text in a document with so many scripts of our own."""
    found = Reader(document)
    assert "img" not in found.tags
    assert found.tags.count("script") == scripts
    assert [name for name, _ in found.attributes if name.startswith("on")] == []
    assert "\u202e" not in document
    assert "49" not in found.text.split(), "a template was evaluated"
    assert HOSTILE not in document
