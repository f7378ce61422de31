"""One error in an otherwise valid spec: the whole line that `validate` prints for it."""

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
EXACT = 'is not a version: write three numbers such as "24.04.202601140", or latest'


def row(sentence: str, old: str, new: str, *expected: str) -> object:
    """A valid spec in which `old` is replaced by `new`, and the lines that are printed."""
    return pytest.param(old, new, [f"web.yaml:{line}" for line in expected], id=sentence)


def version(text: str, expected: str, sentence: str) -> object:
    return row(sentence, VERSION, f"version: {text}", f"16:16: spec.image.platform.version {expected}")


def interval(text: str, expected: str, sentence: str) -> object:
    return row(sentence, "interval: 1h", f"interval: {text}", f"19:13: spec.interval {expected}")


def batch(text: str, expected: str, sentence: str) -> object:
    new = f"maxBatch: {text}"
    return row(sentence, "maxBatch: 20%", new, f"17:33: spec.rollout.maxBatch {expected}")


def image(new: str, sentence: str, *expected: str) -> object:
    return row(sentence, PLATFORM, f"    {new}\n", *expected)


def by_id(kind: str, text: str, expected: str, sentence: str) -> object:
    column = len(f"    {kind}: {{id: ") + 1
    line = f"12:{column}: spec.image.{kind}.id {expected}"
    return image(f'{kind}: {{id: "{text}"}}', sentence, line)


READ_AS_SOMETHING_ELSE = [
    version(
        "24.04",
        f'is read as the number 24.04: quote it: version: "24.04"; also, "24.04" {EXACT}',
        "an unquoted version that is read as a number",
    ),
    version(
        "24.10",
        f'is read as the number 24.1: quote it: version: "24.10"; also, "24.10" {EXACT}',
        "an unquoted version that loses its last zero as a number",
    ),
    version(
        "0123",
        f'is read as the number 83: quote it: version: "0123"; also, "0123" {EXACT}',
        "an unquoted version with a leading zero, read as octal",
    ),
    version(
        "yes",
        'is read as the boolean true: write version: "24.04.202601140"',
        "yes for a version, read as a boolean",
    ),
    version(
        "2024-01-01", 'is read as a date: write version: "24.04.202601140"', "an unquoted date for a version"
    ),
    version("~", 'is read as null: write version: "24.04.202601140"', "a tilde for a version, read as null"),
    row(
        "a required field without a value",
        VERSION,
        "version:",
        '16:15: spec.image.platform.version is empty: write version: "24.04.202601140"',
    ),
    row(
        "a label that is a number",
        "{env: prod}",
        "{wave: 2}",
        '5:18: metadata.labels.wave is read as the number 2: quote it: wave: "2"',
    ),
    row(
        "a label that some readers take for a boolean",
        "{env: prod}",
        "{canary: on}",
        '5:20: metadata.labels.canary is read as the boolean true: quote it: canary: "on"',
    ),
    row(
        "a label that is a date",
        "{env: prod}",
        "{since: 2024-01-01}",
        '5:19: metadata.labels.since is read as a date: quote it: since: "2024-01-01"',
    ),
    row(
        "a label that YAML 1.1 reads as a base-60 number",
        "{env: prod}",
        "{at: 1:30}",
        '5:16: metadata.labels.at is read as the number 90: quote it: at: "1:30"; also, "1:30" is not a label'
        " value: use letters, digits, _ - . and begin and end it with a letter or digit",
    ),
    row(
        "a label name that some readers take for a boolean",
        "{env: prod}",
        "{on: x}",
        '5:12: metadata.labels.on is a field name that is read as the boolean true: quote it: "on"',
    ),
    row(
        "no for an enumeration",
        "by: auto",
        "by: no",
        "17:17: spec.rollout.by is read as the boolean false: write auto, updateDomain, zone, faultDomain or batch",
    ),
    row(
        "no instead of false",
        "suspend: false",
        "suspend: no",
        '20:12: spec.suspend "no" is a string to some YAML readers: write suspend: false',
    ),
    row(
        "false in quotes",
        "suspend: false",
        'suspend: "false"',
        '20:12: spec.suspend "false" is a string: write suspend: false, without quotes',
    ),
    row(
        "0 instead of false",
        "suspend: false",
        "suspend: 0",
        '20:12: spec.suspend "0" is not a boolean: write true or false',
    ),
]

