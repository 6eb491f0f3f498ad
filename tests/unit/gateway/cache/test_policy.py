"""Which policy holds, and what it makes of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.policy import DEFAULT, NEVER, Policy, policy_of, terms_of, tightest
from schema.material import InventoryBalance, Item, LotMaster, LotQuality
from schema.production import OrderPlanning
from schema.quality import QualityHold
from sources.base import Need
from sources.keeping import CacheRule

POLICIES = st.builds(
    Policy,
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.floats(0, 10_000),
    st.floats(0, 100),
    st.booleans(),
)
NOW = 1_800_000_000.0
NEEDS = st.builds(Need, st.none() | st.floats(0, 5000), st.floats(NOW - 10, NOW), st.booleans())


@pytest.mark.parametrize("cls", [QualityHold, LotQuality, LotMaster])
def test_what_safety_depends_on_is_never_stale_by_default(cls: type) -> None:
    """Holds and the status of lots."""
    assert policy_of(cls, {}).never_stale
    assert policy_of(cls, {}).lifetime <= 1


def test_the_nearest_rule_wins_part_by_part() -> None:
    """The system's own type, its star, the gateway's type, the gateway's star, the default."""
    system = {"Item": CacheRule(max_age=1), "*": CacheRule(max_age=2, stale_if_error=3)}
    everywhere = {"Item": CacheRule(stale_if_error=4, negative_max_age=5), "*": CacheRule(max_age=6)}
    found = policy_of(Item, system, everywhere)
    assert (found.max_age, found.stale_if_error, found.negative_max_age) == (1, 3, 5)
    assert found.stale_while_revalidate == policy_of(Item, {}).stale_while_revalidate
    assert policy_of(OrderPlanning, {}, everywhere).max_age == 6
    assert policy_of(OrderPlanning, {}) == DEFAULT


def test_a_page_is_kept_no_longer_than_its_tightest_part() -> None:
    """Items for minutes, stock for moments: together for moments."""
    found = tightest([policy_of(Item, {}), policy_of(InventoryBalance, {}), policy_of(QualityHold, {})])
    assert found.max_age == 1
    assert found.never_stale


@given(POLICIES, NEEDS)
def test_the_bounds_are_in_order(policy: Policy, need: Need) -> None:
    """What is fresh is never older than what may be given while aging, nor that than the last resort."""
    terms = terms_of(policy, need, NOW)
    assert terms.last <= terms.fresh
    assert terms.aging <= terms.fresh <= terms.absent


@given(POLICIES, st.floats(0, 5000))
def test_no_bound_of_a_client_makes_strict_facts_older(policy: Policy, within: float) -> None:
    """never_stale: whatever the client says, nothing past max_age."""
    strict = Policy(policy.max_age, policy.stale_while_revalidate, policy.stale_if_error, 1.0, True)
    terms = terms_of(strict, Need(within, NOW), NOW)
    assert terms.fresh >= NOW - strict.max_age
    assert terms.last == terms.fresh
    assert terms.aging == terms.fresh


@given(POLICIES, st.floats(0, 5000), st.booleans())
def test_a_bound_is_kept(policy: Policy, within: float, flexible: bool) -> None:
    """What counts as fresh or as meeting the need was read within the bound."""
    terms = terms_of(policy, Need(within, NOW - 1, flexible), NOW)
    assert terms.fresh >= NOW - 1 - within
    assert terms.met >= NOW - 1 - within


def test_max_age_zero_means_always_asked() -> None:
    """Nothing that was read before is fresh, not even what is on its way."""
    assert terms_of(Policy(max_age=0), Need(), NOW).fresh == NEVER
