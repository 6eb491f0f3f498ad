"""What runs of one operation share: executors and coerced variables."""

from typing import Any

import pytest

from resolvers.execution.fragments import MOST_VALUES
from resolvers.execution.operation import PlanExecution
from resolvers.execution.preparing import LONGEST, in_short
from resolvers.graph import graphql_schema
from tests.graph.fakes import context, valid

DOCUMENT = (
    "query Q($first: Int!, $on: Boolean = true) { lots(first: $first) { totalCount @include(if: $on) } }"
)


@pytest.mark.parametrize(
    ("values", "short"),
    [(["a", 1, True, None, ...], True), ([1.0], False), ([["a"]], False), (["x" * (LONGEST + 1)], False)],
)
def test_only_plain_and_short_values_are_remembered(values: list[Any], short: bool) -> None:
    """Large or nested ones would keep a request's size alive, and 0.0 equals -0.0."""
    assert in_short(values) is short


async def test_values_that_are_equal_but_not_the_same_are_told_apart() -> None:
    """After 1 was good for an Int, true is still refused; and so again."""
    execution, document = PlanExecution(graphql_schema()), valid(DOCUMENT)
    for _ in range(2):
        good = await execution.execute(document, context(), {"first": 1})
        assert isinstance(good.data, bytes)
        bad = await execution.execute(document, context(), {"first": True})
        assert bad.data is None
        assert "Int" in bad.errors[0].message


async def test_a_default_is_not_a_null_nor_a_value() -> None:
    """A variable left out, null, true and false: four requests."""
    execution, document = PlanExecution(graphql_schema()), valid(DOCUMENT)
    for said, told in (
        ({}, True),
        ({"on": False}, False),
        ({}, True),
        ({"on": True}, True),
        ({"on": False}, False),
    ):
        done = await execution.execute(document, context(), {"first": 2, **said})
        assert isinstance(done.data, bytes)
        assert (b"totalCount" in done.data) is told


async def test_many_values_are_not_kept_for_ever() -> None:
    """More than a few hundred, and all of them are coerced anew."""
    execution, document = PlanExecution(graphql_schema()), valid(DOCUMENT)
    for first in range(1, MOST_VALUES + 20):
        done = await execution.execute(document, context(), {"first": first})
        assert isinstance(done.data, bytes)