FIELDS = [
    row(
        "a label name with a control character is escaped",
        "{env: prod}",
        '{"a\\tb": }',
        '5:20: metadata.labels."a\\tb" is empty: write a\\tb: "text"',
    ),
    row(
        "a long label name is shortened",
        "{env: prod}",
        f"{{{'a' * 200}: }}",
        f'5:214: metadata.labels.{LONG} is empty: write {LONG}: "text"',
    ),
    row(
        "an unknown field that is similar to a known one",
        "  rollout:",
        "  rolout:",
        "17:3: spec.rolout is not a known field: did you mean rollout?",
    ),
    row(
        "an unknown field that differs only in underscores",
        "maxBatch: 20%",
        "max_batch: 20%",
        "17:23: spec.rollout.max_batch is not a known field: did you mean maxBatch?",
    ),
    row(
        "an unknown field that is not similar to any",
        "  interval: 1h",
        "  colour: red",
        "19:3: spec.colour is not a known field: expected target, image, rollout, health, dependsOn, wave, interval or suspend",
    ),
    row(
        "a field that belongs elsewhere",
        "  interval: 1h",
        "  maxBatch: 5",
        "19:3: spec.maxBatch does not belong here: move it to spec.rollout.maxBatch",
    ),
    row(
        "a misspelt required field is one error and not two",
        "metadata:",
        "metdata:",
        "3:1: metdata is not a known field: did you mean metadata?",
    ),
    row(
        "a missing field is reported at its mapping",
        "    resourceGroup: shop\n",
        "",
        "7:3: spec.target.resourceGroup is missing: add resourceGroup: shop",
    ),
    row(
        "a missing mapping",
        "metadata:\n  name: web\n  labels: {env: prod}\n",
        "",
        "1:1: metadata is missing: add metadata with name below it",
    ),
    row(
        "a string instead of a mapping",
        "{env: prod}",
        "prod",
        '5:11: metadata.labels is a string, but a mapping is expected: write labels: {env: prod, wave: "2"}',
    ),
    row(
        "an optional mapping without a value",
        "labels: {env: prod}",
        "labels:",
        '5:10: metadata.labels is empty: write labels: {env: prod, wave: "2"}, or remove the line',
    ),
    row(
        "a list instead of a single value",
        "interval: 1h",
        "interval: [1h]",
        "19:13: spec.interval is a list, but a single value is expected: write interval: 1h",
    ),
    row(
        "an enumeration value in another case",
        "by: auto",
        "by: updatedomain",
        '17:17: spec.rollout.by "updatedomain" is not supported: did you mean updateDomain?',
    ),
    row(
        "a value that is not in the enumeration",
        "by: auto",
        "by: ud",
        '17:17: spec.rollout.by "ud" is not supported: write auto, updateDomain, zone, faultDomain or batch',
    ),
    row(
        "a name that is not a DNS label",
        "  name: web\n  l",
        "  name: Web_1\n  l",
        '4:9: metadata.name "Web_1" is not a name: use lower-case letters, digits and hyphens between them,'
        " such as web-2",
    ),
    row(
        "a label name with a space",
        "{env: prod}",
        '{"a b": x}',
        '5:12: metadata.labels."a b" is not a label: use letters, digits, _ - . / and begin and end it'
        " with a letter or digit",
    ),
    row(
        "the name of a subscription instead of its id",
        "11111111-1111-1111-1111-111111111111",
        "production",
        '8:19: spec.target.subscription "production" is not a subscription id: write the GUID that'
        " `az account show --query id` prints",
    ),
    row(
        "a resource group that ends in a dot",
        "resourceGroup: shop",
        "resourceGroup: shop.",
        '9:20: spec.target.resourceGroup "shop." is not a resource group name: use letters, digits, _ - . ( )'
        " and do not end it with .",
    ),
    row(
        "a block scalar with a line break",
        "resourceGroup: shop",
        "resourceGroup: |\n      shop",
        "9:20: spec.target.resourceGroup contains a line break: write it on one line, without | or >",
    ),
    row(
        "a terminal escape in a value is not repeated",
        "by: auto",
        'by: "\\e[2J"',
        "17:17: spec.rollout.by contains the invisible character U+001B: remove it",
    ),
    row(
        "a letter of another alphabet in a publisher",
        "publisher: Canonical",
        "publisher: Canonic\u0430l",
        "13:18: spec.image.platform.publisher contains U+0430 CYRILLIC SMALL LETTER A:"
        " use only ASCII characters",
    ),
    row(
        "a dash that is not a hyphen in an offer",
        "offer: ubuntu-24_04-lts",
        "offer: ubuntu\u201324_04-lts",
        "14:14: spec.image.platform.offer contains U+2013 EN DASH: use only ASCII characters",
    ),
    row(
        "a letter of another alphabet in a name",
        "name: web\n",
        "name: w\u0435b\n",
        "4:9: metadata.name contains U+0435 CYRILLIC SMALL LETTER IE: use only ASCII characters",
    ),
    row(
        "a name with a letter of another alphabet and another error",
        "name: web\n",
        "name: W\u0435b\n",
        '4:9: metadata.name "W\u0435b" is not a name: use lower-case letters, digits and hyphens between them,'
        " such as web-2",
    ),
    row(
        "a resource group may have letters of any alphabet",
        "resourceGroup: shop",
        "resourceGroup: gr\u00f6\u00dfe",
    ),
    row(
        "a resource group with a letter in two characters",
        "resourceGroup: shop",
        "resourceGroup: gro\u0308\u00dfe",
        "9:20: spec.target.resourceGroup contains U+0308 COMBINING DIAERESIS: use letters, digits, _ - . ( )",
    ),
    row(
        "a resource group with a picture",
        "resourceGroup: shop",
        'resourceGroup: "\U0001f680"',
        "9:20: spec.target.resourceGroup contains U+1F680 ROCKET: use letters, digits, _ - . ( )",
    ),
    image(
        f'gallery: {{id: "{ARM}/galleries/g/images/b\u0430se/versions/1.0.0"}}',
        "a letter of another alphabet in the id of a gallery image",
        "12:19: spec.image.gallery.id contains U+0430 CYRILLIC SMALL LETTER A: use only ASCII characters",
    ),
    image(
        'vhd: {uri: "https://\u0430ccount.blob.core.windows.net/c/n.vhd"}',
        "a letter of another alphabet in the URI of a VHD",
        "12:16: spec.image.vhd.uri contains U+0430 CYRILLIC SMALL LETTER A: use only ASCII characters",
    ),
    row(
        "an unsupported apiVersion",
        "v1alpha1",
        "v1",
        '1:13: apiVersion "vmss-reconciler/v1" is not supported: write vmss-reconciler/v1alpha1',
    ),
    row(
        "the former name of the apiVersion",
        "vmss-reconciler/",
        "reconciler/",
        '1:13: apiVersion "reconciler/v1alpha1" is not supported: write vmss-reconciler/v1alpha1',
    ),
    row(
        "a kind in another case",
        "kind: ScaleSet",
        "kind: Scaleset",
        '2:7: kind "Scaleset" is not a spec kind: did you mean ScaleSet?',
    ),
    row(
        "a manifest of another kind",
        "kind: ScaleSet",
        "kind: Deployment",
        '2:7: kind "Deployment" is not a spec kind: write ScaleSet, Image, RolloutPolicy or Fleet, or list this file in .reconcilerignore',
    ),
    row(
        "a missing kind that can be guessed",
        "kind: ScaleSet\n",
        "",
        "1:1: kind is missing: add kind: ScaleSet",
    ),
    row(
        "every error of a document is reported in order",
        "ScaleSet\nmetadata:\n  name: web\n",
        "Scaleset\nmetadata:\n  name: 5\n  owner: me\n",
        '2:7: kind "Scaleset" is not a spec kind: did you mean ScaleSet?',
        '4:9: metadata.name is read as the number 5: quote it: name: "5"',
        "5:3: metadata.owner is not a known field: expected name or labels",
    ),
]

