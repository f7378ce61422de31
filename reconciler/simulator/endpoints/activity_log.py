"""The activity log of a subscription.

    GET .../providers/Microsoft.Insights/eventtypes/management/values
        ?$filter=eventTimestamp ge '2026-01-05T00:00:00Z' and resourceUri eq '/subscriptions/...'

The error for a start time that is too early has been recorded. The messages for other invalid filters have
not been recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.simulator.activity_log import KEPT, LoggedEvent
from reconciler.simulator.endpoints.call import Call, Reply, next_link, page

COMPARISON = re.compile(r"\s*(\w+)\s+(ge|le|eq)\s+('[^']*'|[^\s']+)\s*", re.I)
AND = re.compile(r"\s+and\s+", re.I)
# The clocks of a client and of Azure differ.
LENIENCE = timedelta(minutes=5)

# The fields that a filter can compare for equality. Values are compared regardless of case.
FIELDS: Mapping[str, Callable[[LoggedEvent], str]] = {
    "resourceuri": lambda event: event.write.resource,
    "resourceid": lambda event: event.write.resource,  # not documented, but `az` sends it
    "resourcegroupname": lambda event: event.write.group,
    "resourceprovider": lambda event: event.write.resource.rpartition("/providers/")[2].split("/")[0],
    "correlationid": lambda event: event.write.correlation_id,
    "caller": lambda event: event.write.caller,
    "status": lambda event: event.status,
}


@dataclass(frozen=True, slots=True)
class Filter:
    since: datetime
    until: datetime | None
    equal: Mapping[str, str]

    def fits(self, event: LoggedEvent) -> bool:
        if event.at < self.since or (self.until and event.at > self.until):
            return False
        return all(FIELDS[name](event).lower() == value.lower() for name, value in self.equal.items())


class BadFilter(Exception):
    """Raised for an invalid filter, with the message of the 400 response."""


def events(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    now, lag = call.cloud.clock.now(), call.cloud.timings.log
    try:
        wanted = parse_filter(call.request.query.get("$filter", ""))
        if wanted.since < now - KEPT - LENIENCE:
            raise BadFilter("The start time cannot be more than 90 days in the past.")
    except BadFilter as problem:
        return Reply(400, {"Code": "BadRequest", "Message": str(problem)}, gateway=True)
    shown = call.cloud.activity_log.newest_first(call.subscription, now, lag)
    found = [each for each in shown if wanted.fits(each)]
    rows = page(call)
    names = {name.strip().lower() for name in call.request.query.get("$select", "").split(",")} - {""}
    value = [
        {name: field for name, field in each.body(lag).items() if not names or name.lower() in names}
        for each in found[rows]
    ]
    link = {"nextLink": next_link(call, rows.stop)} if len(found) > rows.stop else {}
    return Reply(200, {"value": value, **link}, gateway=True)


def parse_filter(text: str) -> Filter:
    """Parse a filter. Raises BadFilter if the filter has no start time or an unsupported comparison."""
    since = until = None
    equal = {}
    for part in AND.split(text.strip()):
        match = COMPARISON.fullmatch(part)
        if match is None:
            raise BadFilter(f"The $filter '{text}' is not valid.")
        name, operator, value = match[1].lower(), match[2].lower(), match[3].strip("'")
        if name == "eventtimestamp" and operator in ("ge", "le"):
            at = _moment(value)
            since, until = (at, until) if operator == "ge" else (since, at)
        elif name in FIELDS and operator == "eq":
            equal[name] = value
        elif name not in ("eventchannels", "levels"):  # every event has the same channel
            raise BadFilter(f"The $filter '{text}' is not valid.")
    if since is None:
        raise BadFilter("The $filter must have a start: eventTimestamp ge '...'.")
    return Filter(since, until, equal)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadFilter(f"'{text}' is not a valid time.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
