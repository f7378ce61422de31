"""One mistake in an otherwise right spec: the whole line that validate prints for it."""

from collections.abc import Callable

import pytest

PLATFORM = """\
    platform:
      publisher: Canonical
      offer: ubuntu-24_04-lts
      sku: server
      version: "24.04.202601140"
"""
VERSION = 'version: "24.04.202601140"'
ARM = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/r/providers/Microsoft.Compute"
LONG = f"{'a' * 50}…{'a' * 30}"
DURATION = "write it like 5m, 1h30m or 90s"
EXACT = 'is no version, which is three numbers such as "24.04.202601140", or latest'


def row(sentence: str, old: str, new: str, *expected: str) -> object:
    """In the right spec, `old` becomes `new`, and these lines are printed."""
    return pytest.param(old, new, [f"web.yaml:{line}" for line in expected], id=sentence)


def version(text: str, expected: str, sentence: str) -> object:
    return row(sentence, VERSION, f"version: {text}", f"16:16: spec.image.platform.version: {expected}")


def interval(text: str, expected: str, sentence: str) -> object:
    return row(sentence, "interval: 1h", f"interval: {text}", f"19:13: spec.interval: {expected}")


def batch(text: str, expected: str, sentence: str) -> object:
    new = f"maxBatch: {text}"
    return row(sentence, "maxBatch: 20%", new, f"17:33: spec.rollout.maxBatch: {expected}")


def image(new: str, sentence: str, *expected: str) -> object:
    return row(sentence, PLATFORM, f"    {new}\n", *expected)


def by_id(kind: str, text: str, expected: str, sentence: str) -> object:
    column = len(f"    {kind}: {{id: ") + 1
    line = f"12:{column}: spec.image.{kind}.id: {expected}"
    return image(f'{kind}: {{id: "{text}"}}', sentence, line)


READ_AS_SOMETHING_ELSE = [
    version(
        "24.04",
        f'is read as the number 24.04: quote it: version: "24.04"; but "24.04" {EXACT}',
        "a version read as a number is to be quoted",
    ),
    version(
        "24.10",
        f'is read as the number 24.1: quote it: version: "24.10"; but "24.10" {EXACT}',
        "a version that loses its last zero as a number",
    ),
    version(
        "0123",
        f'is read as the number 83: quote it: version: "0123"; but "0123" {EXACT}',
        "a leading zero makes an octal number",
    ),
    version("yes", 'is read as the boolean true: write version: "24.04.202601140"', "yes is a boolean"),
    version("2024-01-01", 'is read as a date: write version: "24.04.202601140"', "a date is no text"),
    version("~", 'is read as nothing: write version: "24.04.202601140"', "a tilde is nothing"),
    row(
        "a required value that is not there",
        VERSION,
        "version:",
        '16:15: spec.image.platform.version: is empty: write version: "24.04.202601140"',
    ),
    row(
        "a label that is a number",
        "{env: prod}",
        "{wave: 2}",
        '5:18: metadata.labels.wave: is read as the number 2: quote it: wave: "2"',
    ),
    row(
        "a label that is a boolean to some",
        "{env: prod}",
        "{canary: on}",
        '5:20: metadata.labels.canary: is read as the boolean true: quote it: canary: "on"',
    ),
    row(
        "a label that is a date",
        "{env: prod}",
        "{since: 2024-01-01}",
        '5:19: metadata.labels.since: is read as a date: quote it: since: "2024-01-01"',
    ),
    row(
        "a label that is a time to people and base 60 to YAML 1.1",
        "{env: prod}",
        "{at: 1:30}",
        '5:16: metadata.labels.at: is read as the number 90: quote it: at: "1:30"; but "1:30" is not a label'
        " value: use letters, digits, _ - . and begin and end it with a letter or digit",
    ),
    row(
        "the name of a label that is a boolean to some",
        "{env: prod}",
        "{on: x}",
        '5:12: metadata.labels.on: the name of this field is read as the boolean true: quote it: "on"',
    ),
    row(
        "no as one of several words",
        "by: auto",
        "by: no",
        "17:17: spec.rollout.by: is read as the boolean false: write auto, updateDomain, zone, faultDomain or batch",
    ),
    row(
        "no for false",
        "suspend: false",
        "suspend: no",
        '20:12: spec.suspend: "no" is text to some YAML readers: write suspend: false',
    ),
    row(
        "false in quotes",
        "suspend: false",
        'suspend: "false"',
        '20:12: spec.suspend: "false" is text here: write suspend: false, without quotes',
    ),
    row(
        "0 for false",
        "suspend: false",
        "suspend: 0",
        '20:12: spec.suspend: "0" is neither true nor false: write one of the two',
    ),
]