AMOUNTS = [
    interval("300", "is 300, a number without a unit: write 300s", "a duration without a unit"),
    interval("30", "is 30, a number without a unit: write 30m", "a duration without a unit that is too short in seconds"),
    interval("5 minutes", '"5 minutes" is not a duration: write 5m', "a duration in words"),
    interval("1d", '"1d" is not a duration: write 24h', "a duration in days"),
    interval("soon", f'"soon" is not a duration: {DURATION}', "a word for a duration"),
    interval("1.5h", f'"1.5h" is not a duration: {DURATION}', "a fraction of an hour"),
    interval("1:30", f"is read as the number 90: {DURATION}", "a time of day instead of a duration"),
    interval("true", f"is read as the boolean true: {DURATION}", "a boolean instead of a duration"),
    interval("30s", '"30s" is too short: write 1m or more', "a duration below the minimum"),
    interval("PT48H", '"PT48H" is too long: write 24h or less', "a duration above the maximum"),
    interval("0s", '"0s" is too short: write 1m or more', "a duration of 0s"),
    batch("0", "is 0, which would never upgrade anything: write 1 or more, or a percentage such as 20%", "a batch of 0 instances"),
    batch("0%", "is 0%, which would never upgrade anything: write 1 or more, or a percentage such as 20%", "a batch of 0%"),
    batch("-1", "is -1, which would never upgrade anything: write 1 or more, or a percentage such as 20%", "a negative batch"),
    batch('"5"', '"5" is a string: write 5 without quotes for a count, or 5%', "a count in quotes"),
    batch("120%", '"120%" is more than the whole scale set: write 100% or less', "a batch of more than 100%"),
    batch("0.2", "is 0.2: write a whole number such as 5, or a percentage such as 20%", "a fraction for a batch"),
    batch("20 %", '"20 %" is not in canonical form: write 20%', "a percentage with a space in it"),
    batch("all", '"all" is neither a count nor a percentage: write a count such as 5, or a percentage such as 20%', "a word for a batch"),
    batch(
        "010",
        "is read as the number 8: write a plain number such as 5, or a percentage such as 20%",
        "an octal count",
    ),
    batch("true", "is the boolean true: write maxBatch: 20%", "a boolean instead of a batch"),
]  # fmt: skip

