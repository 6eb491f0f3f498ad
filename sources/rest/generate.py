"""One function for each canonical class, generated from its table: no interpretation per row.

A generated function reads, converts and constructs in one go. It knows only what is regular: for everything else
(something needed is not there, a code or number that makes no sense, a row of another form) it raises, and the row is
made again by the reference, ``Maker.make``, which knows the right words. So there is one semantics, and it is there.

Words of the configuration never become source text: they go in through the namespace of the function, under names of
ours. Converters of text and whole numbers are memoised (``Environment.memo``): systems repeat themselves.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_origin

from schema.base import ConversionRule, Quantity
from sources.rest.conditions import expected_words, spoken, test_of
from sources.rest.environment import Environment, Getter
from sources.rest.fields import (
    Kind,
    checked_const,
    converter,
    default_of,
    flags_set,
    kind_of,
    ref_joiner,
    template_filler,
)
from sources.rest.paths import compile_path, split_path
from sources.rest.spec import Condition, FieldSpec
from sources.rest.values import multiplied, text, unit_reader

Build: TypeAlias = Callable[[Any, Any, Any, Any], Any]
"""(row, rows around it, context, asked key) → canonical row; raises anything where the row is not regular."""
NEEDED: Any = object()
"""In place of a fallback: without a value there is no row."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attribute:
    """How one attribute of a class is made: its table, or the function of the object or objects in it.

    ``filled`` is the place of its value in the asked key, where the row itself does not say it.
    """

    name: str
    kind: Kind
    fallback: Any
    spec: FieldSpec | None = None
    get: Getter | None = None
    filled: int | None = None
    direct: Build | None = None
    """The generated function of an object in the same raw row."""
    maker: Any = None
    """Of the object or objects in it."""


class Irregular(Exception):
    """The row is the reference's."""


class Reach:
    """How a function reaches into raw rows: they are objects as JSON has them."""

    def path(self, writer: "Writer", path: str) -> str:
        """The expression of the value at a path."""
        out, names = split_path(path)
        if not names or any(name == "*" or name.isdecimal() for name in names):
            return f"{writer.constant(compile_path(path))}(row, up, ctx)"
        found = f"{around(out)}.get({writer.constant(names[0])})"
        for name in names[1:]:
            held = writer.fresh("t")
            found = f"(None if ({held} := {found}) is None else {held}.get({writer.constant(name)}))"
        return found

    def call(self, writer: "Writer", get: Getter) -> str:
        """The expression of what a getter gives."""
        return f"{writer.constant(get)}(row, up, ctx)"

    def each(self, writer: "Writer", target: str, spec: FieldSpec, element: Kind, get: Getter) -> None:
        """Write how an attribute is made of the elements of a list."""
        writer.interpreted(target, (), get)


def around(out: int) -> str:
    """The expression of the row so many rows out."""
    return "row" if out == 0 else f"up{'[1]' * (out - 1)}[0]"


OBJECTS = Reach()