FIELDS = [
    row(
        "a hostile name of a label is escaped wherever a message repeats it",
        "{env: prod}",
        '{"a\\tb": }',
        '5:20: metadata.labels."a\\tb": is empty: write a\\tb: "text"',
    ),
    row(
        "a long name of a label is shortened wherever a message repeats it",
        "{env: prod}",
        f"{{{'a' * 200}: }}",
        f'5:214: metadata.labels.{LONG}: is empty: write {LONG}: "text"',
    ),
    row(
        "an unknown field with a near one",
        "  rollout:",
        "  rolout:",
        "17:3: spec.rolout: is no field: did you mean rollout?",
    ),
    row(
        "hyphens and underscores do not hide the field that was meant",
        "maxBatch: 20%",
        "max_batch: 20%",
        "17:23: spec.rollout.max_batch: is no field: did you mean maxBatch?",
    ),
    row(
        "an unknown field without a near one",
        "  interval: 1h",
        "  colour: red",
        "19:3: spec.colour: is no field: here can stand target, image, rollout, health, dependsOn, wave, interval or suspend",
    ),
    row(
        "a field that belongs elsewhere",
        "  interval: 1h",
        "  maxBatch: 5",
        "19:3: spec.maxBatch: does not belong here: move it to spec.rollout.maxBatch",
    ),
    row(
        "a misspelt required field is one mistake and not two",
        "metadata:",
        "metdata:",
        "3:1: metdata: is no field: did you mean metadata?",
    ),
    row(
        "a missing field is told at the group it is missing from",
        "    resourceGroup: shop\n",
        "",
        "7:3: spec.target.resourceGroup: is missing: add resourceGroup: shop",
    ),
    row(
        "a missing group of fields",
        "metadata:\n  name: web\n  labels: {env: prod}\n",
        "",
        "1:1: metadata: is missing: add metadata with name below it",
    ),
    row(
        "text for a group of fields",
        "{env: prod}",
        "prod",
        '5:11: metadata.labels: is text, where fields are expected: write labels: {env: prod, wave: "2"}',
    ),
    row(
        "an optional group left empty",
        "labels: {env: prod}",
        "labels:",
        '5:10: metadata.labels: is empty: write labels: {env: prod, wave: "2"}, or remove the line',
    ),
    row(
        "a list for a value",
        "interval: 1h",
        "interval: [1h]",
        "19:13: spec.interval: is a list, where a single value is expected: write interval: 1h",
    ),
    row(
        "one of several words in other letters",
        "by: auto",
        "by: updatedomain",
        '17:17: spec.rollout.by: "updatedomain" is unknown: did you mean updateDomain?',
    ),
    row(
        "none of several words",
        "by: auto",
        "by: ud",
        '17:17: spec.rollout.by: "ud" is unknown: write auto, updateDomain, zone, faultDomain or batch',
    ),
    row(
        "a name that is no DNS label",
        "  name: web\n  l",
        "  name: Web_1\n  l",
        '4:9: metadata.name: "Web_1" is not a name: use lower-case letters, digits and hyphens between them,'
        " such as web-2",
    ),
    row(
        "a label with a space in its name",
        "{env: prod}",
        '{"a b": x}',
        '5:12: metadata.labels."a b": "a b" is not a label: use letters, digits, _ - . / and begin and end it'
        " with a letter or digit",
    ),
    row(
        "a subscription by name",
        "11111111-1111-1111-1111-111111111111",
        "production",
        '8:19: spec.target.subscription: "production" is not a subscription id: write its GUID, as'
        ' "az account show --query id" prints it',
    ),
    row(
        "a resource group that ends in a dot",
        "resourceGroup: shop",
        "resourceGroup: shop.",
        '9:20: spec.target.resourceGroup: "shop." is not a resource group name: use letters, digits, _ - . ( )'
        " and no . at the end",
    ),
    row(
        "a block scalar brings a line break along",
        "resourceGroup: shop",
        "resourceGroup: |\n      shop",
        "9:20: spec.target.resourceGroup: holds a line break: write it on one line, without | or >",
    ),
    row(
        "a terminal escape in a value is not passed on",
        "by: auto",
        'by: "\\e[2J"',
        "17:17: spec.rollout.by: holds the invisible character U+001B: remove it",
    ),
    row(
        "a version of the shape",
        "v1alpha1",
        "v1",
        '1:13: apiVersion: "reconciler/v1" is unknown: write reconciler/v1alpha1',
    ),
    row(
        "a kind in other letters",
        "kind: ScaleSet",
        "kind: Scaleset",
        '2:7: kind: "Scaleset" is not a kind of spec: did you mean ScaleSet?',
    ),
    row(
        "a manifest of something else",
        "kind: ScaleSet",
        "kind: Deployment",
        '2:7: kind: "Deployment" is not a kind of spec: write ScaleSet, Image, RolloutPolicy or Fleet, or keep this file elsewhere',
    ),
    row("no kind, but it can be told", "kind: ScaleSet\n", "", "1:1: kind: is missing: add kind: ScaleSet"),
    row(
        "every mistake of a document is reported, by place",
        "ScaleSet\nmetadata:\n  name: web\n",
        "Scaleset\nmetadata:\n  name: 5\n  owner: me\n",
        '2:7: kind: "Scaleset" is not a kind of spec: did you mean ScaleSet?',
        '4:9: metadata.name: is read as the number 5: quote it: name: "5"',
        "5:3: metadata.owner: is no field: here can stand name or labels",
    ),
]

