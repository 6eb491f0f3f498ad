"""The schema itself: what a good one keeps to, and that it is the committed one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    assert_valid_schema,
    get_named_type,
    is_nullable_type,
    parse,
    specified_scalar_types,
    validate,
)

from gateway.sdl import committed_sdl, compare, present_sdl
from resolvers.graph import graphql_schema
from schema.errors import SourceUnavailable
from tests.graph.fakes import ask, code_of, context
from tests.graph.plant import systems

SCHEMA = graphql_schema()
FEDERATION = re.compile(r"^(_|link__|federation__)")
CAMEL = re.compile(r"^[a-z][a-zA-Z0-9]*$")
PASCAL = re.compile(r"^[A-Z][A-Za-z0-9]*$")
UPPER = re.compile(r"^[A-Z][A-Z0-9_]*$")


def own_types() -> Iterator[GraphQLNamedType]:
    """The types that are ours: neither GraphQL's nor Federation's."""
    for name, kind in SCHEMA.type_map.items():
        if not FEDERATION.match(name) and name not in specified_scalar_types:
            yield kind


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """Every field of ours with its name."""
    for kind in own_types():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                if not FEDERATION.match(name):
                    yield f"{kind.name}.{name}", field


def named(suffix: str) -> list[GraphQLObjectType]:
    """The object types whose name ends so."""
    return [t for t in own_types() if isinstance(t, GraphQLObjectType) and t.name.endswith(suffix)]


def test_the_schema_is_valid() -> None:
    """GraphQL itself has nothing to object."""
    assert_valid_schema(SCHEMA)


def test_everything_has_a_description() -> None:
    """Types, fields, arguments and inputs all say what they mean."""
    silent = [kind.name for kind in own_types() if not kind.description]
    for where, field in fields():
        silent += [] if field.description else [where]
        silent += [f"{where}({name})" for name, argument in field.args.items() if not argument.description]
    for kind in own_types():
        if isinstance(kind, GraphQLInputObjectType):
            silent += [f"{kind.name}.{n}" for n, f in kind.fields.items() if not f.description]
    assert silent == []


def test_fresh_is_declared() -> None:
    """@fresh stands in the schema, on fields, and says what it means."""
    fresh = SCHEMA.get_directive("fresh")
    assert fresh is not None
    assert [location.name for location in fresh.locations] == ["FIELD"]
    assert {name: str(argument.type) for name, argument in fresh.args.items()} == {"within": "String!"}
    assert fresh.description
    assert fresh.args["within"].description
    assert "directive @fresh(" in present_sdl()


def test_names_follow_the_convention() -> None:
    """Types are PascalCase, fields and arguments camelCase, enum values UPPER_CASE."""
    odd = [kind.name for kind in own_types() if not PASCAL.match(kind.name)]
    for where, field in fields():
        odd += [where] if not CAMEL.match(where.partition(".")[2]) else []
        odd += [f"{where}({name})" for name in field.args if not CAMEL.match(name)]
    for kind in own_types():
        if isinstance(kind, GraphQLEnumType):
            odd += [f"{kind.name}.{value}" for value in kind.values if not UPPER.match(value)]
    assert odd == []


def test_connections_follow_relay() -> None:
    """A connection has edges and a page info that is never null; its edges have a cursor and a node."""
    assert named("Connection")
    for connection in named("Connection"):
        assert str(connection.fields["pageInfo"].type) == "PageInfo!"
        edge = get_named_type(connection.fields["edges"].type)
        assert isinstance(edge, GraphQLObjectType)
        assert edge.name == connection.name.removesuffix("Connection") + "Edge"
        assert str(edge.fields["cursor"].type) == "String!"
        assert get_named_type(edge.fields["node"].type) is get_named_type(connection.fields["nodes"].type)
        assert {"totalCount", "partial", "sources"} <= set(connection.fields)


def test_page_info_follows_relay() -> None:
    """PageInfo has the four fields of Relay."""
    info = SCHEMA.type_map["PageInfo"]
    assert isinstance(info, GraphQLObjectType)
    assert {name: str(field.type) for name, field in info.fields.items()} == {
        "hasNextPage": "Boolean!",
        "hasPreviousPage": "Boolean!",
        "startCursor": "String",
        "endCursor": "String",
    }


def test_whatever_pages_takes_first_and_after() -> None:
    """A field that gives a connection takes 'first' and 'after'; no other field does."""
    for where, field in fields():
        is_connection = get_named_type(field.type).name.endswith("Connection")
        assert ({"first", "after"} <= set(field.args)) is is_connection, where


def test_roots_that_ask_systems_may_be_null() -> None:
    """One dead system must not null the whole answer: a root is nullable, a connection, or the gateway's own."""
    assert SCHEMA.query_type is not None
    own = {"nodes", "viewer", "sourceSystems", "_entities", "_service", "webhookSubscriptions"}
    strict = [
        name
        for name, field in SCHEMA.query_type.fields.items()
        if not is_nullable_type(field.type) and not get_named_type(field.type).name.endswith("Connection")
    ]
    assert set(strict) <= own