IMAGES = [
    version('"24.04"', f'"24.04" {EXACT}', "a version with two numbers"),
    image(
        "{}",
        "no image in spec.image",
        "11:3: spec.image names no image: set exactly one of platform, gallery, communityGallery,"
        " sharedGallery, managed, vhd or ref",
    ),
    image(
        "communityGallery: {id: /CommunityGalleries/g/Images/i/Versions/1.2.3}\n"
        "    vhd: {uri: https://a.blob.core.windows.net/v/a.vhd}",
        "two images in spec.image",
        "11:3: spec.image names 2 images, communityGallery (line 12) and vhd (line 13): keep exactly one",
    ),
    image(
        "plattform: {}",
        "a misspelt kind of image",
        "12:5: spec.image.plattform is not a known field: did you mean platform?",
    ),
    image(
        "Canonical:ubuntu-24_04-lts:server:24.04.1",
        "a URN instead of a mapping of the image",
        "12:5: spec.image is the id of a platform image: write platform: {publisher: Canonical,"
        ' offer: ubuntu-24_04-lts, sku: server, version: "24.04.1"} below it',
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i",
        "names an image without a version: add /versions/1.2.3, or /versions/latest for the newest",
        "the id of an image definition without a version",
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i/versions/1.2",
        '"1.2" is not a version: write three numbers such as /versions/1.2.3, or /versions/latest',
        "a gallery version with two numbers",
    ),
    by_id(
        "gallery",
        f"{ARM}/galleries/g/images/i/versions/1.2.3/",
        "ends in a slash: remove the slash",
        "an id with a trailing slash",
    ),
    by_id(
        "gallery",
        f"{ARM[1:]}/galleries/g/images/i/versions/1.2.3",
        "has no leading slash: add it",
        "an id without a leading slash",
    ),
    by_id(
        "gallery",
        f"https://management.azure.com{ARM}/galleries/g/images/i/versions/1.2.3",
        "is a URL, not an id: remove https://management.azure.com",
        "the URL of a resource instead of its id",
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
        "a name instead of an id",
    ),
    image(
        "vhd: {uri: https://a.blob.core.windows.net/v/a.vhd?sig=c2VjcmV0}",
        "a token in the URI of a VHD is rejected and not repeated",
        "12:16: spec.image.vhd.uri contains a token or query string, which must not be stored in git: end the URI with .vhd",
    ),
    image(
        "vhd: {uri: http://a.blob.core.windows.net/v/a.vhd}",
        "a VHD URI with http",
        "12:16: spec.image.vhd.uri begins with http://: use https://",
    ),
    image(
        "vhd: {uri: https://a.blob.core.windows.net/v/a.img}",
        "a blob that is not a VHD",
        '12:16: spec.image.vhd.uri "https://a.blob.core.windows.net/v/a.img" does not end in .vhd:'
        " write the URI of a VHD blob",
    ),
]