AMOUNTS = [
    interval("300", "is 300, a number without a unit: write 300s", "a duration without a unit"),
    interval("30", "is 30, a number without a unit: write 30m", "seconds would be too few, so minutes are meant"),
    interval("5 minutes", '"5 minutes" is not a duration: write 5m', "a duration in words"),
    interval("1d", '"1d" is not a duration: write 24h', "a duration in days"),
    interval("soon", f'"soon" is not a duration: {DURATION}', "no duration at all"),
    interval("1.5h", f'"1.5h" is not a duration: {DURATION}', "a fraction of an hour"),
    interval("1:30", f"is read as the number 90: {DURATION}", "a time of day for a duration"),
    interval("true", f"is read as the boolean true: {DURATION}", "a boolean for a duration"),
    interval("30s", '"30s" is too short: write 1m or more', "a duration below the least"),
    interval("PT48H", '"PT48H" is too long: write 24h or less', "a duration above the most"),
    interval("0s", '"0s" is too short: write 1m or more', "no time at all"),
    batch("0", "0 would never upgrade anything: write 1 or more, or a percentage such as 20%", "a batch of none"),
    batch("0%", "0% would never upgrade anything: write 1 or more, or a percentage such as 20%", "no percent"),
    batch("-1", "-1 would never upgrade anything: write 1 or more, or a percentage such as 20%", "less than none"),
    batch('"5"', '"5" is text: write 5 without quotes for a count, or 5%', "a count in quotes"),
    batch("120%", '"120%" is more than the whole scale set: write 100% or less', "more than all"),
    batch("0.2", "is 0.2: write a whole number such as 5, or a percentage such as 20%", "a fraction"),
    batch("20 %", '"20 %" is written with more than it needs: write 20%', "a percentage with a space"),
    batch("all", '"all" is neither a count nor a percentage: write a number such as 5, or 20%', "a word"),
    batch(
        "010",
        "is read as the number 8: write a plain number such as 5, or a percentage such as 20%",
        "an octal count",
    ),
    batch("true", "is the boolean true: write maxBatch: 20%", "a boolean for a batch"),
]  # fmt: skip

