"""How a list goes on: what to send for a page, and the cursor of the next one. Pure.

Cursors are our own text: the number of rows to skip for offset and page lists, else ``skip:what the system said``.
Where a system gives more rows than were asked, the rest of its page is kept for the next cursor.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from schema.errors import BadCursor, MappingError
from sources.rest.config import PagingSpec
from sources.rest.environment import Context, Getter
from sources.rest.paths import compile_path

_LINK = re.compile(r"<([^>]*)>\s*((?:;[^,;]*)*)")


@dataclass(frozen=True, slots=True)
class Turn:
    """What to send for one page: parameters, or the address the system gave; how many rows to drop in front."""

    params: list[tuple[str, str]] = field(default_factory=list)
    url: str | None = None
    skip: int = 0
    size: int = 0
    offset: int = 0
    token: str = ""


def turn(spec: PagingSpec, cursor: str | None, first: int) -> Turn:
    """What to send for the page behind a cursor; raises BadCursor."""
    if spec.style in ("offset", "page"):
        return _numbered(spec, _number(cursor), first)
    skip, token = _split(cursor)
    params = [(spec.size, str(first + skip))] if spec.size is not None else []
    if spec.style in ("link", "next") and token:
        return Turn([], token, skip, first, token=token)
    if spec.style == "cursor" and token and spec.cursor is not None:
        params.append((spec.cursor, token))
    return Turn(params, None, skip, first, token=token)


def _numbered(spec: PagingSpec, offset: int, first: int) -> Turn:
    if spec.style == "offset":
        params = [(spec.offset or "", str(offset)), (spec.size or "", str(first))]
        return Turn(params, None, 0, first, offset)
    # Pages start at multiples of their size: the largest size that one starts at this offset with.
    size = next(size for size in range(first, 0, -1) if offset % size == 0)
    params = [(spec.page or "", str(offset // size + spec.first_page)), (spec.size or "", str(size))]
    return Turn(params, None, 0, size, offset)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 12:
        raise BadCursor(f"{cursor!r:.40} is not a cursor of this list")
    return int(cursor)


def _split(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    skip, colon, token = cursor.partition(":")
    if not colon or not skip.isdecimal() or len(skip) > 6:
        raise BadCursor(f"{cursor!r:.40} is not a cursor of this list")
    return int(skip), token


class Pager:
    """The compiled paging of one list."""

    def __init__(self, spec: PagingSpec) -> None:
        self.spec = spec
        self._next = None if spec.next is None else compile_path(spec.next)
        self._total = None if spec.total is None else compile_path(spec.total)

    def paths(self) -> list[str]:
        """What is read of an answer besides its rows."""
        return [path for path in (self.spec.next, self.spec.total) if path is not None]

    def cut(
        self, now: Turn, rows: list[Any], payload: Any, headers: Mapping[str, str]
    ) -> tuple[list[Any], str | None, int | None]:
        """The rows of this page, the cursor of the next (None at the end) and the number of all rows."""
        total = self._count(payload, headers)
        if self.spec.style == "none":
            kept = rows[now.skip : now.skip + now.size]
            more = now.skip + len(kept) < len(rows)
            return kept, f"{now.skip + len(kept)}:" if more else None, len(rows)
        if self.spec.style in ("offset", "page"):
            kept = rows[: now.size]
            end = now.offset + len(kept)
            more = len(kept) >= now.size if total is None else bool(kept) and end < total
            return kept, str(end) if more else None, total
        kept = rows[now.skip : now.skip + now.size]
        if now.skip + len(kept) < len(rows):
            return kept, f"{now.skip + len(kept)}:{now.token}", total
        token = self._token(payload, headers)
        return kept, None if token is None else f"0:{token}", total

    def _token(self, payload: Any, headers: Mapping[str, str]) -> str | None:
        if self.spec.style == "link":
            return next_link(headers.get("link", ""))
        if self.spec.header is not None:
            return headers.get(self.spec.header.lower()) or None
        found = _read(self._next, payload)
        return None if found in (None, "", False) else str(found)

    def _count(self, payload: Any, headers: Mapping[str, str]) -> int | None:
        header = self.spec.total_header
        found = _read(self._total, payload) if header is None else headers.get(header.lower())
        text = "" if found is None else str(found)
        return int(text) if text.isdecimal() else None


def _read(get: Getter | None, payload: Any) -> Any:
    ctx: Context | Any = None
    if get is None or not isinstance(payload, dict):
        return None
    try:
        return get(payload, None, ctx)
    except (ValueError, AttributeError) as error:
        raise MappingError("the answer has no paging where the mapping expects it") from error


def next_link(header: str) -> str | None:
    """The address with rel="next" in a Link header."""
    for url, params in _LINK.findall(header):
        if re.search(r'rel="?[^";]*\bnext\b', params):
            return str(url)
    return None


def below(base_url: str, url: str) -> tuple[str, list[tuple[str, str]]]:
    """Path below the base and parameters of an address the system gave.

    Its host is not believed: credentials go only where the configuration says. Raises MappingError for a path that is
    not below the base.
    """
    parts = urlsplit(url)
    base = urlsplit(base_url).path.rstrip("/")
    if not parts.path.startswith(f"{base}/"):
        raise MappingError(f"the next page is at {parts.path[:60]!r}, which is not below base_url")
    return parts.path[len(base) :], parse_qsl(parts.query, keep_blank_values=True)
