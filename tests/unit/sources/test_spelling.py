"""Spellings: what goes out comes back, whatever comes in is borne, and check digits are GS1's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schema.base import SystemKind
from sources.settings import SystemConfig
from sources.spelling import KeySpelling, Spelling, check_digit, checks, inward, loses, outward, sound

CASES = (("keep", "keep"), ("upper", "lower"), ("upper", "upper"), ("lower", "upper"), ("upper", "keep"))
TEXT = st.text(max_size=24)


@st.composite
def spellings(draw: st.DrawFn, cut: int = 0) -> Spelling:
    """Any spelling that somebody might sensibly write."""
    case, send_case = draw(st.sampled_from(CASES))
    prefix = draw(st.sampled_from(("", "00", "LOT-", "#")))
    width = draw(st.sampled_from((0, 0, 4)))
    table: dict[str, Any] = {
        "case": case,
        "send_case": send_case,
        "prefix": prefix,
        "width": width,
        "cut": cut,
    }
    table["pad"] = draw(st.sampled_from((0, 10, 18)))
    table["strip_zeros"] = draw(st.booleans())
    table["check_digit"] = draw(st.sampled_from(("ignore", "verify", "omit")))
    return Spelling(**table)


def is_ours(how: Spelling, key: str) -> bool:
    """Whether a key is in the spelling that we would give it."""
    if how.check_digit == "omit" and key.isascii() and key.isdigit() and not checks(key):
        return False  # a number without its check digit is no key of a system that leaves it out
    if key.isdecimal() and (how.pad or how.width or how.strip_zeros):
        return key == (key.lstrip("0") or "0").zfill(how.width) and (how.width > 0 or not key.startswith("0"))
    cased = {"keep": key, "upper": key.upper(), "lower": key.lower()}[how.case]
    return cased == key


@given(spellings(), TEXT)
def test_what_goes_out_comes_back(how: Spelling, text: str) -> None:
    """Inward of outward is the key itself, for every spelling that cuts nothing and every key of ours."""
    key = inward(how.model_copy(update={"prefix": ""}))(text)
    if is_ours(how, key) and not (how.prefix and key != key.strip()) and key == key.strip():
        assert inward(how)(outward(how)(key)) == key


@given(spellings(cut=6), TEXT)
def test_anything_that_comes_in_is_borne(how: Spelling, text: str) -> None:
    """No text of a system makes a spelling raise, in either direction, and whether it is sound can be said."""
    key = inward(how)(text)
    assert isinstance(outward(how)(key), str)
    assert isinstance(loses(how, key), bool)
    assert isinstance(sound(how, key), bool)


@given(st.integers(2, 12), st.text("abcXYZ019-", min_size=1, max_size=20))
def test_what_is_cut_is_told(cut: int, key: str) -> None:
    """A key loses something exactly where it does not come back."""
    how = Spelling(cut=cut)
    assert loses(how, key) == (inward(how)(outward(how)(key)) != key)


GS1 = [
    ("629104150021", "3", "GTIN-13 of GS1's check digit calculator"),
    ("37610425002123456", "9", "SSCC of GS1's check digit calculator"),
    ("9638507", "4", "GTIN-8 96385074"),
    ("061414112345", "2", "GLN of the EPC Tag Data Standard's SGLN example"),
    ("10614141234567890", "8", "SSCC of the EPC Tag Data Standard's example"),
    ("8061414112345", "8", "GTIN-14 of the EPC Tag Data Standard's SGTIN example"),
]


@pytest.mark.parametrize(("body", "digit"), [case[:2] for case in GS1], ids=[case[2] for case in GS1])
def test_known_check_digits(body: str, digit: str) -> None:
    """SSCC, GTIN and GLN have one rule, and leading zeros make no difference."""
    assert check_digit(body) == digit
    assert checks(body + digit)
    assert checks("000" + body + digit)
    assert not checks(body + str((int(digit) + 1) % 10))


@given(st.text("0123456789", min_size=3, max_size=17).filter(lambda body: body.strip("0") != ""))
def test_one_wrong_digit_is_always_found(body: str) -> None:
    """A single digit read wrongly never passes."""
    whole = body + check_digit(body)
    for place in range(len(whole)):
        wrong = whole[:place] + str((int(whole[place]) + 1) % 10) + whole[place + 1 :]
        assert not checks(wrong)


def test_a_check_digit_that_the_system_leaves_out() -> None:
    """It is added coming in and dropped going out, around the prefix of the application identifier and zeros."""
    how = Spelling(check_digit="omit", prefix="00", width=18)
    assert inward(how)("0010614141234567890") == "106141412345678908"
    assert inward(how)(outward(how)("106141412345678908")) == "106141412345678908"
    assert sound(how, "106141412345678908")
    assert not sound(how, "106141412345678907")


def test_a_wrong_check_digit_is_told_not_raised() -> None:
    """A key that fails passes through unchanged and is not sound; without an agreement everything is."""
    how = Spelling(check_digit="verify")
    assert inward(how)("6291041500214") == "6291041500214"
    assert not sound(how, "6291041500214")
    assert not sound(how, "PALLET-7")
    assert sound(Spelling(), "6291041500214")


def test_the_parts_of_a_key_have_their_own_spelling() -> None:
    """Item and lot of one key: the item padded, the lot cut, and what comes back says what was lost."""
    how = KeySpelling((Spelling(pad=8), Spelling(case="upper", send_case="lower", cut=10)))
    assert how.theirs("4711/L2409-07A-EU") == ("00004711", "l2409-07a-")
    assert how.echo("4711/L2409-07A-EU") == "4711/L2409-07A-"
    assert how.loses("4711/L2409-07A-EU")
    assert not how.loses("4711/L2409-07A")
    assert (how.theirs("4711"), how.ours(("4711",))) == (("4711",), "4711")


def system(**keys: Any) -> SystemConfig:
    """A system of any adapter with these spellings."""
    return SystemConfig.model_validate({"code": "X", "adapter": "x", "kind": SystemKind.ERP, "keys": keys})


def test_every_adapter_can_be_told_how_its_keys_are_spelled() -> None:
    """`[systems.CODE.keys]` belongs to all of them; a kind or part that does not exist is named with those that do."""
    assert system(Lot={"number": {"case": "upper"}}).keys["Lot"]["number"].case == "upper"
    with pytest.raises(ValidationError, match=r"'Batch' is no kind of key; there are .*Lot"):
        system(Batch={})
    with pytest.raises(ValidationError, match="'lot' is no part of the key of Lot; it has item, number"):
        system(Lot={"lot": {}})
