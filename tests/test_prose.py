"""Each limit of `python -m tests.prose` detects violations and nothing else."""

import pytest

from tests.prose import (
    dependent_ids,
    figures,
    functions,
    is_participle,
    long_sentences,
    participles,
    phrases,
    sentences,
)

PAGE = """\
# A heading of a page is not a sentence

The daemon reads the specs, e.g. from [a branch](https://example.com/of/which); it then
lists the scale sets. `plan` changes nothing.

```yaml
sick: all the same   # a comment
```

- **Note.** An item ends
  here.
- Another one

| column | what it says |
|---|---|
| `a b c` | The first cell. The second sentence. |
"""


def words(number: int) -> str:
    return " ".join(["word"] * number)


def test_sentences_are_those_of_paragraphs_items_and_cells() -> None:
    assert [each for each in sentences(PAGE) if len(each.split()) > 2] == [
        "The daemon reads the specs, e.g. from [a branch]; it then lists the scale sets",
        "Code changes nothing.",
        "An item ends here.",
        "what it says",
        "The first cell",
        "The second sentence.",
    ]


def test_figures_count_words_and_semicolons() -> None:
    assert (figures(PAGE).lengths, figures(PAGE).semicolons) == ([3, 3, 3, 3, 4, 15], 1)
    assert figures(PAGE).mean == pytest.approx(31 / 6)
    assert figures(PAGE).nine_in_ten == 15
    assert figures("").mean == figures("").nine_in_ten == 0


@pytest.mark.parametrize(
    "lengths, says",
    [
        pytest.param([19] * 10, [], id="the average is at its limit"),
        pytest.param(
            [19] * 9 + [20],
            ["a.md: 19.1 words per sentence, at most 19 are allowed"],
            id="the average is beyond its limit",
        ),
        pytest.param([10] * 8 + [32, 60], [], id="one sentence in ten is long"),
        pytest.param(
            [10] * 8 + [33, 60],
            ["a.md: more than one sentence in ten has over 32 words"],
            id="two sentences in ten are long",
        ),
    ],
)
def test_long_sentences_are_limited(lengths: list[int], says: list[str]) -> None:
    assert list(long_sentences("a.md", "\n\n".join(map(words, lengths)))) == says


@pytest.mark.parametrize(
    "text, says",
    [
        pytest.param("It waits in vain.", ["a.md:1: reword 'in vain'"], id="a phrase"),
        pytest.param("One\n\nSuch\nan image", ["a.md:3: reword 'Such an'"], id="a phrase across two lines"),
        pytest.param("| Mend it |", ["a.md:1: reword 'Mend'"], id="a phrase in a table"),
        pytest.param("A recommended amendment", [], id="a longer word"),
        pytest.param("The state `sick` and\n```\ntrouble\n```", [], id="code"),
    ],
)
def test_phrases_that_no_page_may_use_are_reported(text: str, says: list[str]) -> None:
    assert list(phrases("a.md", text)) == says


@pytest.mark.parametrize("name", ["told", "_held", "weighed", "__added"])
def test_a_name_that_is_a_participle_is_recognized(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize(
    "name", ["need", "seed", "_feed", "embed", "shed", "red", "added_tags", "is_held", "read"]
)
def test_a_name_that_is_not_a_participle_is_accepted(name: str) -> None:
    assert not is_participle(name)


def test_participles_are_limited() -> None:
    source = "def told(): ...\nclass A:\n    async def _held(self): ...\n    def hold(self): ..."
    assert participles(list(functions(source))) == [
        "at least 2% of the functions are named by a participle: _held, told"
    ]
    assert participles(["told", *["tell"] * 49]) != []
    assert participles(["told", *["tell"] * 50]) == []
    assert participles([]) == []


@pytest.mark.parametrize(
    "source, found",
    [
        pytest.param("def test_nor_does_it(): ...", "test_nor_does_it", id="the name of a test"),
        pytest.param("pytest.param(1, id='but not two')", "but not two", id="an id of one case"),
        pytest.param("parametrize('a', [1], ids=['and one'])", "and one", id="an id in a list"),
    ],
)
def test_an_id_that_depends_on_another_one_is_reported(source: str, found: str) -> None:
    (line,) = dependent_ids("test_a.py", source)
    assert line.startswith(f"test_a.py:1: {found!r} makes sense only after another id")


def test_ids_that_make_sense_alone_are_accepted() -> None:
    source = "def test_sound(): ...\ndef and_so(): ...\npytest.param('but', id='a node', marks='so')"
    assert list(dependent_ids("test_a.py", source)) == []
