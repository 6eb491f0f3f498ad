"""Keys as the system spells them, and as we do."""

from collections.abc import Callable
from typing import TypeAlias

from sources.rest.spec import Spelling

Speller: TypeAlias = Callable[[str], str]

_CASES: dict[str, Speller] = {"keep": str, "upper": str.upper, "lower": str.lower}


def same(text: str) -> str:
    """The spelling of keys that need none."""
    return text


def inward(spelling: Spelling) -> Speller:
    """From the system's spelling to ours."""
    case = _CASES[spelling.case]
    bare = spelling.strip_zeros or spelling.pad > 0 or spelling.width > 0

    def read(text: str) -> str:
        if spelling.trim:
            text = text.strip()
        if spelling.prefix and text.startswith(spelling.prefix):
            text = text[len(spelling.prefix) :]
        if text in spelling.codes:
            return spelling.codes[text]
        if bare and text.isdecimal():
            text = (text.lstrip("0") or "0").zfill(spelling.width)
        return case(text)

    return read


def outward(spelling: Spelling) -> Speller:
    """From our spelling to the system's."""
    case = _CASES[spelling.send_case]
    back = {ours: theirs for theirs, ours in spelling.codes.items()}

    def write(text: str) -> str:
        if text in back:
            return spelling.prefix + back[text]
        if (spelling.pad or spelling.width) and text.isdecimal():
            text = (text.lstrip("0") or "0").zfill(spelling.pad)
        text = case(text)
        if spelling.cut:
            text = text[: spelling.cut]
        return spelling.prefix + text

    return write
