"""`python -m tests.prose`: measures how pages and names read, and exits 1 if they are beyond a limit.

Prints the words per sentence of every page, then each place that is beyond a limit. Sentences are counted in
paragraphs, list items and table cells, but not in headings and code blocks. A code span counts as one word,
a link as its text. A fragment of one or two words is a label and no sentence.

Only what can be counted without judgement has a limit. Semicolons are printed for information.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MEAN_LIMIT = 19.0  # words per sentence of a page
NINE_IN_TEN_LIMIT = 32  # words that nine sentences in ten of a page may have
PARTICIPLE_LIMIT = 0.02  # of the functions in reconciler/
LABEL = 2  # words

PHRASES = (
    "ailing",
    "all the same",
    "anew",
    "as it stands",
    "in vain",
    "is told",
    "mend",
    "mended",
    "mends",
    "nor do",
    "nor does",
    "of which",
    "sick",
    "so many",
    "somebody else's",
    "such a",
    "such an",
    "the same of",
    "trouble",
    "whatever it was",
    "whoever",
)

_PHRASE = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b".replace(" ", r"\s+"), re.IGNORECASE)
_IRREGULAR = re.compile(
    "bound|built|caught|chosen|done|drawn|foreseen|found|given|gone|got|held|kept|known|left|lost|made|met|paid|"
    "retold|said|seen|sent|shown|spent|struck|taken|told|won|written"
)
_OTHER_WORDS = "bleed|breed|embed|exceed|feed|heed|hundred|need|proceed|seed|shed|speed|succeed"
_REGULAR = re.compile(rf"(?!(?:{_OTHER_WORDS})$)[a-z]{{2,}}ed")
_DEPENDENT = re.compile(r"(?:test_)?(?:nor|so|but|and)(?:[ _]|$)")

_CODE_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"(`+)(?:(?!\n\n).)+?\1", re.DOTALL)
_LINK_TARGET = re.compile(r"(?<=\])\([^)\n]*\)")
_HEADING = re.compile(r"#+ ")
_LIST_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
_SENTENCE_END = re.compile(r"""(?<!e\.g)(?<!i\.e)[.!?]["')*]*\s+(?=["'(*\[]*[A-Z0-9])""")


@dataclass(frozen=True, slots=True)
class Figures:
    """How the sentences of a page read."""

    lengths: Sequence[int]  # in words, ascending
    semicolons: int

    @property
    def mean(self) -> float:
        return sum(self.lengths) / max(1, len(self.lengths))

    @property
    def nine_in_ten(self) -> int:
        """The length that nine sentences in ten do not exceed."""
        return self.lengths[-(-9 * len(self.lengths) // 10) - 1] if self.lengths else 0

    def __str__(self) -> str:
        share = self.semicolons / max(1, len(self.lengths))
        return f"{len(self.lengths):9} {self.mean:5.1f} {self.nine_in_ten:4} {share:10.2f}"


def main() -> None:
    """Exit 1 if anything is beyond its limit."""
    pages = {str(path.relative_to(ROOT)): path.read_text() for path in _pages()}
    print(f"{'':28} sentences  mean  p90 semicolons")
    for name, text in (*pages.items(), ("all pages", "\n\n".join(pages.values()))):
        print(f"{name:28} {figures(text)}")
    names = [name for path in (ROOT / "reconciler").rglob("*.py") for name in functions(path.read_text())]
    print(f"{_participle_share(names):.1%} of {len(names)} functions are named by a participle")
    wrong = [
        line for name, text in pages.items() for line in (*long_sentences(name, text), *phrases(name, text))
    ]
    wrong += participles(names)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        wrong += dependent_ids(str(path.relative_to(ROOT)), path.read_text())
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


def figures(text: str) -> Figures:
    """The figures of a page in Markdown."""
    found = [each for each in sentences(text) if len(_words(each)) > LABEL]
    return Figures(sorted(len(_words(each)) for each in found), sum(each.count(";") for each in found))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a page, with "Code" in place of each code span."""
    for paragraph in _paragraphs(_without_code(text)):
        yield from _SENTENCE_END.split(paragraph)


def long_sentences(name: str, text: str) -> Iterator[str]:
    """One line for each limit on the length of sentences that a page exceeds."""
    of_page = figures(text)
    if of_page.mean > MEAN_LIMIT:
        yield f"{name}: {of_page.mean:.1f} words per sentence, at most {MEAN_LIMIT:g} are allowed"
    if of_page.nine_in_ten > NINE_IN_TEN_LIMIT:
        yield f"{name}: more than one sentence in ten has over {NINE_IN_TEN_LIMIT} words"


def phrases(name: str, text: str) -> Iterator[str]:
    """One line for each use of a phrase that no page uses. Code may use them."""
    plain = _without_code(text)
    for match in _PHRASE.finditer(plain):
        yield f"{name}:{plain.count(chr(10), 0, match.start()) + 1}: reword {' '.join(match[0].split())!r}"


def functions(source: str) -> Iterator[str]:
    """The names of all functions and methods of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def participles(names: Sequence[str]) -> list[str]:
    """The bare participles among the names of functions, if they are more than the limit allows."""
    if _participle_share(names) < PARTICIPLE_LIMIT:
        return []
    found = ", ".join(sorted({name for name in names if is_participle(name)}))
    return [f"at least {PARTICIPLE_LIMIT:.0%} of the functions are named by a participle: {found}"]


def is_participle(name: str) -> bool:
    """Whether the name of a function is a participle and nothing else."""
    word = name.strip("_")
    return bool(_IRREGULAR.fullmatch(word) or _REGULAR.fullmatch(word))


def dependent_ids(name: str, source: str) -> Iterator[str]:
    """One line for each test, and each id of a test, that makes sense only after the one before it."""
    for line, identifier in _test_ids(source):
        if _DEPENDENT.match(identifier):
            yield f"{name}:{line}: {identifier!r} makes sense only after another id: make it a sentence by itself"


def _test_ids(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name
        if isinstance(node, ast.keyword) and node.arg in {"id", "ids"}:
            for each in ast.walk(node.value):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield each.lineno, each.value


def _pages() -> Iterable[Path]:
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "reconciler/README.md")
    return (*(ROOT / name for name in names), *sorted((ROOT / "docs").rglob("*.md")))


def _without_code(text: str) -> str:
    """The same text, line by line, without code blocks and link targets, and with "Code" for a code span."""
    text = _CODE_BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)
    text = _CODE_SPAN.sub(lambda match: "Code" + "\n" * match[0].count("\n"), text)
    return _LINK_TARGET.sub("", text)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, list items and table cells. Headings end a paragraph and are none."""
    lines: list[str] = []
    for line in (*text.splitlines(), ""):
        is_cell, is_heading = line.startswith("|"), bool(_HEADING.match(line))
        if lines and (not line.strip() or is_cell or is_heading or _LIST_ITEM.match(line)):
            yield " ".join(lines)
            lines = []
        if is_cell:
            yield from (cell.strip() for cell in line.strip("|").split("|"))
        elif line.strip() and not is_heading:
            lines.append(_LIST_ITEM.sub("", line, count=1).strip())


def _words(sentence: str) -> list[str]:
    return [each for each in sentence.split() if any(character.isalnum() for character in each)]


def _participle_share(names: Sequence[str]) -> float:
    return sum(map(is_participle, names)) / max(1, len(names))


if __name__ == "__main__":
    main()
