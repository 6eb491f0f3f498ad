"""Plans for schemas that are not ours: the same answers as graphql-core's, by the plan and not by falling back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from graphql import (
    ExecutionResult,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    build_schema,
    parse,
)
from graphql.execution import ExecutionHooks
from graphql.execution.executor import Executor
from graphql.pyutils import AbortController

from resolvers.execution.generic import GenericExecution
from resolvers.execution.plan import Unplanned


async def both(
    schema: GraphQLSchema, document: str, root: Any = None, variables: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The data of a document by its plan, which must be the reference's."""

    def made() -> Executor[Any]:
        executor = Executor.build(schema, parse(document), root, raw_variable_values=dict(variables or {}))
        assert isinstance(executor, Executor)
        return executor

    data: dict[str, Any] = json.loads(await GenericExecution(schema).data(made()))
    reference = made().execute_operation()
    result = reference if isinstance(reference, ExecutionResult) else await reference  # type: ignore[misc]
    assert isinstance(result, ExecutionResult)
    assert result.errors is None
    assert json.dumps(data) == json.dumps(result.data)
    return data


ZOO = build_schema(
    """
    interface Animal { name: String! keeper: Keeper }
    type Dog implements Animal { name: String! keeper: Keeper barks(times: Int = 1): String }
    type Cat implements Animal { name: String! keeper: Keeper meows: [Boolean!] }
    type Keeper { name: String animals: [Animal!]! }
    type Query { animals(named: String): [Animal] keeper: Keeper }
    """
)


@dataclass
class Dog:
    """Attributes and a method, found by their names."""

    name: str
    keeper: Any = None
    __typename = "Dog"

    def barks(self, _info: Any, times: int) -> str:
        """As often as asked."""
        return "wau" * times


def animals(_info: Any, named: str | None = None) -> list[Any]:
    """Dogs are objects, cats are dicts."""
    found = [Dog("Rex", {"name": "Ann"}), None, {"__typename": "Cat", "name": "Tom", "meows": (True, False)}]
    return [one for one in found if named is None or (one is not None and one != found[2])]


async def test_objects_dicts_lists_and_interfaces_have_plans() -> None:
    """Fragments by type, aliases, directives, variables and defaults; nulls in lists; tuples."""
    document = """query($t: Int, $off: Boolean!) {
      animals { __typename name ...D ... on Cat { meows } keeper @skip(if: $off) { name } }
      one: animals(named: "Rex") { ... on Dog { more: barks(times: $t) } }
    } fragment D on Dog { barks }"""
    for off in (True, False):
        data = await both(ZOO, document, {"animals": animals}, {"t": 3, "off": off})
        assert data["animals"][0]["barks"] == "wau"
        assert data["one"] == [{"more": "wauwauwau"}]
        assert ("keeper" in data["animals"][2]) is not off


async def test_one_column_may_hold_values_and_what_has_to_be_awaited() -> None:
    """A function may answer some rows at once and others later."""

    async def later(name: str) -> str:
        return name

    def resolve(row: Any, _info: Any) -> Any:
        return later("later") if row % 2 else "at once"

    kind = GraphQLObjectType("Row", {"name": GraphQLField(GraphQLString, resolve=resolve)})
    rows = GraphQLField(GraphQLList(kind), resolve=lambda *_: [0, 1, 2])
    data = await both(GraphQLSchema(GraphQLObjectType("Query", {"rows": rows})), "{ rows { name } }")
    assert [row["name"] for row in data["rows"]] == ["at once", "later", "at once"]


@strawberry.type
class Part:
    number: int

    @strawberry.field
    async def label(self, prefix: str = "P") -> str:
        return f"{prefix}-{self.number}"


@strawberry.type
class Box:
    parts: list[Part]


@strawberry.type
class Root:
    @strawberry.field
    def things(self, info: strawberry.Info) -> list[Part | Box]:
        """Rows of two classes."""
        return [Part(number=1), Box(parts=[Part(number=2)]), Part(number=3)]


async def test_a_schema_of_strawberry_has_plans() -> None:
    """Unions of its classes, and functions of both kinds."""
    document = (
        '{ things { __typename ... on Part { number label } ... on Box { parts { label(prefix: "Q") } } } }'
    )
    data = await both(strawberry.Schema(query=Root)._schema, document)
    assert data["things"][1] == {"__typename": "Box", "parts": [{"label": "Q-2"}]}


class Own(Executor[Any]):
    """Completes fields in a way of its own."""

    def execute_field(self, *_: Any, **__: Any) -> Any:
        """Always the same."""
        return "own"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (Own, {}),
        (Executor, {"abort_signal": AbortController().signal}),
        (Executor, {"hooks": ExecutionHooks()}),
    ],
)
async def test_what_changes_execution_has_no_plan(kind: type[Executor[Any]], more: dict[str, Any]) -> None:
    """Somebody's own executor, a signal that ends an operation, hooks into it."""
    executor = kind.build(ZOO, parse("{ keeper { name } }"), **more)
    assert isinstance(executor, Executor)
    with pytest.raises(Unplanned):
        await GenericExecution(ZOO).data(executor)