SCHEDULED = '{kind: allow, schedule: "0 2 * * 6", duration: 4h, timeZone: Europe/Berlin}'
SMOKE = "{name: smoke, http: {url: https://shop.example.com/healthz}}"


def rollout(settings: str, sentence: str, *expected: str) -> object:
    """A rollout with these fields. The expected lines start with the column."""
    old = "{by: auto, maxBatch: 20%, converge: image}"
    return row(sentence, old, f"{{{settings}}}", *(f"17:{line}" for line in expected))


def window(settings: str, sentence: str, *expected: str) -> object:
    """A valid window in which the field `settings` is replaced."""
    fields = {"kind": "allow", "schedule": '"0 2 * * 6"', "duration": "4h", "timeZone": "UTC"}
    name = settings.partition(":")[0]
    others = "".join(f", {field}: {value}" for field, value in fields.items() if field != name)
    begin = f"{24 + len(name) + 2}: spec.rollout.windows[0].{name} "
    return rollout(f"windows: [{{{settings}{others}}}]", sentence, *(begin + each for each in expected))


def health(passes: str, expected: str, sentence: str) -> object:
    return row(sentence, "{timeout: 10m}", f"{{passes: {passes}}}", f"18:20: spec.health.passes {expected}")


LISTS = [
    rollout(
        "windows: {kind: allow}",
        "a mapping instead of a list",
        "22: spec.rollout.windows is a mapping, but a list is expected: begin each item with a hyphen",
    ),
    rollout(
        "order: zone 2",
        "a string instead of a list of domains",
        "20: spec.rollout.order is a string, but a list is expected: write order: [zone 2, zone 1]",
    ),
    rollout(
        "order: ",
        "an optional list without a value",
        "20: spec.rollout.order is empty: write order: [zone 2, zone 1], or remove the line",
    ),
    rollout(
        "windows: [daily, []]",
        "list items that should be mappings",
        f"23: spec.rollout.windows[0] is a string, but a mapping is expected: write - {SCHEDULED}",
        f"30: spec.rollout.windows[1] is a list, but a mapping is expected: write - {SCHEDULED}",
    ),
    rollout(
        "order: [3, update domain 3, domain 3, {a: b}]",
        "list items that should be domains",
        '21: spec.rollout.order[0] is read as the number 3: quote it: "3"; also, "3" is not a domain: write "update domain 3",'
        ' "fault domain 1", "zone 2" or "zone 2, update domain 3"',
        '41: spec.rollout.order[2] "domain 3" is not a domain: write "update domain 3", "fault domain 1", "zone 2" or'
        ' "zone 2, update domain 3"',
        "51: spec.rollout.order[3] is a mapping, but a single value is expected: write - update domain 3",
    ),
    rollout(
        "windows: [{}]",
        "a list item without its required fields",
        "23: spec.rollout.windows[0].duration is missing: add duration: 4h",
        "23: spec.rollout.windows[0].kind is missing: add kind: allow",
        '23: spec.rollout.windows[0].schedule is missing: add schedule: "0 2 * * 6"',
    ),
    rollout(
        f"windows: [{', '.join([SCHEDULED] * 101)}]",
        "more windows than allowed",
        "22: spec.rollout.windows has 101 items, but at most 100 are allowed: shorten the list",
    ),
    row(
        "a string instead of a list of names",
        "interval: 1h",
        "dependsOn: db",
        "19:14: spec.dependsOn is a string, but a list is expected: write dependsOn: [db]",
    ),
    row(
        "a field of a list item in another place",
        "interval: 1h",
        'schedule: "0 2 * * 6"',
        "19:3: spec.schedule does not belong here: move it to spec.rollout.windows[0].schedule",
    ),
]

