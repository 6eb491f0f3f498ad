"""Whole answers are given again: only to equals, only while they are true, and never more than there is room for."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cache.memory import Memory
from gateway.cache.redis import RedisStore
from gateway.cache.store import Invalidation
from schema.errors import SourceUnavailable
from sources.base import Batch, Bundle, Written
from tests.graph.fakes import Spec
from tests.graph.http.keeping import ASK, CARD, ORDER, Gateway
from tests.graph.plant import number, systems
from tests.redis_server import RedisServer
from tests.unit.gateway.cache.shelf import START, Clock

ID = f"po:1710/{number(0)}"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A real Redis."""
    with RedisServer() as server:
        yield server


async def test_the_same_question_is_answered_from_memory() -> None:
    """The second time nobody is asked, the bytes are the same, and the age has grown."""
    gateway = Gateway()
    first = await gateway.post()
    gateway.forget_values()
    gateway.clock.pass_(7)
    second = await gateway.post()
    assert not gateway.asked
    assert first.json()["data"]["productionOrder"]["execution"] == {"good": {"value": "50"}}
    assert second.content == first.content
    assert (first.headers["age"], second.headers["age"]) == ("0", "7")
    for name in ("cache-control", "vary", "etag", "content-type", "x-content-type-options"):
        assert second.headers[name] == first.headers[name]


async def test_it_does_not_matter_how_the_question_is_sent() -> None:
    """GET or POST, and the order of variables and of the request's members, make no difference."""
    gateway = Gateway()
    await gateway.post(ASK, variables={"id": ID, "w": "30s"})
    assert await gateway.again(ASK, variables={"w": "30s", "id": ID})
    assert await gateway.again(ASK, operationName="Ask", variables={"w": "30s", "id": ID})
    gateway.forget_values()
    await gateway.get(ASK, variables=json.dumps({"w": "30s", "id": ID}))
    assert not gateway.asked


async def test_another_question_is_another_answer() -> None:
    """Other variables, another operation of the same document, another alias: each is executed for itself."""
    gateway = Gateway()
    both = f"query A {{ a: {ORDER} {{ number }} }} query B {{ b: {ORDER} {{ number }} }}"
    await gateway.post(ASK, variables={"id": ID})
    assert not await gateway.again(ASK, variables={"id": f"po:1710/{number(2)}"})
    assert not await gateway.again(ASK, variables={"id": ID, "w": "29s"})
    assert "a" in (await gateway.post(both, operationName="A")).json()["data"]
    assert "b" in (await gateway.post(both, operationName="B")).json()["data"]
    assert await gateway.again(both, operationName="A")
    await gateway.post()
    renamed = (await gateway.post(CARD.replace("number", "no: number"))).json()
    assert renamed["data"]["productionOrder"]["no"] == number(0)


async def test_rights_are_never_crossed() -> None:
    """Who may see other rows is never given the answer, whoever asked first; who may see the same is, by any name."""
    gateway = Gateway()
    await gateway.post(headers={"x-who": "mia"})
    assert not await gateway.again(headers={"x-plants": "1710"})
    assert not await gateway.again(headers={"x-plants": "1720"})
    assert await gateway.again(headers={"x-who": "tom"})
    assert await gateway.again(headers={"x-who": "tom", "x-plants": "1710"})


async def test_an_answer_of_other_rights_than_were_told_is_not_kept() -> None:
    """Where the operation ran with other rights than the question says, nothing is kept: a mistake cannot leak."""
    gateway = Gateway()
    gateway.answers.rights = lambda scope: "everybody"
    await gateway.post(headers={"x-plants": "1710"})
    assert len(gateway.answers) == 0
    assert not await gateway.again()


async def test_both_media_types_are_answered() -> None:
    """The bytes are the same, the type is the wished one, and the tags differ: they are two representations."""
    gateway = Gateway()
    accept = {"accept": "application/graphql-response+json"}
    plain = await gateway.post()
    assert await gateway.again(headers=accept)
    other = await gateway.post(headers=accept)
    assert other.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert other.content == plain.content
    assert other.headers["etag"] != plain.headers["etag"]


