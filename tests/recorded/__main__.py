"""`python -m tests.recorded DIRECTORY`: compares the simulator's responses with recorded ones.

Prints a line for each cassette (interactions, those with the recorded status, those with every field as
recorded), then each kind of difference with the number of interactions that have it. `-v` shows each
difference.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tests.recorded.cassette import read_cassettes
from tests.recorded.replay import Outcome, replay


def main(arguments: list[str]) -> int:
    places = [each for each in arguments if not each.startswith("-")]
    if len(places) != 1:
        print("python -m tests.recorded [-v] DIRECTORY", file=sys.stderr)
        return 2
    everything: list[Outcome] = []
    for cassette in read_cassettes(Path(places[0])):
        try:
            outcomes = list(replay(cassette))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            print(f"{cassette.name}: {problem}")
            continue
        everything += outcomes
        print(_summary(cassette.name, outcomes))
        if "-v" in arguments:
            _detail(outcomes)
    print(_summary("all", everything))
    kinds = Counter(kind for outcome in everything for kind in {str(each) for each in outcome.differences})
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    return 0


def _summary(name: str, outcomes: list[Outcome]) -> str:
    alike = sum(each.has_same_status for each in outcomes)
    same = sum(each.is_same for each in outcomes)
    return f"{name}: {len(outcomes)} interactions, {alike} same status, {same} same fields"


def _detail(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.is_same:
            continue
        print(f"  {outcome.interaction}: {outcome.interaction.status}, here {outcome.status}")
        if not outcome.has_same_status:
            print(
                f"      {json.dumps(outcome.interaction.answer)[:300]}\n      {json.dumps(outcome.answer)[:300]}"
            )
            continue
        for each in outcome.differences:
            print(f"      {each}: {json.dumps(each.recorded)[:100]} -> {json.dumps(each.found)[:100]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
