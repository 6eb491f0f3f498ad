"""``crossdock explain``: what it prints, and what it refuses."""

import pytest

from gateway.config import load_settings
from gateway.demo import demo_file
from gateway.explaining import explained
from schema.errors import RequestError

PAGE = "query ($first: Int!) { productionOrders(first: $first) { nodes { number item { number } } } }"


def lines(text: str, variables: str | None = None) -> list[str]:
    """What is printed over the demo."""
    return list(explained(text, load_settings(demo_file(), environ={}), variables))


def test_it_prints_hops_and_the_price() -> None:
    """A line a hop, then the calls where every owner answers, then the most that it can be."""
    *hops, usual, most = lines(PAGE, '{"first": 200}')
    assert hops[0].split()[0] == "SAP_PRD.orders"
    assert any("only if the owner is silent" in hop for hop in hops)
    [items] = [hop for hop in hops if hop.startswith("SAP_PRD.items")]
    assert "1 call per 100 keys" in items
    assert "at most 2 " in items
    assert usual == "3 upstream calls when every owner answers."
    assert most.startswith("At most 5 calls and 800 rows;")


def test_variables_may_be_left_out() -> None:
    """A page is then taken to be small."""
    assert "at most 1 " in next(line for line in lines(PAGE) if line.startswith("SAP_PRD.items"))


def test_a_field_that_nobody_provides_is_named() -> None:
    """Nobody speaks for a plant that is not there."""
    found = lines('{ productionOrder(id: "po:NOWHERE/1") { number holds { number } } }')
    assert [line.split()[0] for line in found if "no connected system" in line] == ["nobody", "nobody"]
    assert found[-2] == "0 upstream calls when every owner answers."


@pytest.mark.parametrize("variables", ["[]", "7", "{", '"x"'])
def test_variables_that_are_no_object_are_refused(variables: str) -> None:
    """Saying how to write them."""
    with pytest.raises(RequestError) as caught:
        lines(PAGE, variables)
    assert "--variables" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["{ nothing", "{ nothing }"])
def test_a_query_that_is_not_valid_is_refused(text: str) -> None:
    """Be it unreadable or meaningless."""
    with pytest.raises(RequestError):
        lines(text)
