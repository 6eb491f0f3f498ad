"""Writes by configuration: one call each, its answer read strictly.

A good answer is a receipt, a refusal is the owner's word, no connection is no write. Everything else that can happen once a
request is on its way (no answer, a server's error, an answer that nobody can read) leaves the outcome unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from schema.base import KEYS, Provenance, plain
from schema.commands import ACTIONS, Action, CommandRefused, Kind, OutcomeUnknown
from schema.errors import SourceNotReached, SourceTimeout, SourceUnavailable
from schema.integration import UserErrorCode
from sources.commands import Command, CommandPort, Receipt
from sources.http import Answer
from sources.rest.client import MESSAGE, RestClient
from sources.rest.command_spec import ANSWERS, REFUSALS, CommandSpec, ProbeSpec, ValueSpec
from sources.rest.config import check_zone
from sources.rest.environment import Context, Environment, Getter
from sources.rest.keys import HOLE, encoded, fill, filled_body, put
from sources.rest.paths import compile_path, compile_rows
from sources.rest.times import check_format, instant_writer
from sources.spelling import outward

_WORDS = ("reference", "key")
_decoder = msgspec.json.Decoder(float_hook=str)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def command_ports(
    specs: Mapping[str, CommandSpec], env: Environment, client: RestClient, message: str | None
) -> list[CommandPort]:
    """The ports of the tables. Raises ConfigError where they cannot be followed."""
    return [_Sending(name, spec, env, client, message).port() for name, spec in specs.items()]


class _Sending:
    """One command of a system."""

    def __init__(
        self, name: str, spec: CommandSpec, env: Environment, client: RestClient, message: str | None
    ) -> None:
        self.place = f"commands.{name}"
        if name not in ACTIONS:
            close = get_close_matches(name, ACTIONS, n=1)
            env.fail(
                self.place, f"{name!r} is no action{f'; did you mean {close[0]}?' if close else ''}", ACTIONS
            )
        self.spec, self.env, self.client = spec, env, client
        action = ACTIONS[name]
        self.name = name
        self.names, self.spell = self._key(action)
        self._check_words()
        self.values = self._values(action)
        self._message = _path(message)
        self._document, self._version = _path(spec.document), _path(spec.version)
        self._code = _path(spec.error_code)
        self._ctx = Context(_BEGINNING, Provenance(env.system, _BEGINNING))
        self._refused = None if spec.refused is None else compile_path(spec.refused.path)
        self._probe = None if spec.probe is None else _Probing(self, spec.probe)

    def port(self) -> CommandPort:
        """What the gateway is offered."""
        spec = self.spec
        probe = None if self._probe is None else self._probe.probe
        return CommandPort(
            self.name, self.send, probe, spec.key_header is not None, spec.version_header is not None
        )

    async def send(self, command: Command) -> Receipt:
        """One call. Raises CommandRefused, OutcomeUnknown, or SourceError where nothing was done."""
        spec, words = self.spec, self.words(command)
        params = [(name, fill(value, words)) for name, value in spec.params.items()]
        headers = {name: fill(value, words) for name, value in spec.headers.items()}
        body: dict[str, Any] | None = None if spec.body is None else filled_body(spec.body, words)
        for name, value in command.values.items():
            body = self._place(name, value, params, body)
        if spec.key_header is not None:
            headers[spec.key_header] = command.key
        if spec.version_header is not None and command.expected_version is not None:
            headers[spec.version_header] = command.expected_version
        sent = encoded(body, headers)
        try:
            answer = await self.client.http.send(
                spec.method,
                fill(spec.path, words, path=True),
                deadline=command.deadline,
                params=params,
                headers=headers,
                body=sent,
                allow=ANSWERS | frozenset(spec.not_done),
            )
        except SourceNotReached:
            raise
        except (SourceUnavailable, SourceTimeout) as error:
            raise OutcomeUnknown(str(error)) from error
        return self._read(answer)

    def words(self, command: Command) -> dict[str, str]:
        """What templates may name."""
        parts = [spell(part) for spell, part in zip(self.spell, command.parts, strict=True)]
        return dict(zip(self.names, parts, strict=True)) | {
            "reference": command.reference,
            "key": command.key,
        }

    def _read(self, answer: Answer) -> Receipt:
        spec = self.spec
        if answer.status in spec.not_done:
            raise SourceUnavailable(f"{self.env.system} answered {self.name} with {answer.status}: not done")
        said = self.decoded(answer)
        if answer.status >= 400:
            code = spec.statuses.get(
                answer.status, REFUSALS.get(answer.status, UserErrorCode.SOURCE_REJECTED)
            )
            self._refuse(code, self._text(self._message, said), self._text(self._code, said), answer.status)
        if self._refused is not None and spec.refused is not None:
            told = self._text(self._refused, said)
            if told and (not spec.refused.values or told in spec.refused.values):
                theirs = self._text(_path(spec.refused.code), said) or told
                code = spec.refused.codes.get(theirs, UserErrorCode.SOURCE_REJECTED)
                self._refuse(code, self._text(_path(spec.refused.message), said), theirs, answer.status)
        header = spec.answer_version_header
        version = None if header is None else answer.headers.get(header.lower())
        return Receipt(
            spec.applied, self._text(self._document, said), version or self._text(self._version, said)
        )

    def decoded(self, answer: Answer) -> Any:
        """The body; one that is not JSON says nothing, and of a write that should say something, that is unknown."""
        if not answer.body.strip():
            return None
        try:
            return _decoder.decode(answer.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if answer.status >= 400:
                return None
            raise OutcomeUnknown(
                f"{self.env.system} answered {self.name} with something that is not JSON"
            ) from error

    def _refuse(self, code: UserErrorCode, message: str | None, theirs: str | None, status: int) -> NoReturn:
        said = f": {message[:MESSAGE]}" if message else ""
        raise CommandRefused(
            code,
            f"{self.env.system} refuses it{said}",
            source_code=theirs or (str(status) if status >= 400 else None),
        )

    def _text(self, path: Getter | None, said: Any) -> str | None:
        """What an answer says at a path, as text; None where nothing is there."""
        if path is None or said is None:
            return None
        try:
            found = path(said, None, self._ctx)
        except (AttributeError, TypeError, ValueError, LookupError):
            return None
        return None if found is None or isinstance(found, dict | list) else str(found)

    def _place(
        self, name: str, value: Any, params: list[tuple[str, str]], body: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        if name in self.spec.ignores:
            return body
        if name not in self.values:
            raise CommandRefused(
                UserErrorCode.INVALID_INPUT, f"{self.env.system} has no place for it.", path=(name,)
            )
        spec, write = self.values[name]
        places = [spec.param or spec.put or "", *([spec.unit] if spec.unit else [])]
        for place, text in zip(places, write(value), strict=True):
            if spec.param is not None:
                params.append((place, str(text)))
            else:
                body = put(body or {}, place, text)
        return body

    def _key(self, action: Action) -> tuple[tuple[str, ...], tuple[Callable[[str], str], ...]]:
        names = KEYS[action.target]["id"]
        given = self.spec.key or names
        if len(given) != len(names):
            self.env.fail(f"{self.place}.key", f"an id of it has {len(names)} parts: {', '.join(names)}")
        pairs = [part.partition(":")[::2] for part in given]
        place = f"{self.place}.key"
        spell = [outward(self.env.spelling(how, place)) if how else str for _, how in pairs]
        return tuple([name for name, _ in pairs]), tuple(spell)

    def _check_words(self) -> None:
        spec, known = self.spec, {*self.names, *_WORDS}
        probe = spec.probe
        asked = [] if probe is None else [probe.path, *probe.params.values(), *probe.match.values()]
        texts = [spec.path, *spec.params.values(), *spec.headers.values(), *_texts(spec.body), *asked]
        for word in [word for text in texts for word in HOLE.findall(text)]:
            if word not in known:
                self.env.fail(self.place, f"{{{word}}} is no part of its key", dict.fromkeys(known))

    def _values(self, action: Action) -> dict[str, tuple[ValueSpec, Callable[[Any], list[Any]]]]:
        named = {*self.spec.values, *self.spec.ignores}
        for name in named:
            if name not in action.values:
                self.env.fail(f"{self.place}.values", f"{name!r} is no value of it", action.values)
        for name, value in action.values.items():
            if value.required and name not in named:
                self.env.fail(self.place, f"{name} goes nowhere: name its place in values, or in ignores")
        return {
            name: (spec, self._writer(name, action.values[name].kind, spec))
            for name, spec in self.spec.values.items()
        }

    def _writer(self, name: str, kind: Kind, spec: ValueSpec) -> Callable[[Any], list[Any]]:
        place = f"{self.place}.values.{name}"
        if kind is Kind.QUANTITY:
            return lambda value: self._amount(name, spec, value)
        if kind is Kind.INSTANT:
            try:
                check_format(spec.format)
                at = instant_writer(spec.format, None if spec.zone is None else check_zone(spec.zone))
            except ValueError as error:
                self.env.fail(place, str(error))
            return lambda value: [at(datetime.fromisoformat(value))]
        if kind is Kind.FLAG:
            return lambda value: [spec.true if value else spec.false]
        if spec.codes is not None:
            back = {ours: theirs for theirs, ours in self.env.coding(spec.codes, place).items()}
            return lambda value: [self._coded(name, back, value)]
        return lambda value: [value]

    def _amount(self, name: str, spec: ValueSpec, value: Mapping[str, str]) -> list[Any]:
        """An amount in the system's unit, and the unit where it is said."""
        units = [
            (theirs, factor) for theirs, (ours, factor) in self.env.units.items() if ours == value["unit"]
        ]
        if not units:
            raise CommandRefused(
                UserErrorCode.UNIT_NOT_CONVERTIBLE,
                f"{self.env.system} has no unit for {value['unit']}.",
                path=(name, "unit"),
            )
        theirs, factor = min(units, key=lambda unit: unit[1] != "1")
        amount = Decimal(value["value"]) / Decimal(factor)
        written = float(amount) if spec.number else plain(amount)
        return [written, theirs] if spec.unit else [written]

    def _coded(self, name: str, back: Mapping[str, str], value: str) -> str:
        if value not in back:
            raise CommandRefused(
                UserErrorCode.INVALID_INPUT, f"{self.env.system} has no word for {value}.", path=(name,)
            )
        return back[value]