async def test_it_goes_with_its_lifetime() -> None:
    """The part whose time is over first decides; a bound in the request makes it shorter."""
    gateway = Gateway()
    await gateway.post()
    gateway.clock.pass_(59)
    assert await gateway.again()
    gateway.clock.pass_(1)
    assert not await gateway.again()
    bounded = CARD.replace('")', '", freshness: {maxAgeSeconds: 5})')
    await gateway.post(bounded)
    gateway.clock.pass_(4)
    assert await gateway.again(bounded)
    gateway.clock.pass_(1)
    assert not await gateway.again(bounded)


@pytest.mark.parametrize(
    ("tag", "goes"),
    [
        (ID, True),
        ("po:*", True),
        ("sys:MES", True),
        (f"po:1710/{number(2)}", False),
        ("ship:S100", False),
        ("sys:TMS", False),
    ],
)
async def test_it_goes_with_the_first_word_about_it(tag: str, goes: bool) -> None:
    """An invalidation of anything in it drops it at once; of anything else it does not."""
    gateway = Gateway()
    await gateway.post()
    await gateway.caching.invalidate([tag])
    assert await gateway.again() is not goes


async def test_a_list_goes_with_its_kind() -> None:
    """What a page shows, and what it may have to show next, drops the answer that has it."""
    gateway = Gateway()
    query = "{ productionOrders(first: 2) { nodes { number } } }"
    for tag, kept in (
        (ID, False),
        (f"po:1710/{number(50)}", False),
        ("item:FG-9", True),
        ("lot:FG-9/1", True),
    ):
        gateway.clock.pass_(1)
        await gateway.post(query)
        await gateway.caching.invalidate([tag])
        assert await gateway.again(query) is kept


async def test_it_goes_when_another_gateway_says_so() -> None:
    """What a shared store hears, in whatever order, drops it; a store that may have missed something drops all."""
    for said in (Invalidation((ID,), START - 100), Invalidation((), START - 100)):
        gateway = Gateway()
        await gateway.post()
        gateway.memory.marks.note(said)
        assert not await gateway.again()


async def test_a_late_word_about_a_write_drops_it() -> None:
    """A write that is heard of after the answer was made counts, even if the answer was read later than the write."""
    gateway = Gateway()
    await gateway.post()
    written = Written(START - 5, frozenset({ID}), "MES", version="2", before="1")
    gateway.memory.marks.note(Invalidation((ID,), START - 5, written))
    assert not await gateway.again()


async def test_what_changed_while_it_was_made_is_not_kept() -> None:
    """An invalidation between the reading of a part and the end of the operation: the answer is given, not kept."""
    plant = systems()
    read = plant.mes._read

    async def slowly(spec: Spec, batch: Batch) -> Bundle:
        found = await read(spec, batch)
        await gateway.caching.invalidate([ID])
        return found

    plant.mes._read = slowly  # type: ignore[method-assign]
    gateway = Gateway(plant=plant)
    assert (await gateway.post()).status_code == 200
    assert len(gateway.answers) == 0


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (f"{{ {ORDER} {{ planning {{ provenance {{ ageSeconds }} }} }} }}", {}),
        (f"{{ {ORDER} {{ planning {{ provenance {{ mode }} }} }} }}", {}),
        (f"{{ {ORDER} {{ number }} viewer {{ subject }} }}", {}),
        (f"{{ {ORDER} {{ number }} sourceSystems {{ code }} }}", {}),
        (f'{{ {ORDER} {{ number }} __type(name: "Item") {{ name }} }}', {}),
        ("{ __typename }", {}),
        ('{ plant(code: "1710") { name } }', {}),
        (CARD, {"extensions": {"crossdock": {"trace": True}}}),
        (CARD, {"extensions": {"other": 1}}),
        (
            f'{{ productionOrder(key: {{system: "ERP", kind: "ProductionOrder", key: "{number(0)}"}}) {{ number }} }}',
            {},
        ),
        (CARD.replace('")', '", freshness: {maxAgeSeconds: 0})'), {}),
        (CARD.replace('")', '", freshness: {afterWrite: "wt_gCoyS8Zg"})'), {}),
        (f'{{ {ORDER} {{ number }} lot(number: "L1") {{ number }} }}', {}),
        ("mutation { __typename }", {}),
        ("{ nope }", {}),
    ],
)
async def test_what_is_not_kept(query: str, more: dict[str, Any]) -> None:
    """Ages, this moment, the schema, traces, live values, writes, errors, keys of systems, what no system was asked: never
    given again.
    """
    gateway = Gateway()
    await gateway.post(query, **more)
    assert len(gateway.answers) == 0


