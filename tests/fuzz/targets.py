"""The targets of `make fuzz`: what each does with the bytes that atheris makes, and the corpus that it begins with."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import properties
from tests.fuzz.properties import SECRET

ROOT = Path(__file__).parent.parent.parent
FORGES = ("/hooks/github", "/hooks/gitlab", "/hooks/azure-devops", "/hooks/generic")
ADDRESSES = (
    "{user}:{secret}@forge.example.com:8443/{path}",
    "https://{user}:{secret}@forge.example.com:8443/{path}",
    "https://{secret}@forge.example.com/{path}",
    "https://{secret}:@{path}",
    "ssh://{user}:{secret}@[::1]:22/{path}",
    "git://{user}:{secret}@{path}",
    "https:/{user}:{secret}@{path}",
    "file://{user}:{secret}@{path}",
    "https://forge.example.com/{path}?token={secret}",
    "https://forge.example.com/r.git?{user}={secret}&{path}",
)
PLAIN_ADDRESSES = (
    "git@forge.example.com:team/r.git",
    "file:///srv/a@b/r.git",
    "http://localhost:3000/r.git",
    "ext::sh -c x",
    "../r.git",
)
HEADERS = (
    b"Retry-After: 30\nDate: Mon, 05 Jan 2026 09:00:00 GMT\n"
    b"x-ms-ratelimit-remaining-resource: Microsoft.Compute/GetVMScaleSetResource;35\n"
    b"x-ms-ratelimit-remaining-subscription-reads: 240"
)
ERROR = {
    "error": {
        "code": "OperationNotAllowed",
        "message": "The server rejected the request.\r\nTry again.",
        "target": "instanceIds",
        "details": [{"code": "TooManyRequests", "target": "GetVMScaleSetResource", "message": "{}"}],
    }
}
WEBHOOK = (
    b"x-hub-signature-256: sha256=00\nwebhook-signature: v1,aGk= v1,aGk=\nwebhook-id: m1\n"
    b"webhook-timestamp: 1767603600\nx-gitlab-token: x\nauthorization: Basic YTpi\n\n{}"
)
READER = (
    b"host: fleet.example.com\norigin: https://fleet.example.com\nsec-fetch-site: same-origin\n"
    b"x-forwarded-email: ada@example.com\nx-forwarded-groups: sre, dev\nx-forwarded-email: bob"
)
SCALE_SET = {
    "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web",
    "location": "West Europe",
    "etag": '"1"',
    "tags": {"vmss-reconciler": "1"},
    "sku": {"capacity": 3},
    "properties": {
        "provisioningState": "Succeeded",
        "orchestrationMode": "Uniform",
        "upgradePolicy": {"mode": "Manual"},
        "virtualMachineProfile": {
            "storageProfile": {"imageReference": {"id": "/galleries/g/images/i/versions/1.0.0"}},
            "extensionProfile": {
                "extensions": [
                    {
                        "properties": {
                            "publisher": "Microsoft.ManagedServices",
                            "type": "ApplicationHealthLinux",
                            "settings": {"gracePeriod": 600},
                        }
                    }
                ]
            },
            "scheduledEventsProfile": {
                "osImageNotificationProfile": {"enable": True, "notBeforeTimeout": "PT15M"}
            },
        },
    },
}
INSTANCE = {
    "instanceId": "0",
    "name": "web_0",
    "zones": ["1"],
    "properties": {
        "latestModelApplied": True,
        "timeCreated": "2026-01-05T09:00:00Z",
        "instanceView": {
            "platformUpdateDomain": 1,
            "statuses": [
                {
                    "code": "ProvisioningState/failed/X",
                    "message": "a\nb",
                    "time": "2026-01-05T09:00:00.123+00:00",
                }
            ],
            "vmHealth": {"status": {"code": "HealthState/healthy"}},
            "extensions": [
                {
                    "substatuses": [
                        {
                            "code": "ComponentStatus/CustomMetrics/succeeded",
                            "message": '{"rollingUpgrade": {"PhaseOrderingNumber": 2}}',
                        }
                    ]
                }
            ],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Target:
    """`check` fails if it finds something. `corpus` are inputs to begin with."""

    check: Callable[[bytes], object]
    corpus: Callable[[], Iterator[bytes]]


def _specs() -> Iterator[bytes]:
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        yield path.read_bytes()
        yield from path.read_bytes().split(b"---\n")


def _commits() -> Iterator[bytes]:
    yield b"f\tspecs/web.yaml\ta: 1\nl\tspecs/api.yaml\tweb.yaml\ns\tmodule\t\nf\t.reconcilerignore\t/x/\n"
    yield b"f\tweb.yaml\tversion https://git-lfs.github.com/spec/v1\nl\tteam\t../base\nl\tloop.yaml\tloop.yaml\n"
    yield b"f\t.hidden/web.yaml\ta: 1\nl\tteam\t.hidden\nf\tweb.json\t{}\nf\tapi.YAML\t\nf\tx.yaml/y.yaml\t\n"


def _check_ignore(data: bytes) -> None:
    """Patterns, and a path in the last line."""
    patterns, _, path = data.rpartition(b"\n")
    properties.check_ignore(patterns.decode(errors="replace"), path.decode(errors="replace"))


def _ignores() -> Iterator[bytes]:
    yield b"# not ours\n/charts/\n*.tmpl.yaml\n!charts/keep.yaml\n**/a?[a-c]*/**\\#x\ncharts/a/x.tmpl.yaml"


def addresses(user: str, noise: str, path: str) -> Iterator[str]:
    """Addresses with a secret, in every form. Slashes make a path of what has no host, and a path is no secret."""
    for form in ADDRESSES:
        if form.startswith(("https://", "ssh://", "git://")):
            yield form.format(user=user, secret=f"{noise}{SECRET}{noise}", path=path)
        else:
            plain, bare = (each.replace("/", "") for each in (user, noise))
            yield form.format(user=plain, secret=f"{bare}{SECRET}{noise}", path=path)


def _check_address(data: bytes) -> None:
    """An address as it is, and its lines as parts of addresses with a secret."""
    text = data.decode(errors="replace")
    properties.check_address(text)
    user, noise, path, *_ = (*text.split("\n"), "", "", "")
    for each in addresses(user, noise, path):
        properties.check_address(each)


def _check_webhook(data: bytes) -> None:
    headers, _, body = data.partition(b"\n\n")
    for path in FORGES:
        properties.check_webhook(path, properties.headers_of(headers), body)


def _check_answer(data: bytes) -> None:
    """Headers, a body, and texts of an answer from the same bytes."""
    headers, _, body = data.partition(b"\n\n")
    found = properties.headers_of(headers)
    properties.check_headers({"Date": found.get("date", ""), **found})
    for status in (200, 404, 409, 429):
        properties.check_failure(status, {"Retry-After": found.get("retry-after", "")}, body)
    properties.check_answer(properties.json_of(body))
    properties.check_time(body.decode(errors="replace"))


def _answers() -> Iterator[bytes]:
    for body in (ERROR, SCALE_SET, INSTANCE, {"status": "Failed", "error": ERROR["error"]}):
        yield HEADERS + b"\n\n" + json.dumps(body).encode()
    yield HEADERS + b"\n\n2026-01-05T09:00:00.123+00:00"


TARGETS = {
    "specs": Target(properties.check_specs, _specs),
    "commits": Target(lambda data: properties.check_commit(properties.files_of(data)), _commits),
    "ignore": Target(_check_ignore, _ignores),
    "addresses": Target(
        _check_address, lambda: (each.encode() for each in (*PLAIN_ADDRESSES, "ada\np%40\nr.git"))
    ),
    "webhooks": Target(_check_webhook, lambda: iter((WEBHOOK,))),
    "readers": Target(
        lambda data: properties.check_reader(properties.raw_headers_of(data)), lambda: iter((READER,))
    ),
    "answers": Target(_check_answer, _answers),
}
