"""Small inputs that would take hours or all memory end soon, with one line that says what is wrong."""

from collections.abc import Callable, Iterator

import pytest

from reconciler.azure.permissions import EffectivePermissions, Grant
from reconciler.git import address, program
from reconciler.git.credentials import Access
from reconciler.spec.files import LIMIT
from reconciler.spec.ignore import Ignore
from reconciler.spec.wording import quote
from tests.fuzz.commit import FILE, LINK
from tests.fuzz.grammar import IMAGES, SUBSCRIPTION
from tests.fuzz.limits import limited
from tests.fuzz.properties import check_commit, check_message, check_specs


def scale_set(name: str, more: str = "") -> str:
    target = f"{{subscription: {SUBSCRIPTION}, resourceGroup: shop, name: {name}}}"
    return (
        f"apiVersion: vmss-reconciler/v1alpha1\nkind: ScaleSet\nmetadata: {{name: {name}}}\n"
        f"spec:\n  target: {target}\n  image: {IMAGES[0]}\n{more}\n---\n"
    )


def windows(count: int, window: str) -> str:
    listed = ", ".join(f"{{{window % number}}}" for number in range(count))
    return scale_set("web", f"  rollout: {{windows: [{listed}]}}")


def names(count: int, letter: str) -> str:
    return ", ".join(f"{letter}{number}" for number in range(count))


def aliases() -> str:
    """Nine anchors that each repeat the one before nine times."""
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        rows.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(rows)