class Writer:
    """The text of one function, and what its names stand for."""

    def __init__(self, env: Environment, reach: Reach) -> None:
        self.env = env
        self.reach = reach
        self.place = ""
        """Of the attribute that is being written."""
        self.space: dict[str, Any] = {"Irregular": Irregular}
        self.lines: list[str] = []
        self._names = 0

    def constant(self, value: Any) -> str:
        """The name under which a value is known to the function."""
        name = self.fresh("k")
        self.space[name] = value
        return name

    def fresh(self, letter: str) -> str:
        """A name nobody has."""
        self._names += 1
        return f"{letter}{self._names}"

    def line(self, text: str, depth: int = 1) -> None:
        """Add a line."""
        self.lines.append(f"{'    ' * depth}{text}")

    def finish(self, arguments: str) -> Any:
        """The function."""
        lines = ["    raise Irregular"] if self.env.reference else self.lines
        source = "\n".join([f"def made({arguments}):", *lines])
        # The text holds no word of a configuration: see the head of this module.
        exec(compile(source, f"<{type(self).__name__} of {len(lines)} lines>", "exec"), self.space)  # noqa: S102
        return self.space["made"]

    def path(self, path: str) -> str:
        """The expression of the value at a path; None where there is nothing."""
        return self.reach.path(self, path)

    def raw(self, spec: FieldSpec) -> tuple[str, str]:
        """Read a raw value into a variable; its name, and the condition that something is there."""
        value = self.fresh("v")
        paths = (spec.path,) if isinstance(spec.path, str) else spec.path or ()
        nothing = f"{value} is None or {value} == ''"
        if spec.null:
            nothing += f" or {value}.__class__ not in {self.constant((dict, list))} and {value} in {self.constant(frozenset(spec.null))}"
        self.line(f"{value} = {self.path(paths[0])}")
        if len(paths) == 1 and not spec.null:
            return value, f"{value} or not ({nothing})"
        for depth, path in enumerate(paths[1:], 1):
            self.line(f"if {nothing}:", depth)
            self.line(f"{value} = {self.path(path)}", depth + 1)
        self.line(f"if {nothing}:", len(paths))
        self.line(f"{value} = None", len(paths) + 1)
        return value, f"{value} is not None"

    def put(self, target: str, fallback: Any, depth: int = 1) -> None:
        """What an attribute is where nothing is there."""
        if fallback is NEEDED:
            self.line("raise Irregular", depth)
        else:
            self.line(f"{target} = {self.constant(fallback)}", depth)

    def field(self, target: str, spec: FieldSpec, kind: Kind, fallback: Any, get: Getter) -> None:
        """Write how an attribute is made; by its getter where there is no shorter way."""
        if get_origin(kind.base) is tuple and spec.flags is not None:
            self._flags(target, spec.flags)
        elif kind.base is Quantity:
            self._quantity(target, spec, fallback, get)
        elif get_origin(kind.base) is tuple and _plain(spec) and spec.each is None:
            self._single(target, spec, kind, fallback, get)
        elif spec.const is not None and get_origin(kind.base) is not tuple:
            self._constant(target, spec, kind, fallback, get)
        elif spec.rules is not None and get_origin(kind.base) is not tuple and spec.time is None:
            self._rules(target, spec, kind, fallback, get)
        elif _plain(spec) and get_origin(kind.base) is not tuple and spec.time is None:
            self._converted(target, spec, kind, fallback)
        elif _gathered(spec, kind):
            self._gathered(target, spec, fallback)
        elif spec.each is not None and spec.fields is None and get_origin(kind.base) is tuple:
            self.reach.each(self, target, spec, kind_of(kind.base.__args__[0]), get)
        else:
            self.interpreted(target, fallback, get)

    def _gathered(self, target: str, spec: FieldSpec, fallback: Any) -> None:
        """A text of several values."""
        if spec.template is not None:
            paths, make = template_filler(spec.template)
        else:
            paths, make = ref_joiner(spec.ref or (), self.env, self.place)
        values = "".join(f"{self.path(path)}, " for path in paths)
        self.line(f"{target} = {self.constant(make)}(({values}))")
        self.line(f"if {target} is None:")
        self.put(target, fallback, 2)

    def _constant(self, target: str, spec: FieldSpec, kind: Kind, fallback: Any, get: Getter) -> None:
        if kind.base is str and kind.scalar is None and spec.key is None and spec.codes is None:
            self.line(f"{target} = {self.constant(text(spec.const))}")
        else:
            # It needs no row; but what is said of it is said when there is one.
            nowhere: Any = None
            once = self.constant(self.env.memo(lambda _: get(None, None, nowhere)))
            self.line(f"{target} = {once}(None)")
            self.line(f"if {target} is None:")
            self.put(target, fallback, 2)

    def interpreted(self, target: str, fallback: Any, get: Getter) -> None:
        """Write the call of a getter."""
        self.line(f"{target} = {self.reach.call(self, get)}")
        self.line(f"if {target} is None:")
        self.put(target, fallback, 2)

    def _converted(self, target: str, spec: FieldSpec, kind: Kind, fallback: Any) -> None:
        default = default_of(spec, kind, self.env, self.place)
        value, there = self.raw(spec)
        self.line(f"if {there}:")
        self.line(f"{target} = {self._convert(value, spec, kind)}", 2)
        self.line("else:")
        self.put(target, fallback if default is None else default, 2)

    def _convert(self, value: str, spec: FieldSpec, kind: Kind) -> str:
        plain = converter(spec, kind, self.env, self.place)
        slow = f"{self.constant(plain)}({value})"
        if kind.base is bool and spec.true is None:
            return f"{value} is not {spec.invert is True} if {value}.__class__ is bool else {slow}"
        if kind.base is int:
            slow = f"{self.constant(self.env.memo(plain))}({value}) if {value}.__class__ is str else {slow}"
            return f"{value} if {value}.__class__ is int else {slow}"
        if kind.base is str and kind.scalar in (None, "") and spec.key is None and spec.codes is None:
            return f"{value} if {value}.__class__ is str else {slow}"
        return self._memoised(value, plain)

    def _memoised(self, value: str, plain: Callable[[Any], Any]) -> str:
        """A conversion by memory for text and whole numbers; others may be equal and mean something else (1, True)."""
        quick, slow = self.constant(self.env.memo(plain)), self.constant(plain)
        known = f"{value}.__class__ is str or {value}.__class__ is int"
        return f"{quick}({value}) if {known} else {slow}({value})"

    def _single(self, target: str, spec: FieldSpec, kind: Kind, fallback: Any, get: Getter) -> None:
        """A list of scalars that is written as one text, most of the time."""
        element = kind_of(kind.base.__args__[0])
        paths = (spec.path,) if isinstance(spec.path, str) else spec.path or ()
        if spec.split is not None or spec.null or len(paths) != 1:
            self.interpreted(target, fallback, get)
            return
        value = self.fresh("v")
        self.line(f"{value} = {self.path(paths[0])}")
        self.line(f"if {value}.__class__ is str and {value} != '':")
        self.line(f"{target} = ({self._convert(value, spec, element)},)", 2)
        self.line(f"elif {value} is None or {value} == '':")
        self.line(f"{target} = ()", 2)
        self.line("else:")
        self.line("raise Irregular", 2)

    def _flags(self, target: str, flags: tuple[str, ...]) -> None:
        """The same flags are set most of the time: equal ones mean the same, so they are remembered."""
        values = "".join(f"{self.path(path)}, " for path in flags)
        self.line(f"{target} = {self.constant(self.env.memo(flags_set(flags)))}(({values}))")

    def _rules(self, target: str, spec: FieldSpec, kind: Kind, fallback: Any, get: Getter) -> None:
        rules = spec.rules or ()
        values = [rule.then for rule in rules] + ([] if spec.default is None else [spec.default])
        members = getattr(kind.base, "__members__", None)
        if members is not None and not all(value in members for value in values):
            self.interpreted(target, fallback, get)
            return
        convert = checked_const(kind, self.env, self.place)
        word = "if"
        for rule in rules:
            self.line(f"{word} {self.holds(rule.when)}:")
            self.line(f"{target} = {self.constant(convert(rule.then))}", 2)
            word = "elif"
        self.line("else:" if rules else "if True:")
        self.put(target, fallback if spec.default is None else convert(spec.default), 2)

    def holds(self, when: Mapping[str, Condition]) -> str:
        """The expression that says whether all conditions hold."""
        return " and ".join(self._condition(path, expected) for path, expected in when.items()) or "True"

    def _condition(self, path: str, expected: Any) -> str:
        words = expected_words(expected)
        if words is None:
            return f"{self.constant(test_of(expected))}({self.path(path)})"
        held, say = self.fresh("t"), self.constant(spoken)
        text = f"{held} if ({held} := {self.path(path)}).__class__ is str else {say}({held})"
        return f"({text}) in {self.constant(words)}"

    def _quantity(self, target: str, spec: FieldSpec, fallback: Any, get: Getter) -> None:
        unit = spec.unit or FieldSpec()
        if unit.const is None and not _plain(unit):
            self.interpreted(target, fallback, get)
            return
        value = self.fresh("v")
        self.line(f"{value} = {self.path(spec.quantity or '.')}")
        self.line(f"if {value} is None or {value} == '':")
        self.put(target, fallback, 2)
        self.line("else:")
        held = len(self.lines)
        written = self._unit(unit)
        code, factor = self.fresh("c"), self.fresh("f")
        self.line(f"{written}, {code}, {factor} = {self._memoised(written, unit_reader(self.env))}")
        if spec.factor is not None:
            self.line(f"{factor} = {self.constant(spec.factor)} or {factor}")
        self.line(f"{value} = {self._memoised(value, multiplied(spec.times))}")
        self.make(target, Quantity, {"source_value": value, "source_unit": written, "unit": code})
        self.line(f"if {factor} != '1':")
        self.line(f"{target}.factor = {factor}", 2)
        self.line(f"{target}.rule = {self.constant(ConversionRule.STANDARD)}", 2)
        self.lines[held:] = [f"    {line}" for line in self.lines[held:]]

    def make(self, target: str, cls: type, given: Mapping[str, str]) -> None:
        """Write how an object of a data class is made of these expressions, and of defaults.

        Attribute by attribute, which saves the call of its ``__init__``: it would do nothing else.
        """
        named = {one.name: self._given(one, given) for one in dataclasses.fields(cls)}
        params: Any = vars(cls)["__dataclass_params__"]
        if params.frozen or hasattr(cls, "__post_init__") or None in named.values():
            held = ", ".join(f"{name}={value}" for name, value in given.items())
            self.line(f"{target} = {self.constant(cls)}({held})")
            return
        self.line(f"{target} = {self.constant(object.__new__)}({self.constant(cls)})")
        for name, value in named.items():
            self.line(f"{target}.{name} = {value}")

    def _given(self, one: "dataclasses.Field[Any]", given: Mapping[str, str]) -> str | None:
        if one.name in given:
            return given[one.name]
        if one.default_factory is not dataclasses.MISSING:
            return f"{self.constant(one.default_factory)}()"
        return None if one.default is dataclasses.MISSING else self.constant(one.default)

    def _unit(self, spec: FieldSpec) -> str:
        written = self.fresh("u")
        if spec.const is not None:
            self.line(f"{written} = {self.constant(spec.const)}")
        else:
            value, there = self.raw(spec)
            self.line(f"{written} = {value} if {there} else {self.constant(spec.default)}")
            self.line(f"if {written} is None:")
            self.line("raise Irregular", 2)
        return written


def _gathered(spec: FieldSpec, kind: Kind) -> bool:
    """Whether a text is put together of several values, and that is all."""
    others = (spec.const, spec.rules, spec.flags, spec.each, spec.fields, spec.time, spec.key, spec.codes)
    plain = spec.default is None and all(other is None for other in others)
    return plain and kind.base is str and kind.scalar is None and bool(spec.template or spec.ref)


def _plain(spec: FieldSpec) -> bool:
    """Whether the raw value is simply the one at a path."""
    others = (spec.const, spec.rules, spec.template, spec.ref, spec.flags, spec.each, spec.fields)
    return spec.path is not None and all(other is None for other in others)
