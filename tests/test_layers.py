"""Who may import whom: the direction of the house, and one owner per outside library."""

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reconciler"

# What each room may import of ours, besides itself and the version.
ROOMS = {
    "spec": set[str](),
    "rollout": {"spec"},
    "forecast": {"spec", "rollout"},
    "azure": {"spec", "rollout"},
    "git": {"spec"},
    "checks": {"spec", "rollout"},
    "daemon": {"spec", "rollout", "forecast", "azure", "git", "checks"},
    "web": {"rollout", "daemon"},
    "simulator": {"spec"},
    "cli": {"spec", "rollout", "forecast", "azure", "git", "checks", "daemon", "web", "simulator"},
}

# The rooms that may import each outside library.
OWNERS = {
    "azure": {"azure", "simulator"},
    "yaml": {"spec"},
    "jsonschema": {"spec", "simulator"},
    "apscheduler": {"daemon"},
    "prometheus_client": {"web"},
    "cronsim": {"spec"},
    "cryptography": {"git", "simulator"},
    "click": {"cli"},
    "rich": {"cli"},
    "subprocess": {"git", "cli"},
}


def imports(file: Path) -> set[str]:
    """The dotted names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def dependencies(room: Path) -> dict[str, set[str]]:
    """Each module of a room, and the modules of it that it imports: at its top, for types, or in a function."""
    modules = {_name(file, room.parent.parent): file for file in room.rglob("*.py")}
    return {name: {*_imported(file, modules)} - {name} for name, file in modules.items()}


def _name(file: Path, root: Path) -> str:
    path = file.relative_to(root)
    return ".".join((path.parent if file.name == "__init__.py" else path.with_suffix("")).parts)


def _imported(file: Path, known: Collection[str]) -> Iterator[str]:
    """The known modules that a module imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # A name that is imported from a package is a module of it, or stands in its __init__.
                module = f"{node.module}.{alias.name}"
                if (found := module if module in known else node.module) in known:
                    yield str(found)


def circle(room: Path) -> list[str]:
    """Modules of a room that import each other in a circle, if there are any."""
    try:
        TopologicalSorter(dependencies(room)).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_no_modules_of_a_room_import_each_other_in_a_circle(room: str) -> None:
    assert circle(PACKAGE / room) == []


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("from house.cellar import roof\n", id="the usual import"),
        pytest.param("import house.cellar.roof\n", id="the import of a module by its name"),
        pytest.param("def climb():\n    from house.cellar import roof\n", id="an import in a function"),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.cellar.roof import Tile\n",
            id="an import for types only",
        ),
    ],
)
def test_a_circle_is_found_whatever_the_import(tmp_path: Path, source: str) -> None:
    room = tmp_path / "house" / "cellar"
    room.mkdir(parents=True)
    (room / "__init__.py").touch()
    (room / "roof.py").write_text("from house.cellar import floor\n")
    (room / "floor.py").write_text(source)
    assert set(circle(room)) == {"house.cellar.roof", "house.cellar.floor"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    ours = {
        name.split(".")[1]
        for file in (PACKAGE / room).rglob("*.py")
        for name in imports(file)
        if name.startswith("reconciler.")
    }
    assert ours <= ROOMS[room] | {room}


@pytest.mark.parametrize("room", ROOMS)
def test_an_outside_library_is_used_by_its_owners_only(room: str) -> None:
    strangers = {
        f"{file.name}: {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name in imports(file)
        if room not in OWNERS.get(name.split(".")[0], {room})
    }
    assert strangers == set()


def test_the_simulator_takes_nothing_of_ours_but_the_reading_of_yaml() -> None:
    users = {
        file.name: {name for name in imports(file) if name.startswith("reconciler.spec")}
        for file in (PACKAGE / "simulator").rglob("*.py")
    }
    used = {f"reconciler.spec.{name}" for name in ("document", "files", "problem", "scalar", "text", "tree")}
    assert {name for name, found in users.items() if found} == {"declared.py", "reading.py"}
    assert set().union(*users.values()) == used


def test_every_room_is_known_here() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


@pytest.mark.parametrize("room", ["rollout", "forecast"])
def test_the_decision_and_what_is_foreseen_of_it_read_no_clock_and_no_environment(room: str) -> None:
    impure = {"time", "os", "socket", "logging", "threading", "random", "subprocess"}
    found = {
        f"{file.name}: {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name in imports(file)
        if name.split(".")[0] in impure
    }
    assert found == set()
    assert not any("datetime.now" in file.read_text() for file in (PACKAGE / room).rglob("*.py"))
