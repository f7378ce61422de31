"""For any bytes there is no exception, and every problem is one printable line with a place in its file."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.spec.declared import Declared, declare
from reconciler.spec.files import File

WEB = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: web, labels: {env: prod}}
spec:
  target: {subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: web}
  image:
    platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601140"}
  rollout:
    order: [zone 2, update domain 3]
    canary: {instances: ["3"], soak: 30m}
    maxUnhealthyUpgraded: 5%
    deadline: 12h
    approval: start
    windows:
      - {kind: allow, schedule: "0 2 * * 6", duration: 4h, timeZone: Europe/Berlin}
      - {kind: deny, schedule: "0 0 24 12 *", duration: 24h}
    checks:
      - {name: smoke, http: {url: "https://shop.example.com/healthz", status: 204}}
      - {name: errors, prometheus: {server: "http://prometheus:9090", query: "errors < 5"}}
  health: {timeout: 10m, passes: 3}
  dependsOn: [db, web]
  wave: 2
  interval: &i 1h
  suspend: false
---
apiVersion: vmss-reconciler/v1alpha1
kind: Image
metadata: {name: base}
spec: {gallery: {id: /SharedGalleries/g/Images/i/Versions/1.2.3}}
---
apiVersion: vmss-reconciler/v1alpha1
kind: Fleet
metadata: {name: fleet}
spec: {freeze: false, maxChange: 50%, windows: [{kind: deny, schedule: "@daily", duration: 1h}]}
"""
NASTY = [
    "\t", "- ", "? ", ": ", "&a ", "*a", "*i", "<<: ", "!!str ", "!x ", "| ", "> ", "'", '"', "{", "}", "[", "]", ",", "#",
    "%", "@", "\0", "\ufeff", "\u2028", "\x85", "\r", "\ud800", "~", "yes", "0x1F", "1:30", ".nan", "-.inf", "1e400", "9" * 5000,
    "2024-01-01", "---\n", "...\n", "\\e", "null", "0", "-1", "é", "💥", " ", "\n", "latest", "/versions/", "https://", "ref: base\n",
    "* * * * *", "u:p@", "Europe/", "zone 2", "31 2", "PT1M",
]  # fmt: skip


def check(content: bytes) -> None:
    declared = declare([File("web.yaml", content), File("other.yaml", WEB.encode())])
    assert isinstance(declared, Declared)
    assert list(declared.problems) == sorted(set(declared.problems))
    for problem in declared.problems:
        assert str(problem).isprintable()
        assert len(str(problem)) < 4000
        text = content if problem.place.file == "web.yaml" else WEB.encode()
        assert 1 <= problem.place.line <= 1 + len(text)


@given(st.binary(max_size=200))
def test_random_bytes(content: bytes) -> None:
    check(content)


@given(st.lists(st.sampled_from(NASTY) | st.sampled_from(WEB.splitlines(keepends=True)), max_size=30))
def test_random_pieces_of_yaml(pieces: list[str]) -> None:
    check("".join(pieces).encode("utf-8", "surrogatepass"))


@settings(max_examples=300)
@given(st.data())
def test_a_valid_spec_with_a_few_changes(data: st.DataObject) -> None:
    text = WEB
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        text = text[:start] + data.draw(st.sampled_from(NASTY)) + text[end:]
    check(text.encode("utf-8", "surrogatepass"))


VALUES = st.recursive(
    st.sampled_from([each for each in NASTY if each.isprintable()]) | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "id", "ref", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


PLACES = [
    "web", "prod", "shop", "image:", "zone 2", "5%", "10m", "&i 1h", "false", "Canonical", "ScaleSet", '"0 2 * * 6"', "4h",
    "Europe/Berlin", "allow", "start", "12h", "smoke", "204", '"https://shop.example.com/healthz"', "[db, web]", "3}", "2\n",
    "50%", '{url: "https://shop.example.com/healthz", status: 204}', "30m", '["3"]',
]  # fmt: skip


@given(VALUES, st.sampled_from(PLACES))
def test_any_value_in_any_place(value: object, place: str) -> None:
    assert place in WEB
    check(WEB.replace(place, repr(value), 1).encode("utf-8", "surrogatepass"))
