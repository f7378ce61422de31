"""A Prometheus and an Alertmanager that observe a world on its virtual clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from prometheus_client.parser import text_string_to_metric_families

from reconciler.web.metrics import exposition
from tests.alerts.promql import Labels, Samples
from tests.alerts.rules import Inhibition, Rule
from tests.stories.world import World

MINUTE = timedelta(minutes=1)
Scrape = Mapping[tuple[str, Labels], float]

# What a scrape adds to the labels of each sample.
_TARGET = frozenset({("job", "vmss-reconciler"), ("instance", "reconciler:8080")})


@dataclass(slots=True)
class Firing:
    """One alert that fires, or did. `until` is None while it does. `is_told`: it was not muted all the time."""

    alert: str
    labels: Mapping[str, str]
    since: datetime
    until: datetime | None = None
    is_told: bool = False


@dataclass(slots=True)
class Prometheus:
    """Scrapes the daemon of a world every `interval`, and evaluates the rules after each scrape.

    It scrapes after every step of the daemon as well, unless `is_regular`: an alert must not resolve between
    two tries, however short the moment between them is.
    """

    world: World
    rules: Sequence[Rule]
    inhibitions: Sequence[Inhibition] = ()
    interval: timedelta = MINUTE
    is_regular: bool = False
    is_away: bool = False  # the daemon: nobody answers a scrape
    samples: Samples = field(default_factory=Samples)
    fired: list[Firing] = field(default_factory=list)
    _began: datetime = field(init=False)
    _next: datetime = field(init=False)
    _scraped: Scrape | None = None
    _active: dict[tuple[str, Labels], datetime] = field(default_factory=dict)
    _firing: dict[tuple[str, Labels], Firing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = self._next = self.world.clock.now()

    def watch(self, span: timedelta) -> None:
        """Let the daemon work for so long."""
        end = self.world.clock.now() + span
        while (due := min(each.due for each in self.world.daemons)) < end:
            self._scrape_until(due)
            self.world.step()
            self._scraped = None
            if not self.is_regular:
                self._look()
        self.wait(end - self.world.clock.now())

    def wait(self, span: timedelta) -> None:
        """Let so long pass, in which the daemon does nothing."""
        end = self.world.clock.now() + span
        self._scrape_until(end)
        self.world.until(end)

    def restart(self) -> None:
        """Another process takes over."""
        self.world.restart()
        self._began = self.world.clock.now()
        self._scraped, self.is_away = None, False

    def _scrape_until(self, end: datetime) -> None:
        while self._next <= end:
            self.world.until(self._next)
            self._look()
            self._next += self.interval

    def _look(self) -> None:
        at = self.world.clock.now()
        self.samples.scrape({} if self.is_away else self._scrape(), at.timestamp())
        for rule in self.rules:
            self._judge(rule, at)
        labels = [each.labels for each in self._firing.values()]
        for firing in self._firing.values():
            if not firing.is_told:
                firing.is_told = not any(each.mutes(firing.labels, labels) for each in self.inhibitions)

    def _scrape(self) -> Scrape:
        """What the daemon shows: nothing but its own steps changes that."""
        if self._scraped is None:
            text = exposition(self.world.reconciler.store, self._began).decode()
            lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
            self._scraped = {_sample(name): float(value) for name, _, value in lines}
        return self._scraped

    def _judge(self, rule: Rule, at: datetime) -> None:
        value = rule.expression(self.samples, at.timestamp())
        assert isinstance(value, dict), rule.source
        found = {(rule.alert, labels) for labels in value}
        for key in found:
            since = self._active.setdefault(key, at)
            if at - since >= rule.lasts and key not in self._firing:
                labels = {**dict(key[1]), **rule.labels, "alertname": rule.alert}
                self._firing[key] = Firing(rule.alert, labels, at)
                self.fired.append(self._firing[key])
        for key in [each for each in self._active if each[0] == rule.alert and each not in found]:
            del self._active[key]
            if over := self._firing.pop(key, None):
                over.until = at


@cache
def _sample(written: str) -> tuple[str, Labels]:
    """The name of a sample and its labels."""
    (family,) = text_string_to_metric_families(f"{written} 0\n")
    (sample,) = family.samples
    return sample.name, frozenset(sample.labels.items()) | _TARGET
