"""How the keys of a batch travel: the calls a batch costs. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from schema.base import split_key
from sources.rest.config import CallSpec, KeysSpec, ReadSpec
from sources.rest.environment import Environment
from sources.rest.parts import Asked, Linked
from sources.rest.paths import split_path
from sources.spelling import Speller, Spelling, inward, loses, outward

_PLAIN = Spelling()
HOLE = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the places of the keys it asks for."""

    places: list[int]
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str]
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class KeyParts:
    """Names of the parts of a key and how the system spells each."""

    names: tuple[str, ...]
    spellings: tuple[Spelling, ...]
    keys: KeysSpec | None = None
    write: "Write" = field(init=False, repr=False, compare=False)
    """How each key of a call is written, where several travel in one."""
    _out: tuple[Speller, ...] = field(init=False, repr=False, compare=False)
    _in: tuple[Speller, ...] = field(init=False, repr=False, compare=False)
    _plain: bool = field(init=False, repr=False, compare=False)
    """Whether the system spells all parts as we do, but for blanks around them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_out", tuple(map(outward, self.spellings)))
        object.__setattr__(self, "_in", tuple(map(inward, self.spellings)))
        plain = len(self.names) == len(self.spellings) and all(how == _PLAIN for how in self.spellings)
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "write", _writer(self.keys or KeysSpec(param="_"), self.names))

    def ask(self, keys: Sequence[str]) -> Asked:
        """The keys of a batch in all three spellings."""
        joined = "".join(keys)
        split = split_key if "%" in joined else _split_plain
        ours = [split(key) for key in keys]
        if self._plain and _bare(joined) and max(map(len, ours), default=0) <= len(self.names):
            return Asked(ours, ours, ours, set(), self.spellings)
        out, back = self._out, self._in
        theirs = [tuple([write(part) for write, part in zip(out, key, strict=False)]) for key in ours]
        expected = [tuple([read(part) for read, part in zip(back, key, strict=False)]) for key in theirs]
        cut = {
            place
            for place, key in enumerate(ours if any(how.cut for how in self.spellings) else ())
            if any(loses(how, part) for how, part in zip(self.spellings, key, strict=False))
        }
        return Asked(ours, theirs, expected, cut, self.spellings)

    def words(self, key: tuple[str, ...]) -> dict[str, str]:
        """What templates may name: the parts of a key by name and by number."""
        numbered = {str(i): part for i, part in enumerate(key)}
        return numbered | dict(zip(self.names, key, strict=False))


def _split_plain(key: str) -> tuple[str, ...]:
    return tuple(key.split("/"))


def _bare(text: str) -> bool:
    """Whether there are no blanks of any kind in a text: none can be around a part of a key then."""
    return text.isprintable() and " " not in text


def key_parts(
    spec: ReadSpec, first: Linked, specs: Mapping[str, Any], env: Environment, place: str
) -> KeyParts:
    """The parts of a read's key: as its table says, else the attributes with the spelling of their mapping."""
    if spec.key is not None:
        pairs = [part.partition(":")[::2] for part in spec.key]
        names = tuple(name for name, _ in pairs)
        how_spelled = tuple(env.spelling(how, place) if how else Spelling() for _, how in pairs)
        return KeyParts(names, how_spelled, spec.keys)
    found = [specs[name].key if name in specs else None for name in first.attributes]
    spellings = tuple(Spelling() if how is None else env.spelling(how, place) for how in found)
    return KeyParts(first.attributes, spellings, spec.keys)


def fill(template: str, words: Mapping[str, str], *, path: bool = False) -> str:
    """A text with the named words put in; in a path they are escaped."""

    def put(match: re.Match[str]) -> str:
        word = words[match[1]]
        return quote(word, safe="") if path else word

    return HOLE.sub(put, template)


def check_words(spec: ReadSpec, parts: KeyParts, env: Environment, place: str) -> None:
    """Refuse templates that name something that is no part of the key."""
    known = {*parts.names, *(str(i) for i in range(len(parts.names)))}
    texts = [spec.path, *spec.params.values(), *spec.headers.values(), *_texts(spec.body)]
    per_call = {name for text in texts for name in HOLE.findall(text)}
    each = _each(spec.keys) if spec.keys is not None else []
    for name in [*per_call, *spec.group, *(n for text in each for n in HOLE.findall(text))]:
        if name not in known:
            env.fail(place, f"{{{name}}} is no part of its key", dict.fromkeys(known))
    if spec.keys is not None and per_call - set(spec.group):
        named = ", ".join(sorted(per_call - set(spec.group)))
        env.fail(place, f"{named} differs from key to key of one call: add it to group, or leave out keys")


def _each(keys: KeysSpec) -> list[str]:
    if keys.each is None:
        return []
    return list(keys.each.values()) if isinstance(keys.each, dict) else [keys.each]


