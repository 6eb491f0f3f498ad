"""GS1 identifiers as URIs: Digital Link (https://id.gs1.org/…). One with a wrong check digit is none."""

import re
from collections.abc import Sequence
from urllib.parse import quote

DOMAIN = "https://id.gs1.org"
SSCC_DIGITS, GLN_DIGITS, GTIN_DIGITS, GTIN_LENGTHS = 18, 13, 14, (8, 12, 13, 14)
_LOT = re.compile(r"[!\"%-?A-Z_a-z]{1,20}")
"""What a lot may be written with in GS1's data carriers."""
_SSCC_URN = re.compile(r"urn:epc:id:sscc:([0-9]{6,12})\.([0-9]{5,11})")


def sscc_uri(text: str | None) -> str | None:
    """A logistic unit, with or without the application identifier 00 in front."""
    digits = _digits(text)
    if len(digits) == SSCC_DIGITS + 2 and digits.startswith("00"):
        digits = digits[2:]
    return f"{DOMAIN}/00/{digits}" if len(digits) == SSCC_DIGITS and _checked(digits) else None


def lot_uri(gtin: str | None, lot: str) -> str | None:
    """A lot of a trade item."""
    digits = _digits(gtin)
    if len(digits) not in GTIN_LENGTHS or not _checked(digits) or not _LOT.fullmatch(lot):
        return None
    return f"{DOMAIN}/01/{digits.zfill(GTIN_DIGITS)}/10/{quote(lot, safe='')}"


def place_uri(gln: str | None) -> str | None:
    """A place by its GLN."""
    return f"{DOMAIN}/414/{gln}" if gln is not None and is_gln(gln) else None


def party_uri(gln: str | None) -> str | None:
    """A party by its GLN."""
    return f"{DOMAIN}/417/{gln}" if gln is not None and is_gln(gln) else None


def transaction_uri(kind: str, number: str, gln: str | None) -> str:
    """A document by its number: as the CBV writes it where its issuer's GLN is known, else in a name of our own."""
    told = quote(number, safe="")
    if gln is not None and is_gln(gln):
        return f"urn:epcglobal:cbv:bt:{gln}:{told}"
    return f"urn:crossdock:{kind}:{told}"


def is_gln(text: str) -> bool:
    """Whether this is a GLN."""
    return len(text) == GLN_DIGITS and _digits(text) == text and _checked(text)


def same_form(uri: str) -> str:
    """A logistic unit in Digital Link, whichever way it is written; everything else as it is."""
    found = _SSCC_URN.fullmatch(uri)
    if found is None:
        return uri
    prefix, serial = found.groups()
    digits = serial[0] + prefix + serial[1:]
    return f"{DOMAIN}/00/{digits}{_check_digit(digits)}" if len(digits) == SSCC_DIGITS - 1 else uri


def unique(uris: Sequence[str | None]) -> list[str]:
    """Those that there are, each once, in their order."""
    return list(dict.fromkeys(uri for uri in uris if uri is not None))


def _digits(text: str | None) -> str:
    return text if text is not None and text.isascii() and text.isdecimal() else ""


def _checked(digits: str) -> bool:
    return _check_digit(digits[:-1]) == digits[-1]


def _check_digit(digits: str) -> str:
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)