IMAGES = [
    version('"24.04"', f'"24.04" {EXACT}', "a version with two numbers"),
    image(
        "{}",
        "no image",
        "11:3: spec.image: names no image: give it exactly one of platform, gallery, communityGallery,"
        " sharedGallery, managed, vhd or ref",
    ),
    image(
        "communityGallery: {id: /CommunityGalleries/g/Images/i/Versions/1.2.3}\n"
        "    vhd: {uri: https://a.blob.core.windows.net/v/a.vhd}",
        "two images",
        "11:3: spec.image: names 2 images, communityGallery (line 12) and vhd (line 13): keep exactly one of them",
    ),
    image(
        "plattform: {}",
        "a misspelt kind of image",
        "12:5: spec.image.plattform: is no field: did you mean platform?",
    ),
    image(
        "Canonical:ubuntu-24_04-lts:server:24.04.1",
        "a URN for an image",
        "12:5: spec.image: is the id of a platform image: write platform: {publisher: Canonical,"
        ' offer: ubuntu-24_04-lts, sku: server, version: "24.04.1"} below it',
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i",
        "names an image but not its version: add /versions/1.2.3, or /versions/latest for the newest",
        "an image definition",
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i/versions/1.2",
        '"1.2" is no version: write three numbers such as /versions/1.2.3, or /versions/latest',
        "a gallery version with two numbers",
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i/versions/1.2.3/",
        "ends in a slash: remove it",
        "a slash too many",
    ),
    by_id(
        "gallery",
        f"{ARM[1:]}/galleries/g/images/i/versions/1.2.3",
        "lacks the slash that it begins with: put it there",
        "a slash too few",
    ),
    by_id(
        "gallery",
        f"https://management.azure.com{ARM}/galleries/g/images/i/versions/1.2.3",
        "is a web address: leave out https://management.azure.com",
        "the address of a resource for its id",
    ),
    by_id(
        "managed",
        f"{ARM}/galleries/g/images/i/versions/1.2.3",
        "is the id of a gallery image: write gallery: {id: ...} instead of managed",
        "a gallery image under managed",
    ),
    by_id(
        "gallery",
        "/CommunityGalleries/g/Images/i/Versions/1.2.3",
        "is the id of a community gallery image: write communityGallery: {id: ...} instead of gallery",
        "a community gallery image under gallery",
    ),
    by_id(
        "managed",
        "base",
        '"base" is not the id of a managed image: write'
        " /subscriptions/S/resourceGroups/R/providers/Microsoft.Compute/images/I",
        "a name for an id",
    ),
    image(
        "vhd: {uri: https://a.blob.core.windows.net/v/a.vhd?sig=c2VjcmV0}",
        "a token in the address of a VHD is refused and not repeated",
        "12:16: spec.image.vhd.uri: holds a token or query, which does not belong in git: end it with .vhd",
    ),
    image(
        "vhd: {uri: http://a.blob.core.windows.net/v/a.vhd}",
        "a VHD by http",
        "12:16: spec.image.vhd.uri: begins with http://: write https://",
    ),
    image(
        "vhd: {uri: https://a.blob.core.windows.net/v/a.img}",
        "a blob that is no VHD",
        '12:16: spec.image.vhd.uri: "https://a.blob.core.windows.net/v/a.img" does not end in .vhd:'
        " name the blob of a VHD",
    ),
]


@pytest.mark.parametrize("old, new, expected", [*READ_AS_SOMETHING_ELSE, *FIELDS, *AMOUNTS, *IMAGES])
def test_a_mistake_is_told_with_its_place_and_its_mend(
    web: str, lines: Callable[..., list[str]], old: str, new: str, expected: list[str]
) -> None:
    assert old in web
    assert lines(web.replace(old, new, 1)) == expected


RIGHT = [
    pytest.param("interval: 1h", "interval: PT1H30M", id="a duration as ISO 8601 writes it"),
    pytest.param("maxBatch: 20%", "maxBatch: 5", id="a count"),
    pytest.param(
        "11111111-1111-1111-1111-111111111111", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, id="the zero GUID"
    ),
    pytest.param("suspend: false", "suspend: True", id="true in Python's letters"),
    pytest.param("{env: prod}", '{app.io/env: ""}', id="an empty label"),
    pytest.param("version: ", "version: !!str ", id="a tag that says text"),
    pytest.param("web\n", "web # the shop\n", id="a comment"),
    pytest.param("\n", "\r\n", id="lines that end as on Windows"),
    pytest.param("apiVersion", "\ufeffapiVersion", id="a byte order mark"),
    pytest.param("health: {timeout: 10m}", "health: &h {timeout: 10m}", id="an anchor"),
    pytest.param("timeout: 10m}\n  interval: 1h", "timeout: &t 10m}\n  interval: *t", id="an alias"),
    pytest.param(
        PLATFORM,
        f"    gallery: {{id: {ARM.upper()}/galleries/g/IMAGES/i/Versions/1.2.3}}\n".replace(
            "/SUBS", "/subs", 0
        ),
        id="an id in other letters",
    ),
    pytest.param(PLATFORM, f"    managed: {{id: {ARM}/images/i}}\n", id="a managed image"),
    pytest.param(
        PLATFORM, "    sharedGallery: {id: /SharedGalleries/g/Images/i/Versions/1.2.3}\n", id="a shared image"
    ),
    pytest.param("resourceGroup: shop", "resourceGroup: Ünïcode_(1).-x", id="a resource group in any script"),
]


@pytest.mark.parametrize("old, new", RIGHT)
def test_what_is_right_is_accepted(web: str, lines: Callable[..., list[str]], old: str, new: str) -> None:
    assert old in web
    assert lines(web.replace(old, new)) == []
