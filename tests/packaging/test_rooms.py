"""The rooms of the house: who may import whom, what an adapter's folder holds, how long a file may grow."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from sources import ADAPTERS

ROOT = Path(__file__).parents[2]
ROOMS = ("schema", "sources", "resolvers", "gateway")
STANDARD = sys.stdlib_module_names

THIRD_PARTIES = {
    "schema": frozenset[str](),
    "sources": frozenset({"msgspec", "orjson", "pydantic"}),
    "resolvers": frozenset({"aiodataloader", "graphql", "strawberry", "msgspec", "orjson"}),
}
"""What each room may import from outside; the gateway may import everything."""
HTTP_CLIENT = (frozenset({"aiohttp", "yarl"}), "sources/http.py")
"""One module under sources imports the client, and what the client takes for an address."""
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
FOREIGN = "/seed.py"
"""Scripts that fill a real system for the demo: they run in that system's own environment and are never imported."""
SHAPE = {"__init__.py", "client.py", "mapping.py", "source.py", "sim.py"}


@dataclass(frozen=True, slots=True)
class Import:
    """One module imported by one file."""

    file: str
    line: int
    module: str
    nested: bool

    @property
    def room(self) -> str:
        """The room of the file."""
        return self.file.split("/")[0]

    @property
    def top(self) -> str:
        """The package imported."""
        return self.module.split(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def files() -> list[Path]:
    """Every module of the four rooms."""
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a file; ``from a import b`` counts as a.b where that is a module, else as a."""
    file = path.relative_to(ROOT).as_posix()
    body = set(map(id, tree(path).body))
    for node in ast.walk(tree(path)):
        nested = id(node) not in body
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, nested)
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            for alias in node.names:
                module = f"{base}.{alias.name}"
                yield Import(file, node.lineno, module if _is_module(module) else base, nested)


def _base(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    above = package[: len(package) - (node.level - 1)]
    return ".".join([*above, *([node.module] if node.module else [])])


def _is_module(dotted: str) -> bool:
    place = ROOT.joinpath(*dotted.split("."))
    return place.with_suffix(".py").is_file() or place.is_dir()


@cache
def imports() -> tuple[Import, ...]:
    """Every import of the four rooms."""
    return tuple(found for path in files() for found in imports_of(path))


def adapter_of(module: str) -> str | None:
    """The adapter that a module under sources belongs to: the name of its folder."""
    parts = module.replace("/", ".").split(".")
    if len(parts) > 1 and parts[0] == "sources" and (ROOT / "sources" / parts[1]).is_dir():
        return parts[1]
    return None


def allowed(found: Import) -> bool:
    """Whether the import rule lets it pass."""
    room, top = found.room, found.top
    if top == room or top in STANDARD:
        return True
    if top == "tests":
        return False
    if top in ROOMS:
        return {
            "schema": False,
            "sources": top == "schema",
            "resolvers": top == "schema" or found.module == "sources.base",
            "gateway": True,
        }[room]
    if room == "gateway" or found.file.endswith(FOREIGN):
        return True
    if top in HTTP_CLIENT[0]:
        return found.file == HTTP_CLIENT[1]
    return top in THIRD_PARTIES[room]


def test_the_import_rule() -> None:
    """Schema imports nothing, sources the schema, resolvers the schema and the port, the gateway everything."""
    assert [str(found) for found in imports() if not allowed(found)] == []


def test_adapters_do_not_know_each_other() -> None:
    """Nothing under sources imports an adapter but the adapter itself."""
    wrong = [
        str(found)
        for found in imports()
        if found.room == "sources"
        and (owner := adapter_of(found.module)) is not None
        and owner != adapter_of(found.file)
    ]
    assert wrong == []


def test_nobody_imports_the_scripts_of_other_environments() -> None:
    """A seed script is data for us: it is handed to another interpreter, never imported."""
    assert [str(found) for found in imports() if found.module.endswith(".seed")] == []


def test_no_import_inside_a_function() -> None:
    """Imports stand at the top of the module, for everyone, always."""
    assert [str(found) for found in imports() if found.nested] == []


def test_no_knots() -> None:
    """No TYPE_CHECKING and no lazy types: where one seems needed, the room is wrong."""
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in files()
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr in ("TYPE_CHECKING", "lazy", "LazyType"))
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "TYPE_CHECKING" for alias in node.names))
    ]
    assert wrong == []


def test_folders_are_adapters() -> None:
    """Every folder under sources with a source.py is registered, and every registration has its folder."""
    folders = {path.parent.name for path in (ROOT / "sources").glob("*/source.py")}
    assert folders == set(ADAPTERS)
    for name, place in ADAPTERS.items():
        assert place.startswith(f"sources.{name}.source:"), f"{name} is registered as {place}"


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_has_the_same_files(name: str) -> None:
    """An adapter's folder has the same file names as the next one's, and says what it speaks."""
    folder = ROOT / "sources" / name
    assert {path.name for path in folder.glob("*.py")} >= SHAPE
    assert ast.get_docstring(tree(folder / "__init__.py")), f"sources/{name}/__init__.py says nothing"


def test_mappings_are_pure() -> None:
    """A mapping module turns raw rows into canonical ones: no I/O, no clock of its own, no client."""
    shut = {"asyncio", "socket", "http", "urllib", "subprocess", "aiohttp", "time", "sources.http"}
    wrong = [
        str(found)
        for found in imports()
        if found.file.startswith("sources/")
        and found.file.endswith("/mapping.py")
        and (found.top in shut or found.module in shut)
    ]
    assert wrong == []


def lengths(path: Path) -> Iterator[tuple[str, int]]:
    """The length in lines of every function of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (
                f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                (node.end_lineno or 0) - node.lineno + 1,
            )


def test_files_are_short() -> None:
    """A file is one noun."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_functions_are_short() -> None:
    """A function is one verb."""
    assert {name: n for path in files() for name, n in lengths(path) if n > LONGEST_FUNCTION} == {}