SPECS: dict[str, Callable[[], str]] = {
    "aliases that repeat aliases": aliases,
    "an alias of 40 levels in each of 9,000 places": lambda: f"a: &a {'[' * 30}{']' * 30}\nb: [{'*a, ' * 9000}]",
    "brackets 100,000 deep": lambda: "[" * 100_000,
    "brackets 100,000 deep on as many lines": lambda: "[\n" * 100_000,
    "mappings 100,000 deep": lambda: "{a: " * 100_000,
    "lists 100,000 deep": lambda: "- " * 100_000,
    "keys 100,000 deep": lambda: "? " * 100_000,
    "an integer of 100,000 digits": lambda: scale_set("web", f"  wave: {'9' * 100_000}"),
    "a text of a million characters": lambda: scale_set("web", f"  interval: {'x' * 1_000_000}"),
    "a field name of a million characters": lambda: scale_set("web", f"  ? {'x' * 1_000_000}\n  : 1"),
    "100,000 documents": lambda: "---\n" * 100_000,
    "3,000 documents with a problem each": lambda: "a: 1\na: 2\n---\n" * 3000,
    "3,000 documents of the kind Fleet": lambda: "--- {kind: Fleet}\n" * 3000,
    "20,000 anchors": lambda: "".join(f"- &a{number} x\n" for number in range(20_000)),
    "5,000 tags": lambda: "".join(f"a{number}: !x 1\n" for number in range(5000)),
    "a list of 10,000 names and a mapping": lambda: scale_set("web", f"  dependsOn: [{{}}, {names(10_000, 'a')}]"),
    "10,000 names that nothing has beside 200 that something has": lambda: "".join(
        scale_set(f"web-{number}") for number in range(200)
    )
    + scale_set("web", f"  dependsOn: [{names(10_000, 'web-x')}]"),
    "3,000 windows in time zones that do not exist": lambda: windows(
        3000, 'kind: allow, schedule: "0 2 * * 6", duration: 4h, timeZone: Europe/Berlin%d'
    ),
    "3,000 schedules that are wrong": lambda: windows(
        3000, 'kind: allow, schedule: "0 2 x%d * *", duration: 4h'
    ),
    "3,000 labels that are wrong": lambda: scale_set("web").replace(
        "{name: web}", f"{{name: web, labels: {{{', '.join(f'a b{number}: x' for number in range(3000))}}}}}", 1
    ),
    "1,000 pairs of scale sets that wait for each other": lambda: "".join(
        scale_set(f"{one}{number}", f"  dependsOn: [{other}{number}]")
        for number in range(1000)
        for one, other in ("ab", "ba")
    ),
    "a ring of 300 scale sets that wait for each other": lambda: "".join(
        scale_set(f"a{number}", f"  dependsOn: [a{(number + 1) % 300}]") for number in range(300)
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", [pytest.param(each, id=name) for name, each in SPECS.items()])
def test_a_file_of_at_most_a_megabyte_is_read_in_time(text: Callable[[], str]) -> None:
    content = text().encode()
    assert len(content) <= LIMIT
    with limited():
        check_specs(content)


def test_many_files_that_each_stay_below_the_limits_stay_below_one_together() -> None:
    bomb = f"a: &a [{'x, ' * 99}]\nb: [{'*a, ' * 990}]".encode()
    with limited():
        declared = check_specs(*[bomb] * 100)
    unread = [str(each) for each in declared.problems if "is not read" in each.message]
    assert len(unread) > 80
    assert unread[0].startswith("11.yaml is not read, because the files before it have more than 1,000,000")


def deep(depth: int) -> bytes:
    return b"a/" * depth + b"web.yaml"


def links(count: int, text: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    yield b"web.yaml", FILE, b"a: 1"
    for number in range(count):
        yield b"link-%d.yaml" % number, LINK, text


COMMITS: dict[str, Callable[[], list[tuple[bytes, bytes, bytes]]]] = {
    "directories 2,000 deep": lambda: [(deep(2000), FILE, b"a: 1")],
    "a thousand files in directories 1,000 deep": lambda: [
        (b"%d/" % number + deep(1000), FILE, b"") for number in range(1000)
    ],
    "paths of 4 MB": lambda: [(b"x" * 4_000_000 + b"/%d.yaml" % number, FILE, b"") for number in range(4)],
    "more files than are kept in memory": lambda: [
        (b"%d/%d" % (number % 500, number), FILE, b"") for number in range(260_000)
    ],
    "more specs than are kept in memory": lambda: [
        (b"%d.yaml" % number, FILE, b"#%d" % number + b"x" * 1_000_000) for number in range(70)
    ],
    "a link of a million names": lambda: list(links(1, b"a/" * 500_000)),
    "a link of a million dots": lambda: list(links(1, b"./" * 500_000)),
    "10,000 links of 2,000 names": lambda: list(links(10_000, b"./" * 2000 + b"web.yaml")),
    "20,000 links": lambda: list(links(20_000, b"web.yaml")),
    "links that double at each of 40 steps": lambda: (
        [(b"l%d" % number, LINK, b"l%d/../l%d" % (number + 1, number + 1)) for number in range(40)]
        + [(b"l40/web.yaml", FILE, b"a: 1")]
    ),
}


@pytest.mark.parametrize("files", [pytest.param(each, id=name) for name, each in COMMITS.items()])
def test_a_commit_is_searched_in_time(files: Callable[[], list[tuple[bytes, bytes, bytes]]]) -> None:
    commit = files()
    with limited():
        check_commit(commit)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        pytest.param("*a" * 200 + "b", "a" * 255, id="stars in a name"),
        pytest.param(f"{'*' + 'a' * 19 + 'b'}" * 20, "a" * 255, id="long parts between stars in a name"),
        pytest.param("**/a/" * 90 + "b", "a/" * 2000 + "c", id="two stars between directories"),
        pytest.param("**/a*a*a/" * 40 + "b", "aaaaaa/" * 500 + "c", id="stars and two stars"),
        pytest.param("a/**/" * 90 + "b", "a/" * 2000 + "c", id="two stars at each second directory"),
        pytest.param("[" * 500, "[" * 4000, id="brackets that are not closed"),
        pytest.param("[!a]*" * 99 + "c", "b" * 4000 + "a", id="stars and sets of characters"),
    ],
)
def test_a_pattern_is_compared_in_time(pattern: str, path: str) -> None:
    with limited():
        assert not Ignore.of(pattern).covers(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a\n" * 501, "has more than 500 patterns", id="501 patterns"),
        pytest.param(f"# a\n{'a' * 501}", "has a pattern of more than 500 characters in line 2", id="501 characters"),
    ],
)  # fmt: skip
def test_an_ignore_file_beyond_the_limits_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ignore.of(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("://" * 20_000, id="addresses without an end"),
        pytest.param("x" * 64_000, id="a word without an end"),
        pytest.param("Identity file " * 4500, id="the begin of a known failure over and over"),
        pytest.param("certificate subject name " * 2500, id="the begin of another one over and over"),
        pytest.param("'" * 64_000, id="quotes"),
        pytest.param("x: " * 20_000, id="colons"),
    ],
)
def test_what_git_writes_is_understood_in_time(text: str) -> None:
    with limited():
        address.scrub(text)
        address.display(text)
        found = program._failure(f"{text}\n{text}\n".encode(), Access(), "git exited")
        check_message(found.line)


@pytest.mark.parametrize("text", ["a:" * 500_000, "//" * 500_000, "?/" * 300_000, "a" * 1_000_000 + "@", "//a" * 300_000 + " @"], ids=["colons", "slashes", "questions", "a user", "slashes and a user"])  # fmt: skip
def test_a_value_is_quoted_in_time(text: str) -> None:
    with limited():
        check_message(quote(text))


@pytest.mark.parametrize("pattern", ["*e" * 30 + "z", "*" * 200, "*a*e*i" * 20], ids=["letters", "only stars", "vowels"])  # fmt: skip
def test_an_action_is_compared_in_time(pattern: str) -> None:
    action = "Microsoft.Compute/virtualMachineScaleSets/manualUpgrade/action"
    with limited():
        assert EffectivePermissions((Grant((pattern,)),)).allow(action) == (set(pattern) == {"*"})
