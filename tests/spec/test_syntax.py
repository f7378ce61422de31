"""Files that are not YAML or exceed the limits: the message for each, from both PyYAML parsers."""

from collections.abc import Callable

import pytest
import yaml

from reconciler.spec.document import document
from reconciler.spec.tree import trees

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[[[*a{n - 1}]]]]]\n" for n in range(1, 12))
DEEP = "is nested more than 40 levels deep: reduce the nesting"
MANY = "brings the file to more than 100,000 values, with aliases expanded: split it into several files"
TAB = "tabs cannot be used for indentation: use spaces"
UNLIKE = "inconsistent indentation: begin this line in the same column as the lines it belongs to"
COLON = "unexpected second colon: quote the value if the colon is part of it, or correct the indentation"
BEYOND = "unexpected text after the value: quote the whole value, or remove the text"
NO_NAME = "contains a {{ template }}, alias or list as a field name: write a plain string"
ESCAPE = "invalid escape sequence in double quotes: double the backslash or use single quotes"

CASES = [
    pytest.param("a:\n\tb: 1\n", f"2:1: {TAB}", id="a tab in the indentation"),
    pytest.param("a:\n  b: 1\n\tc: 2\n", f"3:1: {TAB}", id="a tab after lines with spaces"),
    pytest.param("a:\n  \tb: 1\n", f"2:3: {TAB}", id="a tab after spaces"),
    pytest.param("a:\n - x\n\t- y\n", f"3:1: {TAB}", id="a tab before a list item"),
    pytest.param("a:\n    b: 1\n  c: 2\n", f"3:3: {UNLIKE}", id="an indentation that matches no line above"),
    pytest.param("  a: 1\nb: 2\n", f"2:1: {UNLIKE}", id="a document that begins indented"),
    pytest.param("a: 1\n  b: 2\n", f"2:4: {COLON}", id="a field below a value"),
    pytest.param("a: b: c\n", f"1:5: {COLON}", id="a colon in a value"),
    pytest.param(
        "a: 1\nfoo\nb: 2\n",
        "3:1: this line is not a field: write name: value, with a colon and a space",
        id="a line without a colon",
    ),
    pytest.param("a: ? b\n", "1:4: a value cannot begin with ?: quote it", id="a question mark"),
    pytest.param("a: @x\n", "1:4: a value cannot begin with @: quote it", id="an at sign"),
    pytest.param("a: *.yaml\n", "1:5: a value cannot begin with *: quote it", id="a star that is not an alias"),
    pytest.param("a: & b\n", "1:5: a value cannot begin with &: quote it", id="an ampersand that is not an anchor"),
    pytest.param('a: "b" c\n', f"1:8: {BEYOND}", id="text after a quoted value"),
    pytest.param("b: 1\n- a\n", "2:1: unexpected list item between fields: indent it below the field it belongs to", id="a list item between fields"),
    pytest.param(
        "- a\nb: 1\n",
        "2:1: this line does not belong to the list above: begin it with - or indent it less",
        id="a field among list items",
    ),
    pytest.param("a: - b\n", "1:4: a list cannot begin here: begin a new line with -", id="a list on one line"),
    pytest.param('x: 1\na: "b\nc: d\n', "2:4: this quote is not closed: close it", id="an unclosed quote is reported where it opens"),
    pytest.param(
        "a: {b: 1\nc: 2\n",
        "2:2: the { in line 1 is not closed, or a comma is missing here: add it",
        id="an unclosed brace",
    ),
    pytest.param(
        "a: [1, 2\n",
        "2:1: the [ in line 1 is not closed, or a comma is missing here: add it",
        id="an unclosed bracket",
    ),
    pytest.param("a: }\n", "1:4: a value is missing here: write one, or quote it if it begins with a bracket", id="a closing brace as a value"),
    pytest.param("a: *x\n", "1:4: a is an alias that no anchor &x precedes: add it, or quote the value if * is part of it", id="an alias without an anchor"),
    pytest.param("a: &x [*x]\n", "1:8: a[0] is the alias *x, which contains itself: write the value out", id="an alias that contains itself"),
    pytest.param("a: &x\n  <<: *y\n", '2:7: a."<<" is an alias that no anchor &y precedes: add it, or quote the value if * is part of it', id="a merge key with an alias without an anchor"),
    pytest.param(
        "b: {c: 1}\na:\n  <<: {c: 1}\n",
        "3:3: a contains a merge key (<<), which is not supported: write the fields out, or share a value with an alias",
        id="a merge key",
    ),
    pytest.param("a: {{ x }}\n", f"1:5: a {NO_NAME}", id="a template"),
    pytest.param("? [a]\n: b\n", f"1:3: the document {NO_NAME}", id="a list as a field name"),
    pytest.param("a: !!python/object:os.system x\n", "1:4: a has the tag !!python/object:os.system, which is not supported: remove it", id="a Python tag"),
    pytest.param("a: !!int 5\n", "1:4: a has the tag !!int, which is not supported: remove it", id="a YAML tag for a number"),
    pytest.param("a: !x!y z\n", "1:4: a value cannot begin with !: quote it", id="a tag with an undefined handle"),
    pytest.param("a: 1\nb: 2\na: 3\n", "3:1: a duplicates the field in line 1: remove one of the two", id="a duplicate field"),
    pytest.param("apiVersion: a\napiVersion: b\n", "2:1: apiVersion duplicates the field in line 1: remove one of the two, or begin the second document with ---", id="two documents that nothing separates"),
    pytest.param("? \n: x\n", "1:2: the document contains a field without a name: write the name before the colon", id="a field without a name"),
    pytest.param(LAUGHS, f"6:8: f[0] {MANY}", id="a billion laughs"),
    pytest.param("[" * 100_000, f"1:41: [0][0][0][0][0] {DEEP}", id="a hundred thousand brackets"),
    pytest.param("{a: " * 100_000, f"1:161: a.a.a.a.a {DEEP}", id="a hundred thousand braces"),
    pytest.param(CHAIN, f"9:14: a8[0][0][0][0] {DEEP}", id="deep nesting through aliases"),
]  # fmt: skip


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader], ids=["libyaml", "PyYAML"])
@pytest.mark.parametrize("text, expected", CASES)
def test_an_invalid_yaml_text_is_reported_with_its_place(text: str, expected: str, loader: type) -> None:
    read = trees(text, "web.yaml", loader=loader)
    assert [str(problem) for problem in read.problems] == [f"web.yaml:{expected}"]


