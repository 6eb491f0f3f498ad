"""Schemathesis asks every root of the schema, as a client that knows nothing but the introspection."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from gateway.app import create_app
from tests.e2e.demo.conftest import settings_over
from tests.e2e.demo.plant import running_plant
from tests.property.test_fuzz import SCALARS
from tests.serving import serving

EXAMPLES = 4


@pytest.fixture(scope="module")
def gateway() -> Iterator[Any]:
    """The gateway over a plant that stands still, as Schemathesis sees it."""
    for name, strategy in SCALARS.items():
        if name != "ID":
            schemathesis.graphql.scalar(name, strategy)
    with running_plant() as plant, serving(create_app(settings_over(plant, introspection=True))) as url:
        yield schemathesis.graphql.from_url(f"{url}/graphql")


@pytest.mark.timeout(300)
def test_every_root_answers_or_says_what_is_wrong(gateway: Any) -> None:
    """No root can be made to fail by what its own types allow."""
    asked = set()
    for found in gateway.get_all_operations():
        operation = found.ok()
        asked.add(operation.label)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            answer = case.call()
            assert answer.status_code < 500, answer.text[:500]
            codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
            assert "INTERNAL_SERVER_ERROR" not in codes, answer.text[:500]

        check()
    assert {"Query.productionOrder", "Query.trace", "Mutation.reportOperation"} <= asked
