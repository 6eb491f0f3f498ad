"""The HTTP path: the gateway as a process of its own, cold and warm, beside the floor and the baseline."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plant, queries
from benchmarks.gateway import ANSWERS, COLD, WARM, write_config
from benchmarks.load import Load, drive, post
from benchmarks.processes import PlantServer, Server, baseline, cpu_seconds, floor, gateway
from benchmarks.report import Effort, Row

CONCURRENCY = 32
PAGES_AT_ONCE, ANALYTICS_AT_ONCE = 8, 2
"""Long answers are asked for by fewer at once."""
DELAY_MS = 20.0
LATENCY_MS = 48.0
CALLS = 1.3

SINGLES = [post(queries.SINGLE, {"id": plant.id_of(place)}) for place in range(plant.ORDERS)]
FIFTIES = [post(queries.PAGE, {"first": 50, "search": page}) for page in plant.PAGES]
HUNDREDS = [post(queries.ANALYTICS, {"first": 500, "search": letter}) for letter in "ABCD"]
WARM_SINGLES, WARM_FIFTIES = SINGLES[:200], FIFTIES[:8]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of load against one server."""

    load: Load
    cpu: float
    calls: float

    @property
    def cost(self) -> float:
        """CPU milliseconds a request."""
        return self.cpu / self.load.requests * 1000


class Bench:
    """The plant and how hard to try."""

    def __init__(self, server: PlantServer, effort: Effort) -> None:
        self.plant = server
        self.effort = effort

    def run(self, server: Server, requests: Sequence[bytes], concurrency: int) -> Run:
        """Load on a server for a while, its CPU and what it asked of the systems."""
        self.plant.calls()
        before = cpu_seconds(server.pid)
        load = drive(server.port, requests, concurrency=concurrency, seconds=self.effort.seconds)
        cpu = cpu_seconds(server.pid) - before
        return Run(load, cpu, self.plant.calls() / load.requests)

    def turns(self, *sides: Callable[[], Run]) -> list[list[Run]]:
        """Each side in turn, round after round."""
        return [[side() for side in sides] for _ in range(self.effort.rounds)]


def _middle(runs: Sequence[Run]) -> str:
    cost = statistics.median(run.cost for run in runs)
    p50 = statistics.median(run.load.quantile(0.5) for run in runs) * 1000
    p99 = statistics.median(run.load.quantile(0.99) for run in runs) * 1000
    return f"{cost:.3f} ms (p50 {p50:.1f}, p99 {p99:.1f})"


def _against_floor(
    bench: Bench, work: str, ours: Server, bare: Server, asked: list[bytes], most: float, concurrency: int
) -> Row:
    """A warm answer against the same number of bytes from nothing."""
    for request in asked:
        size = drive(ours.port, [request], concurrency=1, count=1, seconds=30).size
    static = [post("{ static }", {}, f"/{size}")]
    drive(bare.port, static, concurrency=concurrency, seconds=0.2)
    bench.plant.calls()
    rounds = bench.turns(
        lambda: bench.run(ours, asked, concurrency), lambda: bench.run(bare, static, concurrency)
    )
    if any(run.calls for run, _ in rounds):
        raise SystemExit(f"{work}: the systems were asked, so it was not warm")
    ratio = statistics.median(mine.cost / other.cost for mine, other in rounds)
    mine, other = (_middle(side) for side in zip(*rounds, strict=True))
    return Row(
        work,
        "bare uvicorn, static answer of that size",
        f"{ratio:.1f}x its CPU",
        f"<= {most:g}x",
        ratio <= most,
        f"{mine} against {other}; {size} bytes; {concurrency} at once",
    )