def test_groups_of_owners_may_be_null() -> None:
    """The owner groups are nullable, and carry a provenance that is not."""
    for name, groups in (
        ("ProductionOrder", ("planning", "execution", "posting")),
        ("Shipment", ("warehouse", "posting", "transport")),
        ("Lot", ("master", "quality")),
    ):
        kind = SCHEMA.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        for group in groups:
            assert is_nullable_type(kind.fields[group].type)
            inner = get_named_type(kind.fields[group].type)
            assert isinstance(inner, GraphQLObjectType)
            assert isinstance(inner.fields["provenance"].type, GraphQLNonNull)


def test_nodes_have_ids() -> None:
    """Every type with an id of this gateway is a Node."""
    node = SCHEMA.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    for kind in SCHEMA.get_possible_types(node):
        assert str(kind.fields["id"].type) == "ID!"


def test_custom_scalars_say_where_they_are_specified() -> None:
    """Custom scalars carry @specifiedBy."""
    scalars = [kind for kind in own_types() if isinstance(kind, GraphQLScalarType)]
    assert {scalar.name for scalar in scalars} == {
        "Date",
        "DateTime",
        "Decimal",
        "Duration",
        "JSON",
        "UnitCode",
    }
    assert [scalar.name for scalar in scalars if not scalar.specified_by_url] == []


def test_mutations_take_one_input_and_give_a_payload() -> None:
    """A mutation has one argument, 'input', never null, and answers with errors for the user.

    What is written to a system answers with a WritePayload; webhooks are the gateway's own.
    """
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        assert list(field.args) == ["input"], name
        assert isinstance(field.args["input"].type, GraphQLNonNull)
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        assert {"userErrors", "clientMutationId"} <= set(payload.fields)
        own = name.startswith("webhook")
        assert ("WritePayload" in [interface.name for interface in payload.interfaces]) is not own


def test_what_every_relay_subgraph_has_is_shareable() -> None:
    """PageInfo, connections, their edges and Query.node are @shareable, or no other Relay subgraph composes."""
    sdl = present_sdl()
    assert "type PageInfo @shareable {" in sdl
    for kind in named("Connection"):
        assert f"type {kind.name} @shareable {{" in sdl
        assert f"type {kind.name.removesuffix('Connection')}Edge @shareable {{" in sdl
    query = sdl[sdl.index("\ntype Query ") :]
    assert re.search(r"\n  \): Node @shareable", query)


def test_the_schema_is_the_committed_one() -> None:
    """`crossdock schema print > schema/schema.graphql` was run, and nothing broke unexcused."""
    found = compare(committed_sdl(), present_sdl(), {})
    assert found.breaking == ()
    assert found.same, "run: crossdock schema print > schema/schema.graphql"


def test_a_breaking_change_is_noticed() -> None:
    """A field that is gone is a breaking change; one with a reason is excused."""
    lost = re.sub(r'  """[^"]*"""\n  baseUnit: UnitCode\n', "", present_sdl())
    assert compare(present_sdl(), lost, {}).breaking == ("Field Item.baseUnit was removed.",)
    found = compare(present_sdl(), lost, {"Field Item.baseUnit was removed.": "units have it"})
    assert (found.breaking, found.excused) == ((), ("Field Item.baseUnit was removed. (units have it)",))


OPERATIONS = {
    path.stem: path.read_text("utf-8")
    for path in sorted((Path(__file__).parent / "operations").glob("*.graphql"))
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_example_operations_validate(name: str) -> None:
    """What users of the graph ask for is valid."""
    assert validate(SCHEMA, parse(OPERATIONS[name])) == []


ALIASES = {
    "po1": "po:1710/1000000",
    "p1": "plant:1710",
    "p2": "plant:1720",
    "cm-plant": "plant:1710",
    "wc1": "wc:1710/WC1",
    "i1": "item:RM-1",
    "lot9": "lot:RM-1/L1",
    "op1": "op:1710/1000000/0010",
    "3pl-7": "party:C1",
    "sup-3": "party:C1",
}


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_example_operations_are_answered(name: str, down: bool) -> None:
    """Each is answered without an error, with all systems there and with all of them down; F1 asks for a system that
    is not connected, and is told so.
    """
    plant = systems()
    for system in plant.all if down else ():
        system.fault = SourceUnavailable("down")
    result = await ask(context(*plant.all, aliases=ALIASES), OPERATIONS[name])
    codes = [code_of(error) for error in result.errors or ()]
    assert codes == (["BAD_USER_INPUT"] if name == "F1_OrderCard" else []), result.errors
