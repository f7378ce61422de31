"""A write leaves this process only if the lead in which it was decided lasts until the write has ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline.transport import HttpTransport

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import NotLeading
from reconciler.azure.session import Session
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.simulator import Simulator, VirtualClock
from tests.azure.conftest import TARGET
from tests.build import NEW
from tests.token import Token

TIMEOUT = timedelta(seconds=12)
DECIDED_IN = 3  # the term


@dataclass
class Lead:
    """The lead of a replica that lasts for `left`."""

    left: timedelta
    write_timeout: timedelta | None = TIMEOUT
    term: int = DECIDED_IN

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        return term == self.term and timeout < self.left


@dataclass
class Timed(HttpTransport[Any, Any]):
    """Notes the timeouts of each request."""

    inner: HttpTransport[Any, Any]
    seen: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def send(self, request: Any, **kwargs: Any) -> Any:
        self.seen.append((request.method, kwargs))
        return self.inner.send(request, **kwargs)

    def open(self) -> None:
        self.inner.open()

    def close(self) -> None:
        self.inner.close()

    def __exit__(self, *args: object) -> None:
        self.inner.__exit__(*args)  # type: ignore[arg-type]


@dataclass
class Hanging:
    """A credential whose requests for a token hang. Meanwhile, what happens happens."""

    happens: Callable[[], None]

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.happens()
        return Token().get_token(*scopes, **options)._replace(expires_on=0)  # it is asked for each request


class Fenced:
    def __init__(
        self, azure: Simulator, clock: VirtualClock, lead: Lead, credential: TokenCredential | None = None
    ) -> None:
        self.azure = azure
        self.transport = Timed(azure.transport())
        self.session = Session(credential=credential or Token(), transport=self.transport, now=clock.now)
        self.session.fence(lead)
        self.compute = Compute(self.session)

    def model(self) -> Model:
        model = self.compute.model(TARGET, Priority.ROLLOUT)
        assert isinstance(model, Model)
        return model

    def write(self, kind: str, term: int | None = DECIDED_IN, model: Model | None = None) -> None:
        model = model or self.model()
        steps: dict[str, Step] = {
            "model": PatchModel(NEW, model.etag, None),
            "upgrade": Upgrade(("0",), NEW),
        }
        if kind == "tags":
            self.compute.persist(TARGET, model, PersistedState(), term=term)
        else:
            self.compute.take(TARGET, steps[kind], term=term)

    def writes(self) -> int:
        return sum(each.method != "GET" for each in self.azure.record.requests)


@pytest.mark.parametrize("kind", ["model", "upgrade", "tags"])
def test_a_write_that_may_outlast_the_lead_is_not_sent(
    azure: Simulator, clock: VirtualClock, kind: str
) -> None:
    fenced = Fenced(azure, clock, Lead(TIMEOUT))
    with pytest.raises(NotLeading, match="nothing was sent"):
        fenced.write(kind)
    assert fenced.writes() == 0
    assert fenced.session.counter.counts() == {("GET", 200): 1}


@pytest.mark.parametrize("kind", ["model", "upgrade", "tags"])
def test_a_write_within_the_lead_is_sent_with_its_timeout(
    azure: Simulator, clock: VirtualClock, kind: str
) -> None:
    fenced = Fenced(azure, clock, Lead(TIMEOUT + timedelta(seconds=1)))
    fenced.write(kind)
    assert fenced.writes() == 1
    timeouts = fenced.transport.seen[-1][1]
    assert timeouts["connection_timeout"] + timeouts["read_timeout"] == TIMEOUT.total_seconds()


@pytest.mark.parametrize("kind", ["model", "upgrade", "tags"])
@pytest.mark.parametrize(
    "term",
    [
        pytest.param(DECIDED_IN - 1, id="decided in an earlier term"),
        pytest.param(None, id="decided in no term"),
    ],
)
def test_a_write_of_another_term_is_not_sent(
    azure: Simulator, clock: VirtualClock, kind: str, term: int | None
) -> None:
    fenced = Fenced(azure, clock, Lead(timedelta(hours=1)))
    with pytest.raises(NotLeading, match="nothing was sent"):
        fenced.write(kind, term)
    assert fenced.writes() == 0


@pytest.mark.parametrize("kind", ["model", "upgrade", "tags"])
def test_a_write_whose_token_hangs_until_the_replica_leads_again_is_not_sent(
    azure: Simulator, clock: VirtualClock, kind: str
) -> None:
    lead = Lead(timedelta(hours=1))
    model = Fenced(azure, clock, lead).model()

    def lose_and_win() -> None:
        lead.term += 1

    fenced = Fenced(azure, clock, lead, Hanging(lose_and_win))
    with pytest.raises(NotLeading, match="nothing was sent"):
        fenced.write(kind, DECIDED_IN, model)
    assert fenced.writes() == 0


def test_a_standby_reads_with_the_usual_timeout(azure: Simulator, clock: VirtualClock) -> None:
    fenced = Fenced(azure, clock, Lead(timedelta()))
    fenced.model()
    assert "read_timeout" not in fenced.transport.seen[-1][1]


def test_without_other_replicas_every_write_is_sent(azure: Simulator, clock: VirtualClock) -> None:
    fenced = Fenced(azure, clock, Lead(timedelta(), write_timeout=None))
    fenced.write("tags")
    assert fenced.writes() == 1