class _Probing:
    """How it is found out whether a command was carried out."""

    def __init__(self, sending: _Sending, spec: ProbeSpec) -> None:
        self._sending, self._spec = sending, spec
        self._rows = compile_rows(spec.rows)
        self._match = {path: compile_path(path) for path in spec.match}
        self._document, self._version = _path(spec.document), _path(spec.version)

    async def probe(self, command: Command) -> Receipt | None:
        """The receipt of what was carried out, None where there is no trace. Raises SourceError."""
        spec, sending = self._spec, self._sending
        words = sending.words(command)
        payload = await sending.client.call(
            "GET",
            fill(spec.path, words, path=True),
            deadline=command.deadline,
            params=[(name, fill(value, words)) for name, value in spec.params.items()],
            missing=frozenset(spec.missing),
        )
        if not payload.found:
            return None
        try:
            rows = self._rows(payload.value)
        except ValueError as error:
            raise SourceUnavailable(
                f"{sending.env.system}: no rows at {spec.rows!r} of the probe's answer: {error}"
            ) from error
        for row in rows:
            said = {path: sending._text(get, row) for path, get in self._match.items()}
            if all(said[path] == fill(text, words) for path, text in spec.match.items()):
                text = sending._text
                return Receipt(sending.spec.applied, text(self._document, row), text(self._version, row))
        return None


def _path(path: str | None) -> Getter | None:
    return None if path is None else compile_path(path)


def _texts(body: Any) -> Iterable[str]:
    if isinstance(body, str):
        return [body]
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return [text for value in inner for text in _texts(value)]
