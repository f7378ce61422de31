"""A Lease in the JSON of Kubernetes, well formed and not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster.lease import ADDRESS, Lease, json_of, lease_of

AT = datetime(2026, 1, 5, 9, 0, 0, 250000, tzinfo=UTC)
# As kube-apiserver 1.20 sends it.
BODY = {
    "kind": "Lease",
    "apiVersion": "coordination.k8s.io/v1",
    "metadata": {
        "name": "reconciler",
        "namespace": "fleet",
        "uid": "6b6a1a63-6c0b-4f3a-8f83-2a9f8c1f0b11",
        "resourceVersion": "193",
        "creationTimestamp": "2026-01-05T08:59:00Z",
        "labels": {"team": "shop"},
        "annotations": {ADDRESS: "10.0.0.7:8081", "note": "kept"},
        "managedFields": [{"manager": "python-httpx2", "operation": "Update"}],
    },
    "spec": {
        "holderIdentity": "reconciler-0_1f",
        "leaseDurationSeconds": 35,
        "acquireTime": "2026-01-05T09:00:00.250000Z",
        "renewTime": "2026-01-05T09:00:00.250000Z",
        "leaseTransitions": 3,
    },
}
LEASE = Lease("reconciler-0_1f", timedelta(seconds=35), AT, AT, 3, "193", "10.0.0.7:8081")


def test_a_lease_is_read() -> None:
    assert lease_of(BODY) == LEASE


def test_a_lease_is_written_with_what_others_wrote_beside_it() -> None:
    written = json_of(lease_of(BODY), "reconciler", "fleet")
    assert written["spec"] == BODY["spec"]
    assert written["metadata"]["resourceVersion"] == "193"
    assert written["metadata"]["labels"] == {"team": "shop"}
    assert written["metadata"]["annotations"] == {ADDRESS: "10.0.0.7:8081", "note": "kept"}


def test_a_new_lease_has_no_version() -> None:
    assert "resourceVersion" not in json_of(Lease("a"), "reconciler", "fleet")["metadata"]


def test_a_released_lease_has_no_holder_and_no_address() -> None:
    written = json_of(lease_of(BODY).as_released(AT), "reconciler", "fleet")
    assert (written["spec"]["holderIdentity"], written["spec"]["leaseDurationSeconds"]) == ("", 1)
    assert written["metadata"]["annotations"] == {"note": "kept"}
    assert lease_of(written).is_released


def with_spec(**changes: Any) -> dict[str, Any]:
    return BODY | {"spec": {**BODY["spec"], **changes}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "body, expected",
    [
        pytest.param(None, Lease(), id="no JSON object"),
        pytest.param({"metadata": [], "spec": "x"}, Lease(), id="parts that are no objects"),
        pytest.param({"spec": {}}, Lease(), id="a Lease that nobody has held"),
        pytest.param({"spec": {"holderIdentity": None}}, Lease(), id="a holder that is null"),
    ],
)
def test_what_a_lease_lacks_is_absent(body: object, expected: Lease) -> None:
    assert lease_of(body) == expected


@pytest.mark.parametrize("holder", [7, ["a"], {}, True])
def test_a_holder_of_another_type_still_holds_the_lease(holder: object) -> None:
    lease = lease_of(with_spec(holderIdentity=holder))
    assert lease.holder
    assert not lease.is_released


@pytest.mark.parametrize("seconds", ["35", 0, -1, 1.5, True, 1 << 31, None])
def test_a_duration_that_makes_no_sense_is_absent(seconds: object) -> None:
    assert lease_of(with_spec(leaseDurationSeconds=seconds)).duration is None


@pytest.mark.parametrize(
    "at", ["yesterday", "2026-01-05T09:00:00", 1, "0001-01-01T00:00:00+23:00", "2026-13-05T09:00:00Z"]
)
def test_a_time_that_is_none_is_absent(at: object) -> None:
    assert lease_of(with_spec(renewTime=at)).renewed is None


@pytest.mark.parametrize("address", ["http://evil/", "10.0.0.7", "a b:1", "u@h:1", 7, "10.0.0.7:1/../x", ""])
def test_an_address_of_another_form_is_unknown(address: object) -> None:
    assert not lease_of({"metadata": {"annotations": {ADDRESS: address}}}).address


@pytest.mark.parametrize("address", ["10.0.0.7:8081", "[fd00::7]:8081", "reconciler-0.reconciler:80"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert lease_of({"metadata": {"annotations": {ADDRESS: address}}}).address == address


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "holderIdentity",
            "leaseDurationSeconds",
            "acquireTime",
            "renewTime",
            "leaseTransitions",
            "resourceVersion",
            "annotations",
            "labels",
        ),
        _json,
    ),
)


@given(st.fixed_dictionaries({"metadata": _fields | _json, "spec": _fields | _json}) | _json)
def test_any_json_is_read_and_can_be_written_again(body: object) -> None:
    lease = lease_of(body)
    assert lease_of(json_of(lease, "reconciler", "fleet")).holder == lease.holder
