"""The heat map on a terminal, the picture of a status, and the page that `report` writes."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reconciler.cli.grid import plain
from reconciler.cli.heat_map import heat_map_lines
from reconciler.daemon.store import Store
from reconciler.web.page.instances import instances_json
from reconciler.web.page.routes import PageSite
from reconciler.web.server import Server
from reconciler.web.status import Pages, Probes
from tests.build import NOW
from tests.cli.program import Ended, bare, command, invoke
from tests.cli.window import Window
from tests.web.plain_text import assert_text
from tests.web.stores import hostile, large_set, varied


def lines(store: Store, name: str, width: int | None = None) -> list[str]:
    state = next(each for each in store.states() if each.desired.name == name)
    return [plain(each).rstrip() for each in heat_map_lines(instances_json(state), width)]


def test_a_row_is_an_update_domain_and_a_column_a_fault_domain() -> None:
    assert lines(varied(), "checkout-api") == [
        "",
        "                                                   fault domain 0  fault domain 1  fault domain 2",
        "update domain 0  8 of 8 up to date                  a  a  a         a  a  a         a  a",
        "update domain 1  8 of 8 up to date                  a  a  a         a  a  a         a* a",
        "update domain 2  0 of 8 up to date, 8 unavailable  ~b ~b ~b        ~b ~b ~b        ~b ~b",
        "update domain 3  0 of 8 up to date                  b  b  b         b  b  b         b  b",
        "update domain 4  0 of 8 up to date, 1 unavailable   b  b  b         b  b  b        _b  b",
        "",
        "a 24.04.202601140 (declared): 16   b 24.04.202601010: 24",
        "a letter is an image; ~ in transition  ! unhealthy  _ deallocated  x being deleted  * protected",
    ]


def test_a_zone_is_a_column() -> None:
    assert lines(varied(), "checkout-worker")[1:3] == [
        "                                              zone 1              zone 2              zone 3",
        "instances  6 of 18 up to date, 2 unavailable   a  a  b  b  b  b   !a !a  b  b  b  b    a  a  b  b  b  b",
    ]


@pytest.mark.parametrize("width", [60, 80, 118, 200])
def test_a_thousand_instances_fit_a_window(width: int) -> None:
    found = lines(large_set(), "huge", width)
    letters = [each for line in found[:-3] for each in line.split() if each in {"a", "b"}]
    assert len(letters) == 1000
    assert max(map(len, found[:-2])) <= width


def test_a_scale_set_whose_instances_are_unknown_has_no_map() -> None:
    assert lines(varied(), "queue") == []


@contextmanager
def daemon(store: Store) -> Iterator[str]:
    server = Server(
        Pages(store, Probes(store, timedelta(minutes=10), lambda: NOW)),
        "127.0.0.1",
        0,
        site=PageSite(store, lambda: NOW),
    )
    try:
        yield server.url
    finally:
        server.close()


def ask(store: Store, cwd: Path, *arguments: str) -> Ended:
    with daemon(store) as url:
        return invoke(*arguments, "--server", url, env=bare(), cwd=cwd)


def test_watching_one_scale_set_shows_its_heat_map() -> None:
    with (
        daemon(varied()) as url,
        Window(command("status", "checkout-api", "--watch", "--server", url), bare(), (118, 24)) as window,
    ):
        picture = window.picture(lambda found: any("fault domain 2" in each for each in found))
    assert any("update domain 2  0 of 8 up to date, 8 unavailable  ~b ~b ~b" in each for each in picture)


def texts(svg: str) -> str:
    return "\n".join("".join(each.itertext()) for each in ET.fromstring(svg).iter() if each.text)  # noqa: S314


@pytest.mark.parametrize("names", [[], ["checkout-api"]], ids=["the fleet", "one scale set"])
def test_a_picture_names_no_address(tmp_path: Path, names: list[str]) -> None:
    done = ask(varied(), tmp_path, "status", *names, "-o", "svg")
    svg = "\n".join(done.out)
    assert (done.code, done.err) == (0, [])
    assert re.findall(r"https?:[^\"<]*|@font-face|@import|href", svg) == ["http://www.w3.org/2000/svg"]
    shown = texts(svg).replace("\xa0", " ")
    assert "checkout-api" in shown
    assert ("fault domain 0" in shown) == bool(names)


class Addresses(HTMLParser):
    """All that a document would load or link to, and its tags."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.tags: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize(
    ("names", "fact"),
    [
        pytest.param([], "checkout-worker", id="the fleet"),
        pytest.param(["checkout-api"], "fault domain 2", id="one scale set"),
    ],
)
def test_a_report_needs_no_other_file(tmp_path: Path, names: list[str], fact: str) -> None:
    done = ask(varied(), tmp_path, "report", *names, "--html", "out.html")
    assert (done.code, done.out, done.err) == (0, [], [])
    written = (tmp_path / "out.html").read_text()
    assert fact in written
    assert "Copy as of 2026-01-05 09:00 UTC" in written
    found = Addresses(written)
    assert [each for each in found.found if each and not each.startswith("#")] == []
    assert "script" not in found.tags
    assert "default-src &#39;none&#39;" in written


@pytest.mark.parametrize("names", [pytest.param(0, id="the fleet"), pytest.param(1, id="one scale set")])
def test_a_hostile_text_in_a_report_is_a_text(tmp_path: Path, names: int) -> None:
    store = hostile()
    named = [each.desired.name for each in store.states()][:names]
    assert ask(store, tmp_path, "report", *named, "--html", "out.html").code == 0
    assert_text((tmp_path / "out.html").read_text(), scripts=0)


@pytest.mark.parametrize("names", [pytest.param(0, id="the fleet"), pytest.param(1, id="one scale set")])
def test_a_hostile_text_in_a_picture_is_a_text(tmp_path: Path, names: int) -> None:
    store = hostile()
    named = [each.desired.name for each in store.states()][:names]
    shown = "\n".join(ask(store, tmp_path, "status", *named, "-o", "svg").out)
    assert "&lt;img" in shown
    assert_text(shown, scripts=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nobody", "--html", "out.html"], "nobody", id="a scale set that is not declared"),
        pytest.param(["--html", "none/out.html"], "cannot write none/out.html: No such file or directory", id="a directory that is missing"),
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_written_is_an_error(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = ask(varied(), tmp_path, "report", *arguments)
    assert done.code == 1
    assert message in done.err[0]


def test_a_report_needs_a_daemon(tmp_path: Path) -> None:
    done = invoke("report", "--html", "x.html", "--server", "http://127.0.0.1:1", env=bare(), cwd=tmp_path)
    assert done.code == 1
    assert done.err == [
        "error: no daemon responds at http://127.0.0.1:1; only a running daemon has the pages"
    ]
