"""Every link between pages leads somewhere: the file is there and, where a place in it is named, the heading."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        ROOT / "reconciler" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
    }
)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?://|mailto:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What GitHub lets a link to a page end in: a heading in lower case, its signs removed, its spaces dashes."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def broken(page: Path, text: str) -> Iterator[str]:
    """The links in a text that lead nowhere, as they stand there."""
    for match in LINK.finditer(text):
        target = page.parent / match["file"] if match["file"] else page
        is_there = target.exists() and target.resolve().is_relative_to(ROOT)
        if not is_there or (match["anchor"] and match["anchor"] not in anchors(target)):
            yield match[0]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page, prose(page))) == []


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("[a](docs/metrics.md#alerts-worth-having)", [], id="a heading of another page"),
        pytest.param("[a](https://example.com/x#y)", [], id="a page of somebody else is not asked for"),
        pytest.param("[a](docs/nowhere.md)", ["](docs/nowhere.md)"], id="a file that is not there"),
        pytest.param("[a](docs/metrics.md#nowhere)", ["](docs/metrics.md#nowhere)"], id="no such heading"),
        pytest.param("[a](#nowhere)", ["](#nowhere)"], id="no such heading of its own"),
        pytest.param("[a](../elsewhere)", ["](../elsewhere)"], id="a file outside of the repository"),
    ],
)
def test_what_is_found(text: str, expected: list[str]) -> None:
    assert list(broken(ROOT / "README.md", text)) == expected


def test_every_page_of_docs_is_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (match["file"] for match in LINK.finditer(prose(page)) if match["file"].endswith(".md"))
        ahead += [(page.parent / link).resolve() for link in links]
    assert {page for page in PAGES if "docs" in page.parts} - reached == set()
