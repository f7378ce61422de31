"""Documents that fuzzing found: each ended the program, or put a secret or a control character into a message."""

from collections.abc import Callable

import pytest

from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.hold import Hold
from reconciler.spec.suspension import Suspension

HEAD = "apiVersion: vmss-reconciler/v1alpha1\n"
URGENT = (
    f"{HEAD}kind: Fleet\nmetadata: {{name: fleet}}\nspec:\n  version: 1.0.0\n  urgent: {{reason: x, "
    'until: "2027-01-02T18:00Z", image: {platform: {publisher: a, offer: b, sku: c}}}\n'
)
MOVE = "does not belong here: move it to"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "suspend: false",
            "suspend: {}\n  reason: x",
            [f"21:3: spec.reason {MOVE} spec.suspend.reason"],
            id="the reason of a suspension beside it",
        ),
        pytest.param(
            '      version: "24.04.202601140"\n',
            "  version: 1.0.0\n",
            [f"16:3: spec.version {MOVE} spec.image.platform.version"],
            id="the version of an image beside it",
        ),
        pytest.param(
            "{by: auto",
            "{schedule: x, windows: [{kind: allow, duration: 1h}], by: auto",
            [f"17:13: spec.rollout.schedule {MOVE} spec.rollout.windows[0].schedule"],
            id="the schedule of a window beside it",
        ),
        pytest.param(
            "{by: auto",
            "{url: x, checks: [{name: a, http: {}}], by: auto",
            [f"17:13: spec.rollout.url {MOVE} spec.rollout.checks[0].http.url"],
            id="the URL of a check beside it",
        ),
    ],
)
def test_a_required_field_in_another_place_is_reported_there(
    web: str, lines: Callable[..., list[str]], old: str, new: str, expected: list[str]
) -> None:
    assert old in web
    assert lines(web.replace(old, new)) == [f"web.yaml:{line}" for line in expected]


def test_a_suspension_without_its_reason_counts_as_true(web: str) -> None:
    text = web.replace("suspend: false", "suspend: {}\n  reason: x")
    declared = declare([File("web.yaml", text.encode())])
    assert declared.holds == (Hold("web", Suspension("spec.suspend is invalid and counts as true")),)


def test_an_urgent_image_without_its_version_is_reported(lines: Callable[..., list[str]]) -> None:
    assert lines(URGENT) == [
        f"web.yaml:5:3: spec.version {MOVE} spec.urgent.image.platform.version",
    ]


@pytest.mark.parametrize("kind", ["[ScaleSet]", "{a: b}", "1", "null", "''"])
def test_a_document_of_another_program_may_have_any_kind(lines: Callable[..., list[str]], kind: str) -> None:
    assert lines(f"apiVersion: apps/v1\nkind: {kind}\n") == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(r'"web-server-2\e[2J"', r"web-server-2\x1b[2J", id="an escape sequence"),
        pytest.param(r'"web-server-2\n"', r"web-server-2\n", id="a line end"),
        pytest.param(r'"web-server-2\u202E"', r"web-server-2\u202e", id="a character that reorders text"),
    ],
)
@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        pytest.param("web-server-3", "did you mean {} (other.yaml:1:1)?", id="for a similar name"),
        pytest.param("unlike", "use {}", id="for any other name"),
    ],
)
def test_a_name_is_escaped_where_it_is_suggested(
    web: str, lines: Callable[..., list[str]], *, name: str, shown: str, missing: str, hint: str
) -> None:
    text = web.replace("  interval: 1h", f"  dependsOn: [{missing}]")
    other = web.replace("  name: web\n", f"  name: {name}\n", 1).replace("    name: web", "    name: api")
    assert [each for each in lines(text, other=other) if "dependsOn" in each] == [
        f'web.yaml:19:15: spec.dependsOn[0] names the ScaleSet "{missing}", which does not exist: {hint.format(shown)}'
    ]


