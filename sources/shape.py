"""Whether what an adapter gave has the shape that the port promises. Pure; the guard asks it for every answer."""

from collections.abc import Sequence

from schema.errors import SourceError
from sources.base import Page, Part

_NOTHING = type(None)


def flaw(bundle: object, parts: Sequence[Part], wants: frozenset[type], size: int) -> str | None:
    """What is wrong with a bundle for so many keys, None when it is as promised.

    Every class wanted is there, every class has one cell a key, and a cell is a row of its class (a list of rows for
    a part that says many), None, or a ``SourceError``.
    """
    if not isinstance(bundle, dict):
        return f"a bundle was expected, not {type(bundle).__name__}"
    missing = sorted(wanted.__name__ for wanted in wants if wanted not in bundle)
    if missing:
        return f"{', '.join(missing)} asked for and missing"
    many = {part.type for part in parts if part.many}
    for kind, cells in bundle.items():
        if len(cells) != size:
            return f"{len(cells)} cells of {kind.__name__} for {size} keys"
        whole = list if kind in many else kind
        # A column has few classes, whatever its length: in C, not cell by cell.
        odd = {
            found
            for found in set(map(type, cells)).difference((whole, _NOTHING))
            if not issubclass(found, (whole, SourceError))
        }
        if odd:
            first = next(type(cell).__name__ for cell in cells if type(cell) in odd)
            return f"a {first} in place of {kind.__name__}"
    return None


def rows_of(page: object) -> object:
    """The bundle of a page; what is no page is no bundle either."""
    return page.bundle if isinstance(page, Page) else page


def size_of(page: object) -> int:
    """The number of keys of a page."""
    return len(page.keys) if isinstance(page, Page) else 0
