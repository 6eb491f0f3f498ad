"""``@fresh(within:)``: how it is written, what a document says with it, and what is refused before anything runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from graphql import (
    DirectiveLocation,
    DirectiveNode,
    DocumentNode,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.errors import RequestError

NAME, ARGUMENT = "fresh", "within"
HINT = 'Write a duration such as "30s", "500ms", "2m", "1h" or "PT30S"; "0s" asks for live values.'
LONGEST = 40
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_PLAIN = re.compile(_NUMBER + "(ms|s|m|h)")
_ISO = re.compile(rf"P(?:{_NUMBER}D)?(?:T(?=[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?")


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    name=NAME,
    description=(
        "The field and everything below it may be no older than this when the request arrives, unless a @fresh "
        "further down says otherwise. The plain fields of a group are read with their group: write it there."
    ),
)
def fresh(
    within: Annotated[
        str,
        strawberry.argument(
            description='A duration: "30s", "500ms", "2m", "1h", or ISO 8601 such as "PT30S"; "0s" means live.'
        ),
    ],
) -> None:
    """Only declared: the loaders read it off the document."""


@dataclass(frozen=True, slots=True)
class Stated:
    """Whether a document says ``@fresh`` anywhere, and by which variables."""

    anywhere: bool = False
    variables: frozenset[str] = frozenset()

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse the values of a request that are no durations."""
        for name in self.variables & values.keys():
            seconds(values[name], f"${name}")


def stated(document: DocumentNode) -> Stated:
    """What a valid document says about freshness; raises ``RequestError`` where it writes no duration."""
    collect = _Collect()
    visit(document, collect)
    named = frozenset(value.name.value for value in collect.values if isinstance(value, VariableNode))
    for value in collect.values:
        if isinstance(value, StringValueNode):
            seconds(value.value)
    for definition in collect.definitions:
        default, name = definition.default_value, definition.variable.name.value
        if name in named and isinstance(default, StringValueNode):
            seconds(default.value, f"${name}")
    return Stated(bool(collect.values), named)


class _Collect(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[ValueNode] = []
        self.definitions: list[VariableDefinitionNode] = []

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """Note what a @fresh says."""
        if node.name.value == NAME:
            self.values.extend(each.value for each in node.arguments or () if each.name.value == ARGUMENT)

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """Note the variables: their defaults are checked with the document."""
        self.definitions.append(node)


def seconds(text: object, where: str = "") -> float:
    """The seconds of a duration; raises ``RequestError`` naming the value and how to write it."""
    found = _seconds(text) if isinstance(text, str) and len(text) <= LONGEST else None
    if found is None:
        shown = repr(text[:LONGEST] if isinstance(text, str) else text)[: LONGEST + 2]
        place = f"{where}: " if where else ""
        raise RequestError(f"@{NAME}({ARGUMENT}: {place}{shown}) is not a duration.", hint=HINT)
    return found


def _seconds(text: str) -> float | None:
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return float(plain[1]) * UNITS[plain[2]]
    iso = _ISO.fullmatch(text)
    if iso is None or not any(iso.groups()):
        return None
    return sum(float(part) * size for part, size in _parts(iso))


def _parts(iso: re.Match[str]) -> Iterator[tuple[str, float]]:
    for part, size in zip(iso.groups(), (86400.0, 3600.0, 60.0, 1.0), strict=True):
        if part is not None:
            yield part, size