async def test_an_outage_is_not_kept() -> None:
    """An answer with a missing part is given once: the next one may be whole."""
    gateway = Gateway()
    gateway.plant.mes.fault = SourceUnavailable("down")
    assert (await gateway.post()).json()["data"]["productionOrder"]["execution"] is None
    assert len(gateway.answers) == 0
    gateway.plant.mes.fault = None
    assert (await gateway.post()).json()["data"]["productionOrder"]["execution"] is not None


async def test_an_unknown_lane_is_refused_all_the_same() -> None:
    """What the making of a context would refuse is refused for a kept answer, too; lanes share it otherwise."""
    gateway = Gateway()
    await gateway.post()
    assert (await gateway.post(headers={"crossdock-lane": "urgent"})).status_code == 400
    assert await gateway.again(headers={"crossdock-lane": "background"})


async def test_it_is_bounded() -> None:
    """Thousands of questions take no more room than there is, and the one asked last is still known."""
    gateway = Gateway(max_bytes=40_000)
    for index in range(200):
        await gateway.post(ASK, variables={"id": f"po:1710/{number(index % 60)}", "w": f"{10 + index}s"})
        assert gateway.answers.size <= 40_000
    assert 3 < len(gateway.answers) < 60
    assert await gateway.again(ASK, variables={"id": f"po:1710/{number(19)}", "w": "209s"})
    tiny = Gateway(max_bytes=100)
    await tiny.post()
    await tiny.post()
    assert (len(tiny.answers), tiny.answers.size) == (0, 0)


async def test_a_client_that_has_it_is_told_so() -> None:
    """If-None-Match by GET: 304 without a body, for a kept answer and for one computed anew; POST gets the bytes."""
    gateway = Gateway()
    tag = (await gateway.get()).headers["etag"]
    assert tag.startswith('"')
    for condition in (tag, f'W/"x", W/{tag}', "*"):
        kept = await gateway.get(headers={"if-none-match": condition})
        assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
        assert kept.headers["cache-control"] == "private, max-age=60"
    assert (await gateway.get(headers={"if-none-match": '"other"'})).status_code == 200
    assert (await gateway.post(headers={"if-none-match": tag})).status_code == 200
    await gateway.caching.invalidate([ID])
    gateway.forget_values()
    anew = await gateway.get(headers={"if-none-match": tag})
    assert gateway.asked
    assert (anew.status_code, anew.content) == (304, b"")


async def test_what_must_not_be_stored_has_no_tag() -> None:
    """No-store and a tag contradict each other; a condition changes nothing there."""
    gateway = Gateway()
    response = await gateway.get("{ __typename }", headers={"if-none-match": "*"})
    assert response.status_code == 200
    assert "etag" not in response.headers


async def test_many_at_once_are_each_answered() -> None:
    """Equal questions under way at the same time do not get into each other's way."""
    gateway = Gateway()
    bodies = {response.content for response in await asyncio.gather(*[gateway.post() for _ in range(8)])}
    assert len(bodies) == 1
    assert await gateway.again()


async def test_it_goes_when_another_worker_says_so(redis: RedisServer) -> None:
    """Two gateways share a Redis: an invalidation at one drops the answer that the other keeps."""
    clock = Clock()
    clock.time = time.time()
    memory = Memory(clock=clock)
    ours = RedisStore(redis.url, heard=memory.marks.note)
    theirs = RedisStore(redis.url)
    gateway = Gateway(memory=memory, store=ours, clock=clock)
    await ours.open()
    await theirs.open()
    try:
        await gateway.post()
        assert await gateway.again()
        await theirs.invalidate(Invalidation((ID,), time.time()))
        for _ in range(200):
            if not await gateway.again():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the answer is still given after two seconds")
    finally:
        await ours.close()
        await theirs.close()