WINDOWS = [
    window("kind: alow", "an unknown kind of window", '"alow" is not supported: did you mean allow?'),
    window(
        "schedule: 5",
        "a number instead of a schedule",
        'is read as the number 5: quote it: schedule: "5"; also, "5" has one field, but a cron schedule has five: minute, hour, day of'
        ' the month, month and day of the week, such as "0 2 * * 6"',
    ),
    window(
        'schedule: "0 25 * * 6"',
        "a schedule with the hour 25",
        '"0 25 * * 6": the hour "25" is invalid: write 0 to 23, a list 1,3, a range 1-3, a step */2 or *',
    ),
    window(
        'schedule: "0 0 31 2 *"',
        "a schedule for 31 February",
        '"0 0 31 2 *" never occurs: there is no day 31 in month 2; name another day',
    ),
    rollout(
        "windows: [{schedule: * 2 * * *}]",
        "an unquoted star that YAML reads as an alias",
        "35: a value cannot begin with *: quote it",
    ),
    window(
        "duration: 90s",
        "a window of one and a half minutes",
        '"90s" is not a whole number of minutes: write 2m',
    ),
    window("duration: 0s", "a window of 0s", '"0s" is too short: write 1m or more'),
    window("duration: 169h", "a window of more than a week", '"169h" is too long: write 168h or less'),
    window("duration: 4", "a window duration without a unit", "is 4, a number without a unit: write 4m"),
    window("timeZone: ", "an empty time zone", "is empty: write timeZone: Europe/Berlin, or remove the line"),
    window(
        "timeZone: CEST",
        "an abbreviation of a time zone",
        '"CEST" is not a time zone: did you mean Europe/Berlin?',
    ),
    rollout(
        'windows: [{timezone: UTC, kind: deny, schedule: "0 2 * * 6", duration: 4h}]',
        "a field name in another case",
        "24: spec.rollout.windows[0].timezone is not a known field: did you mean timeZone?",
    ),
]

