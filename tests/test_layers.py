"""Which packages may import which: the direction of dependencies, and the owners of each outside library."""

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reconciler"

# The packages of ours that each package may import, besides itself and the version.
PACKAGES = {
    "spec": set[str](),
    "rollout": {"spec"},
    "forecast": {"spec", "rollout"},
    "azure": {"spec", "rollout"},
    "git": {"spec"},
    "checks": {"spec", "rollout"},
    "forge": {"spec"},
    "cluster": {"spec", "rollout", "daemon"},
    "daemon": {"spec", "rollout", "forecast", "azure", "git", "checks"},
    "prediction": {"spec", "rollout", "forecast", "azure", "checks", "daemon"},
    "acts": {"spec", "rollout", "azure", "daemon"},
    "tracing": {"spec", "azure", "daemon"},
    "web": {"spec", "rollout", "daemon", "acts"},
    "simulator": {"spec"},
    "rehearsal": {"spec", "rollout", "forecast", "azure", "daemon", "prediction", "simulator"},
    "cli": {
        "spec",
        "rollout",
        "forecast",
        "azure",
        "git",
        "checks",
        "forge",
        "daemon",
        "cluster",
        "acts",
        "prediction",
        "tracing",
        "web",
        "simulator",
        "rehearsal",
    },
}

# The packages that may import each outside library.
OWNERS = {
    "azure": {"azure", "forge", "simulator"},
    "yaml": {"spec"},
    "jsonschema": {"spec", "simulator"},
    "apscheduler": {"daemon"},
    "prometheus_client": {"web"},
    "anyio": {"web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "h11": {"web"},
    "jinja2": {"web"},
    "cronsim": {"spec"},
    "cryptography": {"git", "simulator"},
    "lightkube": {"cluster"},
    "opentelemetry": {"tracing"},
    "httpx2": {"cluster"},
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


def dependencies(package: Path) -> dict[str, set[str]]:
    """Each module of a package, and the modules of that package that it imports: at its top, for types, or in a function."""
    modules = {_name(file, package.parent.parent): file for file in package.rglob("*.py")}
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
                # A name that is imported from a package is one of its modules, or is in its __init__.
                module = f"{node.module}.{alias.name}"
                if (found := module if module in known else node.module) in known:
                    yield str(found)


def find_cycle(package: Path) -> list[str]:
    """Modules of a package that import each other in a cycle, if there are any."""
    try:
        TopologicalSorter(dependencies(package)).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_modules_of_a_package_have_no_import_cycle(package: str) -> None:
    assert find_cycle(PACKAGE / package) == []


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
def test_a_cycle_is_found_by_every_kind_of_import(tmp_path: Path, source: str) -> None:
    room = tmp_path / "house" / "cellar"
    room.mkdir(parents=True)
    (room / "__init__.py").touch()
    (room / "roof.py").write_text("from house.cellar import floor\n")
    (room / "floor.py").write_text(source)
    assert set(find_cycle(room)) == {"house.cellar.roof", "house.cellar.floor"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_the_packages_below_it(package: str) -> None:
    ours = {
        name.split(".")[1]
        for file in (PACKAGE / package).rglob("*.py")
        for name in imports(file)
        if name.startswith("reconciler.")
    }
    assert ours <= PACKAGES[package] | {package}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_outside_libraries_that_it_owns(package: str) -> None:
    strangers = {
        f"{file.name}: {name}"
        for file in (PACKAGE / package).rglob("*.py")
        for name in imports(file)
        if package not in OWNERS.get(name.split(".")[0], {package})
    }
    assert strangers == set()


def test_the_simulator_imports_only_the_reading_of_yaml() -> None:
    users = {
        file.name: {name for name in imports(file) if name.startswith("reconciler.spec")}
        for file in (PACKAGE / "simulator").rglob("*.py")
    }
    used = {f"reconciler.spec.{name}" for name in ("document", "files", "problem", "scalar", "text", "tree")}
    assert {name for name, found in users.items() if found} == {"declared.py", "reading.py"}
    assert set().union(*users.values()) == used


def test_every_package_is_in_the_table() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(PACKAGES)


@pytest.mark.parametrize("package", ["rollout", "forecast"])
def test_the_decision_and_the_forecast_read_no_clock_and_no_environment(package: str) -> None:
    impure = {"time", "os", "socket", "logging", "threading", "random", "subprocess"}
    found = {
        f"{file.name}: {name}"
        for file in (PACKAGE / package).rglob("*.py")
        for name in imports(file)
        if name.split(".")[0] in impure
    }
    assert found == set()
    assert not any("datetime.now" in file.read_text() for file in (PACKAGE / package).rglob("*.py"))