def _texts(body: Any) -> list[str]:
    if isinstance(body, str):
        return [body]
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return [text for value in inner for text in _texts(value)]


def calls(spec: ReadSpec, parts: KeyParts, asked: Asked, wants: frozenset[type]) -> list[Call]:
    """The requests for a batch."""
    extra = wanted_params(spec, wants)
    places = list(range(len(asked.theirs)))
    if spec.keys is None:
        return [_call(spec, parts, asked, [place], extra) for place in places]
    if not spec.group:
        return [_call(spec, parts, asked, places, extra)] if places else []
    groups: dict[tuple[str, ...], list[int]] = {}
    for place in places:
        words = parts.words(asked.theirs[place])
        groups.setdefault(tuple(words[name] for name in spec.group), []).append(place)
    return [_call(spec, parts, asked, group, extra) for group in groups.values()]


def wanted_params(spec: CallSpec, wants: frozenset[type]) -> list[tuple[str, str]]:
    """Parameters that wanted classes add; values of the same parameter are joined by commas."""
    names = {cls.__name__ for cls in wants}
    joined: dict[str, dict[str, None]] = {}
    for name, params in spec.wanted.items():
        if name in names:
            for param, value in params.items():
                joined.setdefault(param, {})[value] = None
    return [(param, ",".join(values)) for param, values in joined.items()]


def _call(
    spec: ReadSpec, parts: KeyParts, asked: Asked, places: list[int], extra: list[tuple[str, str]]
) -> Call:
    words = parts.words(asked.theirs[places[0]])
    params = [(name, fill(value, words)) for name, value in spec.params.items()] + extra
    body = None if spec.body is None else filled_body(spec.body, words)
    if spec.keys is not None:
        listed = _distinct([parts.write(asked.theirs[place]) for place in places])
        if spec.keys.body is not None:
            body = put(body or {}, spec.keys.body, listed)
        else:
            params += _key_params(spec.keys, [str(one) for one in listed])
    headers = {name: fill(value, words) for name, value in spec.headers.items()}
    return Call(places, fill(spec.path, words, path=True), params, headers, body)


def _distinct(listed: list[Any]) -> list[Any]:
    """Each once, in their order; objects are told apart by what they say."""
    if not isinstance(listed[0], dict):
        return list(dict.fromkeys(listed))
    return list({one if isinstance(one, str) else tuple(one.items()): one for one in listed}.values())


Write: TypeAlias = Callable[[tuple[str, ...]], Any]
"""From a key in the system's spelling to what is sent for it: a text, or an object of texts."""


def _writer(keys: KeysSpec, names: tuple[str, ...]) -> Write:
    if isinstance(keys.each, dict):
        made = {name: _text_writer(text, names, keys.quote) for name, text in keys.each.items()}
        return lambda key: {name: write(key) for name, write in made.items()}
    if keys.each is not None:
        return _text_writer(keys.each, names, keys.quote)
    return _text_writer(f"{{{names[-1]}}}", names, keys.quote)


def _text_writer(template: str, names: tuple[str, ...], quoting: str) -> Callable[[tuple[str, ...]], str]:
    """A template as a function of a key."""
    pieces = HOLE.split(template)
    fixed, places = pieces[::2], [_place_of(name, names) for name in pieces[1::2]]
    doubled = quoting == "odata"

    def write(key: tuple[str, ...]) -> str:
        words = [key[place] for place in places]
        if doubled:
            words = [word.replace("'", "''") for word in words]
        return fixed[0] + "".join([word + text for word, text in zip(words, fixed[1:], strict=True)])

    if fixed == ["", ""] and not doubled:
        only = places[0]
        return lambda key: key[only]
    return write


def _place_of(name: str, names: tuple[str, ...]) -> int:
    """Which part of a key a template names; one past the end for what ``check_words`` refuses."""
    if name in names:
        return names.index(name)
    return int(name) if name.isdecimal() else len(names)


def _key_params(keys: KeysSpec, listed: list[str]) -> list[tuple[str, str]]:
    name = keys.param or ""
    if keys.join is None:
        return [(name, one) for one in listed]
    return [(name, keys.wrap.replace("{}", keys.join.join(listed)))]


def filled_body(body: Any, words: Mapping[str, str]) -> Any:
    """A JSON body with its templates filled."""
    if isinstance(body, str):
        return fill(body, words)
    if isinstance(body, dict):
        return {name: filled_body(value, words) for name, value in body.items()}
    return [filled_body(value, words) for value in body] if isinstance(body, list) else body


def put(body: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A body with a value at a dotted place."""
    *way, last = split_path(place)[1]
    at = body
    for name in way:
        at = at.setdefault(name, {})
    at[last] = value
    return body


def encoded(body: Any, headers: dict[str, str]) -> bytes | None:
    """A body as JSON, its content type among the headers."""
    if body is None:
        return None
    headers.setdefault("Content-Type", "application/json")
    return msgspec.json.encode(body)
