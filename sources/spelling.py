"""Keys as a system spells them, and as we do: one pure module for every adapter and for the gateway's own lookups.

A ``Spelling`` is of one part of a key (the lot number, not item and lot). Going in: blanks, the prefix, short lists of
codes, the check digit, leading zeros, case. Going out: the same backwards, and then the cut. Nothing here raises: a key
that cannot be one (its check digit is wrong) is told by ``sound``, and one that loses characters by ``loses``.

Check digits are GS1's (General Specifications 7.9: modulo 10, weights 3 and 1 from the right), the same for SSCC, GTIN
and GLN; leading zeros do not change them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from schema.base import join_key, split_key

Speller: TypeAlias = Callable[[str], str]
Case: TypeAlias = Literal["keep", "upper", "lower"]

_CASES: dict[str, Speller] = {"keep": str, "upper": str.upper, "lower": str.lower}


class Spelling(BaseModel):
    """How the system spells one kind of key, and so how its spelling becomes ours and ours becomes its."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trim: bool = Field(default=True, description="Drop blanks around what comes in.")
    prefix: str = Field(
        default="", description="Text the system puts in front; dropped coming in, added going out."
    )
    pad: int = Field(
        default=0, ge=0, description="Numbers are zero-padded to this length; dropped coming in."
    )
    width: int = Field(
        default=0, ge=0, description="Our numbers are zero-padded to this length; not the system's."
    )
    strip_zeros: bool = Field(default=False, description="Drop leading zeros of numbers coming in.")
    case: Case = Field(default="keep", description="Our case of it.")
    send_case: Case = Field(default="keep", description="The system's case of it.")
    check_digit: Literal["ignore", "verify", "omit"] = Field(
        default="ignore",
        description="GS1 check digit (SSCC, GTIN, GLN). `verify`: a key whose last digit is wrong matches nothing. "
        "`omit`: the system leaves it out; added coming in, dropped going out.",
    )
    cut: int = Field(default=0, ge=0, description="The system keeps only this many characters.")
    codes: dict[str, str] = Field(default={}, description="The system's value = ours, for short lists.")


def same(text: str) -> str:
    """The spelling of keys that need none."""
    return text


def check_digit(body: str) -> str:
    """The GS1 check digit of a number without one."""
    total = sum(int(digit) * (1 if i % 2 else 3) for i, digit in enumerate(reversed(body)))
    return str(-total % 10)


def checks(text: str) -> bool:
    """Whether a text is a number whose last digit is the GS1 check digit of the others."""
    return _numeric(text) and len(text) > 1 and check_digit(text[:-1]) == text[-1]


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
        if spelling.check_digit == "omit" and _numeric(text):
            text += check_digit(text)
        if bare and text.isdecimal():
            text = (text.lstrip("0") or "0").zfill(spelling.width)
        return case(text)

    return read


def outward(spelling: Spelling) -> Speller:
    """From our spelling to the system's."""
    whole = _whole(spelling)

    def write(text: str) -> str:
        theirs = whole(text)
        return spelling.prefix + (theirs[: spelling.cut] if spelling.cut else theirs)

    return write


def loses(spelling: Spelling, text: str) -> bool:
    """Whether the system keeps less of our key than it has: then it may mean another one just as well."""
    return 0 < spelling.cut < len(_whole(spelling)(text))


def sound(spelling: Spelling, text: str) -> bool:
    """Whether our spelling of a key has the check digit it must have; true where none is agreed."""
    return spelling.check_digit == "ignore" or checks(text)


def _whole(spelling: Spelling) -> Speller:
    """From our spelling to the system's, before it is cut and without the prefix."""
    back = {ours: theirs for theirs, ours in spelling.codes.items()}
    case, send = _CASES[spelling.case], _CASES[spelling.send_case]

    def write(text: str) -> str:
        if text in back:
            return back[text]
        if spelling.check_digit == "omit" and checks(text):
            text = text[:-1]
        if (spelling.pad or spelling.width) and text.isdecimal():
            text = (text.lstrip("0") or "0").zfill(spelling.pad)
        # A few letters have no way back (İ, lower and upper again, is two letters): these stay as they are.
        return send(text) if case(send(case(text))) == case(text) else text

    return write


def _numeric(text: str) -> bool:
    return text.isascii() and text.isdigit()


@dataclass(frozen=True, slots=True)
class KeySpelling:
    """How a system spells the parts of one kind of key."""

    parts: tuple[Spelling, ...]
    _in: tuple[Speller, ...] = field(init=False, repr=False, compare=False)
    _out: tuple[Speller, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_in", tuple(map(inward, self.parts)))
        object.__setattr__(self, "_out", tuple(map(outward, self.parts)))

    def theirs(self, key: str) -> tuple[str, ...]:
        """The parts of our key as they are sent; one of another number of parts is left as it is."""
        parts = split_key(key)
        if len(parts) != len(self.parts):
            return parts
        return tuple([write(part) for write, part in zip(self._out, parts, strict=True)])

    def ours(self, parts: Sequence[str]) -> str:
        """Our spelling of a key that the system gave; one of another number of parts is left as it is."""
        if len(parts) != len(self.parts):
            return join_key(*parts)
        return join_key(*[read(part) for read, part in zip(self._in, parts, strict=True)])

    def echo(self, key: str) -> str:
        """Our key as it comes back from the system: itself, unless the system cuts it."""
        return self.ours(self.theirs(key))

    def loses(self, key: str) -> bool:
        """Whether the system keeps less of our key than it has."""
        return any(loses(how, part) for how, part in zip(self.parts, split_key(key), strict=False))

    def sound(self, key: str) -> bool:
        """Whether every part of our key has the check digit it must have."""
        return all(sound(how, part) for how, part in zip(self.parts, split_key(key), strict=False))
