"""Specs that are almost right: whole documents of each kind by the schema, with a few fields changed.

A change drops a field, doubles it, gives it another name, another type or the value of another field, or moves it
elsewhere. Random text rarely gets past the first check. These documents reach the last ones.
"""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from reconciler.spec.shape import KINDS, fields
from tests.fuzz.properties import SECRET

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
IMAGES: tuple[dict[str, Any], ...] = (
    {"platform": {"publisher": "Canonical", "offer": "ubuntu", "sku": "server", "version": "24.04.202601140"}},
    {"gallery": {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.2.3"}},
    {"communityGallery": {"id": "/CommunityGalleries/g/Images/i/Versions/latest"}},
    {"managed": {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/images/i"}},
    {"vhd": {"uri": "https://account.blob.core.windows.net/vhds/base.vhd"}},
)  # fmt: skip
ROLLOUT: dict[str, Any] = {
    "by": "updateDomain",
    "order": ["zone 2", "update domain 3"],
    "canary": {"instances": ["3"], "soak": "30m"},
    "maxUnhealthyUpgraded": "5%",
    "deadline": "12h",
    "approval": "start",
    "windows": [
        {"kind": "allow", "schedule": "0 2 * * 6", "duration": "4h", "timeZone": "Europe/Berlin"},
        {"kind": "deny", "schedule": "0 0 24 12 *", "duration": "24h"},
    ],
    "checks": [
        {"name": "smoke", "http": {"url": "https://shop.example.com/healthz", "status": 204}},
        {"name": "errors", "prometheus": {"server": "http://prometheus:9090", "query": "errors < 5"}},
    ],
}
HOLD = {"reason": "load test", "by": "ada@example.com", "until": "2026-01-31T18:00Z"}


def scale_set(name: str, image: dict[str, Any], depends_on: tuple[str, ...] = ("db",)) -> dict[str, Any]:
    return {
        "apiVersion": "vmss-reconciler/v1alpha1",
        "kind": "ScaleSet",
        "metadata": {"name": name, "labels": {"env": "prod"}},
        "spec": {
            "target": {"subscription": SUBSCRIPTION, "resourceGroup": "shop", "name": name},
            "image": image,
            "rollout": {**ROLLOUT, "policy": "careful"},
            "health": {"timeout": "10m", "passes": 3},
            "dependsOn": [*depends_on],
            "wave": 2,
            "interval": "1h",
            "suspend": HOLD,
        },
    }


def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "vmss-reconciler/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


FLEET = {
    "freeze": HOLD,
    "windows": ROLLOUT["windows"],
    "maxChange": "50%",
    "maxConcurrentRollouts": 5,
    "urgent": {**HOLD, "image": IMAGES[0]},
    "tenants": [
        {
            "path": "shop",
            "subscriptions": [SUBSCRIPTION],
            "resourceGroups": ["shop"],
            "requires": {"approval": "start", "policy": "careful", "windows": ROLLOUT["windows"]},
        }
    ],
}
WHOLE = (
    *(scale_set(f"web-{number}", image) for number, image in enumerate(IMAGES)),
    scale_set("db", {"ref": "base"}, ()),
    document("Image", "base", IMAGES[0]),
    document("RolloutPolicy", "careful", ROLLOUT),
    document("Fleet", "fleet", FLEET),
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "of another program"}, "spec": {}},
)

NAMES = sorted({str(field[-1]) for kind in KINDS for field in fields(kind) if isinstance(field[-1], str)})
EXAMPLES = [each for kind in KINDS for schema in fields(kind).values() for each in schema.get("examples", ())]
# Text that a terminal, a log or YAML reads in another way, and numbers that no field can have.
ODD: tuple[Any, ...] = (
    "", " ", "\t", "a\nb", "\x1b[2J", "\u202egpj", "\u2066x", "\ufeff", "\x85", "\u2028", "\U000e0041", "é", "ﬁ", "\U0001d7d9", "٣", "²",
    "{{ x }}", "<<", "null", "yes", "0x1F", "1:30", "24.10", "2026-01-05", "9" * 100_000, "-1", "latest", "*", "&a", "*a",
    "0 2 * * 6#1", "* * * * L", "0 0 31 2 *", "@daily", "²-³ * * * *", "PT5M", "999999h", "UTC+2", "Europe/Berln", "100%", "0%", "x" * 5000,
    0, -1, 2**70, 10**400, 1.5, float("inf"), float("nan"), True, False, None, [], {}, [[]], [{}], {"": ""}, {"a": {"b": [None]}},
)  # fmt: skip
SECRETS = tuple(
    form.format(SECRET)
    for form in (
        "https://ada:{}@shop.example.com/healthz",
        "https:/ada:{}@shop.example.com/healthz",
        "https:///ada:{}@shop.example.com/",
        "//ada:{}@shop.example.com/",
        "https://{}@shop.example.com/",
        "https://ada:x/{}@shop.example.com/",
        "https://ada:x#{}@shop.example.com/",
        "https://ada:pass {}@shop.example.com/",
        "https://account.blob.core.windows.net/vhds/base.vhd?sig={}",
        "https://account.blob.core.windows.net]/vhds/base.vhd?sig={}",
        "https://account.blob.core.windows.net:x/vhds/base.vhd?sv=1&sig={}",
        "https://shop.example.com/healthz?token={}",
        "/subscriptions/s?sig={}",
        "http://account.blob.core.windows.net/vhds/base?sig={}",
        "ada:{}@shop.example.com",
    )
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value below one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    return [below for key, inner in inside for below in ((*at, key), *paths(inner, (*at, key)))]


def _container(value: Any, at: tuple[Any, ...]) -> Any:
    for step in at[:-1]:
        value = value[step]
    return value


@st.composite
def changed(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[Any]:
    """The whole fleet with up to four changes."""
    documents = json.loads(json.dumps(WHOLE))
    for _ in range(draw(st.integers(0, 4))):
        places = paths(documents)
        if not places:
            break
        at = draw(st.sampled_from(places))
        above, key = _container(documents, at), at[-1]
        change = draw(st.sampled_from(["drop", "rename", "value", "other", "move", "wrap"]))
        if change == "drop":
            del above[key]
        elif change == "value":
            above[key] = deepcopy(draw(values))
        elif change == "other":
            above[key] = deepcopy(draw(st.sampled_from(EXAMPLES)))
        elif change == "wrap":
            above[key] = [above[key]]
        elif isinstance(above, dict):
            name = draw(
                st.sampled_from(NAMES)
                | st.sampled_from([f"{key}s", key[:-1], key.upper(), "\x1b", SECRETS[0]])
            )
            target = documents if not isinstance(documents, dict) else above
            if change == "move":
                target = _container(documents, draw(st.sampled_from(places)))
            moved = above.pop(key)
            if isinstance(target, dict):
                target[name] = moved
    return documents if isinstance(documents, list) else []


@st.composite
def yaml(draw: st.DrawFn, documents: list[Any]) -> bytes:
    """Documents as YAML. A field may be written twice, with an anchor and an alias, a tag or a merge key."""
    texts = [json.dumps(each, ensure_ascii=draw(st.booleans()), allow_nan=True) for each in documents]
    text = "\n---\n".join(texts)
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, len(text)))
        at = text.find(draw(st.sampled_from(['"', "{", "[", ", ", ": "])), begin)
        added = draw(
            st.sampled_from(
                [
                    '"spec": 1, ',
                    "&a ",
                    "*a ",
                    "!x ",
                    "!!str ",
                    "<<: {}, ",
                    "? ",
                    "| ",
                    "\n---\n",
                    "\n...\n",
                    "%",
                    "\t",
                ]
            )
        )
        if at >= 0:
            text = text[:at] + added + text[at:]
    return text.encode("utf-8", "surrogatepass")