CHECKS = [
    rollout(
        "checks: [smoke]",
        "a string instead of a check",
        f"22: spec.rollout.checks[0] is a string, but a mapping is expected: write - {SMOKE}",
    ),
    rollout(
        "checks: [{name: smoke}]",
        "a check without a kind",
        "22: spec.rollout.checks[0] checks nothing: add http or prometheus below it",
    ),
    rollout(
        "checks: [{name: smoke, htp: {url: https://a.example/}}]",
        "a misspelt kind of check is one error and not two",
        "36: spec.rollout.checks[0].htp is not a known field: did you mean http?",
    ),
    rollout(
        'checks: [{name: a, http: {url: https://a.example/}, prometheus: {server: "http://p:9090", query: up}}]',
        "a check with two kinds",
        "22: spec.rollout.checks[0] has http (line 17) and prometheus (line 17): write 2 separate checks",
    ),
    rollout(
        'checks: [{name: a, http: {url: "https://ada:geheim@a.example/"}}]',
        "a password in a URL is rejected and not repeated",
        "44: spec.rollout.checks[0].http.url contains a user name or password, which must not be stored in git: remove"
        " everything up to the @",
    ),
    rollout(
        "checks: [{name: a, http: {url: ftp://a.example/}}]",
        "a URL with an unsupported scheme",
        '44: spec.rollout.checks[0].http.url "ftp://a.example/" is not a URL: write a URL such as'
        " https://shop.example.com/healthz",
    ),
    rollout(
        "checks: [{name: a, http: {url: https://a.example/, status: 99}}]",
        "a status below 100",
        "72: spec.rollout.checks[0].http.status is 99: write 100 or more",
    ),
    rollout(
        'checks: [{name: a, prometheus: {server: "http://p:9090/api/v1", query: ""}}]',
        "a Prometheus API path and an empty query",
        "53: spec.rollout.checks[0].prometheus.server includes the API path of the server: remove /api/v1",
        '84: spec.rollout.checks[0].prometheus.query "" is empty: write a query',
    ),
    rollout(
        'checks: [{name: a, prometheus: {server: "http://p:9090", query: "errors < bool 5"}}]',
        "a query that always returns a sample",
        '77: spec.rollout.checks[0].prometheus.query "errors < bool 5" always returns a sample and therefore'
        " always passes: remove bool, so that it returns one only if the comparison holds",
    ),
]

NUMBERS = [
    health("0", "is 0: write 1 or more", "a number of passes below the minimum"),
    health("101", "is 101: write 100 or less", "a number of passes above the maximum"),
    health("1.5", "is 1.5: write a whole number from 1 to 100", "a fraction of a pass"),
    health("2.0", "is 2: write a whole number from 1 to 100", "a whole number written as a fraction"),
    health('"3"', '"3" is a string: write 3 without quotes', "a quoted number"),
    health("three", '"three" is not a number: write a number from 1 to 100', "a number as a word"),
    health("010", "is read as the number 8: write a plain number from 1 to 100", "an octal number"),
    health("true", "is the boolean true: write passes: 1", "a boolean instead of a number"),
    health("[3]", "is a list, but a single value is expected: write passes: 1", "a list instead of a number"),
    row("a negative wave", "interval: 1h", "wave: -1", "19:9: spec.wave is -1: write 0 or more"),
    rollout(
        "maxUnhealthyUpgraded: -1",
        "a negative maxUnhealthyUpgraded",
        "35: spec.rollout.maxUnhealthyUpgraded is -1, but must not be negative: write 0 or more, or a percentage such as 20%",
    ),
    rollout(
        'maxUnhealthyUpgraded: "0"',
        "a quoted 0",
        '35: spec.rollout.maxUnhealthyUpgraded "0" is a string: write 0 without quotes for a count, or 0%',
    ),
    rollout(
        "maxUnhealthy: 0",
        "a maxUnhealthy of 0",
        "27: spec.rollout.maxUnhealthy is 0, which would let one unhealthy instance block all others: write 1 or more, or a percentage"
        " such as 20%",
    ),
    rollout(
        "deadline: 31d",
        "a deadline in days",
        f'23: spec.rollout.deadline "31d" is not a duration: {DURATION}',
    ),
    rollout(
        "progressDeadline: 30s, deadline: 721h, bakeTime: 25h",
        "durations below the minimum and above the maximum",
        '31: spec.rollout.progressDeadline "30s" is too short: write 1m or more',
        '46: spec.rollout.deadline "721h" is too long: write 720h or less',
        '62: spec.rollout.bakeTime "25h" is too long: write 24h or less',
    ),
    rollout(
        "approval: true",
        "a boolean instead of an approval",
        "23: spec.rollout.approval is read as the boolean true: write start or canary",
    ),
]


