"""Dotted paths, compiled once into functions.

``a.b`` goes down; ``^a`` starts one row further out (``^^a`` two); ``.`` is the row itself; ``a.0`` is an element;
``a.*.b`` collects over a list or the values of an object; a dot inside a name is written ``\\.``.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from sources.rest.environment import Context, Getter

_DOT = re.compile(r"(?<!\\)\.")


def split_path(path: str) -> tuple[int, list[str]]:
    """How many rows out a path starts, and its names."""
    names = path.lstrip("^")
    out = len(path) - len(names)
    if names in ("", "."):
        return out, []
    return out, [name.replace("\\.", ".") for name in _DOT.split(names)]


def compile_path(path: str) -> Getter:
    """A function that reads the value at a path off a row; None where there is nothing."""
    out, names = split_path(path)
    walk = _walker(names)
    if out == 0:
        if len(names) == 1 and names[0] not in ("*",) and not names[0].isdecimal():
            return _single(names[0])
        return lambda row, up, ctx: walk(row)

    def outward(row: Any, up: Any, ctx: Context) -> Any:
        for _ in range(out - 1):
            up = up[1]
        return walk(up[0])

    return outward


def compile_rows(path: str) -> Callable[[Any], list[Any]]:
    """A function that lists the rows at a path of a whole answer; an object there is one row."""
    walk = _walker(split_path(path)[1])

    def rows(payload: Any) -> list[Any]:
        found = walk(payload)
        if found is None:
            return []
        if not isinstance(found, (list, dict)):
            raise ValueError(f"a list of rows was expected, not a {kind(found)}")
        return found if isinstance(found, list) else [found]

    return rows


def _single(name: str) -> Getter:
    def one(row: Any, up: Any, ctx: Context) -> Any:
        return row.get(name)

    return one


def _walker(names: list[str]) -> Callable[[Any], Any]:
    if "*" in names:
        at = names.index("*")
        before, after = _walker(names[:at]), _walker(names[at + 1 :])
        flat = "*" in names[at + 1 :]

        def spread(value: Any) -> Any:
            found = before(value)
            if found is None:
                return None
            inner = (after(element) for element in _elements(found))
            kept = [element for element in inner if element is not None]
            return [leaf for element in kept for leaf in element] if flat else kept

        return spread
    steps = tuple(int(name) if name.isdecimal() else name for name in names)

    def down(value: Any) -> Any:
        for step in steps:
            if value is None:
                return None
            value = _step(value, step)
        return value

    return down


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    if isinstance(value, list) and isinstance(step, int):
        return value[step] if step < len(value) else None
    raise ValueError(f"there is no {step!r} in a {kind(value)}")


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list):
        return value
    raise ValueError(f"a list was expected, not a {kind(value)}")


def kind(value: Any) -> str:
    """What JSON calls a value of this kind."""
    names = {
        dict: "object",
        list: "list",
        str: "text",
        bool: "truth value",
        int: "number",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