def test_an_invalid_escape_is_reported_by_both_parsers() -> None:
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):  # their columns differ by one
        (problem,) = trees('a: "\\d"\n', "web.yaml", loader=loader).problems
        assert problem.message == ESCAPE


def test_both_parsers_give_the_same_values_and_places(web: str) -> None:
    text = f"# comment\n{web}---\nlist: [ä, &x {{b: 'c'}}, *x]\n...\n---\n? key\n: |\n  text\n"
    ours, pure = (
        [document(tree.root) for tree in trees(text, "web.yaml", loader=loader).documents]
        for loader in (yaml.CSafeLoader, yaml.SafeLoader)
    )
    assert len(ours) == 3
    assert ours == pure


def test_documents_before_a_syntax_error_are_read(web: str) -> None:
    read = trees(f"{web}---\n\ta: 1\n", "web.yaml")
    assert len(read.documents) == 1
    assert not read.whole


BYTES = [
    pytest.param(
        "a: 1\nb: caf\xe9\n".encode("latin-1"),
        "web.yaml:2:7: byte 0xe9 (at offset 11) is not UTF-8: save the file as UTF-8",
        id="a file in latin-1",
    ),
    pytest.param(
        "a: 1\n".encode("utf-16"),
        "web.yaml:1:1: the file looks like UTF-16 or UTF-32, not UTF-8: save it as UTF-8",
        id="UTF-16 with its mark",
    ),
    pytest.param(
        "a: 1\n".encode("utf-16-be"),
        "web.yaml:1:1: the file looks like UTF-16 or UTF-32, not UTF-8: save it as UTF-8",
        id="UTF-16 without its mark",
    ),
    pytest.param(
        b"a: 1\nb: \0\n",
        "web.yaml:2:4: the invisible character U+0000 is not allowed here: remove it",
        id="a NUL character",
    ),
    pytest.param(
        b"a: 1\r\nb: \x1b[2J\r\n",
        "web.yaml:2:4: the invisible character U+001B is not allowed here: remove it",
        id="a terminal escape character",
    ),
    pytest.param(
        b"#" * (1024 * 1024 + 1),
        "web.yaml is 1,048,577 bytes, over the limit of 1,048,576: split it into several files",
        id="a byte over the limit",
    ),
]


@pytest.mark.parametrize("content, expected", BYTES)
def test_bytes_that_are_not_text_are_reported_with_their_place(
    lines: Callable[..., list[str]], content: bytes, expected: str
) -> None:
    assert lines(content) == [expected]