CHECK = "rollout: {checks: [{name: a, http: {url: URL}}], "


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("rollout: {", CHECK, id="the URL of a check"),
        pytest.param("rollout: {", CHECK.replace("http: {url", "prometheus: {query: a, server"), id="a Prometheus server"),
        pytest.param("name: web\n", "name: URL\n", id="a name"),
        pytest.param("resourceGroup: shop", "resourceGroup: URL", id="a resource group"),
        pytest.param("interval: 1h", "interval: URL", id="a duration"),
        pytest.param("interval: 1h", "wave: URL", id="a number"),
        pytest.param("interval: 1h", "dependsOn: [URL]", id="the name of another scale set"),
        pytest.param("interval: 1h", "URL: 1h", id="the name of a field"),
        pytest.param("kind: ScaleSet", "kind: URL", id="a kind"),
        pytest.param('version: "24.04.202601140"', "version: URL", id="a version"),
        pytest.param("    platform:", "    gallery: {id: URL}\n    platform:", id="an image of a gallery"),
        pytest.param("    platform:", "    managed: {id: URL}\n    platform:", id="a managed image"),
        pytest.param("    platform:", "    vhd: {uri: URL}\n    platform:", id="a VHD"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://ada:S3CR3T@example.com/x", id="a password"),
        pytest.param("https:/ada:S3CR3T@example.com/x", id="a password after one slash"),
        pytest.param("https:///ada:S3CR3T@example.com/x", id="a password after three slashes"),
        pytest.param("https://S3CR3T@example.com/x", id="a token as the user"),
        pytest.param("https://ada:x/S3CR3T@example.com/x", id="a slash in a password"),
        pytest.param("https://ada:x S3CR3T@example.com/x", id="a space in a password"),
        pytest.param("ada:S3CR3T@example.com/x", id="no scheme"),
        pytest.param("https://a.blob.core.windows.net/c/x.vhd?sig=S3CR3T", id="a signature"),
        pytest.param("https://a.blob.core.windows.net]/c/x?sig=S3CR3T", id="a signature after an invalid host"),
        pytest.param("https://a.blob.core.windows.net/c/x#S3CR3T", id="a fragment"),
    ],
)  # fmt: skip
def test_a_secret_of_an_address_is_shown_in_no_field(
    web: str, lines: Callable[..., list[str]], old: str, new: str, url: str
) -> None:
    assert old in web
    found = lines(web.replace(old, new.replace("URL", f'"{url}"'), 1))
    assert found
    assert [line for line in found if "S3CR3T" in line] == []


def test_a_file_with_very_many_problems_is_checked_in_part(web: str, lines: Callable[..., list[str]]) -> None:
    labels = ", ".join(f"a b{number}: x" for number in range(1001))
    text = web.replace("{env: prod}", f"{{{labels}}}")
    found = lines(f"{text}---\n{web.replace('web', 'api')}")
    unchecked = "the rest of the document is not checked: correct its first 1,000 problems"
    assert len(found) == 1002
    assert [line for line in found if "metadata.labels" not in line] == [
        f"web.yaml:1:1: {unchecked}",
        f"web.yaml:{len(text.splitlines()) + 2}:1: {unchecked}",
    ]


def test_a_hold_beyond_the_problems_that_are_checked_still_counts(web: str) -> None:
    labels = ", ".join(f"a b{number}: x" for number in range(1001))
    text = web.replace("{env: prod}", f"{{{labels}}}")
    held = web.replace("web", "api").replace("suspend: false", "suspend: {reason: load test}")
    wrong = web.replace("web", "db").replace("suspend: false", "suspend: {reson: load test}")
    declared = declare([File("web.yaml", f"{text}---\n{held}---\n{wrong}".encode())])
    assert {hold.name: hold.suspension.reason for hold in declared.holds} == {
        "api": "load test",
        "db": "spec.suspend is invalid and counts as true",
    }
    assert {broken.name: broken.image for broken in declared.broken} == dict.fromkeys(("web", "api", "db"))


def test_a_long_cycle_is_named_by_its_first_links(web: str, lines: Callable[..., list[str]]) -> None:
    names = [f"a{number}" for number in range(10)]
    texts = {
        name: web.replace("web", name).replace("  interval: 1h", f"  dependsOn: [{on}]")
        for name, on in zip(names, [*names[1:], names[0]], strict=True)
    }
    (line,) = lines(**texts)
    assert line.startswith(
        "a0.yaml:19:15: spec.dependsOn[0] is part of a dependency cycle, in which a0 waits for a1 (dependsOn), "
    )
    assert line.endswith("a4 waits for a5 (dependsOn), and 5 more: remove or change one of these")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        pytest.param("Image", "    platform:", "    ref: base\n", id="an image"),
        pytest.param("RolloutPolicy", "rollout: {", "rollout: {policy: careful, ", id="a policy"),
    ],
)
@pytest.mark.parametrize("name", ["", "metadata: {}", "metadata: {name: 1}", 'metadata: {name: ""}'])
def test_a_document_without_a_name_breaks_what_refers_to_one(
    web: str, kind: str, old: str, new: str, name: str
) -> None:
    begin, _, end = web.partition(old)
    rest = "  rollout:" + end.partition("  rollout:")[2] if kind == "Image" else end
    declared = declare([File("web.yaml", f"{begin}{new}{rest}---\n{HEAD}kind: {kind}\n{name}\n".encode())])
    (broken,) = declared.broken
    assert broken.problems == declared.problems
    assert any("metadata" in str(each) for each in broken.problems)


def test_a_document_without_a_name_is_not_blamed_for_what_refers_to_none(web: str) -> None:
    policy = f"{HEAD}kind: RolloutPolicy\nmetadata: {{}}\nspec: {{}}\n"
    text = web.replace("interval: 1h", "interval: 1")
    (broken,) = declare([File("web.yaml", f"{text}---\n{policy}".encode())]).broken
    assert [each.field for each in broken.problems] == ["spec.interval"]
