"""Which specs are in force: those of the last commit that could be read and had no errors."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.daemon.specs import Directory, Immediate, Lines, Reading, Specs
from reconciler.git.repository import SourceStopped, SourceUnreachable
from reconciler.spec.author import Author
from reconciler.spec.files import File
from reconciler.spec.label import Requirement
from reconciler.spec.shard import Shard
from reconciler.spec.suspension import Suspension
from tests import build
from tests.stories.world import FIX, NEW, OLD, SUBSCRIPTION, of_all, spec


class Remote(Immediate):
    """A source with settable contents."""

    def __init__(self, *answers: Reading | str, last: Reading | None = None) -> None:
        self._answers = list(answers)
        self._last = last
        self.asked = 0

    def read(self) -> Reading:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            raise SourceUnreachable(answer)
        return answer

    def last(self) -> Reading | None:
        return self._last


def reading(commit: str, version: str = NEW, *, broken: bool = False) -> Reading:
    text = "kind: [" if broken else yaml.safe_dump(spec(version=version))
    return Reading(commit, f"merge {commit}", (File("specs/web.yaml", text.encode()),), ())


def versions(specs: Specs) -> list[str]:
    return [str(each.image).rsplit(":", 1)[-1] for each in specs.scale_sets]


def test_a_commit_without_errors_is_in_force() -> None:
    specs = Specs(Remote(reading("a1")))
    specs.refresh()
    assert (specs.commit, specs.subject, versions(specs), specs.errors) == ("a1", "merge a1", [NEW], ())


def test_a_commit_with_errors_is_reported_and_the_last_good_one_remains_in_force() -> None:
    specs = Specs(Remote(reading("a1"), reading("b2", broken=True)))
    specs.refresh()
    specs.refresh()
    assert (specs.commit, versions(specs)) == ("a1", [NEW])
    assert len(specs.errors) == 1
    assert specs.errors[0].startswith("specs/web.yaml:2:1: ")


def test_the_fix_of_a_commit_with_errors_comes_into_force() -> None:
    specs = Specs(Remote(reading("a1"), reading("b2", broken=True), reading("c3", FIX)))
    for _ in range(3):
        specs.refresh()
    assert (specs.commit, versions(specs), specs.errors) == ("c3", [FIX], ())


def test_what_other_shards_have_is_known_until_a_commit_without_errors_removes_it() -> None:
    def declaring(commit: str, *others: File) -> Reading:
        emea = {"metadata": {"name": "web", "labels": {"region": "emea"}}}
        documents = {"fleet": of_all() | {"metadata": {"name": "shop"}}, "web": spec("web") | emea}
        files = (File(f"{name}.yaml", yaml.safe_dump(each).encode()) for name, each in documents.items())
        return Reading(commit, "", (*files, *others), ())

    api, broken = File("api.yaml", yaml.safe_dump(spec("api")).encode()), File("api.yaml", b"kind: [")
    remote = Remote(declaring("a1", api), declaring("b2", broken), declaring("c3"))
    specs = Specs(remote, shard=Shard("emea", (Requirement.of("region=emea"),)))
    known = []
    for _ in range(3):
        specs.refresh()
        known.append([key.rpartition("/")[2] for key in specs.elsewhere])
    assert known == [["api"], ["api"], []]


def test_a_hold_in_a_commit_with_errors_is_in_force_until_a_good_commit_lifts_it() -> None:
    """A second commit with errors does not lift it, even without the hold."""
    stop = File("specs/web.yaml", yaml.safe_dump(spec(version=FIX, suspend={"reason": "outage"})).encode())
    broken = File("specs/db.yaml", b"kind: [")
    commits = [
        reading("a1"),
        Reading("b2", "stop", (stop, broken), ()),
        reading("c3", broken=True),
        reading("d4"),
    ]
    specs = Specs(Remote(*commits))
    suspended: list[Suspension | None] = []
    for _ in commits:
        specs.refresh()
        suspended += [each.suspend for each in specs.scale_sets]
    assert suspended == [None, Suspension("outage"), Suspension("outage"), None]


def test_an_unreachable_remote_is_reported_and_the_specs_remain_in_force() -> None:
    specs = Specs(Remote(reading("a1"), "no answer"))
    specs.refresh()
    specs.refresh()
    assert (specs.commit, versions(specs), specs.errors) == ("a1", [NEW], ("no answer",))


def test_a_remote_that_has_recovered_is_no_error() -> None:
    specs = Specs(Remote(reading("a1"), "no answer", reading("a1")))
    for _ in range(3):
        specs.refresh()
    assert specs.errors == ()


def test_an_unreachable_remote_does_not_hide_the_errors_of_the_last_commit() -> None:
    specs = Specs(Remote(reading("a1"), reading("b2", broken=True), "no answer"))
    for _ in range(3):
        specs.refresh()
    assert [line.split(":")[0] for line in specs.errors] == ["no answer", "specs/web.yaml"]


def test_a_start_without_the_remote_uses_the_last_fetched_commit() -> None:
    specs = Specs(Remote("no answer", last=reading("a1")))
    specs.refresh()
    assert (specs.commit, versions(specs), specs.errors) == ("a1", [NEW], ("no answer",))


def test_what_was_in_force_is_taken_over_before_anything_is_read() -> None:
    source = Remote(reading("b2", broken=True), last=reading("a1"))
    specs = Specs(source)
    specs.refresh()
    assert (specs.commit, versions(specs), source.asked) == ("a1", [NEW], 1)
    assert specs.errors[0].startswith("specs/web.yaml:2:1: ")


def test_without_what_was_in_force_the_newest_valid_commit_is_and_the_holds_of_the_broken_one() -> None:
    stop = File(
        "specs/web.yaml", yaml.safe_dump(spec(version=FIX, suspend={"reason": "outage"}, wawe=1)).encode()
    )
    earlier = [reading("c3", broken=True), reading("b2"), reading("a1", OLD)]

    def before(is_valid: Callable[[tuple[File, ...]], bool]) -> Reading | None:
        return next((each for each in earlier if is_valid(each.files)), None)

    broken = Reading("d4", "stop", (stop, File("specs/db.yaml", b"kind: [")), (), before=before)
    specs = Specs(Remote(broken))
    for _ in range(2):
        specs.refresh()
        assert (specs.commit, versions(specs), len(specs.errors)) == ("b2", [NEW], 2)
        assert [each.suspend for each in specs.scale_sets] == [Suspension("outage")]


class Search:
    """A search for a valid commit that counts how often it was made."""

    def __init__(self, *results: Reading | str | None) -> None:
        self.count = 0
        self._results = list(results)

    def __call__(self, _is_valid: Callable[[tuple[File, ...]], bool]) -> Reading | None:
        self.count += 1
        result = self._results.pop(0)
        if isinstance(result, str):
            raise SourceUnreachable(result)
        return result


def test_a_search_that_found_no_valid_commit_is_made_once_for_each_commit() -> None:
    first, second = Search(None), Search(None)
    broken = [
        replace(reading(name, broken=True), before=search) for name, search in (("a1", first), ("b2", second))
    ]
    specs = Specs(Remote(broken[0], broken[0], broken[1], broken[1], reading("c3")))
    for _ in range(4):
        specs.refresh()
        assert (specs.commit, len(specs.errors), specs.scale_sets) == ("", 1, ())
    assert (first.count, second.count) == (1, 1)
    specs.refresh()
    assert (specs.commit, specs.errors) == ("c3", ())


def test_a_search_that_could_not_read_all_commits_is_repeated() -> None:
    search = Search("no answer", reading("a1"))
    specs = Specs(Remote(replace(reading("b2", broken=True), before=search)))
    for _ in range(3):
        specs.refresh()
    assert (search.count, specs.commit) == (2, "a1")


def test_a_search_is_repeated_if_its_result_is_to_be_forgotten() -> None:
    """Other keys may verify commits whose signatures were refused before."""
    search, forgotten = Search(None, reading("a1")), []
    source = Remote(replace(reading("b2", broken=True), before=search))
    specs = Specs(source, forget_credentials=lambda: forgotten.append("credentials"))
    specs.refresh()
    specs.forget()
    specs.refresh()
    assert (search.count, specs.commit, forgotten) == (2, "a1", ["credentials"])


def test_a_commit_that_is_in_force_only_in_part_is_named_as_such() -> None:
    def declaring(commit: str, web: str, db: str) -> Reading:
        files = (("web", web), ("db", db))
        return Reading(commit, "", tuple(File(f"{name}.yaml", text.encode()) for name, text in files), ())

    web, db, moved = (yaml.safe_dump(spec(name, version)) for name, version in
                      (("web", NEW), ("db", NEW), ("web", FIX)))  # fmt: skip
    commits = [
        declaring("a1", web, db),
        declaring("b2", moved, "kind: ["),
        declaring("c3", "kind: [", "kind: ["),
        declaring("d4", moved, db),
    ]
    specs, seen = Specs(Remote(*commits)), []
    for _ in commits:
        specs.refresh()
        seen.append((specs.commit, specs.is_partial))
    assert seen == [("a1", False), ("b2", True), ("b2", True), ("d4", False)]


def test_a_commit_is_marked_valid_when_it_is_taken_over() -> None:
    marked: list[str] = []

    def named(commit: str, *, broken: bool = False) -> Reading:
        return replace(reading(commit, broken=broken), mark_valid=lambda: marked.append(commit))

    specs = Specs(Remote(named("a1"), named("a1"), named("b2", broken=True), named("c3")))
    for _ in range(4):
        specs.refresh()
    assert marked == ["a1", "c3"]


def test_a_source_that_is_stopped_changes_nothing() -> None:
    class Stopped(Remote):
        def read(self) -> Reading:
            raise SourceStopped("the program ends")

    specs = Specs(Stopped("", last=reading("a1")))
    specs.refresh()
    assert (specs.commit, specs.errors) == ("a1", ())


def test_a_start_with_nothing_to_read_has_nothing_in_force() -> None:
    specs = Specs(Remote("no answer"))
    specs.refresh()
    assert (specs.scale_sets, specs.in_force_since, specs.errors) == ((), None, ("no answer",))


def test_a_plain_directory_is_read_every_time(tmp_path: Path) -> None:
    specs = Specs(Directory(tmp_path))
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(spec()))
    specs.refresh()
    assert (specs.commit, versions(specs)) == ("", [NEW])
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(spec(version=FIX)))
    specs.refresh()
    assert versions(specs) == [FIX]


def test_a_directory_that_vanishes_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "specs"
    place.mkdir()
    (place / "web.yaml").write_text(yaml.safe_dump(spec()))
    specs = Specs(Directory(place))
    specs.refresh()
    (place / "web.yaml").unlink()
    specs.refresh()
    assert versions(specs) == [NEW]
    assert len(specs.errors) == 1
    assert specs.errors[0].startswith(f"{place} contains no spec files: ")


@pytest.mark.parametrize(
    "change", [pytest.param(True, id="new bytes"), pytest.param(False, id="the same bytes")]
)
def test_files_are_parsed_only_when_they_have_changed(change: bool) -> None:
    first = reading("a1")
    specs = Specs(Remote(first, reading("a1", FIX) if change else first))
    specs.refresh()
    before = specs.scale_sets
    specs.refresh()
    assert (specs.scale_sets is before) is not change


# Who wrote it

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ADA = Author("Ada", "ada@example.com")


class History:
    """A source that records its calls and returns these authors."""

    def __init__(self, *told: tuple[Author, ...]) -> None:
        self.asked: list[tuple[str, Lines]] = []
        self._told = list(told)

    def __call__(self, commit: str, lines: Lines) -> tuple[Author, ...]:
        self.asked.append((commit, lines))
        return self._told.pop(0)


def test_the_authors_of_an_image_are_read_once_for_each_commit() -> None:
    history = History((ADA,), ())
    first, second = (replace(reading(name), authors=history) for name in ("a1", "b2"))
    specs = Specs(Remote(first, first, second))
    for expected in ((ADA,), (ADA,), ()):
        specs.refresh()
        (web,) = specs.scale_sets
        assert specs.authors(web, specs.commit) == expected
    lines = frozenset(("specs/web.yaml", number) for number in range(8, 12))
    assert history.asked == [("a1", lines), ("b2", lines)]


@pytest.mark.parametrize(
    "step, passed",
    [
        pytest.param(2, 0, id="set two hours ahead at once after a failure"),
        pytest.param(-3, 2, id="set back while two hours pass"),
    ],
)
def test_a_system_clock_that_is_set_changes_nothing_in_when_a_source_is_stale(
    monkeypatch: pytest.MonkeyPatch, step: int, passed: int
) -> None:
    hour, wall, ticks = timedelta(hours=1), [AT], [0.0]

    class SystemTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return wall[0].astimezone(tz)

    for module in ("azure.clock", "daemon.specs"):
        monkeypatch.setattr(f"reconciler.{module}.datetime", SystemTime)
    monkeypatch.setattr("reconciler.azure.clock.time.clock_gettime", lambda _clock: ticks[0])
    specs = Specs(Remote("no answer"))
    specs.refresh()
    wall[0] += (step + passed) * hour
    ticks[0] += passed * 3600
    specs.refresh()
    assert specs.unread_for == passed * hour


def test_unknown_authors_are_read_again_after_a_minute() -> None:
    clock = [AT]
    history = History((), (ADA,))
    specs = Specs(Remote(replace(reading("a1"), authors=history)), lambda: clock[0])
    specs.refresh()
    (web,) = specs.scale_sets
    for after, expected in ((0, ()), (59, ()), (60, (ADA,)), (61, (ADA,))):
        clock[0] = AT + timedelta(seconds=after)
        assert specs.authors(web, "a1") == expected
    assert len(history.asked) == 2


def test_a_directory_has_no_authors(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(spec()))
    specs = Specs(Directory(tmp_path))
    assert specs.authors(build.spec(), "") == ()
    specs.refresh()
    assert specs.authors(specs.scale_sets[0], "") == ()


# What was declared before


def before(version: str, **changes: Any) -> tuple[File, ...]:
    return (File("specs/web.yaml", yaml.safe_dump(spec(version=version, **changes)).encode()),)


OTHER = {"target": {"subscription": SUBSCRIPTION, "resourceGroup": "shop", "name": "api"}}


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        pytest.param([before(OLD)], True, id="a commit has declared it"),
        pytest.param([before(NEW), before(OLD)], True, id="an earlier commit has declared it"),
        pytest.param([], False, id="no commit has declared it"),
        pytest.param([before(NEW)], False, id="a commit has declared another image"),
        pytest.param([before(OLD, **OTHER)], False, id="a commit has declared it for another scale set"),
        pytest.param([before(OLD, rolout={})], False, id="a commit with errors has declared it"),
        pytest.param(None, False, id="the history cannot be read"),
    ],
)
def test_whether_a_commit_has_declared_an_image_here(
    past: list[tuple[File, ...]] | None, *, expected: bool
) -> None:
    asked: list[tuple[str, str, frozenset[str]]] = []

    def history(commit: str, text: str, paths: frozenset[str]) -> tuple[tuple[File, ...], ...] | None:
        asked.append((commit, text, paths))
        return None if past is None else tuple(past)

    clock = [AT]
    specs = Specs(Remote(replace(reading("a1"), past=history)), lambda: clock[0])
    specs.refresh()
    (web,) = specs.scale_sets
    for after in (0, 59, 60):
        clock[0] = AT + timedelta(seconds=after)
        assert specs.was_declared(web, build.OLD, "a1") is expected
    # What cannot be read is asked again a minute later, and all else once for each commit.
    assert asked == [("a1", OLD, frozenset({"specs/web.yaml"}))] * (2 if past is None else 1)


def test_a_directory_has_no_history(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(spec()))
    specs = Specs(Directory(tmp_path))
    assert not specs.was_declared(build.spec(), build.OLD, "")
    specs.refresh()
    assert not specs.was_declared(specs.scale_sets[0], build.OLD, "")


def test_a_start_beside_broken_commits_goes_through_those_since_the_last_valid_one() -> None:
    """Each of two broken commits has moved another scale set."""
    web, db = (File(f"specs/{name}.yaml", yaml.safe_dump(spec(name)).encode()) for name in ("web", "db"))
    moved = File("specs/web.yaml", yaml.safe_dump(spec(version=FIX)).encode())
    broken = File("specs/db.yaml", b"kind: [")
    first = Reading("a1", "first", (web, db), ())
    second = Reading("b2", "moves web", (moved, broken), ())
    asked: list[str] = []

    def since(commit: str) -> tuple[Reading, ...]:
        asked.append(commit)
        return (second,)

    third = Reading("c3", "breaks web too", (File("specs/web.yaml", b"kind: ["), broken), (), since=since)
    running, started = Specs(Remote(first, second, third)), Specs(Remote(third, last=first))
    for _ in range(3):
        running.refresh()
        started.refresh()
        assert {each.name: each.image for each in started.scale_sets} == {"web": build.FIX, "db": build.NEW}
    assert {each.key: each.desired for each in running.in_force} == {
        each.key: each.desired for each in started.in_force
    }
    assert asked == ["a1"]
