"""Who may import whom: the direction of the house, and one owner per outside library."""

import ast
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
    "cryptography": {"simulator"},
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
