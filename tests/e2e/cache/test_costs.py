"""What a key costs our process, against what we promise ourselves; twice as much is a regression on any machine."""

import asyncio

import pytest

from benchmarks import loaders, redis_store

L1_HIT, L2_OURS = 3.0, 5.0
"""Targets in microseconds of CPU a key, in batches of 500."""
SLACK = 2.0


@pytest.fixture(scope="module")
def costs() -> list[loaders.Cost]:
    """Through the loaders and both tiers."""
    return asyncio.run(loaders.costs())


def test_a_hit_in_this_process_costs_next_to_nothing(costs: list[loaders.Cost]) -> None:
    """Through the loaders, found in L1."""
    assert {one.kind: one.l1 for one in costs if one.l1 > L1_HIT * SLACK} == {}


def test_a_hit_in_redis_costs_little_beyond_redis() -> None:
    """The store on top of redis-py: keys, decoding, marks, entries."""
    found = asyncio.run(redis_store.costs())
    assert {one.name: one.ours for one in found if one.ours > L2_OURS * SLACK} == {}
