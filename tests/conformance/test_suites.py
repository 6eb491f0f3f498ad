"""Tests that others wrote for the reference, run against the plan executor."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conformance.suites import PIP, folder

HERE = Path(__file__).parent
SUITE = (
    "tests/execution",
    "tests/test_graphql.py",
    "tests/test_star_wars_query.py",
    "tests/test_user_registry.py",
)
CANCEL = "tests/execution/test_parallel.py::describe_parallel_execution::describe_cancel_on_exception::"
LISTS = "tests/execution/test_lists.py::describe_execute_handles_list_nullability::"

CALLED_AGAIN = "counts calls; where the plan is left the reference calls the functions again"
AWAITED_TWICE = "its data holds a coroutine, which the plan has awaited when the reference comes to it"
EXCLUDED: Mapping[str, str] = {
    "tests/execution/test_executor.py::describe_execute_handles_basic_execution_tasks::"
    "it_populates_path_correctly_with_complex_types": "a column has one path for all rows, without places in lists",
    "tests/execution/test_cancellation.py::describe_execute_cancellation::"
    "suppresses_sibling_errors_after_a_non_null_error_bubbles": "counts the turns of the loop until an error is told",
    f"{CANCEL}cancel_selection_sets": CALLED_AGAIN,
    f"{CANCEL}cancel_type_resolver": CALLED_AGAIN,
    **{
        f"{LISTS}{name}": AWAITED_TWICE
        for name in ("contains_null", "returns_null", "contains_error", "results_in_errors")
    },
}
"""Tests of graphql-core that the plan executor does not pass, each with its reason."""


def run(suite: Path, paths: Sequence[str], excluded: Mapping[str, str], tally: Path) -> dict[str, int]:
    """Run some tests of a suite; how they and their operations went. Fails where one of them does."""
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "foreign.ini"), "--rootdir", str(suite)]
    command += ["-p", "redirect", "-p", "no:cacheprovider", "-p", "no:randomly", "-q", "--tb=short", *paths]
    command += [word for name in excluded for word in ("--deselect", name)]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "CROSSDOCK_TALLY": str(tally)}
    done = subprocess.run(
        command, cwd=suite, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0, "see above"
    counts: dict[str, int] = json.loads(tally.read_text())
    return counts


@pytest.fixture(scope="module")
def graphql_core() -> Path:
    """Graphql-core's own tests of the version that is installed."""
    place = folder("graphql-core")
    if not place.exists():
        subprocess.run([str(PIP), str(HERE / "suites.py")], check=True, timeout=300)
    return place


@pytest.mark.timeout(320)
def test_what_graphql_core_demands_of_itself_the_plans_do(
    graphql_core: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its execution tests pass, and what they execute is executed by plans, except where something is wrong.

    ``irregular`` counts answers without errors for which a plan was left: generators, coroutines inside lists.
    ``errors`` are the reference's by design. What has no plan is divided, can be aborted, or asks for the schema.
    """
    counts = run(graphql_core, SUITE, EXCLUDED, tmp_path / "tally.json")
    with capsys.disabled():
        print(f"\ngraphql-core's own tests and their operations: {counts}")
    assert counts["passed"] >= 786
    assert counts["left out"] == len(EXCLUDED), "a test that is left out has gone or has another name"
    assert counts["plan"] >= 210
    assert counts["plan"] / (counts["plan"] + counts["irregular"]) >= 0.9