def _against_baseline(
    bench: Bench, work: str, ours: Server, other: Server, asked: list[bytes], least: float, concurrency: int
) -> tuple[Row, float]:
    """A cold answer against the baseline's; also the gateway's calls a request."""
    sizes = [drive(one.port, asked[:1], concurrency=1, count=1, seconds=30).size for one in (ours, other)]
    if abs(sizes[0] - sizes[1]) > sizes[1] / 100:
        raise SystemExit(f"{work}: {sizes[0]} bytes against {sizes[1]} are not the same answer")
    for one in (ours, other):
        drive(one.port, asked, concurrency=concurrency, seconds=bench.effort.seconds / 3)
    rounds = bench.turns(
        lambda: bench.run(ours, asked, concurrency), lambda: bench.run(other, asked, concurrency)
    )
    ratio = statistics.median(theirs.cost / mine.cost for mine, theirs in rounds)
    sides = list(zip(*rounds, strict=True))
    calls = [statistics.median(run.calls for run in side) for side in sides]
    row = Row(
        work,
        "tuned Strawberry baseline",
        f"{ratio:.2f}x the requests per CPU-second",
        f">= {least:g}x",
        ratio >= least,
        f"{_middle(sides[0])} against {_middle(sides[1])}; {calls[0]:.2f} and {calls[1]:.2f} upstream calls; "
        f"{sizes[0]} bytes; {concurrency} at once",
    )
    return row, calls[0]


def warm_rows(server: PlantServer, folder: Path, effort: Effort) -> list[Row]:
    """The whole HTTP path with everything in L1."""
    bench = Bench(server, effort)
    with ExitStack() as stack:
        ours = stack.enter_context(gateway(write_config(folder, server.url, WARM)))
        bare = stack.enter_context(floor())
        return [
            _against_floor(
                bench, "warm page of 50, whole HTTP path", ours, bare, WARM_FIFTIES, 5, PAGES_AT_ONCE
            ),
            _against_floor(
                bench, "warm single order, whole HTTP path", ours, bare, WARM_SINGLES, 2, CONCURRENCY
            ),
            _hits(bench, folder, bare),
        ]


def _hits(bench: Bench, folder: Path, bare: Server) -> Row:
    """The same documents and variables again, where whole answers are kept."""
    work, most = "response-cache hit", 1.25
    with gateway(write_config(folder, bench.plant.url, ANSWERS)) as ours:
        return _against_floor(bench, work, ours, bare, WARM_SINGLES, most, CONCURRENCY)


def cold_rows(server: PlantServer, folder: Path, effort: Effort) -> list[Row]:
    """Nothing kept: what a request costs with all its upstream calls."""
    bench = Bench(server, effort)
    with ExitStack() as stack:
        ours = stack.enter_context(gateway(write_config(folder, server.url, COLD)))
        other = stack.enter_context(baseline(server.url))
        single, calls = _against_baseline(
            bench, "cold single order, 5 hops", ours, other, SINGLES, 9, CONCURRENCY
        )
        page, _ = _against_baseline(bench, "cold page of 50, 5 hops", ours, other, FIFTIES, 14, PAGES_AT_ONCE)
        many, _ = _against_baseline(
            bench,
            "cold analytics page: 500 orders x item x balances",
            ours,
            other,
            HUNDREDS,
            16,
            ANALYTICS_AT_ONCE,
        )
        shared = Row(
            "cold, 32 concurrent single orders",
            "upstream calls per query",
            f"{calls:.2f}",
            f"<= {CALLS:g}",
            calls <= CALLS,
        )
        return [single, page, many, shared, _slow(bench, ours, other)]


def _slow(bench: Bench, ours: Server, other: Server) -> Row:
    """The latency of a single order, one after the other, where every system takes its time."""
    bench.plant.delay(DELAY_MS)
    try:
        rounds = bench.turns(lambda: bench.run(ours, SINGLES, 1), lambda: bench.run(other, SINGLES, 1))
    finally:
        bench.plant.delay(0)
    mine, theirs = (
        statistics.median(run.load.quantile(0.5) for run in side) * 1000 for side in zip(*rounds, strict=True)
    )
    return Row(
        f"a slow system ({DELAY_MS:g} ms more on every upstream call)",
        "latency of a cold single order",
        f"{mine:.1f} ms at p50",
        f"<= {LATENCY_MS:g} ms",
        mine <= LATENCY_MS,
        f"one at a time; baseline {theirs:.1f} ms",
    )