@pytest.mark.parametrize(
    "old, new, expected",
    [*READ_AS_SOMETHING_ELSE, *FIELDS, *AMOUNTS, *IMAGES, *LISTS, *WINDOWS, *CHECKS, *NUMBERS],
)
def test_an_error_is_reported_with_its_place_and_fix(
    web: str, lines: Callable[..., list[str]], old: str, new: str, expected: list[str]
) -> None:
    assert old in web
    assert lines(web.replace(old, new, 1)) == expected


RIGHT = [
    pytest.param("interval: 1h", "interval: PT1H30M", id="a duration in ISO 8601"),
    pytest.param("maxBatch: 20%", "maxBatch: 5", id="a count for a batch"),
    pytest.param(
        "11111111-1111-1111-1111-111111111111", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, id="the zero GUID"
    ),
    pytest.param("suspend: false", "suspend: True", id="True with a capital letter"),
    pytest.param("{env: prod}", '{app.io/env: ""}', id="an empty label value"),
    pytest.param("version: ", "version: !!str ", id="a tag for a string"),
    pytest.param("web\n", "web # the shop\n", id="a trailing comment"),
    pytest.param("\n", "\r\n", id="Windows line ends"),
    pytest.param("apiVersion", "\ufeffapiVersion", id="a byte order mark"),
    pytest.param("health: {timeout: 10m}", "health: &h {timeout: 10m}", id="an anchor without an alias"),
    pytest.param(
        "timeout: 10m}\n  interval: 1h", "timeout: &t 10m}\n  interval: *t", id="an alias of an anchor"
    ),
    pytest.param(
        PLATFORM,
        f"    gallery: {{id: {ARM.upper()}/galleries/g/IMAGES/i/Versions/1.2.3}}\n".replace(
            "/SUBS", "/subs", 0
        ),
        id="an id in another case",
    ),
    pytest.param(PLATFORM, f"    managed: {{id: {ARM}/images/i}}\n", id="a managed image"),
    pytest.param(
        PLATFORM,
        "    sharedGallery: {id: /SharedGalleries/g/Images/i/Versions/1.2.3}\n",
        id="a shared gallery image",
    ),
    pytest.param(
        "resourceGroup: shop",
        "resourceGroup: Ünïcode_(1).-x",
        id="a resource group with letters of other scripts",
    ),
    pytest.param("maxBatch: 20%", "maxUnhealthyUpgraded: 0%", id="a maxUnhealthyUpgraded of 0%"),
    pytest.param("maxBatch: 20%", "maxUnhealthyUpgraded: 0", id="a maxUnhealthyUpgraded of 0"),
    pytest.param("maxBatch: 20%", "approval: canary", id="approval: canary without a canary"),
    pytest.param("maxBatch: 20%", "windows: [], order: [], checks: []", id="empty lists"),
    pytest.param("maxBatch: 20%", 'order: ["zone 2, update domain 3", zone az_1]', id="domains in zones"),
    pytest.param(
        "maxBatch: 20%",
        'windows: [{kind: allow, schedule: "0 2 * * 6", duration: 4h}, {kind: deny, schedule: "0 3 * * 6", duration: 1h}]',
        id="a window that a deny window covers partly",
    ),
    pytest.param("interval: 1h", "wave: 1000", id="the highest wave"),
]


@pytest.mark.parametrize("old, new", RIGHT)
def test_a_valid_spec_has_no_errors(web: str, lines: Callable[..., list[str]], old: str, new: str) -> None:
    assert old in web
    assert lines(web.replace(old, new)) == []
